//! One step of a rollout, from top to bottom: what people asked, who is a member, what clusters
//! report, what aborts say, what the failure policy says, what the waves do, which orders follow.
//!
//! Each part reads the state that the parts before it left, so one step goes as far as it can.

mod aborts;
mod account;
pub(crate) mod back;
mod explain;
mod freezes;
mod lane;
mod local;
pub(crate) mod observe;
mod orders;
mod people;
mod policy;
mod roster;
#[cfg(test)]
mod tests;
mod waves;

use std::time::Duration;

use flagship_proto::model::{Change, ClusterUid, Intent, ReturnTo, Tick};

use crate::{
    decision::{Action, Decision},
    fleet::FleetView,
    plan::Plan,
    reason::Reason,
    state::{ClusterPhase, Failure, Retreat, RetreatScope, RolloutPhase, RolloutState},
};

/// A longer gap between two looks counts as no time at all (P27).
pub(crate) const LONGEST_GAP: Duration = Duration::from_secs(60);

/// Decides what a rollout does next. See the crate's page for how to call it.
///
/// Guarantees: total (no panic, no error) and deterministic; with equal arguments it decides
/// equally. Starts nothing while a pause, freeze or abort stands (rule 4: none of these delays a
/// retreat). Assumes that `state` was made by [`RolloutState::new`] for this `plan`.
pub fn step(plan: &Plan, state: &RolloutState, fleet: &FleetView, now: Tick) -> Decision {
    let mut turn = Turn {
        plan,
        fleet,
        now,
        before: state,
        state: state.clone(),
        actions: Vec::new(),
        reasons: Vec::new(),
        waiting: Vec::new(),
        closing: false,
        confirming: false,
    };
    turn.hear_people();
    turn.call_roster();
    turn.note_local_control();
    turn.hear_freezes();
    turn.observe();
    turn.hear_aborts();
    turn.judge_silence();
    turn.apply_policy();
    turn.settle_retreat();
    turn.advance_waves();
    turn.run_catch_up();
    turn.write_orders();
    turn.close_account()
}

/// One step in the making.
struct Turn<'a> {
    plan: &'a Plan,
    fleet: &'a FleetView,
    now: Tick,
    before: &'a RolloutState,
    state: RolloutState,
    actions: Vec<Action>,
    reasons: Vec<Reason>,
    waiting: Vec<Reason>,
    /// The rollout ended in this step: its last orders are written now or never.
    closing: bool,
    /// A wave has soaked and waits for reports.
    confirming: bool,
}

