//! The beginning: the first primary, taking up an order's change, and the gate before the start.

use std::time::Duration;

use flagship_proto::model::{Intent, Phase, Stopwatch, Weight, canary::WebhookType};

use crate::{
    ask::{Asked, Slot},
    decision::Severity,
    judge::Verdict,
    observation::{Scale, Share, Target},
    reason::Reason,
    status::{REMEMBERED, RunKey, Tally, Waits},
    work::Work,
};

/// How long a gate may stay closed where the spec says nothing.
const GATE: Duration = Duration::from_secs(24 * 3600);

impl Work<'_> {
    /// Makes the first primary; it serves as soon as it is ready and every proxy has it.
    pub(crate) fn initialize(&mut self) -> Reason {
        let Some(primary) = self.next.primary.clone() else {
            return Reason::Initializing;
        };
        self.ensure(&primary, Scale::Full);
        if let Some(seen) = self.version(&primary)
            && let Some(words) = seen
                .crash_loop
                .clone()
                .or_else(|| seen.not_startable.clone())
        {
            return Reason::PrimaryDown {
                version: primary.version,
                words,
            };
        }
        if !self.is_ready(&primary, Scale::Full) {
            return Reason::PrimaryStarting(self.readiness(&primary));
        }
        let share = self.share(&primary);
        if share != Some(Share::all(Weight::FULL)) {
            return Reason::WeightPending {
                wanted: Weight::ZERO,
                seen: share.map(|share| share.min.rest()),
                trouble: self.seen.route.trouble.clone(),
            };
        }
        self.next.promoted = vec![primary];
        self.enter(Phase::Initialized);
        Reason::NoOrder
    }

    /// Takes up the order's run if it is another one than the status is about. What is still in
    /// flight goes back first.
    pub(crate) fn adopt(&mut self) {
        if self.is_same_run() {
            return;
        }
        let Some(target) = self.seen.target.clone() else {
            return;
        };
        let by = || Reason::Superseded {
            by: format!("{} (attempt {})", target.change.version, target.attempt),
        };
        if self.next.returning.is_some() {
            // It goes back first, unless it cannot: then its own repair must not be kept out.
            if !(self.is_run() && self.returns_in_vain()) {
                return;
            }
            self.let_return_be(&by());
        }
        if self.next.phase.is_active() && self.next.other.is_some() {
            self.fail(by());
            return;
        }
        self.start_over(target);
    }

    /// Whether the order is about the run that the status is about; its newest fence is kept.
    pub(crate) fn is_same_run(&mut self) -> bool {
        let (Some(run), Some(target)) = (&mut self.next.run, &self.seen.target) else {
            return false;
        };
        let same = run.is_of(target);
        if same {
            run.fence = run.fence.max(target.fence);
        }
        same
    }

    fn start_over(&mut self, target: Target) {
        let status = &mut self.next;
        status.run = Some(RunKey {
            rollout: target.rollout,
            attempt: target.attempt,
            fence: target.fence,
            version: Some(target.change.version.clone()),
        });
        status.step = 0;
        status.tally = Tally::default();
        status.waits = Waits::default();
        status.asking.clear();
        status.baseline = None;
        let there = status
            .primary
            .as_ref()
            .is_some_and(|primary| primary.is(&target.change));
        status.weight = if there { Weight::FULL } else { Weight::ZERO };
        // A version that serves keeps the name it serves under.
        status.change = if there {
            status.primary.clone()
        } else {
            Some(target.change.clone())
        };
        status.ended = there.then(|| Reason::AlreadyThere {
            version: target.change.version.clone(),
        });
        let retreat = self.seen.permission.intent == Intent::Retreat;
        if there {
            self.enter(Phase::Succeeded);
        } else if retreat {
            self.next.ended = Some(Reason::RetreatOrdered {
                why: self.seen.permission.why.clone(),
            });
            self.enter(Phase::Failed);
        } else {
            self.enter(Phase::Waiting);
        }
    }

    /// A change is known and nothing of it runs yet.
    pub(crate) fn wait_for_start(&mut self) -> Reason {
        let Some(primary) = self.next.primary.clone() else {
            return Reason::Initializing;
        };
        if let Some(reason) = self.rollback_hook() {
            return self.give_up(reason);
        }
        let deadline = self.gate_deadline();
        if let Some(over) = self.stage_over("the confirm-rollout gate", deadline) {
            return self.give_up(over);
        }
        if !self.may_advance() {
            return self.why_not();
        }
        // A primary that crashes must not keep its own repair out (Flagger's fault W3).
        let broken = self
            .version(&primary)
            .is_some_and(|seen| seen.crash_loop.is_some());
        if !broken && !self.is_ready(&primary, Scale::Full) {
            return Reason::PrimaryStarting(self.readiness(&primary));
        }
        if let Some(closed) = self.gate(WebhookType::ConfirmRollout) {
            return closed;
        }
        self.next.other = self.next.change.clone();
        self.enter(Phase::Progressing);
        let reason = self.analyse();
        self.event(Severity::Normal, &reason);
        reason
    }

    /// Ends a run of which nothing runs yet.
    fn give_up(&mut self, reason: Reason) -> Reason {
        self.event(Severity::Warning, &reason);
        self.next.ended = Some(reason.clone());
        self.next.asking.clear();
        self.enter(Phase::Failed);
        self.begin_post();
        reason
    }

    /// How long a gate may stay closed.
    pub(crate) fn gate_deadline(&self) -> Duration {
        self.analysis()
            .and_then(|analysis| analysis.deadlines)
            .and_then(|deadlines| deadlines.gate)
            .map_or(GATE, Duration::from)
    }

    /// Asks the hooks of a gate until all pass; the reason while it is not open. Only asked while
    /// something may advance.
    pub(crate) fn gate(&mut self, gate: WebhookType) -> Option<Reason> {
        if self.next.opened.contains(&gate) || self.hooks(gate).is_empty() {
            return None;
        }
        let was_closed = self.next.gate_closed.clone();
        if !self.is_asking(Slot::Gate) {
            let now = self.now.mono;
            Waits::count(&mut self.next.waits.gate, true, now);
            let interval = self.interval();
            if was_closed.is_some() && self.next.waits.gate.elapsed() < interval {
                self.due(self.next.waits.gate.remaining(interval));
                return was_closed;
            }
            self.next.waits.gate = Stopwatch::default();
            self.begin_asking(Slot::Gate, Some(gate), Asked::Nothing);
        }
        let Some(closed) = self.drive(Slot::Gate) else {
            return Some(was_closed.unwrap_or(Reason::AskingGate { gate }));
        };
        if closed.verdict == Verdict::Pass {
            self.next.opened.push(gate);
            self.next.gate_closed = None;
            return None;
        }
        let reason = Reason::GateClosed {
            gate,
            hook: closed.name,
            words: closed.words,
        };
        self.next.gate_closed = Some(reason.clone());
        if was_closed.is_none() {
            self.event(Severity::Warning, &reason);
        }
        Some(reason)
    }

    /// Remembers a revision as promoted, newest first.
    pub(crate) fn remember(&mut self, revision: crate::observation::Revision) {
        self.next.promoted.retain(|old| !old.is(&revision));
        self.next.promoted.insert(0, revision);
        self.next.promoted.truncate(REMEMBERED);
    }
}
