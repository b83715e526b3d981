//! The state → what each cluster's stored order should say; written where it says something else.

use flagship_proto::{
    model::{ClusterUid, Intent, ReturnTo},
    words::given,
};

use super::{Turn, Wanted};
use crate::{
    decision::{Action, OrderAction},
    fleet::{Member, OrderSeen},
    state::{ClusterPhase, ClusterState, RetreatScope, RolloutPhase},
};

impl Turn<'_> {
    pub(super) fn write_orders(&mut self) {
        let over = self.state.is_over() && !self.closing;
        for uid in self.uids(|_, _| true) {
            let (Some(member), Some(cluster)) =
                (self.fleet.members.get(&uid), self.state.clusters.get(&uid))
            else {
                continue;
            };
            if over && !self.is_lanes_business(&uid, cluster) {
                continue;
            }
            let Some(wanted) = self.wanted(&uid, cluster) else {
                continue;
            };
            if self.is_anothers(&uid, member, &wanted) || self.is_written(member, &wanted) {
                continue;
            }
            let action = OrderAction {
                cluster: cluster.name.clone(),
                uid: uid.clone(),
                intent: wanted.intent,
                change: wanted.change,
                return_to: wanted.return_to,
                now: wanted.now,
                attempt: wanted.attempt,
                not_after: self.not_after(),
                reason: wanted.reason,
            };
            self.actions.push(Action::Order(action));
        }
    }

    /// Rule 6: who holds the claim writes the orders. After its end a rollout writes only in the catch-up
    /// lane, and for a cluster that the lane sends back. What it writes last in its end, and what takes
    /// back what it brought (rule 4), never replaces what the claim's new holder wrote; nor does its word
    /// on a cluster that it had finished, claimed or not.
    fn is_anothers(&self, uid: &ClusterUid, member: &Member, wanted: &Wanted) -> bool {
        let is_last_word = self.closing || wanted.intent == Intent::Retreat;
        let cluster = self.state.clusters.get(uid);
        let has_finished = cluster.is_some_and(|cluster| cluster.phase.succeeded());
        (member.claimed_by_another && !(is_last_word && self.is_ordered_here(uid)))
            || (has_finished && !self.state.is_in_lane(uid) && self.is_ordered_by_another(uid))
    }

    fn is_lanes_business(&self, uid: &ClusterUid, cluster: &ClusterState) -> bool {
        self.state.phase == RolloutPhase::Succeeded
            && (self.state.is_in_lane(uid)
                || matches!(cluster.phase, ClusterPhase::Retreating { .. }))
    }

    fn wanted(&self, uid: &ClusterUid, cluster: &ClusterState) -> Option<Wanted> {
        if let Some(lane) = &self.state.catch_up
            && lane.uid == *uid
        {
            let (intent, reason) = match self.stays(uid) {
                Some(why) => (Intent::Hold, why),
                None => (Intent::Run, "catches up".to_owned()),
            };
            return Some(Wanted {
                intent,
                change: lane.change.clone(),
                attempt: lane.attempt,
                return_to: lane.return_to.clone(),
                now: false,
                reason,
            });
        }
        let (intent, reason) = match &cluster.phase {
            ClusterPhase::Ordered | ClusterPhase::Running { .. } | ClusterPhase::Unreachable => {
                match self.stays(uid) {
                    Some(why) => (Intent::Hold, why),
                    None => (Intent::Run, self.run_reason(cluster)),
                }
            }
            // A settled Run row would be voided by a later abort (P8); a Hold row is not.
            ClusterPhase::Soaking | ClusterPhase::Done => (
                Intent::Hold,
                "succeeded; nothing is left to advance".to_owned(),
            ),
            ClusterPhase::Failed { reason } if cluster.attempt > 0 => {
                (Intent::Retreat, format!("failed: {reason}"))
            }
            ClusterPhase::Retreating { .. } => (Intent::Retreat, self.retreat_reason()),
            ClusterPhase::Skipped { reason } if cluster.touched => {
                (Intent::Hold, format!("skipped: {reason}"))
            }
            ClusterPhase::Waiting
            | ClusterPhase::Failed { .. }
            | ClusterPhase::RolledBack
            | ClusterPhase::Skipped { .. }
            | ClusterPhase::Left => return None,
        };
        let (return_to, now) = match &self.state.retreat {
            Some(retreat) if self.is_in_retreat(cluster) => (retreat.to.clone(), retreat.now),
            Some(_) | None => (ReturnTo::LastPromoted, false),
        };
        Some(Wanted {
            intent,
            change: self.state.change.clone(),
            attempt: cluster.attempt,
            return_to,
            now,
            reason,
        })
    }

    fn is_in_retreat(&self, cluster: &ClusterState) -> bool {
        match self.state.retreat.as_ref().map(|retreat| &retreat.scope) {
            Some(RetreatScope::All) => true,
            Some(RetreatScope::Wave(wave)) => cluster.wave == *wave,
            None => false,
        }
    }

    /// Why what is in flight stays where it is; none if it goes on.
    fn stays(&self, uid: &ClusterUid) -> Option<String> {
        if let Some(accepted) = &self.state.accepted {
            return Some(format!("accepted as it is by {}", accepted.actor));
        }
        match &self.state.phase {
            RolloutPhase::Paused => Some("the rollout is paused".to_owned()),
            RolloutPhase::Failed => Some("the rollout is halted".to_owned()),
            RolloutPhase::Retreating => Some("other clusters go back".to_owned()),
            RolloutPhase::Aborted => Some("the rollout is aborted".to_owned()),
            RolloutPhase::RolledBack | RolloutPhase::Superseded => {
                Some("the rollout has ended".to_owned())
            }
            RolloutPhase::Pending | RolloutPhase::Progressing { .. } | RolloutPhase::Succeeded => {
                self.frozen_at(uid)
                    .map(|freeze| format!("freeze {} stands: {}", freeze.id, freeze.reason))
            }
        }
    }

    fn run_reason(&self, cluster: &ClusterState) -> String {
        self.state
            .waves
            .get(cluster.wave)
            .map_or_else(String::new, |wave| {
                format!("wave {}, attempt {}", wave.name, cluster.attempt)
            })
    }

    fn retreat_reason(&self) -> String {
        if let Some(retreat) = &self.state.retreat {
            return retreat.why();
        }
        if let Some(by) = &self.state.superseded_by {
            return format!("superseded by {by}");
        }
        match &self.state.aborted {
            Some(aborted) => format!("abort {}: {}", aborted.id, given(&aborted.reason)),
            None => "it goes back".to_owned(),
        }
    }

    /// Whether the stored order says this already. A Run that nears its end is written again.
    fn is_written(&self, member: &Member, wanted: &Wanted) -> bool {
        let Some(order) = &member.order else {
            return false;
        };
        let OrderSeen {
            rollout,
            attempt,
            fence: _,
            intent,
            change,
            return_to,
            now,
            not_after,
            reason,
        } = order;
        let same = *rollout == self.state.rollout
            && *attempt == wanted.attempt
            && *intent == wanted.intent
            && *change == wanted.change;
        match wanted.intent {
            Intent::Run => {
                let lifetime = self.plan.order_lifetime();
                let fresh = self.now.wall.saturating_add(lifetime / 4);
                same && fresh.is_ok_and(|limit| *not_after > limit)
            }
            Intent::Retreat => same && *return_to == wanted.return_to && *now == wanted.now,
            // The agent says why it holds: what held first may be over, and something else hold now.
            Intent::Hold => same && *reason == wanted.reason,
            Intent::Remove => same,
        }
    }

    fn not_after(&self) -> jiff::Timestamp {
        self.now
            .wall
            .saturating_add(self.plan.order_lifetime())
            .unwrap_or(jiff::Timestamp::MAX)
    }
}
