//! The fleet at a glance, and who asks.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{access::BindingView, common::Banner, rollout::RolloutView};
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
    /// Of these, heard now.
    pub connected: u32,
    /// Those that are not heard.
    pub not_heard: Vec<NotHeardView>,
    /// Names of those that wait for approval.
    pub pending: Vec<String>,
    /// Rollouts that have not ended, without their clusters.
    pub rollouts: Vec<RolloutView>,
    /// The store sequence that this view shows.
    pub seq: u64,
}

/// A cluster that is not heard now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotHeardView {
    /// Its name.
    pub cluster: String,
    /// When it was last heard, as far as is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heard: Option<Timestamp>,
    /// When this hub began, if it has not heard it since.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheard_since: Option<Timestamp>,
}

/// Who asks, and what that token may do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WhoAmI {
    /// The name that the audit log will show.
    pub name: String,
    /// By which token or certificate it was let in.
    pub via: String,
    /// The strongest of its roles.
    pub role: Role,
    /// What it may do, and where.
    pub bindings: Vec<BindingView>,
    /// The fleet's id.
    pub fleet: String,
    /// The hub's version.
    pub version: String,
}

/// With which settings the hub runs; none of them is a secret.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SettingsView {
    /// The hub's version.
    pub version: String,
    /// Its data folder.
    pub data: String,
    /// Where people reach it.
    pub listen_api: String,
    /// Where agents reach it.
    pub listen_agents: String,
    /// DNS names of its certificate, besides localhost.
    pub dns: Vec<String>,
    /// Addresses of its certificate, besides loopback.
    pub ip: Vec<String>,
    /// The length of leases.
    pub lease_ms: u64,
    /// How long agents' certificates live.
    pub certificate_ms: u64,
    /// The file of the notifications, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub notifications: Option<String>,
    /// Its address in messages, if it was given one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub public_url: Option<String>,
    /// The host to which traces of rollouts are sent, if they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traces_to: Option<String>,
    /// The file of the CA whose certificates let people in, if there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub people_ca: Option<String>,
    /// Whether `/metrics` is shown without a token.
    pub metrics_without_token: bool,
}
