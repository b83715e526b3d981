//! What of a workload goes into the trace of its rollout: the canary, its steps and its way back, its
//! checks, its hooks and queries. It watches what the engine decided, and decides nothing.

use flagship_canary::{CanaryStatus, ask::Slot, judge::Verdict};
use flagship_proto::{
    model::{Intent, Order, Phase, RolloutId},
    process::traces::{Span, SpanId, TraceId, Tracer},
};
use jiff::Timestamp;

use crate::link;

/// The canary that is under way, if somebody wants to know.
#[derive(Debug, Default)]
pub(super) struct Traced {
    tracer: Tracer,
    run: Option<Run>,
}

/// One attempt of one rollout here, as long as it has or may get traffic.
#[derive(Debug)]
struct Run {
    of: (RolloutId, u32),
    trace: TraceId,
    id: SpanId,
    /// What it is a part of: the order, where that is known.
    order: SpanId,
    uid: String,
    workload: String,
    cluster: String,
    version: String,
    begin: Timestamp,
    stage: Option<Stage>,
    /// Since when a round of checks is under way.
    check: Option<Timestamp>,
}

/// A weight on the way there, or on the way back.
#[derive(Debug)]
struct Stage {
    name: &'static str,
    id: SpanId,
    number: u32,
    weight: u8,
    begin: Timestamp,
}

/// A hook or a query that is under way.
#[derive(Debug, Default)]
pub(super) struct Asking(Option<(Tracer, Span)>);

impl Traced {
    pub(super) fn new(tracer: Tracer) -> Self {
        Self { tracer, run: None }
    }

    /// What a turn left.
    pub(super) fn see(
        &mut self,
        ruling: Option<&link::Permission>,
        status: &CanaryStatus,
        judged: Option<Verdict>,
        now: Timestamp,
    ) {
        if !self.tracer.is_on() {
            return;
        }
        let run = status.run.as_ref();
        let of = run.map(|run| (run.rollout.clone(), run.attempt));
        if self
            .run
            .as_ref()
            .is_some_and(|run| Some(&run.of) != of.as_ref())
        {
            self.end(None, now);
        }
        if self.run.is_none()
            && status.in_flight()
            && let (Some(of), Some(ruling)) = (of, ruling)
            && ruling.order().rollout == of.0
        {
            self.run = Some(Run::begin(of, ruling.order(), now));
        }
        let Some(run) = &mut self.run else {
            return;
        };
        run.checked(&self.tracer, status, judged, now);
        run.staged(&self.tracer, status, now);
        if !status.in_flight() {
            self.end(Some(status), now);
        }
    }

    /// It is over; `status` is how, where that is known: another may have begun in its place.
    fn end(&mut self, status: Option<&CanaryStatus>, now: Timestamp) {
        let Some(mut run) = self.run.take() else {
            return;
        };
        run.end_stage(&self.tracer, now);
        let mut span = Span::new(run.trace, run.id, "canary", (run.begin, now)).below(run.order);
        if let Some(status) = status {
            let why = status.reason.to_string();
            span = span
                .with("flagship.phase", status.phase)
                .with("flagship.code", status.reason.code())
                .with("flagship.reason", &why)
                .failing(Some(why).filter(|_| status.phase == Phase::Failed));
        }
        let span = span.with("flagship.version", &run.version);
        self.tracer.span(run.of_here(span));
    }

    /// A hook or a query begins.
    pub(super) fn asks(&self, what: &'static str, id: &str, name: &str, now: Timestamp) -> Asking {
        let Some(run) = &self.run else {
            return Asking::default();
        };
        let span = run
            .part(what, &[id], (now, now))
            .with("flagship.name", name);
        Asking(Some((self.tracer.clone(), span)))
    }
}

impl Asking {
    /// It was answered; why it did not pass, if it did not.
    pub(super) fn ended(self, failed: Option<&str>, now: Timestamp) {
        if let Some((tracer, mut span)) = self.0 {
            span.end = now.max(span.begin);
            tracer.span(span.failing(failed.map(str::to_owned)));
        }
    }
}

