//! What a workload of a cluster does, as far as was heard, and which clusters a scope counts: one
//! definition for what is said before an abort and what is shown after it.

use flagship_proto::model::{Intent, Order, Phase, Scope, Weight, WorkloadStatus};

use crate::records::{ClusterRow, RolloutRow};

/// What one order has come to in its cluster.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Doing {
    /// Something is in flight, or may be: the change has, or may get, traffic.
    InFlight,
    /// It succeeded.
    Done,
    /// Nothing is in flight.
    Nothing,
}

/// Judges by the last status, whichever order it answers: who was told to go back and has not said
/// that it did may still serve the change.
pub fn doing(order: &Order, status: Option<&WorkloadStatus>) -> Doing {
    let answer = status.filter(|status| status.fence >= order.fence);
    let serves = |status: &WorkloadStatus| {
        let is_own = status.rollout.as_ref() == Some(&order.rollout);
        let share = status.share();
        // What an earlier rollout brought goes back before this order is taken up.
        let is_meant = is_own || status.phase == Phase::Failed;
        status.phase.is_active() || is_meant && share > Weight::ZERO
    };
    match (order.intent, answer.map(|status| status.phase)) {
        (Intent::Run | Intent::Hold, Some(Phase::Succeeded)) => Doing::Done,
        (
            Intent::Run | Intent::Hold,
            Some(Phase::Failed | Phase::Terminating | Phase::Terminated),
        )
        | (Intent::Retreat, _) => {
            if status.is_some_and(serves) {
                Doing::InFlight
            } else {
                Doing::Nothing
            }
        }
        (
            Intent::Run | Intent::Hold,
            None
            | Some(
                Phase::Initializing
                | Phase::Initialized
                | Phase::Waiting
                | Phase::Progressing
                | Phase::WaitingPromotion
                | Phase::Promoting
                | Phase::Finalising,
            ),
        ) => Doing::InFlight,
        (Intent::Remove, _) => Doing::Nothing,
    }
}

/// Whether a member counts as one that a scope stops: it has an order there, takes part in a rollout
/// that has not ended, or has the workload. Whom a selector met is decided elsewhere.
pub fn counts<'a>(
    scope: &Scope,
    cluster: &ClusterRow,
    has_order: bool,
    open: impl IntoIterator<Item = &'a RolloutRow>,
) -> bool {
    let mut covered = open
        .into_iter()
        .filter(|rollout| scope.covers(&rollout.workload, &rollout.plan_ref(), &rollout.id));
    has_order
        || match scope {
            Scope::Fleet | Scope::Selector(_) => true,
            Scope::Workload(workload) if cluster.has_workload(workload) => true,
            Scope::Workload(_) | Scope::Project(_) | Scope::Plan(_) | Scope::Rollout { .. } => {
                covered.any(|rollout| rollout.state.clusters.contains_key(&cluster.uid))
            }
        }
}
