//! One look at one workload: what is given, the status that is being changed, and what was decided
//! so far. The other files of the engine are written in terms of it.

use std::time::Duration;

use flagship_proto::model::{
    Intent, Phase, Stopwatch, Tick, Weight, canary::Analysis, canary::CanarySpec,
};

use crate::{
    decision::{Action, Decision, Severity},
    judge::Verdict,
    observation::{Observation, Revision, Scale, Share, VersionSeen},
    reason::{Place, Readiness, Reason},
    status::{CanaryStatus, Waits},
};

/// While something is under way the engine looks at least this often.
const LOOK: Duration = Duration::from_secs(1);

/// While nothing is under way.
const REST: Duration = Duration::from_secs(30);

pub(crate) struct Work<'a> {
    pub(crate) spec: &'a CanarySpec,
    pub(crate) seen: &'a Observation,
    pub(crate) now: Tick,
    pub(crate) next: CanaryStatus,
    pub(crate) actions: Vec<Action>,
    pub(crate) due_in: Duration,
    /// How a round of checks ended, if one did.
    pub(crate) judged: Option<Verdict>,
}

impl<'a> Work<'a> {
    pub(crate) fn new(
        spec: &'a CanarySpec,
        status: &CanaryStatus,
        seen: &'a Observation,
        now: Tick,
    ) -> Self {
        Self {
            spec,
            seen,
            now,
            next: status.clone(),
            actions: Vec::new(),
            due_in: LOOK,
            judged: None,
        }
    }

    /// Closes the look: keeps since when the reason holds, and puts retreats before all else.
    pub(crate) fn finish(mut self, reason: Reason) -> Decision {
        if reason.code() != self.next.reason.code() {
            self.next.since = self.now.wall;
        }
        self.next.reason = reason.clone();
        self.actions.sort_by_key(rank);
        let busy = self.next.in_flight()
            || self.next.phase == Phase::Initializing
            || !self.next.stopping.is_empty()
            || !self.next.asking.is_empty()
            || self.is_soaking();
        let wake_after = if busy {
            self.due_in.clamp(Duration::from_millis(50), LOOK)
        } else {
            REST
        };
        Decision {
            next: self.next,
            actions: self.actions,
            wake_after,
            judged: self.judged,
            reason,
        }
    }

    /// Nothing may move towards the change unless this says so.
    pub(crate) fn may_advance(&self) -> bool {
        self.is_run() && self.next.returning.is_none()
    }

    /// Whether the order may be carried out at this moment.
    pub(crate) fn is_run(&self) -> bool {
        self.seen.permission.may_advance
            && self.seen.permission.intent == Intent::Run
            && !self.spec.suspend
    }

    /// Why nothing may advance; only asked when nothing may.
    pub(crate) fn why_not(&self) -> Reason {
        let why = self.seen.permission.why.clone();
        if self.spec.suspend {
            return Reason::Suspended;
        }
        match self.seen.permission.intent {
            Intent::Run => Reason::WaitingForLease { why },
            Intent::Hold | Intent::Retreat | Intent::Remove => Reason::Held { why },
        }
    }

