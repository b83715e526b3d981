//! flagship-agent: runs canaries in one cluster under the orders of a hub.
//!
//! `link` speaks with the hub and says what may be done; `release` keeps what was accepted;
//! `driver` carries observations to the engine and its decisions to the `platform`, which carries
//! the workloads; `metrics` counts; `hook` and `provider` ask the `outside`; `config`, `args` and `run` put the process
//! together.

pub mod args;
pub mod config;
pub mod decoders;
pub mod driver;
pub mod hook;
pub mod link;
pub mod metrics;
pub mod outside;
pub mod platform;
pub mod provider;
pub mod release;
pub mod run;
