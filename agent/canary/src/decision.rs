//! What the engine answers: the next status, what to do, when to look again, and why.

use std::time::Duration;

use flagship_proto::model::canary::WebhookType;
use serde::{Deserialize, Serialize};

use crate::{
    judge::Verdict,
    observation::{Revision, Route, Scale},
    reason::Reason,
    status::CanaryStatus,
};

/// Whether a change of the route moves traffic towards the new version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Direction {
    /// It may raise the change's weight somewhere: check the lease again right before the write (P19).
    Advance,
    /// It raises it nowhere: write it always and first.
    Retreat,
}

/// How much an event matters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Severity {
    /// All is well.
    Normal,
    /// Someone may have to look.
    Warning,
}

/// Something to do. Every action is idempotent, and is decided again until it is seen to be done.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Set the route of the workload, whole.
    SetRoute {
        /// What it should be.
        route: Route,
        /// Whether it may raise the change's weight.
        direction: Direction,
    },
    /// Keep a version running at a scale; its traffic stays as it is.
    EnsureVersion {
        /// Which.
        revision: Revision,
        /// How many.
        scale: Scale,
    },
    /// Drain a version that has no traffic, then stop it.
    StopVersion {
        /// Which.
        version: String,
    },
    /// Ask a hook once for this id; the id is the idempotency key.
    RunHook {
        /// The question's id.
        id: String,
        /// Its type.
        kind: WebhookType,
        /// Its place in the spec's list.
        index: usize,
        /// Its name.
        name: String,
    },
    /// Answer a metric once for this id.
    Query {
        /// The question's id.
        id: String,
        /// The metric's name in the spec.
        metric: String,
        /// How far back the window reaches: never into the step before (trap 19).
        window: Duration,
        /// How long ago the window ends.
        delay: Duration,
    },
    /// Tell people (log, event hooks).
    Event {
        /// Unique in the life of the workload; the idempotency key of event hooks.
        id: String,
        /// How much it matters.
        severity: Severity,
        /// A stable word.
        code: &'static str,
        /// The sentence.
        message: String,
    },
}

/// One decision of the engine.
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The status to store before anything is done.
    pub next: CanaryStatus,
    /// What to do, in this order.
    pub actions: Vec<Action>,
    /// Look again after this time at the latest; earlier if something was seen to change.
    pub wake_after: Duration,
    /// What a round of checks that ended in this look says.
    pub judged: Option<Verdict>,
    /// Why nothing more is done now.
    pub reason: Reason,
}
