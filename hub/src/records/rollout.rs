//! Rows of plans and rollouts, and of what outlives a rollout: claims, rejected digests, the last
//! good version, history.

use flagship_proto::{
    digest::Digest,
    model::{
        Change, ClusterName, ClusterUid, Labels, PlanRef, Position, ProjectName, RolloutId,
        WorkloadRef,
    },
};
use flagship_waves::{Finding, Plan, Request, RolloutState};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Record, key};
use crate::{
    auth::{Grants, Object},
    store::Key,
};

/// A plan as it was applied.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct PlanRow {
    /// Its name.
    pub id: PlanRef,
    /// The file's text.
    pub source: String,
    /// What it says, defaults filled in.
    pub plan: Plan,
    /// SHA-256 of the plan.
    pub digest: Digest,
    /// Warnings and notes that it was applied with.
    pub findings: Vec<Finding>,
    /// When it was applied.
    pub applied: Timestamp,
    /// By whom.
    pub applied_by: String,
    /// The number of its last rollout; ids are `<plan>-<n>`.
    pub last_number: u64,
}

/// One execution of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RolloutRow {
    /// Its project.
    pub project: ProjectName,
    /// Its id.
    pub id: RolloutId,
    /// The plan as it was when the rollout started: later changes of the plan do not touch it.
    pub plan: Plan,
    /// SHA-256 of that plan.
    pub plan_digest: Digest,
    /// What it releases where.
    pub workload: WorkloadRef,
    /// What is released.
    pub change: Change,
    /// What the wave engine remembers; written by the driver only.
    pub state: RolloutState,
    /// What people asked for, oldest first; the engine takes those above `state.handled`.
    pub requests: Vec<Request>,
    /// When it was started.
    pub started: Timestamp,
    /// By whom.
    pub started_by: String,
    /// Why.
    pub reason: String,
    /// For what ticket.
    pub ticket: Option<String>,
    /// Which rollout it took the claims of.
    pub supersedes: Option<RolloutId>,
}

impl PlanRow {
    /// The plan, for who may do what to it.
    pub fn object(&self) -> Object<'_> {
        Object::Plan(&self.id, &self.plan.metadata.labels)
    }
}

impl RolloutRow {
    /// The labels of the plan that it was started with.
    pub fn labels(&self) -> &Labels {
        &self.plan.metadata.labels
    }

    /// Whether it is for somebody to see: as its plan is.
    pub fn is_seen_by(&self, grants: &Grants) -> bool {
        grants.sees(Object::Plan(&self.plan_ref(), self.labels()))
    }

    /// The plan's name.
    pub fn plan_ref(&self) -> PlanRef {
        self.plan.id()
    }

    /// `project/id`, as people name it.
    pub fn full_name(&self) -> String {
        format!("{}/{}", self.project, self.id)
    }

    /// The number for the next request.
    pub fn next_request(&self) -> u64 {
        self.requests
            .iter()
            .map(|request| request.id)
            .max()
            .unwrap_or_default()
            .max(self.state.handled)
            + 1
    }

    /// Requests that the engine has not handled yet.
    pub fn open_requests(&self) -> impl Iterator<Item = &Request> {
        let handled = self.state.handled;
        self.requests
            .iter()
            .filter(move |request| request.id > handled)
    }
}

/// Which rollout may write orders for one workload in one cluster (P16). The driver deletes it when
/// the rollout releases it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClaimRow {
    /// The workload.
    pub workload: WorkloadRef,
    /// The cluster.
    pub uid: ClusterUid,
    /// The cluster's name, for people.
    pub cluster: ClusterName,
    /// The holder's project.
    pub project: ProjectName,
    /// The holder.
    pub rollout: RolloutId,
    /// Since when.
    pub at: Timestamp,
}

/// A digest that was aborted or retreated: not started again without a reason (S8).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RejectedRow {
    /// Of which workload.
    pub workload: WorkloadRef,
    /// Which.
    pub digest: Digest,
    /// The change that had this digest, as it was ordered: a start names a change, not a digest.
    pub change: Change,
    /// When.
    pub at: Timestamp,
    /// In which rollout.
    pub rollout: RolloutId,
    /// What happened, in words.
    pub reason: String,
}

/// The last version of a workload that Succeeded and was never retreated (P25).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LastGoodRow {
    /// Of which workload.
    pub workload: WorkloadRef,
    /// Which.
    pub good: GoodVersion,
    /// When.
    pub at: Timestamp,
    /// What was the last good before it, newest first, at most [`LastGoodRow::KEPT`]: a retreat of
    /// this one makes the next one current.
    pub before: Vec<GoodVersion>,
}

/// A version that Succeeded, and the rollout that brought it: ids of rollouts are unique in a project only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct GoodVersion {
    /// The change.
    pub change: Change,
    /// Its digest, where it is known.
    pub digest: Option<Digest>,
    /// The rollout's project.
    pub project: ProjectName,
    /// By which rollout.
    pub rollout: RolloutId,
}

impl LastGoodRow {
    /// How many earlier ones are remembered.
    pub const KEPT: usize = 5;
}

/// One entry of a rollout's history: what happened in it, by cluster and time.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct HistoryRow {
    /// The rollout's project.
    pub project: ProjectName,
    /// The rollout.
    pub rollout: RolloutId,
    /// Grows with each entry.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// Where; none if it concerns the rollout as a whole.
    pub cluster: Option<ClusterName>,
    /// A stable word (`order`, `phase`, `weight`, `reason`).
    pub kind: String,
    /// In words, with the numbers.
    pub message: String,
    /// What else there is to say.
    pub detail: serde_json::Value,
    /// The position of what it tells of, where it tells of a row.
    pub position: Option<Position>,
}

impl Record for PlanRow {
    fn key(&self) -> Key {
        key::plan(&self.id)
    }
}

impl Record for RolloutRow {
    fn key(&self) -> Key {
        key::rollout(&self.project, &self.id)
    }
}

impl Record for ClaimRow {
    fn key(&self) -> Key {
        key::claim(&self.workload, &self.uid)
    }
}

impl Record for RejectedRow {
    fn key(&self) -> Key {
        key::rejected(&self.workload, &self.digest)
    }
}

impl Record for LastGoodRow {
    fn key(&self) -> Key {
        key::last_good(&self.workload)
    }
}

impl Record for HistoryRow {
    fn key(&self) -> Key {
        key::history(&self.project, &self.rollout, self.seq)
    }
}
