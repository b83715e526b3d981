//! The analysis: the canary is started, gets its first traffic, and then, round by round, more of it,
//! less of it, or none.

use std::time::Duration;

use flagship_proto::model::{
    Phase, Stopwatch, Weight,
    canary::{Analysis, WebhookType},
};

use crate::{
    ask::Slot,
    decision::Severity,
    judge::Verdict,
    observation::{Revision, Scale},
    reason::{Place, Reason},
    status::Waits,
    tally,
    work::Work,
};

/// How long one step may take where the spec says nothing.
const STEP: Duration = Duration::from_secs(3600);

impl Work<'_> {
    /// Progressing and WaitingPromotion.
    pub(crate) fn analyse(&mut self) -> Reason {
        let Some(change) = self.next.change.clone() else {
            return self.rest();
        };
        if let Some(reason) = self.broken(&change) {
            self.fail(reason.clone());
            return reason;
        }
        self.ensure(&change, Scale::Canary);
        if let Some(reason) = self.rollback_hook() {
            self.fail(reason.clone());
            return reason;
        }
        if let Some(pending) = self.not_ready(&change, Scale::Canary) {
            self.stop_clocks();
            return pending;
        }
        if self.spec.skips_analysis() {
            if !self.may_advance() {
                return self.why_not();
            }
            self.enter(Phase::Promoting);
            return self.promote();
        }
        let Some(analysis) = self.analysis() else {
            return self.rest();
        };
        let (stage, deadline) = self.stage(analysis);
        if let Some(over) = self.stage_over(stage, deadline) {
            self.fail(over.clone());
            return over;
        }
        if !self.weight_is_read_back() {
            self.stop_clocks();
            return self.weight_pending();
        }
        if self.next.weight == Weight::ZERO {
            return self.before_traffic(analysis);
        }
        self.count_clocks();
        let round = self.round(analysis);
        if self.next.returning.is_some() {
            return round;
        }
        self.go_on(analysis, round)
    }

    /// A version that crashes, cannot be started, or is gone while it has traffic: acted upon at
    /// once, whatever the interval.
    pub(crate) fn broken(&self, change: &Revision) -> Option<Reason> {
        let seen = self.version(change)?;
        let version = change.version.clone();
        if let Some(words) = seen.not_startable.clone() {
            return Some(Reason::NotStartable { version, words });
        }
        if let Some(words) = seen.crash_loop.clone() {
            return Some(Reason::CrashLooping { version, words });
        }
        let has_traffic = self
            .change_share()
            .is_some_and(|share| share.max > Weight::ZERO);
        (seen.ready == 0 && has_traffic).then_some(Reason::CanaryDown {
            version,
            weight: self.next.weight,
        })
    }

    /// Waits for a version's instances; ends the run at the progress deadline.
    pub(crate) fn not_ready(&mut self, change: &Revision, scale: Scale) -> Option<Reason> {
        if self.is_ready(change, scale) {
            self.next.waits.ready = Stopwatch::default();
            return None;
        }
        let running = self.may_advance();
        Waits::count(&mut self.next.waits.ready, running, self.now.mono);
        let deadline = self.spec.progress_deadline();
        let readiness = self.readiness(change);
        if self.next.waits.ready.elapsed() >= deadline {
            let reason = Reason::NotReadyInTime {
                readiness,
                seconds: deadline.as_secs(),
            };
            self.fail(reason.clone());
            return Some(reason);
        }
        Some(match scale {
            Scale::Canary => Reason::CanaryStarting(readiness),
            Scale::Full => Reason::PromotionScaling(readiness),
        })
    }

    /// Asks the rollback hooks once an interval; the reason if one of them asks for it.
    pub(crate) fn rollback_hook(&mut self) -> Option<Reason> {
        if self.hooks(WebhookType::Rollback).is_empty() {
            return None;
        }
        let now = self.now.mono;
        Waits::count(&mut self.next.waits.rollback, true, now);
        if !self.is_asking(Slot::Rollback) {
            if self.next.waits.rollback.elapsed() < self.interval() {
                return None;
            }
            self.next.waits.rollback = Stopwatch::default();
            self.begin_asking(Slot::Rollback, WebhookType::Rollback, false);
        }
        let closed = self.drive(Slot::Rollback)?;
        (closed.verdict == Verdict::Pass).then_some(Reason::RollbackHook { hook: closed.name })
    }

    pub(crate) fn weight_pending(&self) -> Reason {
        Reason::WeightPending {
            wanted: self.next.weight,
            seen: self.change_share().map(|share| share.max),
            trouble: self.seen.route.trouble.clone(),
        }
    }

    fn stage(&self, analysis: &Analysis) -> (&'static str, Duration) {
        if self.next.phase == Phase::WaitingPromotion {
            return ("the confirm-promotion gate", self.gate_deadline());
        }
        let said = analysis.deadlines.and_then(|deadlines| deadlines.step);
        let rounds = analysis
            .success_threshold()
            .saturating_add(analysis.threshold());
        let needed = (analysis.interval() + longest_delay(analysis)).saturating_mul(rounds);
        let deadline = said.map_or(STEP, Duration::from).max(needed);
        ("a step of the analysis", deadline)
    }

    /// The step's time counts only while its weight is read back (trap 19).
    fn count_clocks(&mut self) {
        let now = self.now.mono;
        Waits::count(&mut self.next.waits.settled, true, now);
        Waits::count(&mut self.next.waits.round, true, now);
        Waits::count(&mut self.next.waits.inconclusive, true, now);
        if self.next.baseline.is_none() {
            self.next.baseline.clone_from(&self.seen.totals);
        }
    }

    pub(crate) fn stop_clocks(&mut self) {
        self.next.waits.settled.stop();
        self.next.waits.round.stop();
        self.next.waits.inconclusive.stop();
    }

    /// Pre-rollout hooks, then the first traffic.
    fn before_traffic(&mut self, analysis: &Analysis) -> Reason {
        if !self.may_advance() {
            self.next.waits.round.stop();
            return self.why_not();
        }
        let kind = WebhookType::PreRollout;
        if !self.hooks(kind).is_empty() && !self.next.opened.contains(&kind) {
            let now = self.now.mono;
            Waits::count(&mut self.next.waits.round, true, now);
            if !self.is_asking(Slot::Check) {
                let waiting = self.next.last_round.clone();
                let left = self.next.waits.round.remaining(analysis.interval());
                if let Some(waiting) = waiting
                    && !left.is_zero()
                {
                    self.due(left);
                    return waiting;
                }
                self.next.waits.round = Stopwatch::default();
                self.begin_asking(Slot::Check, kind, false);
            }
            let asking = Reason::AskingGate { gate: kind };
            let Some(closed) = self.drive(Slot::Check) else {
                return self.next.last_round.clone().unwrap_or(asking);
            };
            let passed = closed.verdict == Verdict::Pass;
            let reason = self.count_round(analysis, &closed);
            if !passed {
                return reason;
            }
            self.next.opened.push(kind);
        }
        self.advance(analysis)
    }

    /// A round of checks, if one is due or under way; why it waits otherwise.
    fn round(&mut self, analysis: &Analysis) -> Reason {
        let place = self.place();
        if !self.is_asking(Slot::Check) {
            let since_round = self.next.waits.round.remaining(analysis.interval());
            let first = analysis.interval() + longest_delay(analysis);
            let since_settled = self.next.waits.settled.remaining(first);
            let left = since_round.max(since_settled);
            if !left.is_zero() {
                self.due(left);
                let last = self.next.last_round.clone();
                return last.unwrap_or(Reason::Soaking(place));
            }
            self.next.waits.round = Stopwatch::default();
            let now = self.now.mono;
            Waits::count(&mut self.next.waits.round, true, now);
            self.begin_asking(Slot::Check, WebhookType::Rollout, true);
        }
        match self.drive(Slot::Check) {
            None => {
                let last = self.next.last_round.clone();
                last.unwrap_or(Reason::Checking(place))
            }
            Some(closed) => self.count_round(analysis, &closed),
        }
    }

    fn count_round(&mut self, analysis: &Analysis, closed: &crate::ask::Closed) -> Reason {
        let unjudged = self.next.waits.inconclusive.elapsed();
        let end = tally::round(&mut self.next.tally, analysis, closed, unjudged);
        let tally = &self.next.tally;
        let reason = match closed.verdict {
            Verdict::Pass => Reason::CheckPassed {
                place: self.place(),
                passed: tally.passed,
                needed: analysis.success_threshold(),
            },
            Verdict::Fail => Reason::CheckFailed {
                words: closed.words.clone(),
                failed: tally.failed,
                threshold: analysis.threshold(),
            },
            Verdict::Inconclusive => Reason::CheckInconclusive {
                words: closed.words.clone(),
                in_row: tally.inconclusive_in_row,
            },
        };
        if closed.verdict != Verdict::Inconclusive {
            self.next.waits.inconclusive = Stopwatch::default();
        }
        if closed.verdict == Verdict::Pass {
            self.next.last_round = None;
        } else {
            self.event(Severity::Warning, &reason);
            self.next.last_round = Some(reason.clone());
        }
        if let Some(end) = end {
            self.fail(end.clone());
            return end;
        }
        reason
    }

    /// What follows a round: more traffic, the promotion, or nothing yet.
    fn go_on(&mut self, analysis: &Analysis, round: Reason) -> Reason {
        let passed = self.next.tally.step_passed(analysis) && !self.is_asking(Slot::Check);
        if !passed {
            let closed = self.next.gate_closed.clone();
            return match closed {
                _ if self.next.last_round.is_some() => round,
                _ if !self.may_advance() => self.why_not(),
                Some(closed) => closed,
                None => round,
            };
        }
        if !self.may_advance() {
            return self.why_not();
        }
        if self.next.step < self.place().of {
            return self.advance(analysis);
        }
        match self.gate(WebhookType::ConfirmPromotion) {
            Some(closed) => {
                if self.next.phase == Phase::Progressing
                    && matches!(closed, Reason::GateClosed { .. })
                {
                    self.next.phase = Phase::WaitingPromotion;
                    self.next.waits.stage = Stopwatch::default();
                }
                closed
            }
            None => {
                self.enter(Phase::Promoting);
                self.promote()
            }
        }
    }

    /// The next step's weight; only called with permission.
    fn advance(&mut self, analysis: &Analysis) -> Reason {
        let steps = analysis.steps();
        let index = usize::try_from(self.next.step).unwrap_or(usize::MAX);
        let Some(&weight) = steps.get(index) else {
            // A spec without steps is refused before; without any, nothing moves.
            return Reason::Soaking(self.place());
        };
        if let Some(closed) = self.gate(WebhookType::ConfirmTrafficIncrease) {
            return closed;
        }
        let from = self.next.weight;
        self.next.weight = weight.max(from);
        self.next.step += 1;
        self.next.tally.new_step();
        self.next.waits.round = Stopwatch::default();
        self.next.waits.settled = Stopwatch::default();
        self.next.waits.inconclusive = Stopwatch::default();
        self.next.baseline = None;
        self.enter(self.next.phase);
        let reason = Reason::Advanced {
            from,
            place: Place {
                weight: self.next.weight,
                ..self.place()
            },
        };
        self.event(Severity::Normal, &reason);
        reason
    }
}

/// How late the latest data arrives.
fn longest_delay(analysis: &Analysis) -> Duration {
    let delays = analysis.metrics.iter().map(|metric| metric.delay());
    delays.max().unwrap_or_default()
}
