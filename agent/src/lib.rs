//! flagship-agent: runs the canary in one cluster and reports to the hub.

pub mod hook;
pub mod provider;
