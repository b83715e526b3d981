//! Plans: what was applied, and what a check of a document found.

use flagship_waves::{Finding, Severity};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum LintLevel {
    /// The document is refused.
    Error,
    /// It is taken, and somebody should look.
    Warning,
    /// Good to know.
    Note,
}

/// One finding in a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct LintNote {
    /// How bad it is.
    pub level: LintLevel,
    /// Line in the document, from 1; 0 where no place can be named.
    pub line: u64,
    /// Column in that line, from 1; 0 where no place can be named.
    pub column: u64,
    /// Which field, as a path.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// What it is.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remedy: Option<String>,
}

/// A stored plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct PlanView {
    /// The project that owns it.
    pub project: String,
    /// Its name in the project.
    pub name: String,
    /// What it releases, as `namespace/Kind/name`.
    pub workload: String,
    /// What changes: `version`.
    pub change: String,
    /// SHA-256 of the canonical document.
    pub digest: String,
    /// The waves in their order, in words.
    pub waves: Vec<String>,
    /// When this content was applied.
    pub applied_at: Timestamp,
    /// By whom.
    pub applied_by: String,
    /// Rollouts of this plan that have not ended.
    pub running: Vec<String>,
    /// The plan itself.
    #[schema(value_type = Object)]
    pub document: serde_json::Value,
    /// The text that was applied, with its comments.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
}

/// What applying a plan changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub enum ApplyOutcome {
    /// It was not there.
    Created,
    /// It was there with other content.
    Changed,
    /// It was there with this content.
    Unchanged,
}

impl From<Finding> for LintNote {
    fn from(finding: Finding) -> Self {
        let some = |text: String| Some(text).filter(|text| !text.is_empty());
        Self {
            level: match finding.severity {
                Severity::Error => LintLevel::Error,
                Severity::Warning => LintLevel::Warning,
                Severity::Note => LintLevel::Note,
            },
            line: finding.line,
            column: finding.column,
            field: some(finding.field),
            message: finding.message,
            remedy: some(finding.remedy),
        }
    }
}

/// The answer to an apply.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct ApplyAnswer {
    /// What it changed.
    pub outcome: ApplyOutcome,
    /// Whether nothing was stored because only a trial was asked for.
    pub dry_run: bool,
    /// The plan's project.
    pub project: String,
    /// The plan's name.
    pub name: String,
    /// The digest of what was sent.
    pub digest: String,
    /// Warnings and notes of the check.
    pub notes: Vec<LintNote>,
}

/// A plan that was removed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct RemovedPlan {
    /// The plan's project.
    pub project: String,
    /// The plan's name.
    pub name: String,
    /// The digest of what it said.
    pub digest: String,
}
