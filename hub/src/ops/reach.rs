//! What a scope means for who may do what: the objects that have to be covered. A rollout is looked at by
//! the labels of the plan that it was started with.

use std::collections::BTreeSet;

use flagship_proto::model::{ClusterUid, Reach, Scope};

use super::{Caller, OpError, Ops, abort::NOT_STOPPED, scope::Otherwise};
use crate::{
    auth::{Actor, Grants, Object, Right, covers},
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

    /// Whether somebody may stop all of a scope as it is now.
    pub fn stops_all_of(&self, grants: &Grants, scope: &Scope) -> bool {
        let caller = Caller::asking(grants);
        let reached = self.reach(&caller, Right::Stop, scope, NOT_STOPPED);
        reached.is_ok()
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
        Err(refuse(caller, right, scope))
    }

    /// Refuses to end what stands who has not this right over all that it covers, and all that may join
    /// it later: with its end nobody joins it any more.
    pub(super) fn may_end(
        &self,
        caller: &Caller,
        right: Right,
        scope: &Scope,
        (matched, reach): (Option<&BTreeSet<ClusterUid>>, Option<&Reach>),
    ) -> Result<(), OpError> {
        self.may_in_scope(caller, right, scope, matched)?;
        let own = self.kept_reach(caller, right, scope);
        if let (Some(own), Scope::Selector(selector)) = (own, scope)
            && !covers(&own, selector, reach)
        {
            return Err(refuse(caller, right, scope));
        }
        Ok(())
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

    /// How far what somebody orders over a scope reaches later: those that join a selector's have to be
    /// within the author's right; none where the scope itself says it.
    pub(super) fn kept_reach(&self, caller: &Caller, right: Right, scope: &Scope) -> Option<Reach> {
        match scope {
            Scope::Selector(_) => caller.grants.reach(right),
            Scope::Fleet
            | Scope::Project(_)
            | Scope::Plan(_)
            | Scope::Rollout { .. }
            | Scope::Workload(_) => None,
        }
    }
}

fn refuse(caller: &Caller, right: Right, scope: &Scope) -> OpError {
    let over: &dyn std::fmt::Display = match scope {
        Scope::Fleet => &Object::Fleet,
        Scope::Project(project) => &Object::Project(project),
        Scope::Workload(workload) => &Object::Workload(workload),
        Scope::Plan(_) | Scope::Rollout { .. } | Scope::Selector(_) => scope,
    };
    let missing = caller.grants.refusal(right, over);
    OpError::forbidden(&caller.actor, &missing)
}
