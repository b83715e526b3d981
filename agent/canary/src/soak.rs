//! After Succeeded the absolute checks go on against the new primary for a while (S5). A failure makes
//! this cluster Failed; what follows is the hub's to say, and traffic stays until it is said.

use std::time::Duration;

use flagship_proto::model::{Intent, Phase, Stopwatch, Weight, canary::Analysis};

use crate::{
    ask::{Asked, Slot},
    decision::Severity,
    judge::Verdict,
    observation::Share,
    reason::Reason,
    status::Waits,
    tally,
    work::Work,
};

/// How long checks go on: an agent is not told when the wave's soak ends, and an idle one is to rest.
const SOAK: Duration = Duration::from_secs(1800);

impl Work<'_> {
    /// Whether there is still something to check.
    pub(crate) fn is_soaking(&self) -> bool {
        let ordered = match self.seen.permission.intent {
            Intent::Run | Intent::Hold => self.next.run.is_some(),
            Intent::Retreat | Intent::Remove => false,
        };
        let promoted = matches!(self.next.ended, Some(Reason::Succeeded { .. }));
        ordered
            && promoted
            && self.next.phase == Phase::Succeeded
            && !self.spec.skips_analysis()
            && self.next.waits.settled.elapsed() < SOAK
    }

    /// Succeeded.
    pub(crate) fn soak(&mut self) -> Reason {
        let whole = self.change_share() == Some(Share::all(Weight::FULL));
        let Some(analysis) = self.analysis().filter(|_| self.is_soaking()) else {
            self.next.asking.remove(&Slot::Check);
            return self.rest();
        };
        let now = self.now.mono;
        Waits::count(&mut self.next.waits.settled, whole, now);
        Waits::count(&mut self.next.waits.round, whole, now);
        match self.soak_round(analysis) {
            Some(failed) => failed,
            None => self.rest(),
        }
    }

    fn soak_round(&mut self, analysis: &Analysis) -> Option<Reason> {
        if !self.is_asking(Slot::Check) {
            let left = self.next.waits.round.remaining(analysis.interval());
            if !left.is_zero() {
                self.due(left);
                return None;
            }
            self.next.waits.round = Stopwatch::default();
            self.begin_asking(Slot::Check, None, Asked::Absolute);
        }
        let closed = self.drive(Slot::Check)?;
        if closed.verdict == Verdict::Inconclusive {
            // Nobody asks it for proof any more: a service may have no traffic at night.
            return None;
        }
        let end = tally::round(&mut self.next.tally, analysis, &closed, Duration::ZERO)?;
        self.event(Severity::Warning, &end);
        self.next.asking.clear();
        self.next.ended = Some(end.clone());
        self.enter(Phase::Failed);
        self.begin_post();
        Some(end)
    }
}
