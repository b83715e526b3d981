//! What an abort leaves to be fixed: who still serves what it stopped, in its scope and, held with a rollout
//! that it stopped, out of it; and the command that takes it back, for who reads it.

use flagship_proto::model::{AbortId, AbortMode, Scope};
use jiff::Timestamp;

use super::{Seen, abort::is_taken_back, stays::again};
use crate::{
    api::{ApiState, sight::Sight, types::NotFixed},
    auth::Right,
    records::{AbortRow, RolloutRow, Stored},
};

/// Clusters that still serve what an abort stopped.
#[derive(Debug, Default)]
pub(super) struct Serving {
    /// In its scope.
    pub(super) not_fixed: Vec<NotFixed>,
    /// Out of its scope: held, as their rollout is aborted as a whole, or Done and not taken back.
    pub(super) held_with: Vec<NotFixed>,
}

/// Who still serves what was aborted, in rollouts that this abort stopped.
pub(super) fn serving(
    state: &ApiState,
    seen: &Seen,
    sight: &Sight<'_>,
    row: &Stored<AbortRow>,
    rollouts: &[Stored<RolloutRow>],
) -> Serving {
    let order = row.unplaced();
    let mut serving = Serving::default();
    let stopped = rollouts.iter().filter(|rollout| {
        stopped_by(rollout, &order.id, &order.scope, order.at) && sight.rollout(rollout)
    });
    for rollout in stopped {
        let mut inside = seen.done_and_serving(rollout, |uid| row.concerns(uid));
        inside.extend(seen.in_flight_and_serving(rollout, |uid| row.concerns(uid)));
        let mut outside = seen.in_flight_and_serving(rollout, |uid| !row.concerns(uid));
        // Where its version is taken back in its scope, who has it out of that goes on with what was taken back.
        if is_taken_back(rollout, &order.id) || order.mode == AbortMode::RetreatDone {
            outside.extend(seen.done_and_serving(rollout, |uid| !row.concerns(uid)));
        }
        let wider = || {
            let may = state.ops.stops_all_of(sight.grants(), &order.scope);
            let abort = again(&order.scope).filter(|_| may)?;
            let abort = abort.of("--retreat").because();
            Some(abort.that("takes back whatever had succeeded there"))
        };
        let wider = (!sight.may_do(Right::Stop, rollout)).then(wider).flatten();
        for one in &mut inside {
            sight.cut_way_back(one, rollout, wider.as_deref());
        }
        for one in &mut outside {
            sight.cut_way_back(one, rollout, None);
        }
        serving.not_fixed.append(&mut inside);
        serving.held_with.append(&mut outside);
    }
    serving
}

fn stopped_by(rollout: &RolloutRow, id: &AbortId, scope: &Scope, at: Timestamp) -> bool {
    if is_taken_back(rollout, id) {
        return true;
    }
    match &rollout.state.aborted {
        Some(aborted) if aborted.id == *id => true,
        Some(_) => false,
        // The engine may not have looked yet.
        None => {
            !rollout.state.is_over()
                && rollout.started < at
                && scope.covers(&rollout.workload, &rollout.plan_ref(), &rollout.id)
        }
    }
}
