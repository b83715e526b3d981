//! Counters by version as users saw them: completed requests and their failures, latencies that lag
//! behind until Envoy's flush (trap 14), retries apart (trap 13).

use std::{collections::BTreeMap, time::Duration};

use serde::Deserialize;

/// gRPC statuses that are the server's failure; they look like a 200 (trap 18).
const GRPC_FAILURES: [&str; 6] = ["2", "4", "12", "13", "14", "15"];

/// Cumulative numbers of one version at one proxy.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct VersionCounters {
    /// Requests that ended.
    pub completed: u64,
    /// Of these, answered with 5xx, Envoy's own answers included.
    pub failed: u64,
    /// Of these, ended with a gRPC status that is the server's failure.
    pub grpc_failed: u64,
    /// Tries beyond the first; an early sign, never the users' view.
    pub retries: u64,
    /// In flight now.
    pub active: u64,
    /// (upper bound in ms, requests at or below it), ascending.
    pub latency: Vec<(f64, u64)>,
}

/// One answer of `/stats`.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct Reading {
    /// Since the proxy's start, in whole seconds.
    pub uptime: Duration,
    /// By cluster name.
    pub clusters: BTreeMap<String, VersionCounters>,
}

#[derive(Deserialize)]
struct Answer {
    stats: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Entry {
    Plain {
        name: String,
        value: serde_json::Value,
    },
    Histograms {
        histograms: Vec<Histogram>,
    },
    Other(serde::de::IgnoredAny),
}

#[derive(Deserialize)]
struct Histogram {
    name: String,
    #[serde(default)]
    buckets: Vec<Bucket>,
}

#[derive(Deserialize)]
struct Bucket {
    upper_bound: f64,
    cumulative: u64,
}

impl Reading {
    pub(in super::super) fn parse(bytes: &[u8]) -> Result<Self, String> {
        let answer: Answer = super::parse(bytes, "stats")?;
        let mut reading = Self::default();
        for entry in answer.stats {
            match entry {
                Entry::Plain { name, value } => {
                    reading.count(&name, value.as_u64().unwrap_or_default());
                }
                Entry::Histograms { histograms } => {
                    histograms.into_iter().for_each(|h| reading.histogram(h));
                }
                Entry::Other(_) => {}
            }
        }
        Ok(reading)
    }

    fn count(&mut self, name: &str, value: u64) {
        if name == "server.uptime" {
            self.uptime = Duration::from_secs(value);
            return;
        }
        let Some((cluster, counter)) = split(name) else {
            return;
        };
        let counters = self.clusters.entry(cluster.to_owned()).or_default();
        match counter {
            "upstream_rq_completed" => counters.completed = value,
            "upstream_rq_5xx" => counters.failed = value,
            "upstream_rq_retry" => counters.retries = value,
            "upstream_rq_active" | "upstream_rq_pending_active" => {
                counters.active = counters.active.saturating_add(value);
            }
            other => {
                let status = other.strip_prefix("grpc.").unwrap_or_default();
                if GRPC_FAILURES.contains(&status) {
                    counters.grpc_failed = counters.grpc_failed.saturating_add(value);
                }
            }
        }
    }

    fn histogram(&mut self, histogram: Histogram) {
        if let Some((cluster, "upstream_rq_time")) = split(&histogram.name) {
            let counters = self.clusters.entry(cluster.to_owned()).or_default();
            counters.latency = histogram
                .buckets
                .iter()
                .map(|bucket| (bucket.upper_bound, bucket.cumulative))
                .collect();
        }
    }
}

/// `cluster.<workload>@<digest8>.<counter>`; the workload's name may hold dots.
fn split(name: &str) -> Option<(&str, &str)> {
    let rest = name.strip_prefix("cluster.")?;
    let at = rest.rfind('@')?;
    let dot = rest[at..].find('.')? + at;
    Some((&rest[..dot], &rest[dot + 1..]))
}

impl VersionCounters {
    /// Failures as users saw them.
    pub(in super::super) fn bad(&self) -> u64 {
        self.failed
            .saturating_add(self.grpc_failed)
            .min(self.completed)
    }
}
