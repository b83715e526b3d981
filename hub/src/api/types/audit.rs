//! The audit log: who did what to which thing and why, in a chain.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One entry.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntryView {
    /// Its place in the chain, from 0.
    pub index: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// By which token or certificate they were let in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// What was done, as a stable word.
    pub action: String,
    /// To what.
    pub object: String,
    /// Why, in that person's words.
    pub reason: String,
    /// The ticket that was given.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
    /// The entry's hash, which the next entry contains.
    pub hash: String,
}

/// Whether the chain holds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct AuditVerdict {
    /// Whether every entry is the one that was written.
    pub intact: bool,
    /// How many entries were checked.
    pub entries: u64,
    /// The hash of the last one.
    pub head: String,
    /// What is wrong, and where.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fault: Option<String>,
}
