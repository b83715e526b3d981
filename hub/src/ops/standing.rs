//! Which aborts stand, and whom they cover.

use std::collections::BTreeSet;

use flagship_proto::model::{
    AbortId, ClusterName, ClusterUid, Labels, PlanRef, RolloutId, WorkloadRef,
};
use jiff::Timestamp;

use crate::{
    auth::is_joined_by,
    records::{AbortRow, Guard, LiftRow, MOST_NARROWED, Stored, key},
    store::{Store, StoreError, Txn},
};

/// All aborts that stand: not lifted, or the lift has not taken effect yet.
pub fn standing_aborts(store: &Store, now: Timestamp) -> Result<Vec<Stored<AbortRow>>, StoreError> {
    let mut standing: Vec<Stored<AbortRow>> = store.read_all(key::ABORTS)?;
    let lifts: Vec<Stored<LiftRow>> = store.read_all(key::LIFTS)?;
    // All that ever stood is kept (P7, P8): each is looked at once.
    let over = lifts.iter().filter(|lift| !lift.pending(now));
    let over: BTreeSet<&AbortId> = over.map(|lift| &lift.abort).collect();
    standing.retain(|abort| !over.contains(abort.id()));
    Ok(standing)
}

/// The standing aborts that cover work of a rollout in any of these clusters.
pub(super) fn all_covering<'a>(
    standing: &'a [Stored<AbortRow>],
    workload: &WorkloadRef,
    plan: &PlanRef,
    rollout: &RolloutId,
    clusters: &[ClusterUid],
) -> impl Iterator<Item = &'a Stored<AbortRow>> {
    standing.iter().filter(move |abort| {
        abort.unplaced().scope.covers(workload, plan, rollout)
            && (abort.matched.is_none() || clusters.iter().any(|uid| abort.concerns(uid)))
    })
}

/// Adds a cluster that becomes a member to every standing abort whose selector it matches (P9), and whose
/// author could stop it. The transaction also bumps the guard, and conflicts with an abort that is stored at the same moment.
pub fn join_standing_aborts(
    store: &Store,
    mut txn: Txn,
    name: &ClusterName,
    uid: &ClusterUid,
    labels: &Labels,
    now: Timestamp,
) -> Result<Txn, StoreError> {
    let guard: Option<Stored<Guard>> = store.read(&key::guard())?;
    for abort in standing_aborts(store, now)? {
        let mut row = abort.to_value();
        let Some(matched) = &mut row.matched else {
            continue;
        };
        let narrowed = narrowed(store, &abort)?;
        let scopes = narrowed.iter().map(|row| row.over());
        if is_joined_by(scopes, name, labels) && matched.insert(uid.clone()) {
            txn = txn.unchanged(&abort).put(&row);
        }
    }
    let by = format!("cluster {name}");
    let txn = match guard {
        Some(guard) => txn.unchanged(&guard),
        None => txn.absent(key::guard()),
    };
    Ok(txn.put(&Guard { by }))
}

/// An abort, and all those that it is what is left of.
fn narrowed(store: &Store, abort: &Stored<AbortRow>) -> Result<Vec<Stored<AbortRow>>, StoreError> {
    let mut found = vec![abort.clone()];
    while let Some(wider) = found.last().and_then(|row| row.narrowed_from.as_ref()) {
        match store.read(&key::abort(wider))? {
            Some(wider) if found.len() < MOST_NARROWED => found.push(wider),
            Some(_) | None => break,
        }
    }
    Ok(found)
}
