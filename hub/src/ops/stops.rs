//! How much anew one credential may stop: generous, so that nobody meets it in an incident, and bounded, so
//! that a small token cannot fill the disk with rows, or the audit log with entries.
//!
//! What returns traffic never asks here. An abort is bounded by how many may stand, and the first retreat of
//! a rollout always passes; only what brings nothing new, or returns nothing (a freeze, a pause, a retreat
//! of what retreats already) is counted.

use std::sync::{Arc, Mutex, PoisonError};

use flagship_proto::model::{Tick, TokenId};

use super::{Caller, OpError, Ops};
use crate::limit::{Rate, Rates};

/// A script that freezes or pauses all that a large fleet has passes at once.
pub(crate) const STOPS: Rate = Rate {
    burst: 2_000,
    per_minute: 60,
};

/// What each credential has left.
#[derive(Debug, Clone)]
pub(super) struct Stops(Arc<Mutex<Rates<TokenId>>>);

impl Default for Stops {
    fn default() -> Self {
        Self(Arc::new(Mutex::new(Rates::new(STOPS))))
    }
}

impl Ops {
    /// Refuses what one credential does without end. The hub itself is no credential.
    pub(super) fn not_without_end(&self, caller: &Caller, now: Tick) -> Result<(), OpError> {
        let Some(via) = &caller.via else {
            return Ok(());
        };
        let mut rates = self.stops.0.lock().unwrap_or_else(PoisonError::into_inner);
        if rates.take(via.id().clone(), now.mono) {
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
}
