//! Freezes: what is held, until when, and how it ended.

use flagship_proto::model::Scope;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{abort::NotFixed, scope::ScopeShape};

/// Orders a freeze; with neither end it stands until somebody ends it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct FreezeRequest {
    /// Whom it binds, as an abort's scope is written.
    #[schema(value_type = ScopeShape)]
    pub scope: Scope,
    /// It ends by itself after this time, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_ms: Option<u64>,
    /// It ends by itself at this time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
}

/// How a freeze ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct FreezeEndView {
    /// When.
    pub at: Timestamp,
    /// Who; `hub` when its time was over.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// A freeze and what it holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct FreezeView {
    /// Its id.
    pub id: String,
    /// Whom it binds, in words.
    pub scope: String,
    /// Whom it binds, as it was sent.
    #[schema(value_type = ScopeShape)]
    pub scope_of: Scope,
    /// For a selector: who joins it later, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub joins: Option<String>,
    /// When the hub stored it.
    pub at: Timestamp,
    /// Who ordered it.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// The ticket that it belongs to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// Whether it stands.
    pub standing: bool,
    /// When it ends by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// How it ended.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ended: Option<FreezeEndView>,
    /// After this time nothing advances in its scope, heard or not (P5).
    pub bound_at: Timestamp,
    /// Rollouts that it binds now.
    pub rollouts: Vec<String>,
    /// A line for each cluster with something in flight: its weight, and whether it holds already.
    pub holds: Vec<String>,
    /// Of these, where some users get what was being released while it stands.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub serving: Vec<NotFixed>,
    /// Clusters outside the bound, and why.
    pub outside: Vec<String>,
    /// All of it in words.
    pub summary: String,
    /// The store sequence that this view shows.
    pub seq: u64,
}
