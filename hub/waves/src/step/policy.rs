//! Silence, failures and the deadline → what the plan says follows.

use flagship_proto::model::{ClusterUid, ReturnTo};

use super::{LONGEST_GAP, Turn};
use crate::{
    plan::{OnUnreachable, Then},
    reason::{Cause, Reason},
    state::{ClusterPhase, Retreat, RetreatScope, RolloutPhase},
};

impl Turn<'_> {
    /// Counts how long clusters that are waited for are not heard, and gives up on them as the
    /// plan says. One that may still advance by itself is never given up (P24).
    pub(super) fn judge_silence(&mut self) {
        let policy = self.plan.spec.unreachable;
        for uid in self.uids(|_, _| true) {
            let Some(member) = self.fleet.members.get(&uid) else {
                continue;
            };
            let waited_for = self.is_waited_for(&uid);
            let advancing = self.may_advance_at(&uid);
            let now = self.now.mono;
            let Some(cluster) = self.state.clusters.get_mut(&uid) else {
                continue;
            };
            if member.connected || !waited_for {
                if cluster.unheard.elapsed_ms > 0 || cluster.unheard.mark.is_some() {
                    cluster.unheard = Default::default();
                }
                continue;
            }
            if !advancing {
                cluster.unheard.stop();
                continue;
            }
            cluster.unheard.run(now, LONGEST_GAP);
            let never_began = cluster.attempt == 0;
            let over = cluster.unheard.remaining(policy.wait.get()).is_zero();
            let bound_passed = member.bound_passed || flagship_proto::mutant("p24");
            if over && (never_began || bound_passed) {
                self.give_up(&uid, policy.then);
            }
        }
    }

    fn is_waited_for(&self, uid: &ClusterUid) -> bool {
        let Some(cluster) = self.state.clusters.get(uid) else {
            return false;
        };
        let Some(wave) = self.state.waves.get(cluster.wave) else {
            return false;
        };
        let runs = wave.started.is_some() && wave.finished.is_none();
        runs && match cluster.phase {
            ClusterPhase::Waiting
            | ClusterPhase::Ordered
            | ClusterPhase::Running { .. }
            | ClusterPhase::Unreachable => true,
            ClusterPhase::Soaking => wave.soaked.is_some(),
            ClusterPhase::Done
            | ClusterPhase::Failed { .. }
            | ClusterPhase::Retreating { .. }
            | ClusterPhase::RolledBack
            | ClusterPhase::Skipped { .. }
            | ClusterPhase::Left => false,
        }
    }

    fn give_up(&mut self, uid: &ClusterUid, then: OnUnreachable) {
        let reason = format!("not heard for {}", self.plan.spec.unreachable.wait);
        self.reset_unheard(uid);
        match then {
            OnUnreachable::Fail => self.fail(uid, reason),
            OnUnreachable::Skip => self.skip(uid, reason),
        }
    }

    pub(super) fn skip(&mut self, uid: &ClusterUid, reason: String) {
        let Some(cluster) = self.state.clusters.get(uid) else {
            return;
        };
        self.reasons.push(Reason::ClusterSkipped {
            cluster: cluster.name.clone(),
            reason: reason.clone(),
        });
        self.set(uid, ClusterPhase::Skipped { reason });
    }

    /// `onFailure` and `deadline`. A pause does not delay what takes traffic back (rule 4).
    pub(super) fn apply_policy(&mut self) {
        if !self.is_live() {
            self.state.deadline.stop();
            return;
        }
        let waits_for_people = self.waits_for_freezes() || self.is_stuck_on_local_control();
        if self.may_advance() && !waits_for_people {
            self.state.deadline.run(self.now.mono, LONGEST_GAP);
        } else {
            self.state.deadline.stop();
        }
        let borne = self.plan.spec.on_failure.max_failures;
        let failures = self.state.failures.len();
        if let Some(latest) = self.state.failures.last()
            && failures > usize::try_from(borne).unwrap_or(usize::MAX)
        {
            let wave = self
                .state
                .clusters
                .get(&latest.uid)
                .map_or(0, |cluster| cluster.wave);
            let cause = Cause::TooManyFailures {
                failures,
                max_failures: borne,
                cluster: latest.cluster.clone(),
                reason: latest.reason.clone(),
            };
            return self.stop_for(cause, wave);
        }
        if let Some(deadline) = self.plan.spec.deadline
            && self.may_advance()
            && self.state.deadline.remaining(deadline.get()).is_zero()
        {
            let after = deadline.to_string();
            let wave = self.state.current_wave().unwrap_or_default();
            self.stop_for(Cause::Deadline { after }, wave);
        }
    }

    fn stop_for(&mut self, cause: Cause, wave: usize) {
        let reason = cause.to_string();
        self.state.failed = Some(cause.clone());
        let scope = match self.plan.spec.on_failure.then {
            Then::Halt => {
                self.reject(reason);
                self.state.paused = None;
                self.enter(RolloutPhase::Failed);
                return self.reasons.push(Reason::Halted { cause });
            }
            Then::RetreatWave => RetreatScope::Wave(wave),
            Then::RetreatAll => RetreatScope::All,
        };
        self.begin_retreat(Retreat {
            scope,
            to: ReturnTo::LastPromoted,
            now: false,
            actor: None,
            reason,
            abort: None,
        });
    }

    /// A retreat ends when no cluster is on its way back. Where something stays on the change, it
    /// ends Failed and keeps its claims (P16).
    pub(super) fn settle_retreat(&mut self) {
        if self.state.phase != RolloutPhase::Retreating || self.state.is_over() {
            return;
        }
        let going = self.going_back();
        if !going.is_empty() {
            let clusters = self.names(&going);
            return self.waiting.push(Reason::WaitingForReturn { clusters });
        }
        let back = self.uids(|_, cluster| cluster.attempt > 0 && !cluster.touched);
        self.reasons.push(Reason::RetreatDone {
            clusters: back.len(),
        });
        let mixed = self.uids(|uid, cluster| {
            let stays = cluster.touched && cluster.phase != ClusterPhase::Left;
            stays && !self.is_ordered_by_another(uid)
        });
        if !mixed.is_empty() {
            self.enter(RolloutPhase::Failed);
        } else {
            self.enter(RolloutPhase::RolledBack);
            self.end();
        }
    }
}
