//! Aborts: who is stopped, who is not, by when, and what is still to be fixed.

use flagship_proto::model::{AbortMode, Scope};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::scope::{ModeShape, ScopeShape};

/// Orders a stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AbortRequest {
    /// Whom it stops: `{"kind": "fleet"}`, `{"kind": "project", "of": "shop"}`,
    /// `{"kind": "plan", "of": "shop/checkout"}`,
    /// `{"kind": "rollout", "of": {"project": "shop", "id": "checkout-3"}}`,
    /// `{"kind": "workload", "of": "shop/Deployment/checkout"}` or
    /// `{"kind": "selector", "of": {"matchLabels": {"region": "eu"}}}`.
    #[schema(value_type = ScopeShape)]
    pub scope: Scope,
    /// `Return` (unfinished canaries go back, Done stays), `Hold` (all weights stay) or
    /// `RetreatDone` (Done goes back too).
    #[serde(default)]
    #[schema(value_type = ModeShape, required = false)]
    pub mode: AbortMode,
}

/// Ends an abort, or narrows it.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LiftRequest {
    /// Where it goes on standing: parts of its scope.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(value_type = Vec<ScopeShape>)]
    pub except: Vec<Scope>,
}

/// How far one cluster has stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AbortState {
    /// The weight could not be lowered or not be read back.
    NotStopped,
    /// No answer yet; nothing advances there after `nothingAdvancesAfter`.
    NotHeard,
    /// Told, and it has not answered for good yet.
    Told,
    /// On the way back, limited by ready old capacity.
    Returning,
    /// No traffic on the change: read back as 0.
    Returned,
    /// The weight stays, as the abort asked.
    Held,
    /// Finished before the abort; it still serves the change.
    Done,
    /// Nothing was in flight.
    Idle,
}

/// What an abort has come to, over all clusters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum AbortOutcome {
    /// Every cluster in scope answered for good.
    Stopped,
    /// Some are on their way back or have not answered, and the bound has not passed.
    Stopping,
    /// Some have not answered; the bound has passed, so nothing advances there.
    Bounded,
    /// At least one cluster says that it could not stop.
    NotStopped,
}

/// Clusters by how far they have stopped.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AbortTotals {
    /// All in scope.
    pub clusters: u32,
    /// Traffic is back.
    pub returned: u32,
    /// On the way back.
    pub returning: u32,
    /// The weight stays, as asked.
    pub held: u32,
    /// Finished before, and still serving the change.
    pub done: u32,
    /// Nothing was in flight.
    pub idle: u32,
    /// Could not stop.
    pub not_stopped: u32,
    /// Not heard.
    pub not_heard: u32,
    /// Told, and not answered for good yet.
    pub told: u32,
}

/// One cluster under an abort: the worst of its workloads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AbortCluster {
    /// Its name.
    pub cluster: String,
    /// Its uid.
    pub uid: String,
    /// The workload that this line speaks of; none while the cluster was not heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub workload: Option<String>,
    /// How far it has stopped.
    pub state: AbortState,
    /// The same in words.
    pub text: String,
    /// Per cent of traffic that the old version can carry now, while returning.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub capacity: Option<u8>,
    /// The share of traffic on the change: read back, or last reported where not heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub weight: Option<u8>,
    /// Why it has not stopped, in the proxy's own words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// The command that stops it in the cluster itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub local_command: Option<String>,
    /// When its receipt was made, by its own clock.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub receipt_at: Option<Timestamp>,
    /// Milliseconds from the stored abort to the receipt at the hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after_ms: Option<u64>,
    /// When its agent was last heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_heard: Option<Timestamp>,
    /// When this hub began, if it has not heard the agent since: what it shows is from before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheard_since: Option<Timestamp>,
    /// Nothing advances there after this time, heard or not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub nothing_advances_after: Option<Timestamp>,
}

/// A cluster that still serves what was stopped: stopped is not fixed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct NotFixed {
    /// The cluster.
    pub cluster: String,
    /// The workload.
    pub workload: String,
    /// The version that it serves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// The rollout that brought it, as `project/id`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rollout: Option<String>,
    /// Whether it is Done; else its canary is in flight and held, or does not go back.
    #[serde(default)]
    pub done: bool,
    /// Whether it had soaked.
    pub soaked: bool,
    /// Per cent of the workload's traffic in this cluster that the version serves, as last read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub share: Option<u8>,
    /// Where its agent is not heard: that, and until when more of it may be served there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unheard: Option<String>,
    /// Where its agent says that it cannot take it back: why.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stuck: Option<String>,
    /// The command that takes it back, as a shell takes it; where it is typed stands in its comment.
    pub command: String,
}

