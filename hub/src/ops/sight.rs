//! What one caller may see of what is stored. What hangs on many rows is read once, when it is first
//! asked for; what cannot be read is not seen.

use std::{cell::OnceCell, collections::BTreeSet};

use flagship_proto::model::{ClusterUid, ProjectName, Scope, WorkloadRef};

use super::{Ops, RolloutName};
use crate::{
    auth::{Binding, Grants, Object, Right},
    records::{AbortRow, ClusterRow, FreezeRow, PlanRow, Record, RolloutRow, Stored, key},
    store::{Key, Store},
};

/// One caller's view of everything, at one moment.
#[derive(Debug)]
pub struct Sight<'a> {
    store: &'a Store,
    grants: &'a Grants,
    plans: OnceCell<Vec<Stored<PlanRow>>>,
    workloads: OnceCell<BTreeSet<WorkloadRef>>,
    clusters: OnceCell<Vec<Stored<ClusterRow>>>,
}

impl Ops {
    /// What a caller may see.
    pub fn sight<'a>(&'a self, grants: &'a Grants) -> Sight<'a> {
        Sight {
            store: &self.store,
            grants,
            plans: OnceCell::new(),
            workloads: OnceCell::new(),
            clusters: OnceCell::new(),
        }
    }
}

impl Sight<'_> {
    /// The store that is looked at.
    pub fn store(&self) -> &Store {
        self.store
    }

    /// Whose it is.
    pub fn grants(&self) -> &Grants {
        self.grants
    }

    /// Whether this caller may stop anything.
    pub fn stops_some(&self) -> bool {
        self.grants.somewhere(Right::Stop).is_ok()
    }

    /// Whether this caller has a right over all of a rollout.
    pub fn may_do(&self, right: Right, row: &RolloutRow) -> bool {
        let plan = row.plan_ref();
        let object = Object::Plan(&plan, row.labels());
        self.grants.decide(right, object).is_ok()
    }

    /// Whether nothing is hidden.
    pub fn is_whole(&self) -> bool {
        self.grants.sees_everything()
    }

    /// Whether a project is: a binding names it, or something in it is seen.
    pub fn project(&self, project: &ProjectName) -> bool {
        let plans = || self.rows::<PlanRow>(&key::plans_of(project));
        let rollouts = || self.rows::<RolloutRow>(&key::rollouts_of(project));
        self.grants.sees(Object::Project(project))
            || plans().iter().any(|row| self.plan(row))
            || rollouts().iter().any(|row| self.rollout(row))
    }

    /// Whether a plan is.
    pub fn plan(&self, row: &PlanRow) -> bool {
        self.grants.sees(row.object())
    }

    /// Whether a rollout is.
    pub fn rollout(&self, row: &RolloutRow) -> bool {
        row.is_seen_by(self.grants)
    }

    /// Whether a rollout is, by its name.
    pub fn rollout_named(&self, name: &RolloutName) -> bool {
        match self.row::<RolloutRow>(&key::rollout(&name.project, &name.id)) {
            Some(row) => self.rollout(&row),
            None => self.gone(&name.project),
        }
    }

    /// Whether something that is gone from a project was: nobody knows its labels.
    pub fn gone(&self, project: &ProjectName) -> bool {
        self.grants.sees_all_of(project)
    }

    /// Whether a cluster is.
    pub fn cluster(&self, row: &ClusterRow) -> bool {
        self.grants.sees(row.object())
    }

    /// Whether what a cluster does is, whoever makes it do so: the whole cluster is theirs to view.
    pub fn inside(&self, row: &ClusterRow) -> bool {
        self.grants.decide(Right::View, row.object()).is_ok()
    }

    /// Whether a cluster is, by its uid.
    pub fn member(&self, uid: &ClusterUid) -> bool {
        self.is_whole() || self.clusters().iter().any(|row| row.uid == *uid)
    }

    /// Whether this caller may stop whatever a cluster of this name does.
    pub fn stops_in(&self, cluster: &str) -> bool {
        let mut clusters = self.clusters().iter();
        let row = clusters.find(|row| row.state.is_member() && row.name.as_str() == cluster);
        row.is_some_and(|row| self.grants.decide(Right::Stop, row.object()).is_ok())
    }

    fn clusters(&self) -> &[Stored<ClusterRow>] {
        self.clusters.get_or_init(|| {
            let mut clusters = self.rows::<ClusterRow>(key::CLUSTERS);
            clusters.retain(|row| self.cluster(row));
            clusters
        })
    }

    fn plans(&self) -> &[Stored<PlanRow>] {
        self.plans.get_or_init(|| {
            let mut plans = self.rows::<PlanRow>(key::PLANS);
            plans.retain(|row| self.plan(row));
            plans
        })
    }

    /// Whether a role that somebody holds lets anything be seen that this caller sees.
    pub fn is_touched_by(&self, binding: &Binding) -> bool {
        self.plans().iter().any(|row| binding.shows(row.object()))
            || self
                .clusters()
                .iter()
                .any(|row| binding.shows(row.object()))
    }

    /// Whether a workload is: that of a plan that is seen.
    pub fn workload(&self, workload: &WorkloadRef) -> bool {
        let read = || {
            let plans = self.plans().iter();
            plans.filter_map(|row| row.plan.workload().ok()).collect()
        };
        self.is_whole() || self.workloads.get_or_init(read).contains(workload)
    }

    /// Whether an abort is: it concerns something that is seen.
    pub fn abort(&self, row: &AbortRow) -> bool {
        self.scope(&row.unplaced().scope, |cluster| row.concerns(&cluster.uid))
    }

    /// Whether a freeze is: it concerns something that is seen.
    pub fn freeze(&self, row: &FreezeRow) -> bool {
        self.scope(&row.scope, |cluster| row.concerns(cluster))
    }

    fn scope(&self, scope: &Scope, meets: impl Fn(&ClusterRow) -> bool) -> bool {
        if self.is_whole() {
            return true;
        }
        match scope {
            Scope::Fleet => true,
            Scope::Selector(_) => self.clusters().iter().any(|cluster| meets(cluster)),
            Scope::Workload(workload) => self.workload(workload),
            Scope::Project(project) => self.project(project),
            Scope::Plan(plan) => match self.row::<PlanRow>(&key::plan(plan)) {
                Some(row) => self.plan(&row),
                None => self.gone(&plan.project),
            },
            Scope::Rollout { project, id } => self.rollout_named(&RolloutName {
                project: project.clone(),
                id: id.clone(),
            }),
        }
    }

    fn row<R: Record>(&self, key: &Key) -> Option<Stored<R>> {
        self.store.read(key).ok().flatten()
    }

    fn rows<R: Record>(&self, prefix: &str) -> Vec<Stored<R>> {
        self.store.read_all(prefix).unwrap_or_default()
    }
}
