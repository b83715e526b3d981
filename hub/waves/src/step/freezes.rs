//! What standing freezes forbid: every advance in their scope (P28). What is in flight there holds,
//! nothing starts; failures still retreat, and no retreat waits for a freeze (rule 4).

use flagship_proto::model::ClusterUid;

use super::Turn;
use crate::{
    fleet::Freeze,
    reason::Reason,
    state::{ClusterPhase, FrozenBy},
};

impl<'a> Turn<'a> {
    /// The freeze that forbids every advance of this rollout; of several the one that ends last.
    pub(super) fn frozen(&self) -> Option<&'a Freeze> {
        let whole = |freeze: &&Freeze| freeze.clusters.is_none();
        ends_last(self.fleet.freezes.iter().filter(whole))
    }

    /// The freeze that forbids every advance in one cluster; of several the one that ends last.
    pub(super) fn frozen_at(&self, uid: &ClusterUid) -> Option<&'a Freeze> {
        let covers = |freeze: &&Freeze| freeze.covers(uid);
        ends_last(self.fleet.freezes.iter().filter(covers))
    }

    /// Notes which freezes bind this rollout from now on, and which no longer do.
    pub(super) fn hear_freezes(&mut self) {
        if self.state.is_over() {
            return self.state.freezes.clear();
        }
        let binding: Vec<FrozenBy> = self
            .fleet
            .freezes
            .iter()
            .filter(|freeze| {
                freeze.clusters.is_none()
                    || self.state.clusters.keys().any(|uid| freeze.covers(uid))
            })
            .map(FrozenBy::from)
            .collect();
        let before = std::mem::take(&mut self.state.freezes);
        for freeze in &binding {
            if !before.iter().any(|old| old.id == freeze.id) {
                self.reasons.push(Reason::Frozen {
                    freeze: freeze.id.clone(),
                    actor: freeze.actor.clone(),
                    reason: freeze.reason.clone(),
                });
            }
        }
        for freeze in before {
            if !binding.iter().any(|now| now.id == freeze.id) {
                self.reasons.push(Reason::FreezeEnded { freeze: freeze.id });
            }
        }
        self.state.freezes = binding;
    }

    /// Whether only a freeze stands between the current wave and its next advance: such time is left
    /// out of the plan's deadline (P28).
    pub(super) fn waits_for_freezes(&self) -> bool {
        if self.frozen().is_some() {
            return true;
        }
        let Some(index) = self.state.current_wave() else {
            return false;
        };
        let (mut frozen, mut next) = (false, false);
        for (uid, cluster) in &self.state.clusters {
            if cluster.wave != index {
                continue;
            }
            let waits = cluster.phase == ClusterPhase::Waiting;
            if !waits && !cluster.holds_slot() {
                continue;
            }
            if self.is_held_by_freeze(uid) {
                frozen = true;
            } else if waits {
                next = true;
            } else {
                return false;
            }
        }
        frozen && !(next && self.has_free_slot(index))
    }

    /// Whether a freeze is what keeps a cluster from going on: not one that goes back.
    pub(super) fn is_held_by_freeze(&self, uid: &ClusterUid) -> bool {
        let stays = self
            .phase_of(uid)
            .is_some_and(|phase| *phase == ClusterPhase::Waiting || phase.in_flight());
        stays && self.frozen_at(uid).is_some()
    }
}

fn ends_last<'a>(freezes: impl Iterator<Item = &'a Freeze>) -> Option<&'a Freeze> {
    freezes.max_by_key(|freeze| (freeze.until.is_none(), freeze.until, freeze.id.clone()))
}
