//! flagship-hub: global rollout plans, driven wave by wave over a fleet of clusters.
//!
//! `store` holds all state; `driver` steps rollouts through `flagship-waves`; `fleet` speaks with the
//! agents over `grpc`; people come in by `api`. Imports run `run → {api, grpc, driver} → {store, fleet}`.
pub mod api;
pub mod args;
pub mod audit;
pub mod auth;
pub mod backup;
pub mod ca;
pub mod cli;
pub mod decoders;
pub mod door;
pub mod driver;
pub mod enrol;
pub mod epoch;
pub mod fleet;
pub mod grpc;
pub mod leader;
pub mod leases;
pub mod limit;
pub mod metrics;
pub mod notify;
pub mod ops;
pub mod records;
pub mod run;
pub mod store;
pub mod ui;
