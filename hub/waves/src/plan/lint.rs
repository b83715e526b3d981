//! What is wrong or doubtful about a plan, with the place and the remedy.

use std::fmt;

use serde::{Deserialize, Serialize};

use super::Plan;
use crate::schedule::Candidate;

/// How bad a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Severity {
    /// Worth knowing.
    Note,
    /// Allowed, and probably not meant.
    Warning,
    /// The plan is refused.
    Error,
}

/// Something about a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The line in the file, from 1; 0 where the file is not known.
    pub line: u64,
    /// The column, from 1; 0 where the file is not known.
    pub column: u64,
    /// The field's path (`spec.waves[1].soak.for`); empty for the whole.
    pub field: String,
    /// What is wrong.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Note => "note",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.line > 0 {
            write!(f, "{}:{}: ", self.line, self.column)?;
        }
        write!(f, "{}: ", self.severity)?;
        if !self.field.is_empty() {
            write!(f, "{}: ", self.field)?;
        }
        f.write_str(&self.message)?;
        if !self.remedy.is_empty() {
            write!(f, " ({})", self.remedy)?;
        }
        Ok(())
    }
}

/// Whether a plan with these findings is refused.
pub fn has_errors(findings: &[Finding]) -> bool {
    findings
        .iter()
        .any(|finding| finding.severity == Severity::Error)
}

/// Checks a plan's form; needs no hub.
pub fn lint_offline(source: &str) -> Vec<Finding> {
    super::parse_plan(source).err().unwrap_or_default()
}

/// Checks a plan against the fleet's members (S19).
pub fn lint_members(plan: &Plan, clusters: &[Candidate]) -> Vec<Finding> {
    let _ = (plan, clusters);
    Vec::new()
}
