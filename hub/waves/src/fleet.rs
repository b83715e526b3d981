//! What the engine sees of the fleet: a snapshot that the driver builds before each step.

use std::collections::{BTreeMap, BTreeSet};

use flagship_proto::{
    digest::Digest,
    model::{
        Abort, Change, ClusterName, ClusterUid, Fence, FreezeId, Intent, Labels, LocalAct, Mono,
        Order, ReturnTo, RolloutId, WorkloadStatus,
    },
};
use jiff::Timestamp;

use crate::{request::Request, state::FrozenBy};

/// Everything that a decision about one rollout rests on, besides its own state.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct FleetView {
    /// All approved members of the fleet. A cluster that is not here has left.
    pub members: BTreeMap<ClusterUid, Member>,
    /// Standing (not lifted) aborts that cover this rollout.
    pub aborts: Vec<StandingAbort>,
    /// Standing freezes that cover this rollout.
    pub freezes: Vec<Freeze>,
    /// The workload's last version that Succeeded and was never retreated (P25).
    pub last_good: Option<LastGood>,
    /// What people asked of this rollout, oldest first; those already handled may still be here.
    pub requests: Vec<Request>,
}

/// One cluster, as the hub knows it now.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Its name.
    pub name: ClusterName,
    /// Its labels.
    pub labels: Labels,
    /// Whether its inventory lists the plan's workload.
    pub has_workload: bool,
    /// Whether its agent holds a session, on any replica.
    pub connected: bool,
    /// Whether it is certain that nothing advances there any more by itself: its last lease and
    /// the bound of P5 have passed (under `onDisconnect: continue`: its order's not-after has).
    /// True for a cluster that never had a lease. Means nothing while connected.
    pub bound_passed: bool,
    /// When the hub last heard anything of this agent's session, a lease request too: an agent
    /// reports what changed before it asks for its lease, so silence about a workload is news.
    pub heard: Option<Mono>,
    /// Whether another rollout holds the claim on this (cluster, workload).
    pub claimed_by_another: bool,
    /// The stored order for this (cluster, workload), of whichever rollout.
    pub order: Option<OrderSeen>,
    /// The latest stored report about the workload.
    pub status: Option<WorkloadStatus>,
}

/// The parts of a stored order that the engine compares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OrderSeen {
    /// On behalf of which rollout.
    pub rollout: RolloutId,
    /// Which attempt.
    pub attempt: u32,
    /// Where it stands in history; its revision is its row's position.
    pub fence: Fence,
    /// What is wanted.
    pub intent: Intent,
    /// What is being released.
    pub change: Change,
    /// Where a Retreat goes.
    pub return_to: ReturnTo,
    /// Retreat without pacing.
    pub now: bool,
    /// Until when a Run is good.
    pub not_after: Timestamp,
    /// Why, in words.
    pub reason: String,
}

impl From<&Order> for OrderSeen {
    fn from(order: &Order) -> Self {
        Self {
            rollout: order.rollout.clone(),
            attempt: order.attempt,
            fence: order.fence,
            intent: order.intent,
            change: order.change.clone(),
            return_to: order.return_to.clone(),
            now: order.now,
            not_after: order.not_after,
            reason: order.reason.clone(),
        }
    }
}

impl Member {
    /// The latest report, if it answers the stored order and that order is `rollout`'s. A report
    /// about an older order says nothing about this one.
    pub fn status_under(&self, rollout: &RolloutId) -> Option<&WorkloadStatus> {
        let order = self.order.as_ref()?;
        self.status
            .as_ref()
            .filter(|status| order.rollout == *rollout && status.fence >= order.fence)
    }

    /// The hold or retreat of a person on the spot, if one stands. It is the workload's, whichever
    /// order the report answers.
    pub fn local_control(&self) -> Option<&LocalAct> {
        self.status.as_ref()?.local_control()
    }
}

/// An abort that stands, and whom of the fleet it stops.
#[derive(Debug, Clone, PartialEq)]
pub struct StandingAbort {
    /// The abort.
    pub abort: Abort,
    /// The clusters that it covers: none means all. For a selector those that matched when it was
    /// stored or matched since (P9); for a narrowed one those that are left.
    pub clusters: Option<BTreeSet<ClusterUid>>,
    /// Its end, where a person has lifted it and its bound has not passed (P8).
    pub end: Option<AbortEnd>,
}

/// The end of an abort that is ordered and has not come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AbortEnd {
    /// Who ordered it.
    pub actor: String,
    /// When it comes.
    pub at: Timestamp,
}

impl StandingAbort {
    /// Whether a cluster is in it.
    pub fn covers(&self, uid: &ClusterUid) -> bool {
        self.clusters
            .as_ref()
            .is_none_or(|clusters| clusters.contains(uid))
    }
}

/// A freeze that stands, and whom of the fleet it binds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Freeze {
    /// Its id.
    pub id: FreezeId,
    /// Who ordered it.
    pub actor: String,
    /// Why, in its author's words.
    pub reason: String,
    /// When it is to end by itself; none if a person has to end it. For people: the driver takes a
    /// freeze that has ended out of the view.
    pub until: Option<Timestamp>,
    /// The clusters that it binds: none means all.
    pub clusters: Option<BTreeSet<ClusterUid>>,
}

impl Freeze {
    /// Whether a cluster is in it.
    pub fn covers(&self, uid: &ClusterUid) -> bool {
        self.clusters
            .as_ref()
            .is_none_or(|clusters| clusters.contains(uid))
    }

    /// Until when it stands, in words.
    pub fn ends(&self) -> String {
        self.until.map_or_else(
            || "until somebody ends it".to_owned(),
            |until| format!("until {}", until.strftime("%Y-%m-%d %H:%M:%SZ")),
        )
    }
}

impl From<&Freeze> for FrozenBy {
    fn from(freeze: &Freeze) -> Self {
        Self {
            id: freeze.id.clone(),
            actor: freeze.actor.clone(),
            reason: freeze.reason.clone(),
            ends: freeze.ends(),
            whole: freeze.clusters.is_none(),
        }
    }
}

/// A version that Succeeded and was never retreated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastGood {
    /// As it was ordered.
    pub change: Change,
    /// Its digest, where it is known.
    pub digest: Option<Digest>,
}