impl Run {
    fn begin(of: (RolloutId, u32), order: &Order, now: Timestamp) -> Self {
        let trace = TraceId::of_order(order);
        let revision = order.fence.revision;
        let (attempt, at) = (of.1.to_string(), revision.to_string());
        let (uid, workload) = (order.uid.to_string(), order.workload.to_string());
        Self {
            id: trace.span(&["canary", &uid, &workload, &attempt, &at]),
            order: match order.intent {
                Intent::Run => trace.order(&order.uid, &order.workload, revision),
                // It may be a Run that an abort made void: nobody told it as an order.
                Intent::Hold | Intent::Retreat | Intent::Remove => trace.start(),
            },
            cluster: order.cluster.to_string(),
            version: order.change.to_string(),
            begin: now,
            stage: None,
            check: None,
            of,
            trace,
            uid,
            workload,
        }
    }

    fn id_of(&self, what: &str, which: &[&str], at: Timestamp) -> SpanId {
        let (attempt, at) = (self.of.1.to_string(), at.to_string());
        let place = [what, &self.uid, &self.workload, &attempt, &at];
        let parts: Vec<&str> = place.into_iter().chain(which.iter().copied()).collect();
        self.trace.span(&parts)
    }

    /// A part of the step that is under way, else of the canary.
    fn part(&self, what: &'static str, which: &[&str], times: (Timestamp, Timestamp)) -> Span {
        let id = self.id_of(what, which, times.0);
        let parent = self.stage.as_ref().map_or(self.id, |stage| stage.id);
        self.of_here(Span::new(self.trace, id, what, times).below(parent))
    }

    fn of_here(&self, span: Span) -> Span {
        span.with("flagship.cluster", &self.cluster)
            .with("flagship.workload", &self.workload)
            .counted("flagship.attempt", self.of.1)
    }

    fn staged(&mut self, tracer: &Tracer, status: &CanaryStatus, now: Timestamp) {
        let (number, weight) = (status.step, status.weight.get());
        let name = match &status.returning {
            Some(_) => Some("return"),
            None if weight > 0 && status.phase.is_active() => Some("step"),
            None => None,
        };
        let is_same = |stage: &Stage| {
            // A way back is one stage, whatever it passes.
            let same_step = (stage.number, stage.weight) == (number, weight);
            name == Some(stage.name) && (stage.name == "return" || same_step)
        };
        if self.stage.as_ref().is_some_and(is_same) {
            return;
        }
        self.end_stage(tracer, now);
        self.stage = name.map(|name| Stage {
            name,
            id: self.id_of(name, &[&number.to_string(), &weight.to_string()], now),
            number,
            weight,
            begin: now,
        });
    }

    fn end_stage(&mut self, tracer: &Tracer, now: Timestamp) {
        let Some(stage) = self.stage.take() else {
            return;
        };
        let span = Span::new(self.trace, stage.id, stage.name, (stage.begin, now))
            .below(self.id)
            .counted("flagship.step", stage.number)
            .counted("flagship.weight", stage.weight);
        tracer.span(self.of_here(span));
    }

    fn checked(
        &mut self,
        tracer: &Tracer,
        status: &CanaryStatus,
        judged: Option<Verdict>,
        now: Timestamp,
    ) {
        if let Some(verdict) = judged {
            let begin = self.check.take().unwrap_or(now);
            let mut span = self
                .part("check", &[], (begin, now))
                .with("flagship.verdict", verdict.word());
            if verdict != Verdict::Pass {
                let why = status.last_round.as_ref().unwrap_or(&status.reason);
                let words = why.to_string();
                span = span
                    .with("flagship.code", why.code())
                    .with("flagship.reason", &words)
                    .failing(Some(words).filter(|_| verdict == Verdict::Fail));
            }
            tracer.span(span);
        }
        if status.asking.contains_key(&Slot::Check) {
            self.check.get_or_insert(now);
        } else {
            self.check = None;
        }
    }
}
