//! The Envoy platform: versions as processes, and the xDS server of the Envoys that carry the traffic.

pub mod config;

pub use config::{EnvoyConfig, EnvoyPlatformConfig, NodeConfig, WorkloadConfig};
