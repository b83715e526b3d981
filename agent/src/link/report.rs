//! Reports: the latest status of each workload, sent again until the hub acknowledged it (P23).

use std::{collections::BTreeMap, time::Duration};

use flagship_proto::model::{
    Evidence, Incarnation, Mono, Report, Tick, WorkloadRef, WorkloadStatus,
};

use super::keep::reached;

/// How long an acknowledgement may take before the report is sent again.
const AGAIN: Duration = Duration::from_secs(10);

/// The most pieces of evidence that wait for an acknowledgement; the oldest go first.
const MOST_EVIDENCE: usize = 256;

/// What is still to be acknowledged. At most one report is under way, so what changes meanwhile
/// coalesces: the latest status of a workload, the latest evidence of a step.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    seq: u64,
    statuses: BTreeMap<WorkloadRef, Waiting<WorkloadStatus>>,
    evidence: Vec<(WorkloadRef, Waiting<Evidence>)>,
    under_way: Option<(u64, Mono)>,
}

#[derive(Debug)]
struct Waiting<T> {
    value: T,
    /// The report that carries this very value.
    sent: Option<u64>,
}

impl<T> Waiting<T> {
    fn new(value: T) -> Self {
        Self { value, sent: None }
    }
}

impl Outbox {
    /// A workload's latest status.
    pub(super) fn status(&mut self, status: WorkloadStatus) {
        let workload = status.workload.clone();
        self.statuses.insert(workload, Waiting::new(status));
    }

    /// Evidence of a step; it replaces what waits for the same key (P26).
    pub(super) fn evidence(&mut self, workload: WorkloadRef, evidence: Evidence) {
        self.evidence
            .retain(|(of, waiting)| *of != workload || !same_key(&waiting.value, &evidence));
        if self.evidence.len() >= MOST_EVIDENCE {
            self.evidence.remove(0);
        }
        self.evidence.push((workload, Waiting::new(evidence)));
    }

    /// A new session: nothing counts as sent; all that is known is told again.
    pub(super) fn opened(&mut self, all: impl Iterator<Item = WorkloadStatus>) {
        self.under_way = None;
        for status in all {
            self.status(status);
        }
        for (_, waiting) in &mut self.evidence {
            waiting.sent = None;
        }
    }

    /// The report to send now, if one is due.
    pub(super) fn next(&mut self, incarnation: Incarnation, now: Tick) -> Option<Report> {
        match self.under_way {
            Some((_, at)) if !reached(at.plus(AGAIN), now.mono) => return None,
            Some(_) | None => {}
        }
        if self.statuses.is_empty() && self.evidence.is_empty() {
            return None;
        }
        self.seq += 1;
        self.under_way = Some((self.seq, now.mono));
        let seq = self.seq;
        let workloads = self
            .statuses
            .values_mut()
            .map(|waiting| waiting.take(seq))
            .collect();
        let evidence = self
            .evidence
            .iter_mut()
            .map(|(workload, waiting)| (workload.clone(), waiting.take(seq)))
            .collect();
        Some(Report {
            incarnation,
            seq,
            at: now.wall,
            workloads,
            evidence,
        })
    }

    /// Whether a status is in no report of this session yet.
    pub(super) fn has_unsaid(&self) -> bool {
        let mut statuses = self.statuses.values();
        statuses.any(|waiting| waiting.sent.is_none())
    }

    /// The hub committed all reports up to this one.
    pub(super) fn acknowledged(&mut self, seq: u64) {
        let carried = |sent: Option<u64>| sent.is_some_and(|sent| sent <= seq);
        self.statuses.retain(|_, waiting| !carried(waiting.sent));
        self.evidence.retain(|(_, waiting)| !carried(waiting.sent));
        if self.under_way.is_some_and(|(sent, _)| sent <= seq) {
            self.under_way = None;
        }
    }

    /// When the report that is under way is sent again.
    pub(super) fn again_at(&self) -> Option<Mono> {
        self.under_way.map(|(_, at)| at.plus(AGAIN))
    }
}

impl<T: Clone> Waiting<T> {
    fn take(&mut self, seq: u64) -> T {
        self.sent = Some(seq);
        self.value.clone()
    }
}

fn same_key(one: &Evidence, other: &Evidence) -> bool {
    one.digest == other.digest
        && one.revision == other.revision
        && one.step == other.step
        && one.incarnation == other.incarnation
        && one.proxy_started == other.proxy_started
}
