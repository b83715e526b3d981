//! Who is a member: joiners, leavers, and the waves of those whose wave has not started (rule 7, P25).

use flagship_proto::model::{ClusterName, ClusterUid};

use super::Turn;
use crate::{
    reason::Reason,
    schedule::assignment,
    state::{ClusterPhase, ClusterState, RolloutPhase},
};

impl Turn<'_> {
    pub(super) fn call_roster(&mut self) {
        if self.state.is_over() && self.state.phase != RolloutPhase::Succeeded {
            return;
        }
        let waves = assignment(self.plan, &self.fleet.members);
        for (uid, member) in &self.fleet.members {
            let wave = waves.get(uid).copied();
            let known = self
                .state
                .clusters
                .get(uid)
                .map(|cluster| (cluster.wave, self.is_placed(cluster)));
            match (known, wave) {
                (None, Some(wave)) => self.join(uid, &member.name, wave),
                (Some((_, false)), None) => {
                    self.state.clusters.remove(uid);
                }
                (Some((old, false)), Some(wave)) if old != wave => {
                    self.state.clusters.remove(uid);
                    self.join(uid, &member.name, wave);
                }
                (Some(_), Some(_)) | (Some((_, true)), None) | (None, None) => {}
            }
        }
        for uid in self.uids(|uid, _| !self.fleet.members.contains_key(uid)) {
            self.leave(&uid);
        }
    }

    /// Whether a cluster's place is fixed: its wave has started, or it has an order.
    fn is_placed(&self, cluster: &ClusterState) -> bool {
        cluster.attempt > 0
            || cluster.late
            || cluster.phase != ClusterPhase::Waiting
            || self.has_started(cluster.wave)
    }

    fn has_started(&self, wave: usize) -> bool {
        self.state
            .waves
            .get(wave)
            .is_some_and(|wave| wave.started.is_some())
    }

    fn join(&mut self, uid: &ClusterUid, name: &ClusterName, wave: usize) {
        let Some(wave_name) = self.state.waves.get(wave).map(|wave| wave.name.clone()) else {
            return;
        };
        let late = self.has_started(wave);
        let mut cluster = ClusterState::waiting(name.clone(), wave, self.now.wall);
        if late {
            cluster.late = true;
            cluster.phase = ClusterPhase::Skipped {
                reason: format!("joined after wave {wave_name} had started"),
            };
        }
        self.state.clusters.insert(uid.clone(), cluster);
        if late {
            self.reasons.push(Reason::ClusterLate {
                cluster: name.clone(),
                wave: wave_name,
            });
        } else if self.state.waves.iter().any(|wave| wave.started.is_some()) {
            self.reasons.push(Reason::ClusterJoined {
                cluster: name.clone(),
                wave: wave_name,
            });
        }
    }

    fn leave(&mut self, uid: &ClusterUid) {
        let Some(cluster) = self.state.clusters.get(uid) else {
            return;
        };
        if cluster.phase == ClusterPhase::Left {
            return;
        }
        self.reasons.push(Reason::ClusterLeft {
            cluster: cluster.name.clone(),
        });
        if self.is_placed(cluster) {
            self.set(uid, ClusterPhase::Left);
        } else {
            self.state.clusters.remove(uid);
        }
        if self
            .state
            .catch_up
            .as_ref()
            .is_some_and(|lane| lane.uid == *uid)
        {
            self.state.catch_up = None;
        }
    }
}
