//! The two built-in metrics as PromQL over Envoy's own metric names.
//!
//! Clusters are named by version, so a query meets exactly one version (trap 17). What users saw is
//! `5xx / completed`: refused connections never reach `total`, and retries are counted apart (trap 13).

use std::time::Duration;

/// Which of Flagger's two built-in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Builtin {
    /// Share of requests without a 5xx, per cent.
    SuccessRate,
    /// 99th percentile, milliseconds.
    Duration,
}

/// PromQL for one Envoy cluster over a window.
pub fn envoy_query(builtin: Builtin, envoy_cluster: &str, window: Duration) -> String {
    let name = quoted(envoy_cluster);
    let window = format!("{}ms", window.as_millis().max(1));
    match builtin {
        Builtin::SuccessRate => format!(
            "100 * (1 - (sum(rate(envoy_cluster_upstream_rq_xx{{envoy_response_code_class=\"5\",envoy_cluster_name={name}}}[{window}])) or vector(0)) \
             / sum(rate(envoy_cluster_upstream_rq_completed{{envoy_cluster_name={name}}}[{window}])))"
        ),
        Builtin::Duration => format!(
            "histogram_quantile(0.99, sum(rate(envoy_cluster_upstream_rq_time_bucket{{envoy_cluster_name={name}}}[{window}])) by (le))"
        ),
    }
}

/// A PromQL string; names come from configuration, so quotes in them must not end the string.
fn quoted(text: &str) -> String {
    let escaped = text
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n");
    format!("\"{escaped}\"")
}
