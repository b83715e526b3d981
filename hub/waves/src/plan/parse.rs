//! A plan's text (YAML, or JSON, which is YAML too) → [`Plan`].

use super::{Finding, Plan, Severity};

/// The longest text that is looked at.
pub const MAX_PLAN_BYTES: usize = 256 * 1024;

/// Parses a plan; the findings are errors with line, column and remedy.
pub fn parse_plan(source: &str) -> Result<Plan, Vec<Finding>> {
    serde_saphyr::from_str(source).map_err(|error| {
        vec![Finding {
            severity: Severity::Error,
            line: error.location().map_or(0, |place| place.line()),
            column: error.location().map_or(0, |place| place.column()),
            field: String::new(),
            message: error.without_snippet().to_string(),
            remedy: String::new(),
        }]
    })
}
