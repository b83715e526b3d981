//! What a step decided: the next state, what to write, when to look again, and why.

use std::{fmt, time::Duration};

use flagship_proto::{
    digest::Digest,
    model::{Change, ClusterName, ClusterUid, Intent, ReturnTo},
};
use jiff::Timestamp;

use crate::{reason::Reason, state::RolloutState};

/// The result of [`crate::step`].
#[derive(Debug, Clone, PartialEq)]
pub struct Decision {
    /// The state to store.
    pub next: RolloutState,
    /// What to write in the same transaction.
    pub actions: Vec<Action>,
    /// When to look again even if nothing changes; none if only a change can matter.
    pub wake_after: Option<Duration>,
    /// What was decided in this step, in order; empty if nothing was.
    pub reasons: Vec<Reason>,
    /// Whether it is worth a transaction.
    pub commit: Commit,
}

impl Decision {
    /// Whether it holds a Run order: such a transaction also compares the guard (P15).
    pub fn starts(&self) -> bool {
        self.actions.iter().any(|action| match action {
            Action::Order(order) => order.intent == Intent::Run,
            Action::RecordGood { .. } | Action::Reject { .. } | Action::ReleaseClaims => false,
        })
    }
}

/// Whether a decision is worth a transaction.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Commit {
    /// Nothing changed; it may be thrown away.
    Nothing,
    /// Only waits went on; storing them now bounds what a crash loses.
    Checkpoint,
    /// Something was decided.
    Change,
}

/// One write that belongs to the decision.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Write the order row of one cluster.
    Order(OrderAction),
    /// The change Succeeded everywhere: it becomes the workload's last good version.
    RecordGood {
        /// The change.
        change: Change,
        /// Its digest, as the clusters reported it.
        digest: Option<Digest>,
    },
    /// The change failed, was aborted or taken back: remember its digest (S8), and forget it as a
    /// last good version.
    Reject {
        /// The change.
        change: Change,
        /// Its digest, as the clusters reported it.
        digest: Option<Digest>,
        /// Why, in words.
        reason: String,
    },
    /// The rollout has ended: release its claims (S7).
    ReleaseClaims,
}

/// An order row to write; the driver adds fleet, fence, canary document and the plan's parts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderAction {
    /// For whom, by name.
    pub cluster: ClusterName,
    /// For whom.
    pub uid: ClusterUid,
    /// What is wanted.
    pub intent: Intent,
    /// What is being released; in the catch-up lane not always the rollout's own change.
    pub change: Change,
    /// Where a Retreat goes.
    pub return_to: ReturnTo,
    /// Retreat without pacing.
    pub now: bool,
    /// The cluster's attempt; a higher one starts again from step 0.
    pub attempt: u32,
    /// Until when a Run is good.
    pub not_after: Timestamp,
    /// Why, in words for people.
    pub reason: String,
}

impl fmt::Display for Action {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(order) => {
                write!(f, "order {}: {}", order.cluster, order.intent)?;
                match order.intent {
                    Intent::Run => write!(f, " {} (attempt {})", order.change, order.attempt)?,
                    Intent::Retreat if order.now => f.write_str(" now")?,
                    Intent::Hold | Intent::Retreat | Intent::Remove => {}
                }
                write!(f, ", {}", order.reason)
            }
            Self::RecordGood { change, .. } => write!(f, "record {change} as good"),
            Self::Reject { change, reason, .. } => write!(f, "reject {change}, {reason}"),
            Self::ReleaseClaims => f.write_str("release claims"),
        }
    }
}
