//! `abort`: one transaction with the abort, its audit entry and the guard. Nothing refuses it but a
//! scope that names nothing; where the disk is full it is given back without a position, to be
//! pushed all the same (P7, trap 12).

use std::{collections::BTreeSet, time::Duration};

use flagship_proto::{
    digest::Digest,
    model::{Abort, AbortId, AbortMode, ClusterUid, Scope, Selector, Tick, lease::Bound},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Caller, OpError, OpErrorKind, Ops, Prepared, RolloutName, error::named};
use crate::{
    records::{
        self, AbortRow, ClusterRow, ClusterState, Guard, OrderRow, ProjectRow, Record as _, Stored,
        key,
    },
    store::Txn,
};

/// Whom to stop, and how.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbortOrder {
    /// Whom.
    pub scope: Scope,
    /// What becomes of traffic.
    pub mode: AbortMode,
}

/// The answer to `abort`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AbortAnswer {
    /// The abort. Without `durable` it has to be handed to the fleet by the caller.
    pub abort: Abort,
    /// Whether it is stored. If not, it goes to whoever is connected and is stored by the first
    /// hub that can write; until then it does not stand for who joins or restarts.
    pub durable: bool,
    /// Why it is not stored.
    pub why_not: Option<String>,
    /// After this time nothing in its scope advances, whoever is cut off (P5).
    pub nothing_advances_after: Timestamp,
    /// For a selector: who matched.
    pub matched: Option<BTreeSet<ClusterUid>>,
}

impl Ops {
    /// Stores an order to stop.
    pub async fn abort(
        &self,
        caller: &Caller,
        args: AbortOrder,
        now: Tick,
    ) -> Result<AbortAnswer, OpError> {
        let mut tries = 0_u32;
        let done = self
            .transact(caller, "abort.create", &args, now, || {
                tries += 1;
                self.prepare_abort(caller, &args, tries, now)
            })
            .await;
        match done {
            Err(error) if error.kind == OpErrorKind::Unavailable => {
                tracing::error!(%error, scope = %args.scope, "abort cannot be stored, it goes out all the same");
                self.provisional(caller, &args, &error, now)
            }
            other => other,
        }
    }

    fn prepare_abort(
        &self,
        caller: &Caller,
        args: &AbortOrder,
        tries: u32,
        now: Tick,
    ) -> Result<Prepared<AbortAnswer>, OpError> {
        // read before the clusters: who joins in between changes it
        let guard = self.store.get(&key::guard())?;
        let matched = self.evaluate(&args.scope)?;
        let is_selector = matched.is_some();
        let abort = self.draw_abort(caller, args, tries, now);
        let mut row = AbortRow::new(abort, matched, self.lease_in(&args.scope));
        row.ticket.clone_from(&caller.ticket);
        let object = format!("abort {} ({})", row.id(), args.scope);
        let answer = answer(&row, None);
        let by = format!("abort {}", row.id());
        let mut txn = Txn::new().absent(row.key());
        if is_selector {
            // who joins at the same moment must not be overlooked
            txn = match &guard {
                Some(guard) => txn.at(key::guard(), guard.modified),
                None => txn.absent(key::guard()),
            };
        }
        let txn = txn.put(&row).put(&Guard { by }).urgent();
        let before: Option<&()> = None;
        Ok(Prepared::new(txn, answer, object).digests(before, Some(&row)))
    }

    /// What stops a fleet must not depend on a disk: the abort without a position.
    fn provisional(
        &self,
        caller: &Caller,
        args: &AbortOrder,
        error: &OpError,
        now: Tick,
    ) -> Result<AbortAnswer, OpError> {
        let matched = self.evaluate(&args.scope)?;
        let lease = self.lease_in(&args.scope);
        let abort = self.draw_abort(caller, args, 0, now);
        let row = AbortRow::new(abort, matched, lease);
        Ok(answer(&row, Some(error.message.clone())))
    }

