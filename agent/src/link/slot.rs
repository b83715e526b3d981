//! One workload's place: the release in force, the one that waits to be on disk, and its timer.

use std::time::Duration;

use flagship_proto::model::{Abort, AbortMode, Fence, Intent, Mono, OnDisconnect, Tick};

use super::{
    keep::Keep,
    permission::{NoLease, retreat_after, time_without},
};
use crate::release::{Lapse, Release, Run, Save, Saved};

/// How often the time without a lease is stored while it runs.
const CHECKPOINT: Duration = Duration::from_secs(10);

/// What is held for one workload. A Run order is in force once it is on disk; every other at once.
#[derive(Debug)]
pub(super) struct Slot {
    newest: Keep<Release>,
    in_force: Option<Release>,
}

impl Slot {
    pub(super) fn loaded(release: Release) -> Self {
        Self {
            in_force: Some(release.clone()),
            newest: Keep::loaded(release),
        }
    }

    /// The first order for a workload.
    pub(super) fn first(release: Release) -> Self {
        let in_force = !waits_for_disk(&release);
        Self {
            in_force: in_force.then(|| release.clone()),
            newest: Keep::fresh(release),
        }
    }

    /// A newer order.
    pub(super) fn take(&mut self, release: Release) {
        if !waits_for_disk(&release) {
            self.in_force = Some(release.clone());
        }
        *self.newest.change() = release;
    }

    /// What is obeyed.
    pub(super) fn in_force(&self) -> Option<&Release> {
        self.in_force.as_ref()
    }

    /// Whether a newer order waits to be on disk: nothing advances on the one before it (P4).
    pub(super) fn is_pending(&self) -> bool {
        let held = self.in_force.as_ref().map(|release| release.order().fence);
        held != Some(self.fence())
    }

    /// What the next order has to be above.
    pub(super) fn fence(&self) -> Fence {
        self.newest.value().order().fence
    }

    /// The runs of the newest order and of the one in force.
    pub(super) fn runs(&self) -> Vec<Run> {
        let newest = Run::of(self.newest.value().order());
        let in_force = self.in_force.as_ref().map(|of| Run::of(of.order()));
        let other = in_force.filter(|run| *run != newest);
        other.into_iter().chain([newest]).collect()
    }

    /// Marks what this abort voids; it counts at once and is written as soon as it can be.
    pub(super) fn void(&mut self, voids: impl Fn(&Release) -> bool, abort: &Abort) {
        let newest = self.newest.value();
        if voids(newest) && takes_more(newest.voided_by.as_ref(), abort) {
            self.newest.change().voided_by = Some(abort.clone());
        }
        if let Some(release) = &mut self.in_force
            && voids(release)
            && takes_more(release.voided_by.as_ref(), abort)
        {
            release.voided_by = Some(abort.clone());
        }
    }

    /// Counts the time without a lease where the order goes back after some (P20). `in_flight` is
    /// unknown right after a restart: then nothing begins and nothing ends. Under a lease the timer
    /// is kept at its start and stored now and then, so that the time in which the agent was not
    /// running counts too.
    pub(super) fn count_lapse(
        &mut self,
        in_flight: Option<bool>,
        lease: &Result<Duration, NoLease>,
        now: Tick,
    ) {
        let Some(release) = self.in_force.as_mut() else {
            return;
        };
        let Some(after) = retreat_after(release.order()).filter(|_| counts(release)) else {
            return;
        };
        let next = match (&release.lapse, in_flight, lease) {
            (Some(lapse), _, _) if lapse.fired => return,
            (None, None, _) => return,
            (_, Some(false), _) => None,
            (None, Some(true), Err(_)) | (_, _, Ok(_)) => Some(Lapse::new(now)),
            (Some(lapse), _, Err(none)) => {
                let elapsed = time_without(lapse, none, now);
                Some(Lapse {
                    since: lapse.since,
                    elapsed_ms: u64::try_from(elapsed.as_millis()).unwrap_or(u64::MAX),
                    fired: elapsed >= after,
                    mark: Some(now.mono),
                })
            }
        };
        release.lapse.clone_from(&next);
        let newest = self.newest.value();
        let same = newest.order().fence == release.order().fence;
        if same && is_worth_storing(newest.lapse.as_ref(), next.as_ref()) {
            self.newest.change().lapse = next;
        }
    }

    /// The write that is due.
    pub(super) fn due(&mut self, now: Mono) -> Option<Save> {
        let generation = self.newest.due(now)?;
        let what = Saved::Release(Box::new(self.newest.value().clone()));
        Some(Save { generation, what })
    }

    /// A write ended; a Run order whose newest state is on disk comes into force.
    pub(super) fn written(&mut self, generation: u64, succeeded: bool, now: Mono) {
        self.newest.written(generation, succeeded, now);
        if self.newest.is_durable() && self.is_pending() {
            self.in_force = Some(self.newest.value().clone());
        }
    }

    /// When this slot has to be looked at again.
    pub(super) fn wakes(&self, now: Tick) -> impl Iterator<Item = Mono> {
        let lapse = self.in_force.as_ref().and_then(|release| {
            let left = retreat_after(release.order())?;
            let lapse = release.lapse.as_ref().filter(|lapse| !lapse.fired)?;
            Some(
                now.mono
                    .plus(left.saturating_sub(lapse.elapsed(now)).min(CHECKPOINT)),
            )
        });
        let end = self.in_force.as_ref().and_then(|release| {
            let order = release.order();
            let left = order.not_after.as_millisecond() - now.wall.as_millisecond();
            let left = u64::try_from(left).ok().filter(|left| *left > 0)?;
            (order.intent == Intent::Run).then(|| now.mono.plus(Duration::from_millis(left + 1)))
        });
        lapse.into_iter().chain(end).chain(self.newest.again_at())
    }
}

fn waits_for_disk(release: &Release) -> bool {
    match release.order().intent {
        Intent::Run => !flagship_proto::mutant("p13"),
        Intent::Hold | Intent::Retreat | Intent::Remove => false,
    }
}

/// The timer runs for orders under which a canary may stand still, not for those that end it.
fn counts(release: &Release) -> bool {
    let order = release.order();
    matches!(order.intent, Intent::Run | Intent::Hold)
        && matches!(order.on_disconnect, OnDisconnect::Retreat { .. })
}

/// Whether what is on disk would tell a restart too little.
fn is_worth_storing(stored: Option<&Lapse>, now: Option<&Lapse>) -> bool {
    let (Some(stored), Some(now)) = (stored, now) else {
        return stored.is_some() || now.is_some();
    };
    let step = i64::try_from(CHECKPOINT.as_millis()).unwrap_or(i64::MAX);
    let moved = now.since.as_millisecond() - stored.since.as_millisecond();
    now.fired != stored.fired
        || moved.abs() >= step
        || now.elapsed_ms.abs_diff(stored.elapsed_ms) >= step.unsigned_abs()
}

/// Whether an abort takes back more than what voided the order before.
fn takes_more(before: Option<&Abort>, abort: &Abort) -> bool {
    let rank = |mode: AbortMode| match mode {
        AbortMode::Hold => 1,
        AbortMode::Return => 2,
        AbortMode::RetreatDone => 3,
    };
    rank(abort.mode) > before.map_or(0, |before| rank(before.mode))
}
