//! Under construction.
pub mod api;
pub mod auth;
pub mod fleet;
