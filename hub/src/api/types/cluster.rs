//! Clusters: who is in the fleet, when each was last heard, and what it runs.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::common::Why;

/// One cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ClusterView {
    /// Its name.
    pub name: String,
    /// Its uid.
    pub uid: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
    /// `Pending`, `Active`, `Quarantined` or `Removed`.
    pub state: String,
    /// Its state in words, with what to do where something is amiss.
    pub text: String,
    /// Whether it waits to be confirmed after history went back.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unconfirmed: bool,
    /// Whether its agent has a session and speaks in it.
    pub connected: bool,
    /// When its agent was last heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heard: Option<Timestamp>,
    /// When this hub began, if it has not heard the agent since: what it shows is from before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheard_since: Option<Timestamp>,
    /// When it was enrolled.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub enrolled_at: Option<Timestamp>,
    /// When its certificate ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_ends: Option<Timestamp>,
    /// The agent's version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// `envoy` or `kube`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub platform: Option<String>,
    /// Its workloads.
    pub workloads: Vec<WorkloadView>,
}

/// The code of why a workload stands as it does that was in flight when its cluster was removed.
pub const REMOVED: &str = "Removed";

/// A workload of a cluster.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadView {
    /// Which, as `namespace/Kind/name`.
    pub workload: String,
    /// The version that is the primary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Its digest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<String>,
    /// The canary's phase.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The share of traffic on the change, in per cent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u8>,
    /// The rollout that it obeys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// Why it is where it is.
    pub why: Why,
    /// The hold or retreat of a person on the spot, while it stands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local: Option<LocalView>,
}

/// A hold or a retreat of a person on the spot.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct LocalView {
    /// `hold` or `retreat`.
    pub verb: String,
    /// Who, as the kernel of the agent's machine says.
    pub by: String,
    /// Why, in that person's words.
    pub reason: String,
    /// When, by that machine's clock.
    pub since: Timestamp,
    /// All of it in one line.
    pub text: String,
    /// The command on the hub that ends it.
    pub remedy: String,
}

/// Which local control ends.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ReleaseLocalRequest {
    /// Over which workload: `namespace/Kind/name`, or the name where only one has it.
    #[schema(max_length = 1024)]
    pub workload: String,
}
