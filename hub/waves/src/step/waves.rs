//! Waves in order: a wave starts when all before it are done, keeps at most `maxConcurrent`
//! clusters in flight, soaks from its last success, and is done when each member was seen after
//! the soak (rules 1, 5, 9).

use flagship_proto::model::{ClusterUid, Mono, WaveName};

use super::{LONGEST_GAP, Turn, observe::is_fully_on};
use crate::{
    decision::Action,
    reason::Reason,
    state::{ClusterPhase, RolloutPhase, Stage},
};

impl Turn<'_> {
    pub(super) fn advance_waves(&mut self) {
        if !self.is_live() {
            return self.rest_soak();
        }
        if !self.may_advance() {
            self.rest_soak();
            if self.state.phase != RolloutPhase::Paused
                && let Some(index) = self.state.current_wave()
            {
                self.show(index, self.stage_of(index));
            }
            return;
        }
        while let Some(index) = self.state.current_wave() {
            if !self.run_wave(index) {
                return;
            }
        }
        if self.has_settled_failures() {
            self.succeed_all();
        }
    }

    /// Whether what failed after its wave was done has gone back; then it is listed as skipped
    /// (rule 9).
    fn has_settled_failures(&mut self) -> bool {
        let failed = self.uids(|_, c| matches!(c.phase, ClusterPhase::Failed { .. }));
        let going = self.uids(|uid, c| failed.contains(uid) && c.holds_slot());
        if !going.is_empty() {
            let clusters = self.names(&going);
            self.waiting.push(Reason::WaitingForReturn { clusters });
            if let Some(last) = self.state.waves.len().checked_sub(1) {
                self.show(last, Stage::Running);
            }
            return false;
        }
        failed.iter().for_each(|uid| self.skip_failed(uid));
        true
    }

    /// A failure that the plan bears: it is left out, and no catch-up tries it again.
    fn skip_failed(&mut self, uid: &ClusterUid) {
        let Some(cluster) = self.state.clusters.get_mut(uid) else {
            return;
        };
        if let ClusterPhase::Failed { reason } = &cluster.phase {
            let why = format!("failed, which maxFailures bears: {reason}");
            cluster.barred = true;
            self.skip(uid, why);
        }
    }

    fn rest_soak(&mut self) {
        for wave in &mut self.state.waves {
            wave.soak.stop();
        }
    }

    /// Goes as far as it can; true if the wave is done.
    fn run_wave(&mut self, index: usize) -> bool {
        if !self.start_wave(index) {
            self.show(index, Stage::Gate);
            return false;
        }
        self.start_again(index);
        self.fill_slots(index);
        let open = self.uids(|_, cluster| {
            cluster.wave == index
                && (cluster.holds_slot() || cluster.phase == ClusterPhase::Waiting)
        });
        if !open.is_empty() {
            self.run_on(index);
            self.explain_open(index, &open);
            return false;
        }
        let good = self.uids(|_, c| c.wave == index && c.phase == ClusterPhase::Soaking);
        let done = self.uids(|_, c| c.wave == index && c.phase == ClusterPhase::Done);
        if good.is_empty() && done.is_empty() {
            let wave = self.wave_name(index);
            self.waiting.push(Reason::WaveProvedNothing { wave });
            self.show(index, Stage::Running);
            return false;
        }
        if !self.has_quorum(index) {
            self.run_on(index);
            return false;
        }
        if !self.soak(index, &good) {
            self.show(index, Stage::Soaking);
            return false;
        }
        self.finish_wave(index);
        true
    }

    /// The wave is not at its soak yet, or not any more.
    fn run_on(&mut self, index: usize) {
        if let Some(wave) = self.state.waves.get_mut(index) {
            wave.soak.stop();
        }
        self.show(index, Stage::Running);
    }

    /// Whether enough of the wave was reached (`unreachable.quorum`, S18): who was skipped was not. One
    /// that comes back while the wave waits takes a slot again (S12).
    fn has_quorum(&mut self, index: usize) -> bool {
        let Some(quorum) = self.plan.spec.unreachable.quorum else {
            return true;
        };
        let members = self.members_of(index);
        let skipped = self.uids(|_, cluster| {
            let is_skipped = matches!(cluster.phase, ClusterPhase::Skipped { .. });
            cluster.wave == index && !cluster.late && is_skipped
        });
        let reached = members.saturating_sub(skipped.len());
        let needed = quorum.quorum(members);
        if reached < needed {
            self.waiting.push(Reason::WaitingForQuorum {
                wave: self.wave_name(index),
                reached,
                members,
                needed,
            });
        }
        reached >= needed
    }

    fn start_wave(&mut self, index: usize) -> bool {
        let members = self.members_of(index);
        let Some(wave) = self.state.waves.get_mut(index) else {
            return false;
        };
        if wave.started.is_some() {
            return true;
        }
        let name = wave.name.clone();
        if members == 0 {
            self.waiting.push(Reason::WaveEmpty { wave: name });
            return false;
        }
        wave.started = Some(self.now.wall);
        if index == 0 {
            let change = self.state.change.to_string();
            self.reasons.push(Reason::Started { change });
        }
        self.reasons.push(Reason::WaveStarted {
            wave: name,
            clusters: members,
            limit: self.limit(index, members),
        });
        true
    }

    /// Frozen members less leavers (S18). Who joined late is not one.
    fn members_of(&self, index: usize) -> usize {
        self.uids(|_, cluster| {
            cluster.wave == index && !cluster.late && cluster.phase != ClusterPhase::Left
        })
        .len()
    }

    fn limit(&self, index: usize, members: usize) -> usize {
        self.plan
            .spec
            .waves
            .get(index)
            .map_or(1, |wave| wave.max_concurrent.limit(members))
    }

    /// After a retry: what has gone back waits for its turn again.
    fn start_again(&mut self, index: usize) {
        let back = self.uids(|_, cluster| {
            cluster.wave == index
                && cluster.again
                && match cluster.phase {
                    ClusterPhase::RolledBack => true,
                    ClusterPhase::Failed { .. } => !cluster.holds_slot(),
                    ClusterPhase::Waiting
                    | ClusterPhase::Ordered
                    | ClusterPhase::Running { .. }
                    | ClusterPhase::Soaking
                    | ClusterPhase::Done
                    | ClusterPhase::Retreating { .. }
                    | ClusterPhase::Skipped { .. }
                    | ClusterPhase::Unreachable
                    | ClusterPhase::Left => false,
                }
        });
        for uid in back {
            if let Some(cluster) = self.state.clusters.get_mut(&uid) {
                cluster.again = false;
            }
            self.set(&uid, ClusterPhase::Waiting);
        }
    }

    fn fill_slots(&mut self, index: usize) {
        let next = self.uids(|uid, cluster| {
            cluster.wave == index
                && cluster.phase == ClusterPhase::Waiting
                && self.frozen_at(uid).is_none()
                && cluster.local.is_none()
                && self
                    .fleet
                    .members
                    .get(uid)
                    .is_some_and(|member| member.connected && !member.claimed_by_another)
        });
        for uid in next.into_iter().take(self.free_slots(index)) {
            self.start_cluster(&uid);
        }
    }

    fn free_slots(&self, index: usize) -> usize {
        let limit = self.limit(index, self.members_of(index));
        let used = self.uids(|_, c| c.wave == index && c.holds_slot()).len();
        limit.saturating_sub(used)
    }

    pub(super) fn has_free_slot(&self, index: usize) -> bool {
        self.free_slots(index) > 0
    }

    fn start_cluster(&mut self, uid: &ClusterUid) {
        let Some(cluster) = self.state.clusters.get_mut(uid) else {
            return;
        };
        cluster.attempt = self.state.attempt.max(cluster.attempt + 1);
        cluster.touched = true;
        cluster.returned = false;
        cluster.again = false;
        let reason = Reason::ClusterStarted {
            cluster: cluster.name.clone(),
            attempt: cluster.attempt,
        };
        self.reasons.push(reason);
        self.reset_unheard(uid);
        self.set(uid, ClusterPhase::Ordered);
    }

    /// The wave's soak by the clock, then its confirmation (S5, P31).
    fn soak(&mut self, index: usize, members: &[ClusterUid]) -> bool {
        let Some(period) = self.plan.spec.waves.get(index).map(|wave| wave.soak.time) else {
            return false;
        };
        let now = self.now.mono;
        let Some(wave) = self.state.waves.get_mut(index) else {
            return false;
        };
        let name = wave.name.clone();
        let begins = wave.soak == Default::default();
        wave.soak.run(now, LONGEST_GAP);
        if !wave.soak.remaining(period.get()).is_zero() {
            if begins {
                self.reasons.push(Reason::WaveSoaking {
                    wave: name.clone(),
                    period: period.to_string(),
                });
            }
            self.waiting.push(Reason::WaitingForSoak {
                wave: name,
                period: period.to_string(),
            });
            return false;
        }
        if period.is_zero() {
            return true;
        }
        let soaked = match wave.soaked {
            Some(soaked) if soaked.run == now.run => soaked,
            Some(_) | None => {
                wave.soaked = Some(now);
                now
            }
        };
        let unseen: Vec<ClusterUid> = members
            .iter()
            .filter(|uid| !self.is_seen_since(uid, soaked))
            .cloned()
            .collect();
        if unseen.is_empty() {
            return true;
        }
        self.confirming = true;
        let clusters = self.names(&unseen);
        self.waiting.push(Reason::WaitingForConfirmation {
            wave: name,
            clusters,
        });
        false
    }

    fn is_seen_since(&self, uid: &ClusterUid, since: Mono) -> bool {
        let Some(member) = self.fleet.members.get(uid) else {
            return false;
        };
        let heard = member.heard.and_then(|heard| heard.since(since)).is_some();
        heard
            && member
                .status_under(&self.state.rollout)
                .is_some_and(|status| is_fully_on(status, &self.state.change))
    }

    fn finish_wave(&mut self, index: usize) {
        for uid in self.uids(|_, cluster| cluster.wave == index) {
            match self.phase_of(&uid).cloned() {
                Some(ClusterPhase::Soaking) => self.set(&uid, ClusterPhase::Done),
                Some(ClusterPhase::Failed { .. }) => self.skip_failed(&uid),
                Some(
                    ClusterPhase::Waiting
                    | ClusterPhase::Ordered
                    | ClusterPhase::Running { .. }
                    | ClusterPhase::Done
                    | ClusterPhase::Retreating { .. }
                    | ClusterPhase::RolledBack
                    | ClusterPhase::Skipped { .. }
                    | ClusterPhase::Unreachable
                    | ClusterPhase::Left,
                )
                | None => {}
            }
        }
        let at = self.now.wall;
        if let Some(wave) = self.state.waves.get_mut(index) {
            wave.finished = Some(at);
            wave.soak.stop();
        }
        let (done, skipped) = self.tally(Some(index));
        let wave = self.wave_name(index);
        self.reasons.push(Reason::WaveDone {
            wave,
            done,
            skipped,
        });
    }

    fn succeed_all(&mut self) {
        let (done, skipped) = self.tally(None);
        self.reasons.push(Reason::Succeeded { done, skipped });
        self.actions.push(Action::RecordGood {
            change: self.state.change.clone(),
            digest: self.state.digest,
        });
        self.enter(RolloutPhase::Succeeded);
        self.end();
    }

    /// Clusters that are done and those that are listed as skipped.
    fn tally(&self, wave: Option<usize>) -> (usize, usize) {
        let of = |word: &str| {
            self.uids(|_, cluster| {
                wave.is_none_or(|wave| cluster.wave == wave) && cluster.phase.word() == word
            })
            .len()
        };
        (of("Done"), of("Skipped"))
    }

    fn stage_of(&self, index: usize) -> Stage {
        let Some(wave) = self.state.waves.get(index) else {
            return Stage::Gate;
        };
        if wave.started.is_none() {
            Stage::Gate
        } else if wave.soak.elapsed_ms > 0 || wave.soaked.is_some() {
            Stage::Soaking
        } else {
            Stage::Running
        }
    }

    fn show(&mut self, index: usize, stage: Stage) {
        let wave = self.wave_name(index);
        self.enter(RolloutPhase::Progressing { wave, stage });
    }

    pub(super) fn wave_name(&self, index: usize) -> WaveName {
        self.plan
            .spec
            .waves
            .get(index)
            .map(|wave| wave.name.clone())
            .expect("a rollout's waves are its plan's")
    }
}
