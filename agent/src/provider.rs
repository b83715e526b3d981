//! What answers a metric query: the proxies' own counters, or Prometheus.

mod builtin;
mod envoy;
mod prometheus;
mod template;
#[cfg(test)]
mod tests;

pub use builtin::{Builtin, envoy_query};
pub use envoy::{Samples, difference, quantile};
pub(crate) use prometheus::decode;
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