impl Turn<'_> {
    /// Whether it goes on towards the change, or would if it were not paused or frozen.
    fn is_live(&self) -> bool {
        match self.state.phase {
            RolloutPhase::Pending | RolloutPhase::Progressing { .. } | RolloutPhase::Paused => {
                self.state.accepted.is_none()
            }
            RolloutPhase::Succeeded
            | RolloutPhase::Retreating
            | RolloutPhase::RolledBack
            | RolloutPhase::Aborted
            | RolloutPhase::Failed
            | RolloutPhase::Superseded => false,
        }
    }

    /// Whether advancing is allowed now: live, not paused, not frozen as a whole.
    fn may_advance(&self) -> bool {
        self.is_live() && self.state.phase != RolloutPhase::Paused && self.frozen().is_none()
    }

    /// Whether advancing is allowed in one cluster.
    fn may_advance_at(&self, uid: &ClusterUid) -> bool {
        self.may_advance() && self.frozen_at(uid).is_none()
    }

    fn enter(&mut self, phase: RolloutPhase) {
        if self.state.phase != phase {
            self.state.phase = phase;
            self.state.since = self.now.wall;
        }
    }

    fn set(&mut self, uid: &ClusterUid, phase: ClusterPhase) {
        let at = self.now.wall;
        if let Some(cluster) = self.state.clusters.get_mut(uid)
            && cluster.phase != phase
        {
            if cluster.phase.word() != phase.word() {
                cluster.since = at;
            }
            cluster.phase = phase;
        }
    }

    /// The uids of the clusters for which `wanted` holds, by name.
    fn uids(
        &self,
        wanted: impl Fn(&ClusterUid, &crate::state::ClusterState) -> bool,
    ) -> Vec<ClusterUid> {
        let mut found: Vec<_> = self
            .state
            .clusters
            .iter()
            .filter(|(uid, cluster)| wanted(uid, cluster))
            .map(|(uid, cluster)| (cluster.name.clone(), uid.clone()))
            .collect();
        found.sort();
        found.into_iter().map(|(_, uid)| uid).collect()
    }

    /// Names of clusters for people, at most five.
    fn names(&self, uids: &[ClusterUid]) -> String {
        let names: Vec<&str> = uids
            .iter()
            .take(5)
            .filter_map(|uid| self.state.clusters.get(uid))
            .map(|cluster| cluster.name.as_str())
            .collect();
        let listed = names.join(", ");
        match uids.len().checked_sub(5) {
            Some(more) if more > 0 => format!("{listed} and {more} more"),
            Some(_) | None => listed,
        }
    }

    fn fail(&mut self, uid: &ClusterUid, reason: String) {
        let Some(cluster) = self.state.clusters.get_mut(uid) else {
            return;
        };
        cluster.returned = false;
        let name = cluster.name.clone();
        self.state.failures.push(Failure {
            uid: uid.clone(),
            cluster: name.clone(),
            at: self.now.wall,
            reason: reason.clone(),
        });
        self.reasons.push(Reason::ClusterFailed {
            cluster: name,
            reason: reason.clone(),
        });
        self.set(uid, ClusterPhase::Failed { reason });
    }

    /// All clusters in scope that are on the change go back; with a target of a person's choice
    /// those too that went back already, as they may have gone elsewhere.
    fn begin_retreat(&mut self, retreat: Retreat) {
        let elsewhere = retreat.to != ReturnTo::LastPromoted;
        let in_scope = self.uids(|_, cluster| {
            let scoped = match retreat.scope {
                RetreatScope::All => true,
                RetreatScope::Wave(wave) => cluster.wave == wave,
            };
            let moved = cluster.touched || (elsewhere && cluster.attempt > 0);
            scoped && moved && cluster.phase != ClusterPhase::Left
        });
        self.retreat_from(&in_scope, retreat);
    }

    /// These clusters go back, and the rollout with them.
    fn retreat_from(&mut self, clusters: &[ClusterUid], retreat: Retreat) {
        let serving = self.uids(|_, cluster| cluster.touched && !cluster.returned);
        let goes_on = serving.iter().any(|uid| !clusters.contains(uid));
        let is_part = goes_on && !clusters.is_empty();
        for uid in clusters {
            self.send_back(uid);
        }
        let what = match retreat.scope {
            RetreatScope::All if is_part => format!("the rollout in {}", self.names(clusters)),
            RetreatScope::All => "the whole rollout".to_owned(),
            RetreatScope::Wave(wave) => self
                .state
                .waves
                .get(wave)
                .map_or_else(String::new, |wave| format!("wave {}", wave.name)),
        };
        self.reasons.push(Reason::RetreatBegun {
            what,
            reason: retreat.why(),
        });
        self.reject(retreat.why());
        self.state.paused = None;
        self.state.ended = None;
        // A person takes back who was left behind: what the abort took back stays its doing.
        let before = self.state.retreat.take().and_then(|before| before.abort);
        self.state.retreat = Some(Retreat {
            abort: retreat.abort.clone().or(before),
            ..retreat
        });
        self.enter(RolloutPhase::Retreating);
    }

    /// Marks one cluster as going back.
    fn send_back(&mut self, uid: &ClusterUid) {
        if self
            .state
            .catch_up
            .as_ref()
            .is_some_and(|lane| lane.uid == *uid)
        {
            self.state.catch_up = None;
        }
        if let Some(cluster) = self.state.clusters.get_mut(uid) {
            cluster.returned = false;
        }
        let going = self
            .state
            .clusters
            .get(uid)
            .is_some_and(|cluster| matches!(cluster.phase, ClusterPhase::Retreating { .. }));
        if !going {
            self.set(uid, ClusterPhase::Retreating { weight: None });
        }
    }

    fn reject(&mut self, reason: String) {
        self.actions.push(Action::Reject {
            change: self.state.change.clone(),
            digest: self.state.digest,
            reason,
        });
    }

    /// The rollout ends here: claims are released, last orders are written.
    fn end(&mut self) {
        self.closing = true;
        self.state.freezes.clear();
        self.state.ended = Some(self.now.wall);
        self.actions.push(Action::ReleaseClaims);
    }
}

/// What the stored order of a cluster should say.
struct Wanted {
    intent: Intent,
    change: Change,
    attempt: u32,
    return_to: ReturnTo,
    now: bool,
    reason: String,
}
