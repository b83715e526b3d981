//! What a wave waits for while clusters of it are open, in words: canaries in flight, clusters that are
//! not heard, on their way back, not connected, another rollout's, frozen or under local control.

use std::collections::BTreeMap;

use flagship_proto::model::{ClusterUid, FreezeId};

use super::Turn;
use crate::{fleet::Freeze, plan::OnUnreachable, reason::Reason, state::ClusterPhase};

impl Turn<'_> {
    pub(super) fn explain_open(&mut self, index: usize, open: &[ClusterUid]) {
        let (frozen, open): (Vec<ClusterUid>, Vec<ClusterUid>) = open
            .iter()
            .cloned()
            .partition(|uid| self.is_held_by_freeze(uid));
        self.explain_frozen(&frozen);
        self.explain_local_control(&open);
        let pick = |turn: &Self, wanted: &dyn Fn(&ClusterPhase) -> bool| -> Vec<ClusterUid> {
            open.iter()
                .filter(|uid| turn.phase_of(uid).is_some_and(wanted))
                .cloned()
                .collect()
        };
        let wave = self.wave_name(index);
        let mut running = pick(self, &|phase| {
            matches!(phase, ClusterPhase::Ordered | ClusterPhase::Running { .. })
        });
        running.retain(|uid| !self.is_under_local_control(uid));
        let unheard = pick(self, &|phase| *phase == ClusterPhase::Unreachable);
        let back = pick(self, &|phase| {
            matches!(
                phase,
                ClusterPhase::Failed { .. } | ClusterPhase::Retreating { .. }
            )
        });
        let next = pick(self, &|phase| *phase == ClusterPhase::Waiting);
        let (there, away): (Vec<ClusterUid>, Vec<ClusterUid>) = next.into_iter().partition(|uid| {
            let member = self.fleet.members.get(uid);
            member.is_some_and(|member| member.connected)
        });
        let claimed: Vec<ClusterUid> = there
            .into_iter()
            .filter(|uid| {
                let member = self.fleet.members.get(uid);
                member.is_some_and(|member| member.claimed_by_another)
            })
            .collect();
        if !running.is_empty() {
            let clusters = self.names(&running);
            self.waiting
                .push(Reason::WaitingForClusters { wave, clusters });
        }
        if !unheard.is_empty() {
            let policy = self.plan.spec.unreachable;
            let then = match policy.then {
                OnUnreachable::Fail => "counts as failed",
                OnUnreachable::Skip => "is skipped",
            };
            self.waiting.push(Reason::WaitingForUnreachable {
                clusters: self.names(&unheard),
                then: format!("after {} it {then}", policy.wait),
            });
        }
        if !back.is_empty() {
            let clusters = self.names(&back);
            self.waiting.push(Reason::WaitingForReturn { clusters });
        }
        if !claimed.is_empty() {
            let clusters = self.names(&claimed);
            self.waiting.push(Reason::WaitingForClaim { clusters });
        }
        if !away.is_empty() {
            let clusters = self.names(&away);
            self.waiting.push(Reason::WaitingForConnection { clusters });
        }
    }

    /// Names the clusters that a freeze holds, by the freeze.
    fn explain_frozen(&mut self, open: &[ClusterUid]) {
        let mut by_freeze: BTreeMap<&FreezeId, (&Freeze, Vec<ClusterUid>)> = BTreeMap::new();
        for uid in open {
            if let Some(freeze) = self.frozen_at(uid) {
                let (_, held) = by_freeze.entry(&freeze.id).or_insert((freeze, Vec::new()));
                held.push(uid.clone());
            }
        }
        for (freeze, held) in by_freeze.into_values() {
            let clusters = self.names(&held);
            self.waiting.push(Reason::ClustersFrozen {
                clusters,
                freeze: freeze.id.clone(),
                ends: freeze.ends(),
                reason: freeze.reason.clone(),
            });
        }
    }
}
