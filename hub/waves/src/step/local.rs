//! Local control: what people on the spot told agents, as far as it concerns a rollout.
//!
//! | | on the spot: hold | on the spot: retreat |
//! |---|---|---|
//! | its turn has not come | it does not start, and the wave waits | the same |
//! | in flight | stays in flight with its slot; the wave waits | its failure, as the plan says (`onFailure`) |
//! | succeeded | stays so | its failure: who was taken back does not count as succeeded (S5, rule 9) |
//! | failed, going back, back | goes on | goes on |

use flagship_proto::model::ClusterUid;

use super::Turn;
use crate::{
    reason::Reason,
    state::{ClusterPhase, ClusterState},
};

impl Turn<'_> {
    /// Takes over what each member's last report says of local control.
    pub(super) fn note_local_control(&mut self) {
        if self.state.is_over() {
            return;
        }
        for uid in self.uids(|_, _| true) {
            let Some(member) = self.fleet.members.get(&uid) else {
                continue;
            };
            let stands = member.local_control();
            let Some(cluster) = self.state.clusters.get_mut(&uid) else {
                continue;
            };
            if cluster.local.as_ref() == stands {
                continue;
            }
            cluster.local = stands.cloned();
            let name = cluster.name.clone();
            self.reasons.push(match stands {
                Some(act) => Reason::LocalControl {
                    cluster: name,
                    act: act.to_string(),
                },
                None => Reason::LocalControlEnded { cluster: name },
            });
        }
    }

    pub(super) fn is_under_local_control(&self, uid: &ClusterUid) -> bool {
        let cluster = self.state.clusters.get(uid);
        cluster.is_some_and(|cluster| cluster.local.is_some())
    }

    /// Says which of a wave's open clusters wait for the end of local control.
    pub(super) fn explain_local_control(&mut self, open: &[ClusterUid]) {
        let held: Vec<ClusterUid> = open
            .iter()
            .filter(|uid| self.state.clusters.get(uid).is_some_and(waits))
            .cloned()
            .collect();
        if !held.is_empty() {
            let clusters = self.names(&held);
            self.waiting
                .push(Reason::WaitingForLocalRelease { clusters });
        }
    }

    /// Whether the running wave waits for nothing but the end of local control.
    pub(super) fn is_stuck_on_local_control(&self) -> bool {
        let Some(index) = self.state.current_wave() else {
            return false;
        };
        let open = self.state.clusters.values();
        let mut open = open.filter(|cluster| cluster.wave == index && is_open(cluster));
        let Some(first) = open.next() else {
            return false;
        };
        waits(first) && open.all(waits)
    }
}

/// Whether a wave waits for it.
fn is_open(cluster: &ClusterState) -> bool {
    cluster.phase == ClusterPhase::Waiting || cluster.holds_slot()
}

/// Whether local control is what it waits for.
fn waits(cluster: &ClusterState) -> bool {
    cluster.local.is_some()
        && match cluster.phase {
            ClusterPhase::Waiting | ClusterPhase::Ordered | ClusterPhase::Running { .. } => true,
            ClusterPhase::Soaking
            | ClusterPhase::Done
            | ClusterPhase::Failed { .. }
            | ClusterPhase::Retreating { .. }
            | ClusterPhase::RolledBack
            | ClusterPhase::Skipped { .. }
            | ClusterPhase::Unreachable
            | ClusterPhase::Left => false,
        }
}
