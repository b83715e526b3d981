//! What people wish of a rollout, and when each wish can be granted.
//!
//! A wish is stored on the rollout's row by the operation that a person called; the engine turns
//! it into state. Both ask [`allowed`], so a person hears "no" at once, and a wish that was
//! overtaken does nothing.

use flagship_proto::model::{ReturnTo, RolloutId};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::state::{RolloutPhase, RolloutState};

/// A stored wish.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Request {
    /// Grows with each request on one rollout, from 1.
    pub id: u64,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// Why, in that person's words.
    pub reason: String,
    /// What is wished.
    pub wish: Wish,
}

/// What a person wishes of a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "verb")]
pub enum Wish {
    /// Traffic stays, nothing starts.
    Pause,
    /// Ends a pause.
    Resume,
    /// All clusters go back, Done too.
    #[serde(rename_all = "camelCase")]
    Retreat {
        /// Where to.
        to: ReturnTo,
        /// Not paced.
        now: bool,
    },
    /// Again, from step 0 where it is not Done.
    Retry,
    /// The mixed state is final.
    Accept,
    /// Another rollout takes over; what is in flight goes back.
    Supersede {
        /// Which.
        by: RolloutId,
    },
}

impl Wish {
    /// The verb, as people type it.
    pub fn verb(&self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::Retreat { .. } => "retreat",
            Self::Retry => "retry",
            Self::Accept => "accept",
            Self::Supersede { .. } => "supersede",
        }
    }
}

/// Why a wish cannot be granted now: a sentence with a remedy.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("cannot {verb} rollout {rollout}: {why}")]
pub struct NotAllowed {
    /// What was wished.
    pub verb: String,
    /// Of which rollout.
    pub rollout: RolloutId,
    /// Why not, and what can be done.
    pub why: String,
}

/// Whether a wish can be granted in this state. `abort_stands`: a standing abort covers the rollout.
pub fn allowed(state: &RolloutState, wish: &Wish, abort_stands: bool) -> Result<(), NotAllowed> {
    let refuse = |why: &str| {
        Err(NotAllowed {
            verb: wish.verb().to_owned(),
            rollout: state.rollout.clone(),
            why: why.to_owned(),
        })
    };
    if state.accepted.is_some() {
        return refuse("its mixed state was accepted as final; start another rollout");
    }
    match (wish, &state.phase) {
        (_, RolloutPhase::Superseded) => refuse("another rollout has superseded it"),

        (Wish::Pause, RolloutPhase::Pending | RolloutPhase::Progressing { .. }) => Ok(()),
        (Wish::Pause, RolloutPhase::Paused) => refuse("it is paused already"),
        (Wish::Pause, RolloutPhase::Retreating) => {
            refuse("it is going back, and nothing delays a retreat")
        }
        (
            Wish::Pause,
            RolloutPhase::Succeeded
            | RolloutPhase::RolledBack
            | RolloutPhase::Aborted
            | RolloutPhase::Failed,
        ) => refuse("nothing of it moves any more"),

        (Wish::Resume, RolloutPhase::Paused) => Ok(()),
        (Wish::Resume, RolloutPhase::Aborted) => {
            refuse("it was aborted; lift the abort, then retry or retreat it")
        }
        (
            Wish::Resume,
            RolloutPhase::Pending
            | RolloutPhase::Progressing { .. }
            | RolloutPhase::Succeeded
            | RolloutPhase::Retreating
            | RolloutPhase::RolledBack
            | RolloutPhase::Failed,
        ) => refuse("it is not paused"),

        (Wish::Retreat { .. }, RolloutPhase::RolledBack)
            if state.left_behind().next().is_some() =>
        {
            Ok(())
        }
        (Wish::Retreat { .. }, RolloutPhase::RolledBack) => refuse("it has gone back already"),
        (
            Wish::Retreat { .. },
            RolloutPhase::Pending
            | RolloutPhase::Progressing { .. }
            | RolloutPhase::Paused
            | RolloutPhase::Succeeded
            | RolloutPhase::Retreating
            | RolloutPhase::Aborted
            | RolloutPhase::Failed,
        ) => Ok(()),

        (Wish::Retry, RolloutPhase::Aborted | RolloutPhase::Failed) if abort_stands => {
            refuse("an abort still covers it")
        }
        (Wish::Retry, RolloutPhase::Aborted | RolloutPhase::Failed) => Ok(()),
        (Wish::Retry, RolloutPhase::RolledBack) => {
            refuse("it has gone back and released its clusters; start another rollout")
        }
        (
            Wish::Retry,
            RolloutPhase::Pending
            | RolloutPhase::Progressing { .. }
            | RolloutPhase::Paused
            | RolloutPhase::Succeeded
            | RolloutPhase::Retreating,
        ) => refuse("it has neither failed nor been aborted"),

        (
            Wish::Accept,
            RolloutPhase::Paused
            | RolloutPhase::Retreating
            | RolloutPhase::Aborted
            | RolloutPhase::Failed,
        ) => Ok(()),
        (Wish::Accept, RolloutPhase::Pending | RolloutPhase::Progressing { .. }) => {
            refuse("it is still going on; pause it first")
        }
        (Wish::Accept, RolloutPhase::Succeeded | RolloutPhase::RolledBack) => {
            refuse("it has ended, there is nothing mixed to accept")
        }

        (Wish::Supersede { .. }, RolloutPhase::Succeeded | RolloutPhase::RolledBack) => {
            refuse("it has ended and holds no clusters")
        }
        (
            Wish::Supersede { .. },
            RolloutPhase::Pending
            | RolloutPhase::Progressing { .. }
            | RolloutPhase::Paused
            | RolloutPhase::Retreating
            | RolloutPhase::Aborted
            | RolloutPhase::Failed,
        ) => Ok(()),
    }
}