/// The end of an abort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LiftView {
    /// When.
    pub at: Timestamp,
    /// Who lifted it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The narrower aborts that stand in its place (`--except`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub narrowed_to: Vec<String>,
}

/// An abort and what has come of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AbortView {
    /// Its id.
    pub id: String,
    /// Whom it stops, in words.
    pub scope: String,
    /// Whom it stops, as it was sent.
    #[schema(value_type = ScopeShape)]
    pub scope_of: Scope,
    /// For a selector: who joins it later, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joins: Option<String>,
    /// `return`, `hold` or `retreat`.
    pub mode: String,
    /// When the hub stored it.
    pub at: Timestamp,
    /// Who ordered it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Whether it stands.
    pub standing: bool,
    /// In the answer to an order: whether it stood already, so that nothing new was ordered.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub stood: bool,
    /// Whether it is stored for good; false while the store could not be written.
    pub durable: bool,
    /// The command that lifts it, or for who may not, the one that says who may.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub remedy: String,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lifted: Option<LiftView>,
    /// The bound of P5: nothing advances later than this long after the abort was stored.
    pub bound_ms: u64,
    /// The same as a time.
    pub bound_at: Timestamp,
    /// Rollouts that had ended and go back, or went, by it (`RetreatDone`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_back: Vec<String>,
    /// What it has come to.
    pub outcome: AbortOutcome,
    /// The same in words.
    pub summary: String,
    /// Clusters by state.
    pub totals: AbortTotals,
    /// A line a cluster, worst first.
    pub clusters: Vec<AbortCluster>,
    /// Who still serves the aborted version.
    pub not_fixed: Vec<NotFixed>,
    /// For a selector: who serves it out of scope, and is held there as its rollout is aborted as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_with: Vec<NotFixed>,
    /// What had succeeded and stays as it is, and the command that takes it back too, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stays: Option<String>,
    /// The store sequence that this view shows.
    pub seq: u64,
}

/// What a scope would hit now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ScopeHit {
    /// The option of `flagship abort` that means this scope.
    pub option: String,
    /// The scope in words.
    pub scope: String,
    /// The scope as an abort or a freeze is asked for it; none where many are meant.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<ScopeShape>)]
    pub scope_of: Option<Scope>,
    /// What it would hit, in words.
    pub hits: String,
    /// Clusters in scope.
    pub clusters: u32,
    /// Rollouts in scope that have not ended.
    pub rollouts: u32,
    /// Clusters with a canary in flight in scope.
    pub in_flight: u32,
}

/// What an abort would do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AbortPreview {
    /// The scope in words.
    pub scope: String,
    /// For a selector: who would join it later, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joins: Option<String>,
    /// The bound of P5 in milliseconds.
    pub bound_ms: u64,
    /// The same as a time, had the abort been given now.
    pub bound_at: Timestamp,
    /// Clusters with a canary in flight that would stop at once, by push, and its weight.
    pub connected: Vec<String>,
    /// Clusters with a canary in flight that are not heard: nothing advances there after the bound. Under
    /// `RetreatDone` also those that are Done: they go back when they are heard again.
    pub not_heard: Vec<String>,
    /// Clusters outside the bound, and why.
    pub outside: Vec<String>,
    /// For a selector: clusters out of scope that stay at their weight, as their rollout stops as a whole.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub held_with: Vec<String>,
    /// Clusters that are Done, also in a rollout that has ended.
    pub done: Vec<NotFixed>,
    /// Whether these stay as they are.
    pub done_stays: bool,
    /// Clusters that are Done in a rollout of `takenBack` where a later one is in flight: that one goes back,
    /// and these stay with what they had before.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left: Vec<NotFixed>,
    /// Rollouts in scope that have not ended.
    pub rollouts: Vec<String>,
    /// Rollouts in scope that had ended and go back (`RetreatDone`).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub taken_back: Vec<String>,
    /// The same in words.
    pub summary: String,
}

/// A receipt as it is kept: the agent's own bytes, its signature, and the certificate's serial.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ReceiptView {
    /// The cluster that answered.
    pub cluster: String,
    /// Its uid.
    pub uid: String,
    /// Whether nothing more will change there.
    pub last: bool,
    /// When the hub stored it.
    pub stored_at: Timestamp,
    /// The signed bytes, as text (JSON).
    pub body: String,
    /// The signature over them (S15), in base64.
    pub signature: String,
    /// The serial of the certificate that signed.
    pub serial: String,
    /// That certificate, DER in base64.
    pub certificate: String,
}
