//! Rollouts: one execution of a plan, what it waits for, and each cluster in it.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::common::{Banner, Why};

/// Starts a rollout of a plan.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct StartRequest {
    /// The version to release (a plan with `change: {version: {}}`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to_version: Option<String>,
    /// Release a version that was rejected before; a reason is needed (S8).
    #[serde(default)]
    pub again: bool,
    /// Take over from the rollout that holds these clusters (S9).
    #[serde(default)]
    pub supersede: bool,
}

/// Takes every cluster of a rollout back, Done ones too.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RetreatRequest {
    /// Return to this version or digest instead of what was promoted last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<String>,
    /// Do not pace the way back.
    #[serde(default)]
    pub now: bool,
}

/// Takes a mixed state as final.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AcceptRequest {}

/// A request that has nothing to say but its verb.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Empty {}

/// One rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutView {
    /// The project that it is in.
    pub project: String,
    /// Its id, unique in the project.
    pub id: String,
    /// The plan's name.
    pub plan: String,
    /// Digest of the plan as it was frozen at the start.
    pub plan_digest: String,
    /// What is released, as `namespace/Kind/name`.
    pub workload: String,
    /// What changes, in words: the version.
    pub change: String,
    /// `Pending`, `Progressing`, `Paused`, `Retreating`, `Succeeded`, `RolledBack`, `Aborted`,
    /// `Failed`, `Superseded` or `Accepted`.
    pub state: String,
    /// Whether nothing more will happen by itself.
    pub ended: bool,
    /// The wave that runs, and its place from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wave: Option<String>,
    /// The running wave's stage: `Gate`, `Running` or `Soaking`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stage: Option<String>,
    /// From 1; grows with each retry.
    pub attempt: u32,
    /// What it waits for or why it ended, and since when.
    pub why: Why,
    /// What a person can do now, as commands.
    pub next_steps: Vec<String>,
    /// What people asked for and the engine has not yet done.
    pub requests: Vec<String>,
    /// When it was started.
    pub started_at: Timestamp,
    /// By whom.
    pub started_by: String,
    /// The reason given at the start.
    pub reason: String,
    /// The ticket given at the start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// When it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// How long it advanced.
    pub advancing_ms: u64,
    /// How long it waited, by what for.
    pub waiting_ms: BTreeMap<String, u64>,
    /// The waves in their order.
    pub waves: Vec<RolloutWave>,
    /// Every cluster of the rollout, by wave and name. Empty in lists.
    #[serde(default)]
    pub clusters: Vec<RolloutCluster>,
    /// Clusters that are Done, and all.
    pub done: u32,
    /// All clusters.
    pub total: u32,
    /// Standing aborts that cover it.
    #[serde(default)]
    pub banners: Vec<Banner>,
    /// The store sequence that this view shows.
    pub seq: u64,
}

/// One wave of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutWave {
    /// Its name.
    pub name: String,
    /// `waiting`, `gate`, `running`, `soaking`, `begun`, `stopped` or `done`; of a rollout that has ended also
    /// `ended` or `not begun`.
    pub state: String,
    /// Its clusters.
    pub clusters: Vec<String>,
    /// How many may be under way at once, as the plan says it.
    pub max_concurrent: String,
    /// The wait after its last cluster, if it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub soak: Option<SoakView>,
}

/// A soak: how long, and how much of it is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct SoakView {
    /// The whole soak.
    pub needed_ms: u64,
    /// What counted so far.
    pub elapsed_ms: u64,
}

/// One cluster of a rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutCluster {
    /// Its name.
    pub cluster: String,
    /// The wave that it is in.
    pub wave: String,
    /// `Waiting`, `Ordered`, `Running`, `Soaking`, `Done`, `Failed`, `Retreating`, `RolledBack`,
    /// `Skipped`, `Unreachable` or `Left`; `CatchingUp` who came late and is on its way; `NotBegun` where the rollout ended before its turn.
    pub state: String,
    /// The canary's phase, as the agent reported it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub phase: Option<String>,
    /// The share of traffic on the change, in per cent, that the agent wants.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u8>,
    /// The highest share read back over all proxies and rules.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub observed: Option<u8>,
    /// Failed checks so far.
    pub failed_checks: u32,
    /// The version that is being released there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The version that is the primary there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_version: Option<String>,
    /// Why it is where it is, and since when.
    pub why: Why,
    /// Whether its agent has a session now.
    pub connected: bool,
    /// When its agent was last heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heard: Option<Timestamp>,
    /// When this hub began, if it has not heard the agent since: what it shows is from before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheard_since: Option<Timestamp>,
}
