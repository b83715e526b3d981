//! Evidence: the small sums that a judge works on, bound to one revision and one window (P26).

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::position::{Incarnation, Position};
use crate::digest::Digest;

/// Requests that ended, as users saw them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    /// All that completed.
    pub total: u64,
    /// Of these, failures of the server (5xx, or a gRPC error status).
    pub bad: u64,
}

/// A latency histogram: cumulative counts per upper bound in milliseconds, ascending.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Latency {
    /// (upper bound in ms, requests at or below it).
    pub buckets: Vec<(f64, u64)>,
}

/// Cumulative sums since a persisted baseline. Within one key the latest counts; across keys the sum.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Evidence {
    /// The version that was measured.
    pub digest: Digest,
    /// The order under which it had traffic.
    pub revision: Position,
    /// The step.
    pub step: u32,
    /// The agent's incarnation.
    pub incarnation: Incarnation,
    /// When the proxy that counted was started.
    pub proxy_started: Timestamp,
    /// Start of the window.
    pub from: Timestamp,
    /// End of the window.
    pub to: Timestamp,
    /// The new version's requests.
    pub canary: Counts,
    /// The old version's requests.
    pub primary: Counts,
    /// The new version's latencies.
    pub canary_latency: Latency,
    /// The old version's latencies.
    pub primary_latency: Latency,
}
