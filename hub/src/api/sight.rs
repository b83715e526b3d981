//! What one caller may see of answers: lists, events and views are cut to it. Nothing here lets anybody
//! change anything; what is seen of what is stored is said where it is read.

use flagship_proto::model::WorkloadRef;

use super::{
    ApiState,
    types::{AbortCluster, About, Banner, ClusterView},
    view::cluster::QUARANTINED,
};
pub use crate::ops::Sight;
use crate::{
    auth::{Binding, Grants},
    ops::{PreviewCluster, RolloutName},
    records::{AbortRow, ClusterRow, FreezeRow, OrderRow, PlanRow, ReceiptRow, Stored, key},
    store::Key,
};

/// Stands for a change of a rollout that is not seen.
const UNSEEN: &str = "a version that you do not see";

/// Stands for how far a workload that is not seen has stopped.
const UNTOLD: &str = "a workload that you do not see";

/// Stands for why a cluster is quarantined.
const UNSAID: &str = "its agent and the hub are at odds: who sees all of the cluster is told why";

impl ApiState {
    /// What a caller may see.
    pub fn sight<'a>(&'a self, grants: &'a Grants) -> Sight<'a> {
        self.ops.sight(grants)
    }
}

impl Sight<'_> {
    /// What of a role that somebody holds lies where something is seen.
    pub fn binding(&self, binding: &Binding) -> Option<Binding> {
        if !self.is_whole() && binding.selector.is_some() && !self.is_touched_by(binding) {
            return None;
        }
        let mut seen = binding.clone();
        if !self.is_whole() {
            seen.projects.retain(|project| self.project(project));
        }
        (seen.projects.is_empty() == binding.projects.is_empty()).then_some(seen)
    }

    /// Leaves of a cluster's workloads those that are seen; why it is quarantined may name others.
    pub fn cut_cluster(&self, row: &ClusterRow, view: &mut ClusterView) {
        view.workloads.retain(|has| self.names(&has.workload));
        if view.state == QUARANTINED && !self.inside(row) {
            UNSAID.clone_into(&mut view.text);
        }
    }

    /// Leaves out of a line about a stop whose work it was, where that is not seen.
    pub fn cut_stopped(&self, line: &mut AbortCluster) {
        if line.workload.as_ref().is_some_and(|name| !self.names(name)) {
            line.workload = None;
            line.local_command = None;
            // The words of an agent name versions and files.
            line.reason = None;
            UNTOLD.clone_into(&mut line.text);
        }
    }

    /// Leaves out of what an abort would meet in a cluster what another releases there: where somebody sees
    /// a cluster, he sees that it moves, but not for whom.
    pub fn cut_met(&self, found: &mut PreviewCluster) {
        if !self.workload(&found.workload) {
            UNSEEN.clone_into(&mut found.change);
        }
    }

    fn names(&self, workload: &str) -> bool {
        let named: Result<WorkloadRef, _> = workload.parse();
        self.is_whole() || named.is_ok_and(|named| self.workload(&named))
    }

    /// What is seen of a receipt.
    pub fn receipt(&self, row: &mut ReceiptRow) {
        let workloads = &mut row.receipt.receipt.workloads;
        workloads.retain(|receipt| self.workload(&receipt.workload));
    }

    /// Whether a banner is for this caller.
    pub fn banner(&self, banner: &Banner) -> bool {
        self.is_whole()
            || match &banner.about {
                About::Fleet => false,
                About::Seen => true,
                About::Workload(workload) => self.workload(workload),
            }
    }

    /// Whether an entry of the audit log is seen, by what was changed: `plan shop/checkout`,
    /// `abort a-1 (project shop)`. Of what was removed nobody knows the labels.
    pub fn audited(&self, object: &str) -> bool {
        if self.is_whole() {
            return true;
        }
        let (kind, rest) = object.split_once(' ').unwrap_or((object, ""));
        let (kind, name) = match (kind, rest.split_once(" (")) {
            ("abort" | "freeze", Some((_, "fleet)"))) => return true,
            ("abort" | "freeze", Some((_, scope))) => scope.split_once(' ').unwrap_or_default(),
            _ => (kind, rest),
        };
        let project = name.split(['/', ')']).next().unwrap_or_default();
        let is_theirs = || project.parse().is_ok_and(|project| self.gone(&project));
        matches!(kind, "project" | "plan" | "rollout") && is_theirs()
    }

    /// Whether the change of a row is seen.
    pub fn change(&self, kind: &str, key: &Key, segments: &[String]) -> bool {
        if self.is_whole() {
            return true;
        }
        self.theirs(kind, key, segments).unwrap_or(false)
    }

    fn theirs(&self, kind: &str, key: &Key, segments: &[String]) -> Option<bool> {
        let store = self.store();
        let segment = |at: usize| segments.get(at).map(String::as_str);
        Some(match kind {
            "project" => self.project(&segment(0)?.parse().ok()?),
            "plan" => match store.read::<PlanRow>(key).ok()? {
                Some(row) => self.plan(&row),
                None => self.gone(&segment(0)?.parse().ok()?),
            },
            "rollout" | "history" => {
                let name = RolloutName {
                    project: segment(0)?.parse().ok()?,
                    id: segment(1)?.parse().ok()?,
                };
                self.rollout_named(&name)
            }
            "cluster" => self.cluster(&*store.read::<ClusterRow>(key).ok()??),
            "order" => {
                let row: Stored<OrderRow> = store.read(key).ok()??;
                self.rollout_named(&RolloutName::of(row.unplaced()))
            }
            "report" => self.workload(&segment(1)?.parse().ok()?),
            "claim" | "lastgood" | "rejected" => self.workload(&segment(0)?.parse().ok()?),
            "abort" | "lift" | "receipt" => {
                let key = key::abort(&segment(0)?.parse().ok()?);
                let row: Stored<AbortRow> = store.read(&key).ok()??;
                let uid = segment(1).filter(|_| kind == "receipt").map(str::parse);
                let uid = uid.transpose().ok()?;
                self.abort(&row) && uid.is_none_or(|uid| self.member(&uid))
            }
            "freeze" => self.freeze(&*store.read::<FreezeRow>(key).ok()??),
            _ => false,
        })
    }
}
