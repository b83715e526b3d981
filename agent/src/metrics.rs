//! What the agent counts while it runs. Labels are words from closed sets and the workloads of its own
//! configuration, so that the number of series is bounded.

use std::sync::{Arc, atomic::AtomicU64};

use flagship_canary::judge::Verdict;
use flagship_proto::model::WorkloadRef;
use prometheus_client::metrics::{counter::Counter, family::Family, gauge::Gauge};

/// One label from a closed set.
pub type Label = [(&'static str, &'static str); 1];
/// A workload of the configuration, and a word.
pub type OfWorkload = [(&'static str, String); 2];

/// Counters; clones share them.
#[derive(Debug, Clone, Default)]
pub struct Counters(Arc<Counting>);

/// See [`Counters`].
#[derive(Debug, Default)]
pub struct Counting {
    /// Rounds of checks, by workload and verdict.
    pub checks: Family<OfWorkload, Counter>,
    /// Events of canaries, by workload and the word of their reason.
    pub events: Family<OfWorkload, Counter>,
    /// What the platform was told to do, by how it ended.
    pub acts: Family<Label, Counter>,
    /// Hooks that were asked, by how they answered.
    pub hooks: Family<Label, Counter>,
    /// Sessions with the hub that were opened.
    pub sessions: Counter,
    /// Messages of the hub that were not taken.
    pub refused: Counter,
    /// When the agent's certificate ends, in seconds since 1970.
    pub certificate_ends: Gauge<f64, AtomicU64>,
}

impl std::ops::Deref for Counters {
    type Target = Counting;

    fn deref(&self) -> &Counting {
        &self.0
    }
}

impl Counting {
    /// A round of checks ended.
    pub fn judged(&self, workload: &WorkloadRef, verdict: Verdict) {
        let labels = [
            ("workload", workload.to_string()),
            ("verdict", verdict.word().to_owned()),
        ];
        self.checks.get_or_create(&labels).inc();
    }

    /// A canary told people something.
    pub fn told(&self, workload: &WorkloadRef, code: &'static str) {
        let labels = [
            ("workload", workload.to_string()),
            ("code", code.to_owned()),
        ];
        self.events.get_or_create(&labels).inc();
    }

    /// The platform was told something.
    pub fn acted(&self, outcome: &'static str) {
        self.acts.get_or_create(&[("outcome", outcome)]).inc();
    }

    /// A hook was asked.
    pub fn asked_hook(&self, passed: bool) {
        let outcome = if passed { "passed" } else { "failed" };
        self.hooks.get_or_create(&[("outcome", outcome)]).inc();
    }
}
