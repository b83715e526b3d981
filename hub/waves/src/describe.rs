//! A rollout in words: what it does, what it waits for and since when.

use flagship_proto::model::Tick;

use crate::{plan::Plan, state::RolloutState};

/// Lines for `flagship describe`.
pub fn describe(plan: &Plan, state: &RolloutState, now: Tick) -> Vec<String> {
    let _ = (plan, now);
    vec![format!("{} {}", state.rollout, state.phase)]
}
