//! Under construction.

pub mod api;
pub mod audit;
pub mod auth;
pub mod driver;
pub mod fleet;
pub mod records;
pub mod store;
