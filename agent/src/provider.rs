//! What answers a metric query: Prometheus here; the proxies' own statistics belong to the platform.

mod builtin;
mod prometheus;
mod template;
#[cfg(test)]
mod tests;

pub use builtin::{Builtin, envoy_query};
pub use prometheus::{Prometheus, QueryError};
pub use template::{TemplateError, Variables, render};

/// What a query gave.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// One number.
    Value(f64),
    /// Nothing that counts, and why: never a pass, never a failure by itself.
    NoData(String),
}
