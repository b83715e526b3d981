//! The promotion (P18): the new version is scaled up, takes all traffic by leased steps, and then the
//! primary's role. The old version stays up and ready until Succeeded, so a return is immediate.

use std::time::Duration;

use flagship_proto::{
    model::{Phase, Stopwatch, Weight, canary::WebhookType},
    mutant,
};

use crate::{
    ask::{Asked, Slot},
    decision::Severity,
    judge::Verdict,
    observation::{Scale, Share},
    reason::Reason,
    status::{Tally, Waits},
    work::Work,
};

impl Work<'_> {
    /// Promoting.
    pub(crate) fn promote(&mut self) -> Reason {
        let Some(change) = self.next.change.clone() else {
            return self.rest();
        };
        if let Some(reason) = self.broken(&change).or_else(|| self.rollback_hook()) {
            self.fail(reason.clone());
            return reason;
        }
        self.ensure(&change, Scale::Full);
        let deadline = self.promotion_deadline();
        if let Some(over) = self.stage_over("the promotion", deadline) {
            self.fail(over.clone());
            return over;
        }
        if let Some(pending) = self.not_ready(&change, Scale::Full) {
            return pending;
        }
        if !self.weight_is_read_back() {
            self.stop_clocks();
            return self.weight_pending();
        }
        if !self.may_advance() && !mutant("p18") {
            self.stop_clocks();
            return self.why_not();
        }
        if self.next.weight < Weight::FULL {
            return self.shift();
        }
        self.next.other = self.next.primary.replace(change);
        self.enter(Phase::Finalising);
        self.event(Severity::Normal, &Reason::RolesSwapping);
        Reason::RolesSwapping
    }

    /// The next step of the promotion; the first follows at once, the others after an interval each.
    fn shift(&mut self) -> Reason {
        let step = self
            .analysis()
            .and_then(|analysis| analysis.step_weight_promotion)
            .filter(|step| *step > 0)
            .unwrap_or(100);
        let begun = matches!(self.next.last_round, Some(Reason::PromotionShift { .. }));
        let now = self.now.mono;
        Waits::count(&mut self.next.waits.round, true, now);
        let left = self.next.waits.round.remaining(self.interval());
        if begun && !left.is_zero() {
            self.due(left);
            return Reason::PromotionShift {
                weight: self.next.weight,
            };
        }
        let more = u32::from(self.next.weight.get()).saturating_add(step);
        self.next.weight = Weight::saturating(more);
        self.next.waits.round = Stopwatch::default();
        let reason = Reason::PromotionShift {
            weight: self.next.weight,
        };
        self.next.last_round = Some(reason.clone());
        self.event(Severity::Normal, &reason);
        reason
    }

    fn promotion_deadline(&self) -> Duration {
        let analysis = self.analysis();
        let said = analysis.and_then(|found| found.deadlines?.promotion);
        let step = analysis.and_then(|found| found.step_weight_promotion);
        let steps = 100u32.div_ceil(step.filter(|step| *step > 0).unwrap_or(100));
        let steps_time = self.interval().saturating_mul(steps.saturating_mul(2));
        let usual = self.spec.progress_deadline().saturating_mul(2);
        said.map_or(usual.saturating_add(steps_time), Duration::from)
    }

    /// Finalising: the roles are read back, then it is done.
    pub(crate) fn finalise(&mut self) -> Reason {
        let Some(change) = self.next.change.clone() else {
            return self.rest();
        };
        if let Some(reason) = self.broken(&change).or_else(|| self.rollback_hook()) {
            self.fail(reason.clone());
            return reason;
        }
        let deadline = self.promotion_deadline();
        if let Some(over) = self.stage_over("the end of the promotion", deadline) {
            self.fail(over.clone());
            return over;
        }
        if !self.may_advance() && !mutant("p18") {
            return self.why_not();
        }
        let role = self.seen.route.primary.as_deref() == Some(change.version.as_str());
        if !role || self.share(&change) != Some(Share::all(Weight::FULL)) {
            return self.weight_pending();
        }
        let old = self.next.other.take();
        self.next.stopping.extend(old);
        self.next.asking.clear();
        self.next.tally = Tally::default();
        self.next.waits = Waits::default();
        self.next.baseline = None;
        self.remember(change.clone());
        let reason = Reason::Succeeded {
            version: change.version,
        };
        self.next.ended = Some(reason.clone());
        self.enter(Phase::Succeeded);
        self.event(Severity::Normal, &reason);
        self.begin_post();
        reason
    }

    /// Asks the post-rollout hooks, once, at the end of a run.
    pub(crate) fn begin_post(&mut self) {
        if !self.hooks(WebhookType::PostRollout).is_empty() {
            self.begin_asking(Slot::Post, Some(WebhookType::PostRollout), Asked::Nothing);
        }
    }

    /// Drives the post-rollout hooks on; they change nothing any more.
    pub(crate) fn drive_post(&mut self) {
        let Some(closed) = self.drive(Slot::Post) else {
            return;
        };
        if closed.verdict != Verdict::Pass {
            let reason = Reason::GateClosed {
                gate: WebhookType::PostRollout,
                hook: closed.name,
                words: closed.words,
            };
            self.event(Severity::Warning, &reason);
        }
    }
}
