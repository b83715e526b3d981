//! What the hub and people are told of a workload: the engine's status in the contract's words.

use flagship_canary::CanaryStatus;
use flagship_proto::model::{
    Evidence, Fence, Intent, Latency, RolloutId, Weight, WorkloadRef, WorkloadStatus,
};

use super::Seen;
use crate::provider::difference;

/// The status to report.
pub(super) fn status(workload: &WorkloadRef, status: &CanaryStatus, seen: &Seen) -> WorkloadStatus {
    let change = status.change.as_ref();
    let (fence, rollout, attempt) = about(status, seen);
    let observed = change.and_then(|change| seen.route.share(&change.version));
    // On the way back a zero counts only once no proxy can still take an advance (S11).
    let is_sure = |max: Weight| {
        let gone = change.is_none_or(|change| seen.route.is_without(&change.version));
        status.returning.is_none() || max > Weight::ZERO || gone
    };
    WorkloadStatus {
        workload: workload.clone(),
        fence,
        rollout,
        attempt,
        intent: seen.order.as_ref().map(|_| seen.permission.intent),
        phase: status.phase,
        step: status.step,
        weight: status.weight,
        observed: observed.map(|share| share.max).filter(|max| is_sure(*max)),
        failed_checks: status.tally.failed,
        version: change.map(|change| change.version.clone()),
        digest: change.and_then(|change| change.digest),
        primary_version: status
            .primary
            .as_ref()
            .map(|primary| primary.version.clone()),
        primary_digest: status.primary.as_ref().and_then(|primary| primary.digest),
        can_return_to: status
            .promoted
            .iter()
            .filter_map(|revision| revision.digest)
            .collect(),
        reason: status.reason.code().to_owned(),
        message: status.reason.to_string(),
        since: status.since,
        aborted_by: seen.aborted_by.clone(),
        // The link, which has the book of local control, fills it in.
        local: Vec::new(),
    }
}

/// Which order the status speaks of: that of the run it is about. An order that was not taken up
/// yet, because what is in flight goes back first, is not answered with an older run's phase.
fn about(status: &CanaryStatus, seen: &Seen) -> (Fence, Option<RolloutId>, u32) {
    if let Some(run) = &status.run {
        return (run.fence, Some(run.rollout.clone()), run.attempt);
    }
    let removed = seen.permission.intent == Intent::Remove && status.returning.is_none();
    match seen.order.as_ref().filter(|_| removed) {
        Some(order) => (order.fence, Some(order.rollout.clone()), order.attempt),
        None => (Fence::default(), None, 0),
    }
}

/// Whether the hub has to hear of it: all but the sentence's numbers, which follow at the next change.
pub(super) fn differs(last: &WorkloadStatus, next: &WorkloadStatus) -> bool {
    let mut last = last.clone();
    last.message.clone_from(&next.message);
    last.since = next.since;
    last != *next
}

/// Evidence since the step's baseline, where there is one and the counters were read.
pub(super) fn evidence(status: &CanaryStatus, seen: &Seen) -> Option<Evidence> {
    let baseline = status.baseline.as_ref()?;
    let totals = seen.totals.as_ref()?;
    if baseline.totals.proxy_started != totals.proxy_started {
        return None;
    }
    let change = status.change.as_ref()?;
    let canary = difference(&baseline.totals, totals, &change.version)?;
    let primary = status
        .primary
        .as_ref()
        .filter(|primary| !primary.is(change))
        .and_then(|primary| difference(&baseline.totals, totals, &primary.version))
        .unwrap_or_default();
    Some(Evidence {
        digest: change.digest?,
        revision: baseline.revision,
        step: status.step,
        incarnation: baseline.incarnation,
        proxy_started: totals.proxy_started,
        from: baseline.totals.at,
        to: totals.at,
        canary: canary.counts,
        primary: primary.counts,
        canary_latency: finite(canary.latency),
        primary_latency: finite(primary.latency),
    })
}

/// Envoy's last bucket has no upper bound; on the wire and in JSON bounds are numbers.
fn finite(latency: Latency) -> Latency {
    let buckets = latency.buckets.into_iter();
    let bounded =
        buckets.map(|(upper, count)| (if upper.is_finite() { upper } else { f64::MAX }, count));
    Latency {
        buckets: bounded.collect(),
    }
}
