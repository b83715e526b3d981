//! How much anew one credential may stop: generous, so that nobody meets it in an incident, and bounded, so
//! that a small token cannot fill the disk with rows, or the audit log with entries.
//!
//! What returns traffic never asks here. An abort is bounded by how many may stand, and the first retreat of
//! a rollout always passes; only what brings nothing new, or returns nothing (a freeze, a pause, a retreat
//! of what retreats already) is counted. So is a lift, which returns nothing: who stops and lifts in turn
//! would add an abort each time, and each is kept for ever (P7, P8).

use std::sync::{Arc, Mutex, PoisonError};

use flagship_proto::model::{Tick, TokenId};

use super::{Caller, OpError, Ops};
use crate::limit::{Rate, Rates};

/// A script that freezes or pauses all that a large fleet has passes at once.
pub(crate) const STOPS: Rate = Rate {
    burst: 2_000,
    per_minute: 60,
};

/// All that can stand at once is lifted several times over.
pub(crate) const LIFTS: Rate = Rate {
    burst: 256,
    per_minute: 6,
};

/// What each credential has left.
#[derive(Debug, Clone)]
pub(super) struct Stops {
    anew: Left,
    lifts: Left,
}

type Left = Arc<Mutex<Rates<TokenId>>>;

impl Default for Stops {
    fn default() -> Self {
        let left = |rate| Arc::new(Mutex::new(Rates::new(rate)));
        Self {
            anew: left(STOPS),
            lifts: left(LIFTS),
        }
    }
}

impl Ops {
    /// Refuses what one credential does without end.
    pub(super) fn not_without_end(&self, caller: &Caller, now: Tick) -> Result<(), OpError> {
        if is_left(&self.stops.anew, caller, now) {
            return Ok(());
        }
        let message = format!(
            "{} has frozen, paused and taken back {} times of late",
            caller.actor, STOPS.burst
        );
        Err(OpError::too_often("stop.tooOften", &message).try_this(
            "stop all of it at once with `flagship abort`, or freeze a project or the fleet; aborts and retreats of what has not gone back yet are never refused for this",
        ))
    }

    /// Refuses lifts without end. What is stopped stays so, and more can be stopped.
    pub(super) fn not_lifted_without_end(&self, caller: &Caller, now: Tick) -> Result<(), OpError> {
        if is_left(&self.stops.lifts, caller, now) {
            return Ok(());
        }
        let message = format!(
            "{} has lifted {} times of late: the abort stands on",
            caller.actor, LIFTS.burst
        );
        Err(OpError::too_often("lift.tooOften", &message).try_this(
            "lift it in some seconds, or have somebody else lift it; aborts are never refused for this",
        ))
    }
}

/// Takes one of what a credential has left, if it has. The hub itself is no credential.
fn is_left(left: &Left, caller: &Caller, now: Tick) -> bool {
    let Some(via) = &caller.via else {
        return true;
    };
    let mut rates = left.lock().unwrap_or_else(PoisonError::into_inner);
    rates.take(via.id().clone(), now.mono)
}
