//! One workload's driver: load → observe → step → store → act, as a plain state machine over
//! values. It decides nothing: the canary engine does. It carries answers to the engine, keeps
//! hooks and queries from being asked twice, and says what must be stored before anything is done.
//!
//! Order of effects (P13, trap 38): what returns traffic is done at once; when `persist` is set, the
//! status is stored before all else, and where that fails nothing else is done. The asynchronous edge
//! is in [`edge`].

mod answer;
mod ask;
mod edge;
mod look;
mod report;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use flagship_canary::{
    Action, Answer, CanaryStatus, Decision, Direction, Observation, Permission, Revision,
    RouteSeen, Target, Totals, VersionSeen, judge::Verdict,
};
use flagship_proto::{
    digest::Digest,
    model::{
        AbortId, Change, Evidence, Incarnation, Mono, Order, Tick, WorkloadRef, WorkloadStatus,
        canary::{CanaryDocument, CanarySpec},
    },
};

use crate::{hook::HookCall, provider::Samples};

pub use answer::QueryClient;
pub use ask::{Asked, QueryCall, Settings};
pub use edge::{Drive, LinkPort, StatusError, drive, load_status};
pub use look::look;

/// Waits are stored at least this often while they run.
const CHECKPOINT: Duration = Duration::from_secs(2);

/// What was seen of one workload at one moment.
#[derive(Debug, Clone)]
pub struct Seen {
    /// The incarnation of the agent.
    pub incarnation: Incarnation,
    /// What the link allows.
    pub permission: Permission,
    /// The order that is held, if there is one.
    pub order: Option<Order>,
    /// The abort that voided it, if one did.
    pub aborted_by: Option<AbortId>,
    /// What identifies the order's version in this cluster, once that is known (S6).
    pub change_digest: Option<Digest>,
    /// Versions that the platform knows.
    pub versions: BTreeMap<String, VersionSeen>,
    /// The proxies.
    pub route: RouteSeen,
    /// The proxies' counters.
    pub totals: Option<Totals>,
}

/// Something that the edge has to do.
#[derive(Debug, Clone)]
pub enum Effect {
    /// A platform action: a route, a version to run or to stop.
    Act(Action),
    /// Ask or tell a hook; its answer goes to [`WorkloadDriver::answered`].
    Hook(Box<HookCall>),
    /// Ask a provider; its answer goes to [`WorkloadDriver::answered`].
    Query(Box<QueryCall>),
    /// Log it.
    Event {
        /// Whether someone may have to look.
        warning: bool,
        /// A stable word.
        code: &'static str,
        /// The sentence.
        message: String,
    },
}

impl Effect {
    /// Whether it waits for nothing: it returns traffic, or while that is under way (`returning`) it
    /// starts what traffic goes back to. Words for people wait for nothing either.
    fn is_at_once(&self, returning: bool) -> bool {
        match self {
            Self::Act(Action::SetRoute { direction, .. }) => match direction {
                Direction::Retreat => true,
                Direction::Advance => false,
            },
            Self::Act(Action::EnsureVersion { .. }) => returning,
            Self::Event { .. } => true,
            Self::Act(_) | Self::Hook(_) | Self::Query(_) => false,
        }
    }

    /// Whether it is said once and not derived again: a question, or news for a hook.
    pub fn is_asked_once(&self) -> bool {
        match self {
            Self::Hook(_) | Self::Query(_) => true,
            Self::Act(_) | Self::Event { .. } => false,
        }
    }
}

/// The outcome of one turn.
#[derive(Debug, Clone)]
pub struct Turn {
    /// What to do before anything else, in this order, whether or not the status can be stored.
    pub at_once: Vec<Effect>,
    /// Store [`WorkloadDriver::status`] then.
    pub persist: bool,
    /// What to do once it is stored, in this order.
    pub effects: Vec<Effect>,
    /// The status to report, if it changed in something that people or the hub care about.
    pub report: Option<WorkloadStatus>,
    /// Evidence that goes with the report.
    pub evidence: Option<Evidence>,
    /// What a round of checks that ended in this turn says.
    pub judged: Option<Verdict>,
    /// Look again after this time at the latest.
    pub wake_after: Duration,
}

/// The driver of one workload.
#[derive(Debug)]
pub struct WorkloadDriver {
    workload: WorkloadRef,
    initial: Revision,
    settings: Settings,
    status: CanaryStatus,
    stored: Option<(Mono, CanaryStatus)>,
    document: (Option<Digest>, CanaryDocument),
    answers: BTreeMap<String, Answer>,
    asked: BTreeSet<String>,
    told: BTreeSet<String>,
    reported: Option<WorkloadStatus>,
    samples: Samples,
}

impl WorkloadDriver {
    /// A driver that goes on from a stored status; `None` for a workload that was never seen.
    pub fn new(
        workload: WorkloadRef,
        initial: Revision,
        settings: Settings,
        stored: Option<CanaryStatus>,
        now: Tick,
    ) -> Self {
        Self {
            workload,
            initial,
            settings,
            status: stored.unwrap_or_else(|| CanaryStatus::new(now.wall)),
            stored: None,
            document: (None, CanaryDocument::default()),
            answers: BTreeMap::new(),
            asked: BTreeSet::new(),
            told: BTreeSet::new(),
            reported: None,
            samples: Samples::default(),
        }
    }

