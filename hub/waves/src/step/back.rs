//! Who is on the way back, and what is in its way: said for as long as it lasts, as nothing claims that a
//! cluster has gone back whose traffic was not seen there.

use flagship_proto::{
    model::{ClusterName, ClusterUid, WorkloadStatus},
    words::count,
};

use super::Turn;
use crate::{fleet::Member, reason::Reason, state::ClusterPhase};

/// The agent's word for a way back that it cannot take.
const CANNOT_RETURN: &str = "CannotReturn";

/// So many clusters are named with what is in their way.
const NAMED: usize = 5;

/// Whether an agent says that it cannot take the way back.
pub fn cannot_return(status: &WorkloadStatus) -> bool {
    status.reason == CANNOT_RETURN
}

impl Turn<'_> {
    /// Clusters that have to go back, or went by themselves, and were not seen there yet.
    pub(super) fn going_back(&self) -> Vec<ClusterUid> {
        self.uids(|_, cluster| match cluster.phase {
            ClusterPhase::Retreating { .. } => true,
            ClusterPhase::Failed { .. } => cluster.touched && !cluster.returned,
            ClusterPhase::Waiting
            | ClusterPhase::Ordered
            | ClusterPhase::Running { .. }
            | ClusterPhase::Soaking
            | ClusterPhase::Done
            | ClusterPhase::RolledBack
            | ClusterPhase::Skipped { .. }
            | ClusterPhase::Unreachable
            | ClusterPhase::Left => false,
        })
    }

    /// For each cluster that goes back and does not arrive, why.
    pub(super) fn say_what_is_in_the_way_back(&mut self) {
        let going = self.going_back();
        let found = going.iter().filter_map(|uid| {
            let cluster = self.state.clusters.get(uid)?.name.clone();
            let member = self.fleet.members.get(uid)?;
            if !member.connected {
                return Some(Reason::ReturnNotHeard { cluster });
            }
            self.in_the_way(cluster, member)
        });
        let found: Vec<Reason> = found.take(NAMED).collect();
        self.waiting.extend(found);
    }

    /// Accepting takes no order to go back away (P8).
    pub(super) fn say_who_still_goes_back(&mut self) {
        let going = self.going_back();
        let names = going.iter().take(NAMED);
        let names = names.filter_map(|uid| self.state.clusters.get(uid));
        let mut names: Vec<String> = names.map(|cluster| cluster.name.to_string()).collect();
        if going.len() > NAMED {
            names.push(count(going.len() - NAMED, "more cluster"));
        }
        if !names.is_empty() {
            let clusters = names.join(", ");
            self.reasons.push(Reason::StillGoBack { clusters });
        }
    }

    fn in_the_way(&self, cluster: ClusterName, member: &Member) -> Option<Reason> {
        // One that goes back from an earlier rollout, or cannot, has not taken up this one's order.
        let stuck = member
            .status
            .as_ref()
            .filter(|status| cannot_return(status));
        let status = member.status_under(&self.state.rollout).or(stuck)?;
        if cannot_return(status) {
            let why = format!("its agent says that it {}", status.message);
            return Some(Reason::CannotReturn { cluster, why });
        }
        if status.version.is_none() && status.primary_version.is_none() {
            let why = "its agent does not say which version serves there".to_owned();
            return Some(Reason::CannotReturn { cluster, why });
        }
        let is_unread = status.version.is_some() && status.observed.is_none();
        is_unread.then(|| Reason::ReturnUnread {
            cluster,
            why: status.message.clone(),
        })
    }
}
