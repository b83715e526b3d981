//! The catch-up lane: who came late, or came back after its wave, goes to the last version that
//! Succeeded and was never retreated (rule 7, P24, P25). One cluster at a time; bound by aborts,
//! pauses and freezes; it never ends the rollout.

use flagship_proto::model::{Change, ClusterUid, Phase, ReturnTo};

use super::{
    Turn,
    observe::{is_fully_on, is_off},
};
use crate::{
    decision::Action,
    fleet::Member,
    reason::Reason,
    state::{CatchUp, ClusterPhase, ClusterState, RolloutPhase},
};

impl Turn<'_> {
    pub(super) fn run_catch_up(&mut self) {
        if let Some(lane) = self.state.catch_up.clone() {
            self.watch_lane(&lane);
        }
        if self.state.catch_up.is_none()
            && self.lane_goes_on()
            && self.state.phase != RolloutPhase::Paused
        {
            self.enter_lane();
        }
        // After the rollout's end the lane's claim is all that it holds. Kept, it would keep the
        // cluster from every later rollout.
        let is_over = self.before.phase == RolloutPhase::Succeeded
            && self.state.phase == RolloutPhase::Succeeded;
        if is_over && self.before.is_lane_busy() && !self.state.is_lane_busy() {
            self.actions.push(Action::ReleaseClaims);
        }
    }

    /// Whether who is in the lane stays in it: the rollout goes on or has Succeeded. A pause or a
    /// freeze makes it hold, nothing more.
    fn lane_goes_on(&self) -> bool {
        let runs = self.is_live() || self.state.phase == RolloutPhase::Succeeded;
        runs && self.state.accepted.is_none()
    }

    fn watch_lane(&mut self, lane: &CatchUp) {
        let Some(member) = self.fleet.members.get(&lane.uid) else {
            self.state.catch_up = None;
            return;
        };
        if member.claimed_by_another {
            return self.stop_lane(lane, "another rollout has claimed it".to_owned(), true);
        }
        if self.covered(&lane.uid) || !self.lane_goes_on() {
            return self.stop_lane(lane, "the rollout was stopped".to_owned(), false);
        }
        let Some(status) = member
            .status_under(&self.state.rollout)
            .filter(|status| status.attempt == lane.attempt)
        else {
            return;
        };
        if status.phase == Phase::Failed {
            return self.stop_lane(lane, status.message.clone(), false);
        }
        if is_fully_on(status, &lane.change) {
            self.finish_lane(lane);
        }
    }

    fn finish_lane(&mut self, lane: &CatchUp) {
        self.state.catch_up = None;
        let own = lane.change == self.state.change;
        let Some(cluster) = self.state.clusters.get_mut(&lane.uid) else {
            return;
        };
        cluster.touched = own;
        cluster.returned = !own;
        let done = Reason::CatchUpDone {
            cluster: cluster.name.clone(),
            version: lane.change.to_string(),
        };
        self.reasons.push(done);
        let phase = if own {
            ClusterPhase::Done
        } else {
            ClusterPhase::Skipped {
                reason: format!("came late; runs {}, the last good version", lane.change),
            }
        };
        self.set(&lane.uid, phase);
    }

    /// Takes the cluster back, unless it is another rollout's now; the lane leaves it alone from then on.
    fn stop_lane(&mut self, lane: &CatchUp, reason: String, claimed: bool) {
        self.state.catch_up = None;
        let Some(cluster) = self.state.clusters.get_mut(&lane.uid) else {
            return;
        };
        cluster.barred = true;
        let stopped = Reason::CatchUpStopped {
            cluster: cluster.name.clone(),
            reason,
        };
        self.reasons.push(stopped);
        if claimed {
            cluster.touched = false;
        } else {
            self.send_back(&lane.uid);
        }
    }

    fn enter_lane(&mut self) {
        let waiting = self.uids(|uid, cluster| self.may_enter(uid, cluster));
        let Some(good) = &self.fleet.last_good else {
            if !waiting.is_empty() {
                let clusters = self.names(&waiting);
                self.waiting.push(Reason::NothingGood { clusters });
            }
            return;
        };
        let own = good.change == self.state.change;
        // A later rollout has Succeeded since: its lane takes them.
        if !own && self.state.phase == RolloutPhase::Succeeded {
            return;
        }
        for uid in waiting {
            let (Some(member), Some(cluster)) = (
                self.fleet.members.get(&uid),
                self.state.clusters.get_mut(&uid),
            ) else {
                continue;
            };
            if runs_already(member, &good.change) {
                if own && !cluster.touched {
                    cluster.touched = true;
                    self.set(&uid, ClusterPhase::Done);
                }
                continue;
            }
            // Held in mid-canary: it waits for this rollout's own end rather than changing horses.
            if cluster.touched && !own {
                continue;
            }
            cluster.attempt = self.state.attempt.max(cluster.attempt + 1);
            cluster.touched = true;
            cluster.returned = false;
            let lane = CatchUp {
                uid: uid.clone(),
                change: good.change.clone(),
                attempt: cluster.attempt,
                return_to: ReturnTo::LastPromoted,
                since: self.now.wall,
            };
            self.reasons.push(Reason::CatchUpStarted {
                cluster: cluster.name.clone(),
                version: good.change.to_string(),
            });
            self.state.catch_up = Some(lane);
            return;
        }
    }

    fn may_enter(&self, uid: &ClusterUid, cluster: &ClusterState) -> bool {
        let after_its_wave = cluster.late
            || self
                .state
                .waves
                .get(cluster.wave)
                .is_some_and(|wave| wave.finished.is_some());
        let skipped = matches!(cluster.phase, ClusterPhase::Skipped { .. });
        let free = self.fleet.members.get(uid).is_some_and(|member| {
            // As last reported: a rollout that is over notes no local control any more.
            let own = member.local_control().is_none();
            member.connected && !member.claimed_by_another && own
        });
        let stopped = self.covered(uid) || self.frozen_at(uid).is_some();
        skipped && after_its_wave && free && !cluster.barred && !stopped
    }
}

fn runs_already(member: &Member, change: &Change) -> bool {
    member
        .status
        .as_ref()
        .is_some_and(|status| is_fully_on(status, change) || primary_is(status, change))
}

fn primary_is(status: &flagship_proto::model::WorkloadStatus, change: &Change) -> bool {
    let Change::Version(version) = change else {
        return false;
    };
    status.primary_version.as_ref() == Some(version)
        && (status.version.as_ref() == Some(version) || !status.phase.is_active())
        && !is_off(status, change)
}
