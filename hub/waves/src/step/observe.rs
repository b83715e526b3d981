//! What clusters report → where they stand. Only a report that answers the stored order counts.

use flagship_proto::model::{
    Change, ClusterUid, Intent, Phase, ReturnTo, Stopwatch, Weight, WorkloadStatus,
};

use super::Turn;
use crate::{fleet::Member, reason::Reason, state::ClusterPhase};

/// Share of traffic on `change`, as the agent read it back where it could (P17).
pub(super) fn weight_on(status: &WorkloadStatus, change: &Change) -> Weight {
    if is_about(status.version.as_deref(), change) {
        status
            .observed
            .map_or(status.weight, |seen| seen.max(status.weight))
    } else if is_about(status.primary_version.as_deref(), change) {
        Weight::FULL
    } else {
        Weight::ZERO
    }
}

/// Whether a status shows traffic on `change`, or what serves when a later canary beside it goes back.
pub fn is_served(status: &WorkloadStatus, change: &Change) -> bool {
    weight_on(status, change) > Weight::ZERO
}

/// Whether a status shows all traffic on `change`, at the end of its canary (P31). A weight that is
/// only wanted, and was not read back from every proxy, shows nothing (rule 5).
pub(super) fn is_fully_on(status: &WorkloadStatus, change: &Change) -> bool {
    status.phase == Phase::Succeeded
        && is_about(status.version.as_deref(), change)
        && status.weight == Weight::FULL
        && status.observed == Some(Weight::FULL)
}

/// Whether a status shows no traffic on `change` and nothing in flight towards it. A proxy that
/// cannot be read may still serve it (trap 4).
pub(super) fn is_off(status: &WorkloadStatus, change: &Change) -> bool {
    let in_flight = is_about(status.version.as_deref(), change) && status.phase.is_active();
    is_at_zero(status, change) && !in_flight
}

/// Whether a status shows no traffic on `change`, read back where it may have some. One that names
/// neither that version nor what serves beside it shows nothing.
fn is_at_zero(status: &WorkloadStatus, change: &Change) -> bool {
    let is_own = is_about(status.version.as_deref(), change);
    let is_shown = if is_own {
        status.observed.is_some()
    } else {
        status.primary_version.is_some()
    };
    is_shown && weight_on(status, change) == Weight::ZERO
}

/// Whether what a person chose to go back to is what serves.
fn has_arrived(status: &WorkloadStatus, to: &ReturnTo) -> bool {
    match to {
        ReturnTo::LastPromoted => true,
        ReturnTo::Version(version) => status.primary_version.as_ref() == Some(version),
        ReturnTo::Digest(digest) => status.primary_digest == Some(*digest),
    }
}

/// Whether a status shows a canary of `change` that was ordered and never begun, read back at zero.
fn has_forgotten(status: &WorkloadStatus, change: &Change) -> bool {
    match status.phase {
        Phase::Waiting | Phase::Initializing | Phase::Initialized => is_at_zero(status, change),
        Phase::Progressing
        | Phase::WaitingPromotion
        | Phase::Promoting
        | Phase::Finalising
        | Phase::Succeeded
        | Phase::Failed
        | Phase::Terminating
        | Phase::Terminated => false,
    }
}

fn is_about(version: Option<&str>, change: &Change) -> bool {
    match change {
        Change::Version(wanted) | Change::Delivered(wanted) => version == Some(wanted),
        Change::Image { image, .. } => version == Some(image),
        Change::Patch(_) => version.is_some(),
    }
}