    pub(crate) fn analysis(&self) -> Option<&'a Analysis> {
        self.spec.analysis.as_ref()
    }

    /// Time from one round to the next, also where there is no analysis.
    pub(crate) fn interval(&self) -> Duration {
        self.analysis()
            .map_or(Duration::from_secs(10), Analysis::interval)
    }

    /// The weights of the steps.
    pub(crate) fn steps(&self) -> Vec<Weight> {
        self.analysis().map(Analysis::steps).unwrap_or_default()
    }

    /// Where in the analysis it is now.
    pub(crate) fn place(&self) -> Place {
        Place {
            weight: self.next.weight,
            step: self.next.step,
            of: u32::try_from(self.steps().len()).unwrap_or(u32::MAX),
        }
    }

    pub(crate) fn version(&self, revision: &Revision) -> Option<&'a VersionSeen> {
        self.seen.versions.get(&revision.version)
    }

    /// How many instances are ready, for people; zero of one where the platform does not know the version yet.
    pub(crate) fn readiness(&self, revision: &Revision) -> Readiness {
        let seen = self.version(revision);
        Readiness {
            version: revision.version.clone(),
            ready: seen.map_or(0, |seen| seen.ready),
            wanted: seen.map_or(1, |seen| seen.wanted),
        }
    }

    /// Whether enough instances are ready at that scale; rounded up, so that half of one is one (W12).
    pub(crate) fn is_ready(&self, revision: &Revision, scale: Scale) -> bool {
        let per_cent = self.analysis().and_then(|analysis| match scale {
            Scale::Canary => analysis.canary_ready_threshold,
            Scale::Full => analysis.primary_ready_threshold,
        });
        self.version(revision).is_some_and(|seen| {
            let wanted = u64::from(seen.wanted) * u64::from(per_cent.unwrap_or(100).min(100));
            let needed = wanted.div_ceil(100).max(1);
            seen.scale >= scale && u64::from(seen.ready) >= needed
        })
    }

    /// The share of a version as read back from every proxy.
    pub(crate) fn share(&self, revision: &Revision) -> Option<Share> {
        self.seen.route.share(&revision.version)
    }

    /// The change's share as read back.
    pub(crate) fn change_share(&self) -> Option<Share> {
        self.next
            .change
            .as_ref()
            .and_then(|change| self.share(change))
    }

    /// Whether every proxy has the recorded weight.
    pub(crate) fn weight_is_read_back(&self) -> bool {
        self.change_share() == Some(Share::all(self.next.weight))
    }

    /// The version that serves what the change does not.
    pub(crate) fn base(&self) -> Option<&Revision> {
        if self.next.swapped() {
            self.next.other.as_ref()
        } else {
            self.next.primary.as_ref()
        }
    }

    /// Asks for a version at a scale, unless the platform was told already. A version that was to be
    /// stopped no longer is: one of which nothing is wanted is on its way out.
    pub(crate) fn ensure(&mut self, revision: &Revision, scale: Scale) {
        self.next
            .stopping
            .retain(|old| old.version != revision.version);
        let told = self
            .version(revision)
            .filter(|seen| seen.wanted > 0)
            .map(|seen| seen.scale);
        if told != Some(scale) {
            self.actions.push(Action::EnsureVersion {
                revision: revision.clone(),
                scale,
            });
        }
    }

    /// Moves to a phase; the waits of the stage begin again.
    pub(crate) fn enter(&mut self, phase: Phase) {
        self.next.phase = phase;
        self.next.waits.stage = Stopwatch::default();
        self.next.waits.ready = Stopwatch::default();
        self.next.waits.gate = Stopwatch::default();
        self.next.opened.clear();
        self.next.gate_closed = None;
        self.next.last_round = None;
        self.next.asking.remove(&crate::ask::Slot::Gate);
    }

    /// Tells people.
    pub(crate) fn event(&mut self, severity: Severity, reason: &Reason) {
        let id = self.new_id("event", reason.code());
        self.actions.push(Action::Event {
            id,
            severity,
            code: reason.code(),
            message: reason.to_string(),
        });
    }

    /// Counts the stage's time, which stands still on hold; the reason if it is over.
    pub(crate) fn stage_over(&mut self, stage: &str, deadline: Duration) -> Option<Reason> {
        let running = self.may_advance();
        Waits::count(&mut self.next.waits.stage, running, self.now.mono);
        (self.next.waits.stage.elapsed() >= deadline).then(|| Reason::StageDeadline {
            stage: stage.to_owned(),
            seconds: deadline.as_secs(),
        })
    }

    /// Notes that something is due in that time.
    pub(crate) fn due(&mut self, wait: Duration) {
        self.due_in = self.due_in.min(wait);
    }
}

/// The order of actions: what lowers comes first, what raises after what it needs.
fn rank(action: &Action) -> u8 {
    match action {
        Action::SetRoute {
            direction: crate::decision::Direction::Retreat,
            ..
        } => 0,
        Action::EnsureVersion { .. } => 1,
        Action::SetRoute {
            direction: crate::decision::Direction::Advance,
            ..
        } => 2,
        Action::StopVersion { .. } => 3,
        Action::RunHook { .. } => 4,
        Action::Query { .. } => 5,
        Action::Event { .. } => 6,
    }
}
