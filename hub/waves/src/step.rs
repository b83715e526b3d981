//! One step of a rollout.

use flagship_proto::model::Tick;

use crate::{
    decision::{Commit, Decision},
    fleet::FleetView,
    plan::Plan,
    state::RolloutState,
};

/// Decides what a rollout does next. See the crate's page for how to call it.
pub fn step(plan: &Plan, state: &RolloutState, fleet: &FleetView, now: Tick) -> Decision {
    let _ = (plan, fleet, now);
    Decision {
        next: state.clone(),
        actions: Vec::new(),
        wake_after: None,
        reasons: Vec::new(),
        commit: Commit::Nothing,
    }
}
