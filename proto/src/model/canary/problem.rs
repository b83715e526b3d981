//! What is wrong with a document, for people: which field, what, and what to do.

use std::fmt;

use serde::{Deserialize, Serialize};

/// One thing that is wrong with a document.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The path of the field, such as `analysis.metrics[0].interval`.
    pub field: String,
    /// What is wrong with it.
    pub message: String,
    /// What to do about it.
    pub remedy: String,
}

impl Problem {
    /// Says what is wrong with a field, and what to do.
    pub fn new(
        field: impl Into<String>,
        message: impl Into<String>,
        remedy: impl Into<String>,
    ) -> Self {
        Self {
            field: field.into(),
            message: message.into(),
            remedy: remedy.into(),
        }
    }

    /// Says that a field is understood and not yet supported.
    pub fn not_yet(field: impl Into<String>, what: &str, remedy: impl Into<String>) -> Self {
        Self::new(field, format!("{what}: not yet supported"), remedy)
    }

    /// The same problems with their fields below `parent`.
    pub fn under(parent: &str, problems: Vec<Self>) -> Vec<Self> {
        problems
            .into_iter()
            .map(|problem| Self {
                field: format!("{parent}.{}", problem.field),
                ..problem
            })
            .collect()
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.field, self.message, self.remedy)
    }
}
