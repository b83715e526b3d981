//! What a scope means for who may do what: the objects that have to be covered, and whether a caller may
//! see it at all. A rollout is looked at by the labels of the plan that it was started with.

use std::collections::BTreeSet;

use flagship_proto::model::{ClusterUid, Scope};

use super::{Caller, OpError, Ops, RolloutName, scope::Otherwise};
use crate::{
    auth::{Actor, Grants, Object, Right},
    records::{ClusterRow, PlanRow, RolloutRow, Stored, key},
    store::StoreError,
};

impl Ops {
    /// Whom a scope means, to who has a right over all of it. What is of no project of theirs is
    /// refused before it is looked for.
    pub(super) fn reach(
        &self,
        caller: &Caller,
        right: Right,
        scope: &Scope,
        otherwise: Otherwise,
    ) -> Result<Option<BTreeSet<ClusterUid>>, OpError> {
        if let Scope::Fleet | Scope::Workload(_) = scope {
            self.may_in_scope(caller, right, scope, None)?;
        }
        let matched = self.evaluate(caller, scope, otherwise)?;
        self.may_in_scope(caller, right, scope, matched.as_ref())?;
        Ok(matched)
    }

    /// Refuses who has not this right over all that a scope covers; `matched` are the clusters of a
    /// selector.
    pub(super) fn may_in_scope(
        &self,
        caller: &Caller,
        right: Right,
        scope: &Scope,
        matched: Option<&BTreeSet<ClusterUid>>,
    ) -> Result<(), OpError> {
        let mut may = true;
        self.each_object(scope, matched, &mut |object| {
            may &= caller.grants.decide(right, object).is_ok();
        })?;
        if may {
            return Ok(());
        }
        let over: &dyn std::fmt::Display = match scope {
            Scope::Fleet => &Object::Fleet,
            Scope::Project(project) => &Object::Project(project),
            Scope::Workload(workload) => &Object::Workload(workload),
            Scope::Plan(_) | Scope::Rollout { .. } | Scope::Selector(_) => scope,
        };
        let missing = caller.grants.refusal(right, over);
        Err(OpError::forbidden(&caller.actor, &missing))
    }

    /// Refuses who may not see all that a scope covers.
    pub fn sees_all_of(
        &self,
        actor: &Actor,
        scope: &Scope,
        matched: Option<&BTreeSet<ClusterUid>>,
    ) -> Result<(), OpError> {
        let reader = Caller {
            actor: actor.name.clone(),
            grants: actor.grants.clone(),
            ..Caller::default()
        };
        self.may_in_scope(&reader, Right::View, scope, matched)
    }

    /// Whether a caller is to know of what stands in a scope: it may concern something of theirs.
    pub fn sees_scope(&self, grants: &Grants, scope: &Scope) -> Result<bool, StoreError> {
        if grants.sees_everything() {
            return Ok(true);
        }
        let mut sees = false;
        match scope {
            Scope::Fleet | Scope::Selector(_) => return Ok(true),
            Scope::Workload(workload) => {
                let plans: Vec<Stored<PlanRow>> = self.store.read_all(key::PLANS)?;
                let mut theirs = plans.iter().filter(|row| grants.sees(row.object()));
                sees = theirs.any(|row| row.plan.workload().is_ok_and(|own| own == *workload));
            }
            Scope::Project(_) | Scope::Plan(_) | Scope::Rollout { .. } => {
                self.each_object(scope, None, &mut |object| sees = grants.sees(object))?;
            }
        }
        Ok(sees)
    }

    fn each_object(
        &self,
        scope: &Scope,
        matched: Option<&BTreeSet<ClusterUid>>,
        each: &mut dyn FnMut(Object<'_>),
    ) -> Result<(), StoreError> {
        match scope {
            Scope::Fleet => each(Object::Fleet),
            Scope::Project(project) => each(Object::Project(project)),
            Scope::Workload(workload) => each(Object::Workload(workload)),
            Scope::Plan(plan) => match self.store.read::<PlanRow>(&key::plan(plan))? {
                Some(row) => each(row.object()),
                None => each(Object::Project(&plan.project)),
            },
            Scope::Rollout { project, id } => {
                match self.store.read::<RolloutRow>(&key::rollout(project, id))? {
                    Some(row) => each(Object::Plan(&row.plan_ref(), row.labels())),
                    None => each(Object::Project(project)),
                }
            }
            Scope::Selector(_) => {
                let clusters: Vec<Stored<ClusterRow>> = self.store.read_all(key::CLUSTERS)?;
                let meant = clusters
                    .iter()
                    .filter(|row| matched.is_none_or(|matched| matched.contains(&row.uid)));
                let mut meant = meant.peekable();
                if meant.peek().is_none() {
                    // Nobody knows whom it will meet.
                    each(Object::Fleet);
                }
                meant.for_each(|row| each(row.object()));
            }
        }
        Ok(())
    }

    /// Whether a caller may see a rollout, by its name.
    pub fn sees_rollout(&self, grants: &Grants, name: &RolloutName) -> Result<bool, StoreError> {
        let scope = Scope::Rollout {
            project: name.project.clone(),
            id: name.id.clone(),
        };
        self.sees_scope(grants, &scope)
    }
}
