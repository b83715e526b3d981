//! What standing aborts make of a rollout (P8, P9, P11), and what their lift does not (S7).

use flagship_proto::{
    model::{Abort, AbortMode, ClusterUid, ReturnTo},
    words::given,
};

use super::{Turn, observe::is_served};
use crate::{
    fleet::StandingAbort,
    reason::Reason,
    state::{Aborted, ClusterPhase, Retreat, RetreatScope, RolloutPhase},
};

impl Turn<'_> {
    /// Aborts that stand and cover at least one cluster of this rollout. One that covers none of
    /// a rollout that knows no clusters yet counts if it is for all.
    pub(super) fn standing(&self) -> impl Iterator<Item = &StandingAbort> {
        self.fleet.aborts.iter().filter(|abort| {
            abort.clusters.is_none() || self.state.clusters.keys().any(|uid| abort.covers(uid))
        })
    }

    pub(super) fn covered(&self, uid: &ClusterUid) -> bool {
        self.fleet.aborts.iter().any(|abort| abort.covers(uid))
    }

    pub(super) fn hear_aborts(&mut self) {
        self.take_back_the_settled();
        if self.state.is_over() || self.state.phase == RolloutPhase::Retreating {
            return;
        }
        let standing = self.oldest_first();
        let Some(abort) = standing.last() else {
            self.note_lift();
            return;
        };
        let known = self.state.aborted.clone().filter(|known| !known.lifted);
        if known.as_ref().is_none_or(|known| known.id != abort.id) {
            self.tell_of(&standing, known.as_ref());
            if self.state.phase != RolloutPhase::Aborted {
                self.reject(format!("abort {}: {}", abort.id, given(&abort.reason)));
            }
            self.state.aborted = Some(Aborted {
                id: abort.id.clone(),
                mode: abort.mode,
                actor: abort.actor.clone(),
                reason: abort.reason.clone(),
                at: abort.at,
                lifted: false,
            });
            self.state.paused = None;
            self.enter(RolloutPhase::Aborted);
        }
        self.return_the_aborted();
    }

    /// What stands over it, in the order in which it came.
    pub(super) fn oldest_first(&self) -> Vec<Abort> {
        let mut standing: Vec<Abort> = self.standing().map(|one| one.abort.clone()).collect();
        standing.sort_by(|one, other| (one.at, &one.id).cmp(&(other.at, &other.id)));
        standing
    }

    /// Tells each abort that came since the last one that is known; where that one was lifted and none
    /// came, that another stands still: a lift is not told as a stop.
    fn tell_of(&mut self, standing: &[Abort], known: Option<&Aborted>) {
        let is_new = |abort: &&Abort| {
            known.is_none_or(|known| (known.at, &known.id) < (abort.at, &abort.id))
        };
        let came: Vec<Reason> = standing
            .iter()
            .filter(is_new)
            .map(|abort| Reason::Aborted {
                abort: abort.id.clone(),
                mode: abort.mode,
                actor: abort.actor.clone(),
                reason: abort.reason.clone(),
            })
            .collect();
        let lifted = known.filter(|known| standing.iter().all(|abort| abort.id != known.id));
        if let (Some(lifted), Some(still)) = (lifted, standing.last()) {
            self.reasons.push(Reason::StillAborted {
                lifted: lifted.id.clone(),
                abort: still.id.clone(),
                actor: still.actor.clone(),
                reason: still.reason.clone(),
            });
        }
        self.reasons.extend(came);
    }

    /// An abort that says `--retreat` reaches what has ended too: agents take back every Done cluster
    /// in its scope, so the rollout that brought it there goes back, and its version is rejected
    /// (P11). A cluster that another rollout has ordered since gives up what that one brought, and is left
    /// behind with what it had before: a person takes that back. Who accepted a rollout under a standing
    /// abort has decided with it before his eyes: only a later abort undoes that.
    fn take_back_the_settled(&mut self) {
        if self.state.phase != RolloutPhase::Succeeded && self.state.accepted.is_none() {
            return;
        }
        let accepted = self.state.accepted.as_ref().map(|accepted| accepted.at);
        let retreats = |abort: &&StandingAbort| {
            let is_later = accepted.is_none_or(|at| abort.abort.at > at);
            abort.abort.mode == AbortMode::RetreatDone && is_later
        };
        let Some(latest) = self
            .standing()
            .filter(retreats)
            .max_by_key(|abort| (abort.abort.at, abort.abort.id.clone()))
            .map(|abort| abort.abort.clone())
        else {
            return;
        };
        let on_change = self.uids(|_, cluster| cluster.touched && !cluster.returned);
        let (own, others): (Vec<_>, Vec<_>) = on_change
            .into_iter()
            .partition(|uid| self.is_ordered_here(uid));
        let covers = |uid: &ClusterUid| {
            let mut aborts = self.fleet.aborts.iter().filter(retreats);
            aborts.any(|abort| abort.covers(uid))
        };
        let back: Vec<ClusterUid> = own.into_iter().filter(covers).collect();
        if back.is_empty() {
            return;
        }
        let (left, gone): (Vec<_>, Vec<_>) = others.into_iter().partition(|uid| {
            let member = self.fleet.members.get(uid);
            let status = member.and_then(|member| member.status.as_ref());
            status.is_none_or(|status| is_served(status, &self.state.change))
        });
        for uid in &gone {
            if let Some(cluster) = self.state.clusters.get_mut(uid) {
                cluster.touched = false;
            }
        }
        self.state.accepted = None;
        let retreat = Retreat {
            scope: RetreatScope::All,
            to: ReturnTo::LastPromoted,
            now: false,
            actor: None,
            reason: format!("abort {}: {}", latest.id, given(&latest.reason)),
            abort: Some(latest.id.clone()),
        };
        self.retreat_from(&back, retreat);
        if !left.is_empty() {
            let clusters = self.names(&left);
            self.reasons.push(Reason::LeftBehind { clusters });
        }
    }

    pub(super) fn is_ordered_here(&self, uid: &ClusterUid) -> bool {
        let order = self.fleet.members.get(uid).and_then(|m| m.order.as_ref());
        order.is_some_and(|order| order.rollout == self.state.rollout)
    }

    pub(super) fn is_ordered_by_another(&self, uid: &ClusterUid) -> bool {
        let order = self.fleet.members.get(uid).and_then(|m| m.order.as_ref());
        order.is_some_and(|order| order.rollout != self.state.rollout)
    }

    fn note_lift(&mut self) {
        if let Some(aborted) = &mut self.state.aborted
            && !aborted.lifted
            && self.state.phase == RolloutPhase::Aborted
        {
            aborted.lifted = true;
            self.reasons.push(Reason::Lifted {
                abort: aborted.id.clone(),
            });
        }
    }

    /// Unfinished canaries in scope go back; Done only where an abort says `--retreat`.
    fn return_the_aborted(&mut self) {
        let back = self.uids(|uid, cluster| {
            let on_change = cluster.touched && !cluster.returned;
            let modes = || {
                self.fleet
                    .aborts
                    .iter()
                    .filter(|abort| abort.covers(uid))
                    .map(|abort| abort.abort.mode)
            };
            match cluster.phase {
                ClusterPhase::Ordered
                | ClusterPhase::Running { .. }
                | ClusterPhase::Unreachable
                | ClusterPhase::Skipped { .. } => {
                    on_change && modes().any(|mode| mode != AbortMode::Hold)
                }
                ClusterPhase::Soaking | ClusterPhase::Done => {
                    modes().any(|mode| mode == AbortMode::RetreatDone)
                }
                ClusterPhase::Waiting => on_change && modes().any(|mode| mode != AbortMode::Hold),
                ClusterPhase::Failed { .. }
                | ClusterPhase::Retreating { .. }
                | ClusterPhase::RolledBack
                | ClusterPhase::Left => false,
            }
        });
        for uid in back {
            self.send_back(&uid);
        }
    }
}
