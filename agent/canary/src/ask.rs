//! Questions to hooks and metrics: asked by an id that is stored first, counted once (trap 38).

mod drive;

use flagship_proto::model::{Stopwatch, canary::WebhookType};
use serde::{Deserialize, Serialize};

use crate::judge::Verdict;
pub(crate) use drive::{Asked, Closed};

/// What a set of questions is for; there is at most one set of each at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Slot {
    /// confirm-rollout, confirm-traffic-increase, confirm-promotion.
    Gate,
    /// pre-rollout; or rollout hooks and metrics.
    Check,
    /// rollback hooks.
    Rollback,
    /// post-rollout hooks.
    Post,
}

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Question {
    /// A hook of the spec.
    Hook {
        /// Its type.
        kind: WebhookType,
        /// Its place in the spec's list.
        index: usize,
        /// Its name.
        name: String,
    },
    /// A metric of the spec.
    Metric {
        /// Its name.
        name: String,
        /// The window's length in milliseconds, fixed when it was asked.
        window_ms: u64,
    },
}

/// A question, its id, and its answer once it came.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ask {
    /// Its id: the idempotency key.
    pub id: String,
    /// What is asked.
    pub question: Question,
    /// The judged answer.
    pub answer: Option<Answered>,
}

/// A judged answer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answered {
    /// What it means.
    pub verdict: Verdict,
    /// With the numbers.
    pub words: String,
}

/// A set of questions that is under way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asking {
    /// In order. Hooks are asked one after the other; metrics all at once, after the hooks.
    pub asks: Vec<Ask>,
    /// Time since it began.
    pub age: Stopwatch,
}

impl Question {
    /// The name of the hook or metric.
    pub fn name(&self) -> &str {
        match self {
            Self::Hook { name, .. } | Self::Metric { name, .. } => name,
        }
    }
}
