//! The fleet at a glance, and who asks.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{common::Banner, rollout::RolloutView};
use crate::auth::Role;

/// The fleet at a glance.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct StatusView {
    /// The fleet's id.
    pub fleet: String,
    /// The hub's version.
    pub version: String,
    /// The hub's term.
    pub term: String,
    /// Standing aborts and freezes.
    pub banners: Vec<Banner>,
    /// Clusters in the fleet.
    pub clusters: u32,
    /// Of these, with a session now.
    pub connected: u32,
    /// Names of those that are not heard.
    pub not_heard: Vec<String>,
    /// Names of those that wait for approval.
    pub pending: Vec<String>,
    /// Rollouts that have not ended, without their clusters.
    pub rollouts: Vec<RolloutView>,
    /// The store sequence that this view shows.
    pub seq: u64,
}

/// Who asks, and what that token may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhoAmI {
    /// The name that the audit log will show.
    pub name: String,
    /// What it may do.
    pub role: Role,
    /// The fleet's id.
    pub fleet: String,
    /// The hub's version.
    pub version: String,
}
