//! A round of checks, what it counts as, and what follows it: more traffic, the promotion, or nothing yet.

use std::time::Duration;

use flagship_proto::model::{
    Phase, Stopwatch,
    canary::{Analysis, WebhookType},
};

use crate::{
    ask::{Asked, Closed, Slot},
    decision::Severity,
    judge::Verdict,
    reason::{Place, Reason},
    status::Waits,
    tally,
    work::Work,
};

impl Work<'_> {
    /// A round of checks, if one is due or under way; why it waits otherwise.
    pub(super) fn round(&mut self, analysis: &Analysis) -> Reason {
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
            self.begin_asking(Slot::Check, Some(WebhookType::Rollout), Asked::All);
        }
        match self.drive(Slot::Check) {
            None => {
                let last = self.next.last_round.clone();
                last.unwrap_or(Reason::Checking(place))
            }
            Some(closed) => self.count_round(analysis, &closed),
        }
    }

    pub(super) fn count_round(&mut self, analysis: &Analysis, closed: &Closed) -> Reason {
        self.judged = Some(closed.verdict);
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
    pub(super) fn go_on(&mut self, analysis: &Analysis, round: Reason) -> Reason {
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
    pub(super) fn advance(&mut self, analysis: &Analysis) -> Reason {
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
pub(super) fn longest_delay(analysis: &Analysis) -> Duration {
    let delays = analysis.metrics.iter().map(|metric| metric.delay());
    delays.max().unwrap_or_default()
}
