//! What a scope means now: whom it names, and the longest lease of an order in it. A scope that names
//! nothing is refused: a mistyped one must not look like one that stopped.

use std::{collections::BTreeSet, time::Duration};

use flagship_proto::{
    command::Command,
    model::{ClusterUid, Order, ReturnTo, Scope, Selector, Tick, WorkloadRef},
};
use flagship_waves::{Wish, allowed};

use super::{Caller, OpError, Ops, RolloutName, error::named};
use crate::records::{
    self, ClusterRow, ClusterState, OrderRow, ProjectRow, RolloutRow, Stored, key,
};

/// What a refusal says did not happen, and in which field the scope stood.
#[derive(Debug, Clone, Copy)]
pub(super) struct Otherwise {
    pub(super) field: &'static str,
    pub(super) outcome: &'static str,
}

impl Ops {
    /// Who of those that the caller sees matches a selector now; none for the other scopes, which name
    /// what they cover. Refuses a scope that names nothing, or nothing that the caller may see, in the
    /// same words: a mistyped abort must not look like one that stopped.
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
                let sight = self.sight(&caller.grants);
                if sight.project(project) && self.store.get(&key::project(project))?.is_some() {
                    return Ok(None);
                }
                let mut known: Vec<Stored<ProjectRow>> = self.store.read_all(key::PROJECTS)?;
                known.retain(|row| sight.project(&row.project));
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
                if self.is_known(caller, workload)? {
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
                let matched = self.matching(caller, selector)?;
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

    /// Whether a workload is of a plan that the caller sees, and somewhere that he sees: in a cluster, or
    /// under a rollout.
    fn is_known(&self, caller: &Caller, workload: &WorkloadRef) -> Result<bool, OpError> {
        let sight = self.sight(&caller.grants);
        if !sight.is_whole() && !sight.workload(workload) {
            return Ok(false);
        }
        let clusters: Vec<Stored<ClusterRow>> = self.store.read_all(key::CLUSTERS)?;
        let mut clusters = clusters
            .iter()
            .filter(|row| row.state.is_member() && sight.cluster(row));
        if clusters.any(|row| row.has_workload(workload)) {
            return Ok(true);
        }
        let orders: Vec<Stored<OrderRow>> = self.store.read_all(key::ORDERS)?;
        let mut orders = orders.iter().map(|row| row.unplaced());
        let rollouts: Vec<Stored<RolloutRow>> = self.store.read_all(key::ROLLOUTS)?;
        let mut rollouts = rollouts.iter().filter(|row| !row.state.is_over());
        Ok(orders.any(|order| {
            order.workload == *workload && sight.rollout_named(&RolloutName::of(order))
        }) || rollouts.any(|row| row.workload == *workload && sight.rollout(row)))
    }

    /// What to name in place of a rollout that has ended.
    fn under_way(&self, caller: &Caller, ended: &RolloutRow) -> Result<String, OpError> {
        let rows: Vec<Stored<RolloutRow>> = self.store.read_all(key::ROLLOUTS)?;
        let open = rows.iter().filter(|row| {
            row.workload == ended.workload && !row.state.is_over() && row.is_seen_by(&caller.grants)
        });
        let open: Vec<String> = open.map(|row| row.full_name()).collect();
        Ok(if open.is_empty() {
            let name = ended.full_name();
            let back = Wish::Retreat {
                to: ReturnTo::LastPromoted,
                now: false,
            };
            if allowed(&ended.state, &back, false).is_ok() {
                let back = Command::flagship("retreat").of(name).because();
                format!("what it released goes back with: {back}")
            } else {
                let explain = Command::flagship("explain").of(name);
                format!("nothing of it is left to stop; how it ended: {explain}")
            }
        } else {
            format!("under way there: {}", open.join(", "))
        })
    }

    fn matching(
        &self,
        caller: &Caller,
        selector: &Selector,
    ) -> Result<BTreeSet<ClusterUid>, OpError> {
        let clusters: Vec<Stored<ClusterRow>> = self.store.read_all(key::CLUSTERS)?;
        Ok(clusters
            .iter()
            .filter(|row| !matches!(row.state, ClusterState::Removed { .. }))
            .filter(|row| selector.matches(&row.name, &row.labels))
            .filter(|row| caller.grants.sees(row.object()))
            .map(|row| row.uid.clone())
            .collect())
    }

    /// The longest lease that an order in scope can have now, in milliseconds (S10). An order that
    /// cannot be read counts with the longest there is: no row may stand in the way of an abort.
    pub(super) fn lease_in(
        &self,
        scope: &Scope,
        matched: Option<&BTreeSet<ClusterUid>>,
        now: Tick,
    ) -> u64 {
        let decoded = self.store.list(key::ORDERS).ok().and_then(|orders| {
            let rows = orders.rows.iter();
            rows.map(|(key, row)| records::decode::<OrderRow>(key, row).ok())
                .collect::<Option<Vec<_>>>()
        });
        let lease = match &decoded {
            Some(rows) => {
                let orders = rows.iter().map(|row| row.unplaced());
                self.longest_lease(scope, matched, orders, now)
            }
            None => self.leases.longest(now),
        };
        u64::try_from(lease.as_millis()).unwrap_or(u64::MAX)
    }

    /// The longest lease that one of these orders can have now (S10); the hub's, where none is in
    /// scope: one may be given at this moment.
    pub(super) fn longest_lease<'a>(
        &self,
        scope: &Scope,
        matched: Option<&BTreeSet<ClusterUid>>,
        orders: impl Iterator<Item = &'a Order>,
        now: Tick,
    ) -> Duration {
        let longest = self.leases.longest(now);
        let in_scope = orders
            .filter(|order| scope.covers(&order.workload, &order.plan, &order.rollout))
            .filter(|order| matched.is_none_or(|matched| matched.contains(&order.uid)))
            .map(|order| order.lease.min(longest));
        in_scope.max().unwrap_or(longest)
    }
}