    /// Ids are short, for people, and follow from what is known, for the simulation.
    pub(super) fn draw_abort(
        &self,
        caller: &Caller,
        args: &AbortOrder,
        tries: u32,
        now: Tick,
    ) -> Abort {
        let known = (
            self.store.position(),
            now.wall,
            now.mono,
            &caller.actor,
            args,
            tries,
        );
        let short = Digest::of_document(&known).map_or_else(
            |_| Digest::of(now.wall.to_string().as_bytes()).short(),
            |digest| digest.short(),
        );
        let id: AbortId = format!("a-{short}")
            .parse()
            .expect("hexadecimal digits make an abort id");
        Abort {
            id,
            scope: args.scope.clone(),
            mode: args.mode,
            position: None,
            at: now.wall,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
        }
    }

    /// Who matches a selector now; none for the other scopes, which name what they cover. Refuses
    /// a scope that names nothing: a mistyped abort must not look like one that stopped.
    pub(super) fn evaluate(&self, scope: &Scope) -> Result<Option<BTreeSet<ClusterUid>>, OpError> {
        let nothing = |message: String, remedy: String| {
            Err(OpError::not_found("scope.nothing", &message)
                .in_field("scope")
                .try_this(&remedy))
        };
        match scope {
            Scope::Fleet => Ok(None),
            Scope::Project(project) => {
                if self.store.get(&key::project(project))?.is_some() {
                    return Ok(None);
                }
                let known: Vec<Stored<ProjectRow>> = self.store.read_all(key::PROJECTS)?;
                let known = named(known.iter().map(|row| &row.project));
                nothing(
                    format!("there is no project {project}: nothing was stopped"),
                    format!("projects here: {known}; all of them: --fleet"),
                )
            }
            Scope::Plan(plan) => {
                let found = self.plan(plan).map_err(nothing_was_stopped);
                found.map(|_| None)
            }
            Scope::Rollout { project, id } => {
                let name = RolloutName {
                    project: project.clone(),
                    id: id.clone(),
                };
                let found = self.rollout(&name).map_err(nothing_was_stopped);
                found.map(|_| None)
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
                    format!("no cluster has workload {workload}: nothing was stopped"),
                    "write it as namespace/Kind/name; everything: --fleet".to_owned(),
                )
            }
            Scope::Selector(selector) => {
                if selector.is_empty() {
                    return Err(OpError::bad_input(
                        "scope.empty",
                        "a selector without names and labels means every cluster: nothing was stopped",
                    )
                    .in_field("scope")
                    .try_this("say --fleet if that is meant"));
                }
                let matched = self.matching(selector)?;
                if matched.is_empty() {
                    return nothing(
                        format!("no cluster matches {selector}: nothing was stopped"),
                        "flagship get clusters shows names and labels".to_owned(),
                    );
                }
                Ok(Some(matched))
            }
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
        let millis = |lease: Duration| u64::try_from(lease.as_millis()).unwrap_or(u64::MAX);
        let Ok(orders) = self.store.list(key::ORDERS) else {
            return millis(self.lease);
        };
        let leases = orders.rows.iter().filter_map(|(key, row)| {
            let Ok(row) = records::decode::<OrderRow>(key, row) else {
                return Some(self.lease);
            };
            let order = row.unplaced();
            scope
                .covers(&order.workload, &order.plan, &order.rollout)
                .then(|| order.lease.min(self.lease))
        });
        millis(leases.max().unwrap_or(self.lease))
    }
}

fn nothing_was_stopped(mut error: OpError) -> OpError {
    error.message.push_str(": nothing was stopped");
    error.field = Some("scope".to_owned());
    error
}

/// When nothing in an abort's scope advances any more, whoever is cut off (P5).
pub(super) fn bound_of(row: &AbortRow) -> Timestamp {
    let bound = Bound {
        lease: Duration::from_millis(row.lease_ms),
    };
    let at = row.unplaced().at;
    at.saturating_add(bound.length()).unwrap_or(at)
}

fn answer(row: &AbortRow, why_not: Option<String>) -> AbortAnswer {
    AbortAnswer {
        abort: row.unplaced().clone(),
        durable: why_not.is_none(),
        why_not,
        nothing_advances_after: bound_of(row),
        matched: row.matched.clone(),
    }
}
