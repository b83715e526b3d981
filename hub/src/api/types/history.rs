//! The history of a rollout: what moved, when, and why.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One line of a rollout's history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct HistoryView {
    /// Its place in the rollout's history.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// The cluster, where one is meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cluster: Option<String>,
    /// What happened, as a stable word.
    pub code: String,
    /// In words.
    pub message: String,
    /// The share of traffic on the change after it, in per cent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u8>,
}
