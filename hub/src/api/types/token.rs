//! Tokens: of people (API) and for enrolment. A secret is in an answer once, when it is made.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::access::{BindingRequest, BindingView};
use crate::auth::Role;

/// Makes a token for the API.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct TokenRequest {
    /// Who uses it; the audit log names it.
    pub name: String,
    /// No token: people who come with a certificate of this name may do this.
    #[serde(default)]
    pub certificate: bool,
    /// What it may do over everything; or `bindings` say what and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub role: Option<Role>,
    /// What it may do, and where: 1 to 32 roles.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    #[schema(max_items = 32)]
    pub bindings: Vec<BindingRequest>,
    /// How long it lasts, in seconds; without it, until it is revoked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
}

/// A token for the API, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct TokenView {
    /// Its public half.
    pub id: String,
    /// Who uses it.
    pub name: String,
    /// Whether it is no token, but for certificates of this name.
    pub certificate: bool,
    /// The strongest of its roles.
    pub role: Role,
    /// What it may do, and where.
    pub bindings: Vec<BindingView>,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it ends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_at: Option<Timestamp>,
    /// When it was last used, to about a minute; absent if it never was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last_used_at: Option<Timestamp>,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// A token that was just made; the secret is never shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedToken {
    /// What was made.
    pub token: TokenView,
    /// What to send as `Authorization: Bearer …`. Absent for certificates, and when an earlier request with the same
    /// `Idempotency-Key` made it: the hub does not keep secrets.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}

/// Makes a token with which one or more clusters enrol.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct EnrolTokenRequest {
    /// The cluster's name, or a pattern with `*` for many (`eu-*`).
    pub cluster: String,
    /// Labels that the cluster gets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How long it can be used, in seconds; a day unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl_seconds: Option<u64>,
    /// How many clusters can use it; one unless told.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// Whether each cluster waits for `flagship cluster approve`.
    #[serde(default)]
    pub approval: bool,
}

/// An enrolment token, without its secret.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct EnrolTokenView {
    /// Its public half.
    pub id: String,
    /// The cluster's name, or a pattern.
    pub cluster: String,
    /// Labels that the cluster gets.
    pub labels: BTreeMap<String, String>,
    /// How many more clusters can use it.
    pub uses_left: u32,
    /// Whether each cluster waits for approval.
    pub approval: bool,
    /// When it was made.
    pub created_at: Timestamp,
    /// Who made it.
    pub created_by: String,
    /// When it ends.
    pub expires_at: Timestamp,
    /// Whether it was revoked.
    pub revoked: bool,
}

/// An enrolment token that was just made; the secret is never shown again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct CreatedEnrolToken {
    /// What was made.
    pub token: EnrolTokenView,
    /// What the agent is given; it carries the hash of the hub's CA. Absent when an earlier request
    /// with the same `Idempotency-Key` made it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<String>,
}
