//! What one caller may see: lists, events and views are cut to it. Nothing here lets anybody change
//! anything.

use std::collections::BTreeSet;

use flagship_proto::model::{ProjectName, Scope, WorkloadRef};

use super::{
    ApiState,
    types::{Banner, ClusterView},
};
use crate::{
    auth::{Binding, Grants, Object},
    ops::{Ops, RolloutName},
    records::{
        AbortRow, ClusterRow, FreezeRow, OrderRow, PlanRow, ReceiptRow, RolloutRow, Stored, key,
    },
    store::{Key, StoreError},
};

/// One caller's view of everything, at one moment.
#[derive(Debug)]
pub struct Sight<'a> {
    ops: &'a Ops,
    grants: &'a Grants,
    /// Workloads of plans that are seen; none where everything is.
    workloads: Option<BTreeSet<WorkloadRef>>,
}

impl<'a> Sight<'a> {
    /// Of a caller.
    pub fn of(state: &'a ApiState, grants: &'a Grants) -> Result<Self, StoreError> {
        let ops = &state.ops;
        let workloads = if grants.sees_everything() {
            None
        } else {
            let plans: Vec<Stored<PlanRow>> = ops.store().read_all(key::PLANS)?;
            let theirs = plans.iter().filter(|row| grants.sees(row.object()));
            Some(theirs.filter_map(|row| row.plan.workload().ok()).collect())
        };
        Ok(Self {
            ops,
            grants,
            workloads,
        })
    }

    /// Whether nothing is hidden.
    pub fn is_whole(&self) -> bool {
        self.workloads.is_none()
    }

    /// Whether something in a project is seen.
    pub fn project(&self, project: &ProjectName) -> bool {
        self.grants.sees(Object::Project(project))
    }

    /// Whether a plan is.
    pub fn plan(&self, row: &PlanRow) -> bool {
        self.grants.sees(row.object())
    }

    /// Whether a rollout is.
    pub fn rollout(&self, row: &RolloutRow) -> bool {
        row.is_seen_by(self.grants)
    }

    /// Whether a cluster is.
    pub fn cluster(&self, row: &ClusterRow) -> bool {
        self.grants.sees(row.object())
    }

    /// Whether a workload is: that of a plan that is seen.
    pub fn workload(&self, workload: &WorkloadRef) -> bool {
        let theirs = self.workloads.as_ref();
        theirs.is_none_or(|theirs| theirs.contains(workload))
    }

    /// Whether what stands in a scope concerns anything that is seen.
    pub fn scope(&self, scope: &Scope) -> bool {
        if let Scope::Workload(workload) = scope {
            return self.workload(workload);
        }
        self.ops.sees_scope(self.grants, scope).unwrap_or(false)
    }

    /// What of a role that somebody holds lies where something is seen.
    pub fn binding(&self, binding: &Binding) -> Option<Binding> {
        let mut seen = binding.clone();
        if !self.is_whole() {
            seen.projects.retain(|project| self.project(project));
        }
        (seen.projects.is_empty() == binding.projects.is_empty()).then_some(seen)
    }

    /// Leaves of a cluster's workloads those that are seen.
    pub fn cut_cluster(&self, view: &mut ClusterView) {
        if let Some(theirs) = &self.workloads {
            let is_theirs = |name: &str| name.parse().is_ok_and(|name| theirs.contains(&name));
            view.workloads.retain(|has| is_theirs(&has.workload));
        }
    }

    /// What is seen of a receipt.
    pub fn receipt(&self, row: &mut ReceiptRow) {
        let workloads = &mut row.receipt.receipt.workloads;
        workloads.retain(|receipt| self.workload(&receipt.workload));
    }

    fn rollout_named(&self, name: &RolloutName) -> bool {
        self.ops.sees_rollout(self.grants, name).unwrap_or(false)
    }

    /// Whether a banner is seen: that the hub is behind by everybody, of its audit and its members by
    /// those who see everything, of local control by its workload, which its text begins with.
    pub fn banner(&self, banner: &Banner) -> bool {
        if self.is_whole() || banner.kind == "behind" {
            return true;
        }
        let first = banner.text.split_whitespace().next();
        banner.kind == "local"
            && first.is_some_and(|first| first.parse().is_ok_and(|name| self.workload(&name)))
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
        let store = self.ops.store();
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
                let order = row.unplaced();
                self.rollout_named(&RolloutName {
                    project: order.plan.project.clone(),
                    id: order.rollout.clone(),
                })
            }
            "report" => self.workload(&segment(1)?.parse().ok()?),
            "claim" | "lastgood" | "rejected" => self.workload(&segment(0)?.parse().ok()?),
            "abort" | "lift" | "receipt" => {
                let key = key::abort(&segment(0)?.parse().ok()?);
                let row: Stored<AbortRow> = store.read(&key).ok()??;
                self.scope(&row.unplaced().scope)
            }
            "freeze" => self.scope(&store.read::<FreezeRow>(key).ok()??.scope),
            _ => false,
        })
    }

    /// Of what is gone nobody knows the labels.
    fn gone(&self, project: &ProjectName) -> bool {
        self.grants.sees_all_of(project)
    }
}
