//! What a scope means now: whom it names, and the longest lease of an order in it. A scope that names
//! nothing is refused: a mistyped one must not look like one that stopped.

use std::{collections::BTreeSet, time::Duration};

use flagship_proto::model::{ClusterUid, Order, Scope, Selector};

use super::{Caller, OpError, Ops, RolloutName, error::named};
use crate::{
    auth::Object,
    records::{self, ClusterRow, ClusterState, OrderRow, ProjectRow, RolloutRow, Stored, key},
};

/// What a refusal says did not happen, and in which field the scope stood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Otherwise {
    pub(super) field: &'static str,
    pub(super) outcome: &'static str,
}

impl Ops {
    /// Who matches a selector now; none for the other scopes, which name what they cover. Refuses
    /// a scope that names nothing: a mistyped abort must not look like one that stopped.
    pub(super) fn evaluate(
        &self,
        caller: &Caller,
        scope: &Scope,
        otherwise: Otherwise,
    ) -> Result<Option<BTreeSet<ClusterUid>>, OpError> {
        self.look_up(caller, scope).map_err(|mut error| {
            error.message = format!("{}: {}", error.message, otherwise.outcome);
            error.field = Some(otherwise.field.to_owned());
            error
        })
    }

    fn look_up(
        &self,
        caller: &Caller,
        scope: &Scope,
    ) -> Result<Option<BTreeSet<ClusterUid>>, OpError> {
        let nothing = |message: String, remedy: String| {
            Err(OpError::not_found("scope.nothing", &message).try_this(&remedy))
        };
        match scope {
            Scope::Fleet => Ok(None),
            Scope::Project(project) => {
                let sees = |project: &_| caller.grants.sees(Object::Project(project));
                if sees(project) && self.store.get(&key::project(project))?.is_some() {
                    return Ok(None);
                }
                let mut known: Vec<Stored<ProjectRow>> = self.store.read_all(key::PROJECTS)?;
                known.retain(|row| sees(&row.project));
                let known = named(known.iter().map(|row| &row.project));
                nothing(
                    format!("there is no project {project}"),
                    format!("projects here: {known}; all of them: --fleet"),
                )
            }
            Scope::Plan(plan) => self.plan(caller, plan).map(|_| None),
            Scope::Rollout { project, id } => {
                let name = RolloutName {
                    project: project.clone(),
                    id: id.clone(),
                };
                let row = self.rollout(caller, &name)?;
                if row.state.is_over() {
                    return nothing(
                        format!("rollout {name} has ended ({})", row.state.phase.word()),
                        self.under_way(caller, &row)?,
                    );
                }
                Ok(None)
            }
            Scope::Workload(workload) => {
                let clusters = self.candidates(workload)?;
                let orders: Vec<Stored<OrderRow>> = self.store.read_all(key::ORDERS)?;
                let known = clusters.iter().any(|cluster| cluster.has_workload)
                    || orders
                        .iter()
                        .any(|order| order.unplaced().workload == *workload);
                if known {
                    return Ok(None);
                }
                nothing(
                    format!("no cluster has workload {workload}"),
                    "write it as namespace/Kind/name; everything: --fleet".to_owned(),
                )
            }
            Scope::Selector(selector) => {
                if selector.is_empty() {
                    return Err(OpError::bad_input(
                        "scope.empty",
                        "a selector without names and labels means every cluster",
                    )
                    .try_this("say --fleet if that is meant"));
                }
                if let Err(error) = selector.check() {
                    return Err(OpError::bad_input("scope.selector", &error.to_string())
                        .try_this("select by fewer or shorter labels; everything: --fleet"));
                }
                let matched = self.matching(selector)?;
                if matched.is_empty() {
                    return nothing(
                        format!("no cluster matches {selector}"),
                        "flagship get clusters shows names and labels".to_owned(),
                    );
                }
                Ok(Some(matched))
            }
        }
    }

    /// What to name in place of a rollout that has ended.
    fn under_way(&self, caller: &Caller, ended: &RolloutRow) -> Result<String, OpError> {
        let rows: Vec<Stored<RolloutRow>> = self.store.read_all(key::ROLLOUTS)?;
        let open = rows.iter().filter(|row| {
            row.workload == ended.workload && !row.state.is_over() && row.is_seen_by(&caller.grants)
        });
        let open: Vec<String> = open.map(|row| row.full_name()).collect();
        Ok(if open.is_empty() {
            format!(
                "what it released goes back with: flagship retreat {}/{}",
                ended.project, ended.id
            )
        } else {
            format!("under way there: {}", open.join(", "))
        })
    }

    /// Whom a selector meets now; none for the other scopes.
    pub(super) fn matched_now(
        &self,
        scope: &Scope,
    ) -> Result<Option<BTreeSet<ClusterUid>>, OpError> {
        match scope {
            Scope::Selector(selector) => self.matching(selector).map(Some),
            Scope::Fleet
            | Scope::Project(_)
            | Scope::Plan(_)
            | Scope::Rollout { .. }
            | Scope::Workload(_) => Ok(None),
        }
    }

    pub(super) fn matching(&self, selector: &Selector) -> Result<BTreeSet<ClusterUid>, OpError> {
        let clusters: Vec<Stored<ClusterRow>> = self.store.read_all(key::CLUSTERS)?;
        Ok(clusters
            .iter()
            .filter(|row| !matches!(row.state, ClusterState::Removed { .. }))
            .filter(|row| selector.matches(&row.name, &row.labels))
            .map(|row| row.uid.clone())
            .collect())
    }

    /// The longest lease that an order in scope can have now, in milliseconds (S10). An order that
    /// cannot be read counts with the longest there is: no row may stand in the way of an abort.
    pub(super) fn lease_in(&self, scope: &Scope) -> u64 {
        let decoded = self.store.list(key::ORDERS).ok().and_then(|orders| {
            let rows = orders.rows.iter();
            rows.map(|(key, row)| records::decode::<OrderRow>(key, row).ok())
                .collect::<Option<Vec<_>>>()
        });
        let lease = match &decoded {
            Some(rows) => self.longest_lease(scope, rows.iter().map(|row| row.unplaced())),
            None => self.lease,
        };
        u64::try_from(lease.as_millis()).unwrap_or(u64::MAX)
    }

    /// The longest lease that one of these orders can have now (S10); the hub's, where none is in
    /// scope: one may be given at this moment.
    pub(super) fn longest_lease<'a>(
        &self,
        scope: &Scope,
        orders: impl Iterator<Item = &'a Order>,
    ) -> Duration {
        let in_scope = orders
            .filter(|order| scope.covers(&order.workload, &order.plan, &order.rollout))
            .map(|order| order.lease.min(self.lease));
        in_scope.max().unwrap_or(self.lease)
    }
}
