//! The analysis: the canary is started, gets its first traffic, and then, round by round, more of it,
//! less of it, or none.

mod round;

use std::time::Duration;

use flagship_proto::model::{
    Phase, Stopwatch, Weight,
    canary::{Analysis, WebhookType},
};

use round::longest_delay;

use crate::{
    ask::{Asked, Slot},
    judge::Verdict,
    observation::{Revision, Scale},
    reason::Reason,
    status::{Baseline, Waits},
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
    /// once, whatever the interval. After a restart of the agent an instance counts as gone only
    /// once it was seen to serve: its first health check may not have come back yet.
    pub(crate) fn broken(&mut self, change: &Revision) -> Option<Reason> {
        let now = self.now.mono;
        let serving = &self.next.waits.serving;
        let served = serving.mark.is_some_and(|mark| mark.run == now.run);
        let seen = self.version(change)?;
        let has_traffic = self
            .change_share()
            .is_some_and(|share| share.max > Weight::ZERO);
        let serves = has_traffic && seen.ready > 0;
        Waits::count(&mut self.next.waits.serving, serves, now);
        let version = change.version.clone();
        if let Some(words) = seen.not_startable.clone() {
            return Some(Reason::NotStartable { version, words });
        }
        if let Some(words) = seen.crash_loop.clone() {
            return Some(Reason::CrashLooping { version, words });
        }
        let weight = self.next.weight;
        (served && seen.ready == 0 && weight > Weight::ZERO)
            .then_some(Reason::CanaryDown { version, weight })
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
            self.begin_asking(Slot::Rollback, Some(WebhookType::Rollback), Asked::Nothing);
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
        self.take_baseline();
    }

    /// Evidence is counted anew for each step, order, incarnation and start of a proxy (P26).
    fn take_baseline(&mut self) {
        let Some(totals) = &self.seen.totals else {
            return;
        };
        let run = self.next.run.as_ref();
        let revision = run.map(|run| run.fence.revision).unwrap_or_default();
        let incarnation = self.seen.incarnation;
        let holds = self.next.baseline.as_ref().is_some_and(|baseline| {
            baseline.revision == revision
                && baseline.incarnation == incarnation
                && baseline.totals.proxy_started == totals.proxy_started
        });
        if !holds {
            self.next.baseline = Some(Baseline {
                revision,
                incarnation,
                totals: totals.clone(),
            });
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
                self.begin_asking(Slot::Check, Some(kind), Asked::Nothing);
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
}
