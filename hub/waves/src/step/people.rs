//! What people asked: each request above the last handled one, in order.

use flagship_proto::model::Stopwatch;

use super::Turn;
use crate::{
    reason::Reason,
    request::{Request, Wish, allowed},
    state::{Accepted, ClusterPhase, Paused, Retreat, RetreatScope, RolloutPhase},
};

impl Turn<'_> {
    pub(super) fn hear_people(&mut self) {
        let mut requests: Vec<&Request> = self
            .fleet
            .requests
            .iter()
            .filter(|request| request.id > self.state.handled)
            .collect();
        requests.sort_by_key(|request| request.id);
        for request in requests {
            self.state.handled = request.id;
            let abort_stands = self.standing().next().is_some();
            match allowed(&self.state, &request.wish, abort_stands) {
                Ok(()) => self.grant(request),
                Err(refusal) => self.reasons.push(Reason::RequestRefused {
                    verb: refusal.verb,
                    why: refusal.why,
                }),
            }
        }
    }

    fn grant(&mut self, request: &Request) {
        let actor = request.actor.clone();
        let reason = request.reason.clone();
        match &request.wish {
            Wish::Pause => {
                self.state.paused = Some(Paused {
                    at: self.now.wall,
                    actor: actor.clone(),
                    reason: reason.clone(),
                });
                self.enter(RolloutPhase::Paused);
                self.reasons.push(Reason::PausedBy { actor, reason });
            }
            Wish::Resume => {
                self.state.paused = None;
                self.enter(RolloutPhase::Pending);
                self.reasons.push(Reason::ResumedBy { actor, reason });
            }
            Wish::Retreat { to, now } => self.begin_retreat(Retreat {
                scope: RetreatScope::All,
                to: to.clone(),
                now: *now,
                actor: Some(actor.clone()),
                reason,
                abort: None,
            }),
            Wish::Retry => {
                self.retry();
                self.reasons.push(Reason::RetriedBy {
                    actor,
                    reason,
                    attempt: self.state.attempt,
                });
            }
            Wish::Accept => {
                self.state.accepted = Some(Accepted {
                    at: self.now.wall,
                    actor: actor.clone(),
                    reason: reason.clone(),
                });
                self.reasons.push(Reason::AcceptedBy { actor, reason });
                self.say_who_still_goes_back();
                self.end();
            }
            Wish::Supersede { by } => {
                for uid in self.uids(|_, cluster| cluster.phase.in_flight()) {
                    self.send_back(&uid);
                }
                self.state.superseded_by = Some(by.clone());
                self.state.paused = None;
                self.enter(RolloutPhase::Superseded);
                self.reasons.push(Reason::SupersededBy {
                    rollout: by.clone(),
                    actor,
                });
                self.end();
            }
        }
    }

    /// S7: the same rollout and plan, attempt + 1; Done stays, the others start from step 0. What
    /// is in flight or on its way back keeps its slot; what is in flight beyond a wave that is open
    /// again goes back and waits for its turn (rule 1).
    fn retry(&mut self) {
        self.state.attempt += 1;
        self.state.failures.clear();
        self.state.failed = None;
        self.state.aborted = None;
        self.state.retreat = None;
        self.state.deadline = Stopwatch::default();
        for uid in self.uids(|_, cluster| !cluster.late) {
            let Some(cluster) = self.state.clusters.get_mut(&uid) else {
                continue;
            };
            cluster.unheard = Stopwatch::default();
            cluster.barred = false;
            cluster.again = false;
            let unfinished = self
                .before
                .waves
                .get(cluster.wave)
                .is_some_and(|wave| wave.started.is_some() && wave.finished.is_none());
            match &cluster.phase {
                ClusterPhase::Retreating { .. } => cluster.again = true,
                ClusterPhase::Failed { .. } if cluster.touched && !cluster.returned => {
                    cluster.again = true;
                }
                ClusterPhase::Failed { .. } | ClusterPhase::RolledBack => {
                    self.set(&uid, ClusterPhase::Waiting);
                }
                ClusterPhase::Skipped { .. } if unfinished => {
                    self.set(&uid, ClusterPhase::Waiting);
                }
                ClusterPhase::Ordered
                | ClusterPhase::Running { .. }
                | ClusterPhase::Unreachable
                | ClusterPhase::Waiting
                | ClusterPhase::Soaking
                | ClusterPhase::Done
                | ClusterPhase::Skipped { .. }
                | ClusterPhase::Left => {}
            }
        }
        self.reopen_waves();
        self.restart_in_flight();
        self.enter(RolloutPhase::Pending);
    }

    fn restart_in_flight(&mut self) {
        let (attempt, current) = (self.state.attempt, self.state.current_wave());
        for uid in self.uids(|_, cluster| !cluster.late && cluster.phase.in_flight()) {
            let Some(cluster) = self.state.clusters.get_mut(&uid) else {
                continue;
            };
            if current.is_some_and(|current| cluster.wave > current) {
                cluster.again = true;
                self.send_back(&uid);
            } else {
                cluster.attempt = attempt.max(cluster.attempt + 1);
                self.set(&uid, ClusterPhase::Ordered);
            }
        }
    }

    /// A wave with a cluster that must start again is not finished.
    fn reopen_waves(&mut self) {
        for index in 0..self.state.waves.len() {
            let open = self.state.clusters.values().any(|cluster| {
                cluster.wave == index
                    && !cluster.late
                    && match cluster.phase {
                        ClusterPhase::Waiting
                        | ClusterPhase::Ordered
                        | ClusterPhase::Running { .. }
                        | ClusterPhase::Soaking
                        | ClusterPhase::Failed { .. }
                        | ClusterPhase::Retreating { .. }
                        | ClusterPhase::RolledBack
                        | ClusterPhase::Unreachable => true,
                        ClusterPhase::Done | ClusterPhase::Skipped { .. } | ClusterPhase::Left => {
                            false
                        }
                    }
            });
            if open && let Some(wave) = self.state.waves.get_mut(index) {
                wave.finished = None;
                wave.soak = Stopwatch::default();
                wave.soaked = None;
            }
        }
    }
}
