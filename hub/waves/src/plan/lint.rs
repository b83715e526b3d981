//! What is wrong or doubtful about a plan, with the place and the remedy.

mod canary;
mod form;
mod members;
mod unsupported;

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Plan, source::Node};

pub use members::lint_members;

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

impl Finding {
    fn new(severity: Severity, field: impl Into<String>, message: impl Into<String>) -> Self {
        Self {
            severity,
            line: 0,
            column: 0,
            field: field.into(),
            message: message.into(),
            remedy: String::new(),
        }
    }

    pub(super) fn error(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Error, field, message)
    }

    fn warning(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Warning, field, message)
    }

    fn note(field: impl Into<String>, message: impl Into<String>) -> Self {
        Self::new(Severity::Note, field, message)
    }

    pub(super) fn remedy(self, remedy: impl Into<String>) -> Self {
        Self {
            remedy: remedy.into(),
            ..self
        }
    }
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
pub fn lint_offline(text: &str) -> Vec<Finding> {
    super::check_plan(text).1
}

/// What the types cannot say. Parts of `value` that were found wrong here are taken out of it.
pub(super) fn before_types(node: &Node, value: &mut Value) -> Vec<Finding> {
    unsupported::before_types(node, value)
}

/// What the text and the typed plan say together, without the fleet.
pub(super) fn form(plan: &Plan, node: &Node) -> Vec<Finding> {
    let mut findings = form::check(plan, node);
    findings.extend(unsupported::check(plan));
    findings.extend(canary::check(plan));
    findings
}