impl Turn<'_> {
    pub(super) fn observe(&mut self) {
        let over = self.state.is_over();
        for uid in self.uids(|_, _| true) {
            let Some(member) = self.fleet.members.get(&uid) else {
                continue;
            };
            let Some(cluster) = self.state.clusters.get(&uid) else {
                continue;
            };
            let answer = member.status_under(&self.state.rollout);
            let status = answer.filter(|status| status.attempt == cluster.attempt);
            let returned = cluster.returned;
            match cluster.phase {
                ClusterPhase::Ordered
                | ClusterPhase::Running { .. }
                | ClusterPhase::Unreachable
                    if !over =>
                {
                    self.observe_in_flight(&uid, member, status);
                }
                ClusterPhase::Soaking | ClusterPhase::Done if !over => {
                    self.observe_succeeded(&uid, member, status);
                }
                ClusterPhase::Retreating { .. } => self.observe_return(&uid, member, answer),
                ClusterPhase::Failed { .. } if !returned && !over => {
                    self.observe_return(&uid, member, answer);
                }
                ClusterPhase::Skipped { .. } if self.may_advance_at(&uid) => {
                    self.observe_skipped(&uid, member, answer);
                }
                ClusterPhase::Waiting
                | ClusterPhase::Ordered
                | ClusterPhase::Running { .. }
                | ClusterPhase::Soaking
                | ClusterPhase::Done
                | ClusterPhase::Failed { .. }
                | ClusterPhase::RolledBack
                | ClusterPhase::Skipped { .. }
                | ClusterPhase::Unreachable
                | ClusterPhase::Left => {}
            }
        }
    }

    fn observe_in_flight(
        &mut self,
        uid: &ClusterUid,
        member: &Member,
        status: Option<&WorkloadStatus>,
    ) {
        if let Some(status) = status {
            if let Some(digest) = status.digest
                && is_about(status.version.as_deref(), &self.state.change)
            {
                let first = *self.state.digest.get_or_insert(digest);
                if first != digest {
                    let reason = format!(
                        "its {} has digest {}, the first cluster reported {}",
                        self.state.change,
                        digest.short(),
                        first.short()
                    );
                    return self.fail(uid, reason);
                }
            }
            let by_abort = status.aborted_by.is_some() && self.covered(uid);
            if status.phase == Phase::Failed && !by_abort {
                self.fail(uid, words(status));
                if is_off(status, &self.state.change) {
                    self.mark_returned(uid);
                }
                return;
            }
            if is_fully_on(status, &self.state.change) {
                return self.succeed(uid);
            }
        }
        let was_unreachable = self.phase_of(uid) == Some(&ClusterPhase::Unreachable);
        if !member.connected && member.bound_passed {
            if !was_unreachable {
                self.set(uid, ClusterPhase::Unreachable);
                self.reasons.push(Reason::ClusterUnreachable {
                    cluster: member.name.clone(),
                });
            }
            return;
        }
        if was_unreachable {
            if !member.connected {
                return;
            }
            self.set(uid, ClusterPhase::Ordered);
            self.reasons.push(Reason::ClusterHeard {
                cluster: member.name.clone(),
            });
        }
        if let Some(status) = status {
            if self.phase_of(uid) == Some(&ClusterPhase::Ordered) && !was_unreachable {
                self.reasons.push(Reason::ClusterRunning {
                    cluster: member.name.clone(),
                });
            }
            let running = ClusterPhase::Running {
                phase: status.phase,
                weight: weight_on(status, &self.state.change),
            };
            self.set(uid, running);
        }
    }

    fn succeed(&mut self, uid: &ClusterUid) {
        let Some(cluster) = self.state.clusters.get_mut(uid) else {
            return;
        };
        cluster.unheard = Stopwatch::default();
        let (name, index) = (cluster.name.clone(), cluster.wave);
        if let Some(wave) = self.state.waves.get_mut(index) {
            wave.soak = Stopwatch::default();
            wave.soaked = None;
        }
        self.set(uid, ClusterPhase::Soaking);
        self.reasons
            .push(Reason::ClusterSucceeded { cluster: name });
    }

    /// A cluster that succeeded must stay so: a failed check in the soak, or somebody who takes it
    /// back on the spot, is this cluster's failure (S5).
    fn observe_succeeded(
        &mut self,
        uid: &ClusterUid,
        member: &Member,
        status: Option<&WorkloadStatus>,
    ) {
        let Some(status) = status else { return };
        let off = is_off(status, &self.state.change);
        let by_abort = status.aborted_by.is_some() && self.covered(uid);
        if has_forgotten(status, &self.state.change)
            && member.local_control().is_none()
            && !by_abort
        {
            return self.start_over(uid, member);
        }
        if (status.phase == Phase::Failed || off) && !by_abort {
            self.fail(uid, words(status));
            if off {
                self.mark_returned(uid);
            }
        }
    }

    /// Nothing of it failed, so it is as one that comes back (S12): an ordinary slot while its wave
    /// runs, else the catch-up lane.
    fn start_over(&mut self, uid: &ClusterUid, member: &Member) {
        let version = self.state.change.to_string();
        self.reasons.push(Reason::ClusterForgot {
            cluster: member.name.clone(),
            version,
        });
        let Some(cluster) = self.state.clusters.get_mut(uid) else {
            return;
        };
        cluster.touched = false;
        let wave = self.state.waves.get(cluster.wave);
        if wave.is_some_and(|wave| wave.finished.is_none()) {
            self.set(uid, ClusterPhase::Waiting);
        } else {
            self.skip(uid, "its agent forgot that it had succeeded".to_owned());
        }
    }

    /// A cluster that goes back is judged by where its traffic is, whichever attempt its status is
    /// about: one that never took up the attempt has nothing to report of it.
    fn observe_return(
        &mut self,
        uid: &ClusterUid,
        member: &Member,
        status: Option<&WorkloadStatus>,
    ) {
        let told = member
            .order
            .as_ref()
            .is_some_and(|order| order.intent == Intent::Retreat);
        let Some(status) = status else { return };
        let failed = matches!(self.phase_of(uid), Some(ClusterPhase::Failed { .. }));
        let order = member.order.as_ref().filter(|_| told);
        let is_there = order.is_none_or(|order| has_arrived(status, &order.return_to));
        if (told || failed) && is_off(status, &self.state.change) && is_there {
            self.mark_returned(uid);
            if !failed {
                self.set(uid, ClusterPhase::RolledBack);
            }
        } else if !failed {
            let weight = Some(weight_on(status, &self.state.change));
            self.set(uid, ClusterPhase::Retreating { weight });
        }
    }

    /// A skipped cluster that is back while its wave runs takes an ordinary slot again (S12).
    fn observe_skipped(
        &mut self,
        uid: &ClusterUid,
        member: &Member,
        status: Option<&WorkloadStatus>,
    ) {
        let Some(cluster) = self.state.clusters.get(uid) else {
            return;
        };
        let wave_runs = self
            .state
            .waves
            .get(cluster.wave)
            .is_some_and(|wave| wave.started.is_some() && wave.finished.is_none());
        let has_answered = cluster.attempt == 0 || status.is_some();
        if cluster.late || cluster.barred || !wave_runs || !member.connected || !has_answered {
            return;
        }
        if status.is_some_and(|status| is_fully_on(status, &self.state.change)) {
            return self.succeed(uid);
        }
        self.reset_unheard(uid);
        self.set(uid, ClusterPhase::Waiting);
        self.reasons.push(Reason::ClusterRejoined {
            cluster: member.name.clone(),
        });
    }

    fn mark_returned(&mut self, uid: &ClusterUid) {
        let Some(cluster) = self.state.clusters.get_mut(uid) else {
            return;
        };
        if cluster.returned {
            return;
        }
        cluster.returned = true;
        cluster.touched = false;
        let cluster = cluster.name.clone();
        self.reasons.push(Reason::ClusterReturned { cluster });
    }

    pub(super) fn reset_unheard(&mut self, uid: &ClusterUid) {
        if let Some(cluster) = self.state.clusters.get_mut(uid) {
            cluster.unheard = Stopwatch::default();
        }
    }

    pub(super) fn phase_of(&self, uid: &ClusterUid) -> Option<&ClusterPhase> {
        self.state.clusters.get(uid).map(|cluster| &cluster.phase)
    }
}

/// How an agent goes on, after a failure's cause, to say how far its way back is. That is over before
/// the cause has been read for the last time.
const WAY_BACK: &str = "; returning traffic to ";

/// Why a cluster failed, as its agent says it.
fn words(status: &WorkloadStatus) -> String {
    let message = status.message.split(WAY_BACK).next().unwrap_or_default();
    match (message.is_empty(), status.reason.is_empty()) {
        (false, _) => message.to_owned(),
        (true, false) => status.reason.clone(),
        (true, true) => format!("its canary is {}", status.phase),
    }
}
