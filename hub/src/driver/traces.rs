//! What of a decision goes into the rollout's trace: its start, its decisions and orders, its aborts, its
//! waves, its end. It tells what was committed, in the words of the log and the history, and decides nothing.

use flagship_proto::{
    model::{FleetId, Position, Tick},
    process::traces::{Span, TraceId, Tracer},
};
use flagship_waves::{Action, Decision, RolloutPhase};

use crate::records::{RolloutRow, Stored};

/// Tells what was committed at `position`.
pub(super) fn tell(
    tracer: &Tracer,
    fleet: &FleetId,
    rollout: &Stored<RolloutRow>,
    decision: &Decision,
    position: Position,
    now: Tick,
) {
    if !tracer.is_on() {
        return;
    }
    let telling = Telling {
        trace: TraceId::of(fleet, &rollout.project, &rollout.id),
        tracer,
        rollout,
        decision,
        position: position.to_string(),
        now,
    };
    telling.start();
    telling.decisions();
    telling.orders(position);
    telling.aborted();
    telling.waves();
    telling.end();
}

struct Telling<'a> {
    trace: TraceId,
    tracer: &'a Tracer,
    rollout: &'a RolloutRow,
    decision: &'a Decision,
    position: String,
    now: Tick,
}

impl Telling<'_> {
    /// From when a person asked for it until the hub took it up: all else is a part of this span.
    fn start(&self) {
        let row = self.rollout;
        let is_first = row.state.phase == RolloutPhase::Pending
            && self.decision.next.phase != RolloutPhase::Pending;
        if is_first {
            let times = (row.started, self.now.wall);
            let span = Span::new(self.trace, self.trace.start(), "start", times)
                .with("flagship.actor", &row.started_by)
                .with("flagship.reason", &row.reason);
            self.tracer.span(self.about(span));
        }
    }

    fn decisions(&self) {
        let at = (self.now.wall, self.now.wall);
        for (number, reason) in self.decision.reasons.iter().enumerate() {
            let parts = ["decision", &self.position, &number.to_string()];
            let span = Span::new(self.trace, self.trace.span(&parts), "decision", at)
                .with("flagship.code", reason.code())
                .with("flagship.reason", reason);
            self.tracer.span(span);
        }
    }

    fn orders(&self, position: Position) {
        let (at, workload) = (self.now.wall, &self.rollout.workload);
        for action in &self.decision.actions {
            let Action::Order(order) = action else {
                continue;
            };
            let id = self.trace.order(&order.uid, workload, position);
            let span = Span::new(self.trace, id, "order", (at, at))
                .with("flagship.cluster", &order.cluster)
                .with("flagship.workload", workload)
                .counted("flagship.attempt", order.attempt)
                .with("flagship.intent", order.intent)
                .with("flagship.version", &order.change)
                .with("flagship.reason", &order.reason);
            self.tracer.span(span);
        }
    }

    /// From when it was ordered until the rollout took it up; receipts are parts of it.
    fn aborted(&self) {
        let (before, after) = (&self.rollout.state.aborted, &self.decision.next.aborted);
        let Some(abort) = after else { return };
        if before.as_ref().is_some_and(|before| before.id == abort.id) {
            return;
        }
        let (id, times) = (self.trace.abort(&abort.id), (abort.at, self.now.wall));
        let span = Span::new(self.trace, id, "abort", times)
            .with("flagship.abort", &abort.id)
            .with("flagship.mode", abort.mode)
            .with("flagship.actor", &abort.actor)
            .with("flagship.reason", &abort.reason);
        self.tracer.span(span);
    }

    /// Those that are done now.
    fn waves(&self) {
        let after = &self.decision.next;
        for (old, new) in self.rollout.state.waves.iter().zip(&after.waves) {
            let (None, Some(finished)) = (old.finished, new.finished) else {
                continue;
            };
            let parts = ["wave", new.name.as_str(), &self.position];
            let times = (new.started.unwrap_or(finished), finished);
            let span = Span::new(self.trace, self.trace.span(&parts), "wave", times)
                .with("flagship.wave", &new.name)
                .counted("flagship.attempt", after.attempt);
            self.tracer.span(span);
        }
    }

    /// The whole of it; again where a rollout that had ended was taken back.
    fn end(&self) {
        let (row, after) = (self.rollout, &self.decision.next);
        if row.state.is_over() || !after.is_over() {
            return;
        }
        let succeeded = after.phase == RolloutPhase::Succeeded;
        let last = self.decision.reasons.last().map(ToString::to_string);
        let id = self.trace.span(&["rollout", &self.position]);
        let times = (row.started, self.now.wall);
        let span = Span::new(self.trace, id, "rollout", times)
            .with("flagship.state", after.phase.word())
            .failing(last.filter(|_| !succeeded));
        self.tracer.span(self.about(span));
    }

    fn about(&self, span: Span) -> Span {
        let row = self.rollout;
        span.with("flagship.project", &row.project)
            .with("flagship.plan", &row.plan.metadata.name)
            .with("flagship.rollout", &row.id)
            .with("flagship.workload", &row.workload)
            .with("flagship.version", &row.change)
    }
}
