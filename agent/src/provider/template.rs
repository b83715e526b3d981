//! Filling a MetricTemplate's query: `{{ namespace }}`, `{{ target }}`, `{{ interval }}` and the
//! like (flagger.md §3.3). A name that is not known is an error, as with Flagger.

use std::{collections::BTreeMap, time::Duration};

use minijinja::{Environment, UndefinedBehavior, context};

/// What a query may refer to.
#[derive(Debug, Clone, Default)]
pub struct Variables {
    /// The canary's name.
    pub name: String,
    /// Its name space.
    pub namespace: String,
    /// The workload's name.
    pub target: String,
    /// The service's name.
    pub service: String,
    /// What names the version in the proxies' metrics (`checkout@0a1b2c3d`).
    pub version: String,
    /// The window.
    pub interval: Duration,
    /// The metric's `templateVariables`.
    pub variables: BTreeMap<String, String>,
}

/// A query that cannot be filled.
#[derive(Debug, thiserror::Error)]
#[error("the query of metric template {template} cannot be filled: {problem}")]
pub struct TemplateError {
    /// Which template.
    pub template: String,
    /// What is wrong, with the line.
    pub problem: String,
}

/// Fills the query. Both `{{ target }}` and Go's way of writing `{{target}}` and
/// `{{ variables.x }}` work; nothing can be called or read but what [`Variables`] has.
pub fn render(template: &str, query: &str, given: &Variables) -> Result<String, TemplateError> {
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    let values = context! {
        name => &given.name,
        namespace => &given.namespace,
        target => &given.target,
        service => &given.service,
        ingress => &given.target,
        route => &given.target,
        version => &given.version,
        interval => interval(given.interval),
        variables => &given.variables,
    };
    environment
        .render_str(query, values)
        .map_err(|error| TemplateError {
            template: template.to_owned(),
            problem: error.to_string(),
        })
}

/// PromQL takes `90s` and `1500ms`, not `1.5s`.
fn interval(window: Duration) -> String {
    if window.subsec_millis() == 0 {
        format!("{}s", window.as_secs())
    } else {
        format!("{}ms", window.as_millis())
    }
}