    /// What is remembered; store it when a turn says so.
    pub fn status(&self) -> &CanaryStatus {
        &self.status
    }

    /// The workload.
    pub fn workload(&self) -> &WorkloadRef {
        &self.workload
    }

    /// This status was stored.
    pub fn persisted(&mut self, status: CanaryStatus, now: Tick) {
        self.stored = Some((now.mono, status));
    }

    /// A hook or a query was answered. Answers to what is not being asked are dropped by the engine.
    pub fn answered(&mut self, id: String, answer: Answer) {
        if self.asked.remove(&id) {
            self.answers.insert(id, answer);
        }
    }

    /// What the last turn reported; sent again after a reconnect.
    pub fn last_report(&self) -> Option<&WorkloadStatus> {
        self.reported.as_ref()
    }

    /// One turn.
    pub fn turn(&mut self, seen: Seen, now: Tick) -> Turn {
        self.read_document(seen.order.as_ref());
        if let Some(totals) = &seen.totals {
            self.samples.add(now.mono, totals.clone());
        }
        let observation = self.observation(&seen);
        let decision =
            flagship_canary::step(&self.document.1.spec, &self.status, &observation, now);
        let Decision {
            next,
            actions,
            mut wake_after,
            judged,
            reason: _,
        } = decision;
        self.status = next;
        self.forget_what_is_not_asked();

        let mut effects = Vec::new();
        for action in actions {
            match self.carry_out(action, &seen, now) {
                Carried::Effects(more) => effects.extend(more),
                Carried::AnsweredAtOnce => wake_after = Duration::ZERO,
                Carried::UnderWay => {}
            }
        }
        let report = report::status(&self.workload, &self.status, &seen);
        let changed = self
            .reported
            .as_ref()
            .is_none_or(|last| report::differs(last, &report));
        if changed {
            self.reported = Some(report.clone());
        }
        let returning = self.status.returning.is_some();
        let (at_once, effects) = effects
            .into_iter()
            .partition(|effect: &Effect| effect.is_at_once(returning));
        Turn {
            at_once,
            persist: self.must_store(now.mono),
            effects,
            evidence: changed
                .then(|| report::evidence(&self.status, &seen))
                .flatten(),
            report: changed.then_some(report),
            judged,
            wake_after,
        }
    }

    fn observation(&mut self, seen: &Seen) -> Observation {
        Observation {
            incarnation: seen.incarnation,
            permission: seen.permission.clone(),
            target: seen
                .order
                .as_ref()
                .map(|order| target(order, seen.change_digest)),
            initial: self.initial.clone(),
            versions: seen.versions.clone(),
            route: seen.route.clone(),
            totals: seen.totals.clone(),
            answers: std::mem::take(&mut self.answers),
        }
    }

    /// Reads the order's canary document once per digest. The hub validated it; one that cannot be
    /// read all the same holds everything, since a spec without analysis would mean "skip it".
    fn read_document(&mut self, order: Option<&Order>) {
        let Some(order) = order else { return };
        if self.document.0 == Some(order.canary.digest) {
            return;
        }
        let document = order.canary.read().unwrap_or_else(|error| {
            tracing::error!(workload = %self.workload, %error, "canary document cannot be read, held");
            CanaryDocument {
                spec: CanarySpec {
                    suspend: true,
                    ..CanarySpec::default()
                },
                ..CanaryDocument::default()
            }
        });
        self.document = (Some(order.canary.digest), document);
    }

    /// Ids that the engine closed are forgotten, so that the sets stay small.
    fn forget_what_is_not_asked(&mut self) {
        let open: BTreeSet<&str> = self
            .status
            .asking
            .values()
            .flat_map(|asking| asking.asks.iter().map(|ask| ask.id.as_str()))
            .collect();
        self.asked.retain(|id| open.contains(id.as_str()));
        if self.told.len() > 256 {
            self.told.clear();
        }
    }

    fn must_store(&self, now: Mono) -> bool {
        let Some((at, stored)) = &self.stored else {
            return true;
        };
        if without_waits(stored) != without_waits(&self.status) {
            return true;
        }
        *stored != self.status && now.since(*at).is_none_or(|age| age >= CHECKPOINT)
    }
}

/// What became of an action.
enum Carried {
    Effects(Vec<Effect>),
    AnsweredAtOnce,
    UnderWay,
}

fn target(order: &Order, digest: Option<Digest>) -> Target {
    let version = match &order.change {
        Change::Version(version) => version.clone(),
        Change::Image { .. } | Change::Patch(_) | Change::Delivered(_) => order.change.to_string(),
    };
    Target {
        rollout: order.rollout.clone(),
        attempt: order.attempt,
        fence: order.fence,
        change: Revision { version, digest },
        return_to: order.return_to.clone(),
        now: order.now,
    }
}

fn without_waits(status: &CanaryStatus) -> CanaryStatus {
    let mut status = status.clone();
    status.waits = flagship_canary::status::Waits::default();
    for asking in status.asking.values_mut() {
        asking.age = flagship_proto::model::Stopwatch::default();
    }
    status
}
