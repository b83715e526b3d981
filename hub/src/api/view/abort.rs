//! An abort as a view: who is concerned, how far each has stopped, by when, and what is not fixed.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use flagship_proto::{
    model::{
        AbortId, AbortMode, ClusterUid, Order, Position, ReceiptState, Scope, SignedReceipt,
        lease::Bound,
    },
    words::count,
};
use jiff::Timestamp;

use super::{
    Seen,
    not_fixed::{Serving, serving},
    stays::Stays,
    stopped::Stopped,
};
use crate::{
    api::{
        ApiState,
        sight::Sight,
        types::{AbortCluster, AbortOutcome, AbortState, AbortTotals, AbortView, LiftView},
    },
    fleet::Unstored,
    ops::{Doing, RolloutName, counts, doing, joins},
    records::{AbortRow, LiftRow, OrderRow, ReceiptRow, RolloutRow, Stored, key},
    store::StoreError,
};

/// Everything that is known of one abort.
pub fn view(
    state: &ApiState,
    seen: &Seen,
    sight: &Sight<'_>,
    row: &Stored<AbortRow>,
) -> Result<AbortView, StoreError> {
    let order = row.unplaced();
    let lift: Option<Stored<LiftRow>> = state.store().read(&key::lift(&order.id))?;
    let bound = bound(row);
    let bound_at = later(order.at, bound);
    let receipts: Vec<Stored<ReceiptRow>> = state.store().read_all(&key::receipts_of(&order.id))?;
    let mut receipts: BTreeMap<ClusterUid, Arc<ReceiptRow>> = receipts
        .into_iter()
        .map(|row| (row.receipt.receipt.uid.clone(), row.value))
        .collect();
    let unstored = seen.unstored.iter().find(|one| one.abort.id == order.id);
    let durable = unstored.is_none() || state.store().get(&key::abort(&order.id))?.is_some();
    for (uid, kept) in state.fleet.receipts_under_way(&order.id) {
        let age = |receipt: &SignedReceipt| (receipt.receipt.incarnation, receipt.receipt.seq);
        let is_newer = |stored: &ReceiptRow| age(&kept.signed) > age(&stored.receipt);
        if receipts.get(&uid).map(Arc::as_ref).is_none_or(is_newer) {
            let certificate = kept.certificate.to_vec();
            let mut receipt = ReceiptRow::new(kept.signed, certificate, kept.taken);
            if let Some(before) = receipts.get(&uid) {
                receipt = receipt.after(before);
            }
            receipts.insert(uid, Arc::new(receipt));
        }
    }
    let inside = |uid: &ClusterUid| {
        let row = seen.clusters.get(uid);
        row.is_some_and(|row| sight.inside(row))
    };
    if !sight.is_whole() {
        receipts.retain(|uid, row| {
            let row = Arc::make_mut(row);
            if !inside(uid) {
                sight.receipt(row);
            }
            inside(uid) || !row.receipt.receipt.workloads.is_empty()
        });
    }
    let rollouts: Vec<Stored<RolloutRow>> = state.store().read_all(key::ROLLOUTS)?;
    let Serving {
        mut not_fixed,
        held_with,
    } = serving(state, seen, sight, row, &rollouts);
    let standing = lift.as_ref().is_none_or(|lift| lift.pending(seen.now.wall));
    if standing && order.mode != AbortMode::Hold {
        not_fixed.extend(seen.left_in_scope(sight, row)?);
    }
    let (mut clusters, mut stays) = (Vec::new(), Stays::default());
    let mut go_back = BTreeSet::new();
    for (uid, orders, is_told) in concerned(state, seen, sight, row, (&receipts, &rollouts))? {
        let done = done(seen, &uid, &orders);
        if order.mode == AbortMode::RetreatDone {
            go_back.extend(done.map(RolloutName::of));
        } else if standing {
            done.for_each(|order| stays.add(order));
        }
        let stopped = Stopped {
            seen,
            abort: order,
            uid: &uid,
            orders: &orders,
            is_told,
            receipt: receipts.get(&uid).map(Arc::as_ref),
            bound_at,
            not_fixed: &not_fixed,
        };
        let mut line = stopped.cluster();
        sight.cut_stopped(&mut line);
        clusters.push(line);
    }
    stays.retain(|name| sight.is_whole() || sight.rollout_named(name));
    let taken_back = taken_back(sight, row, &rollouts, &go_back);
    clusters.sort_by(|a, b| (a.state, &a.cluster).cmp(&(b.state, &b.cluster)));
    let totals = totals(&clusters);
    let past = seen.now.wall >= bound_at;
    let outcome = outcome(&totals, past);
    let stays = stays.said(&order.scope);
    let mut summary = summary(&totals, outcome);
    if stays.is_some() {
        summary += "; what had succeeded stays";
    }
    if seen.leaves_unwanted(sight, row)? {
        summary += "; but some serve what no stop takes back: flagship status";
    }
    Ok(AbortView {
        id: order.id.to_string(),
        scope: order.scope.to_string(),
        scope_of: order.scope.clone(),
        joins: who_joins(row),
        mode: order.mode.to_string(),
        at: order.at,
        actor: order.actor.clone(),
        reason: order.reason.clone(),
        standing,
        stood: false,
        durable,
        remedy: match standing {
            true => sight.offer(seen.abort_banner(row)).remedy,
            false => String::new(),
        },
        lifted: lift.map(|lift| LiftView {
            at: lift.effective,
            actor: lift.actor.clone(),
            reason: lift.reason.clone(),
            narrowed_to: lift.narrowed_to.iter().map(ToString::to_string).collect(),
        }),
        bound_ms: u64::try_from(bound.as_millis()).unwrap_or(u64::MAX),
        bound_at,
        taken_back: taken_back.iter().map(ToString::to_string).collect(),
        outcome,
        summary: if durable {
            summary
        } else {
            format!("NOT STORED, sent to those who are connected: {summary}")
        },
        totals,
        clusters,
        not_fixed,
        held_with,
        stays,
        seq: seen.seq,
    })
}

/// Who joins later, in words; of what is left of a selector's only who would have joined that too.
fn who_joins(row: &AbortRow) -> Option<String> {
    let said = joins(&row.unplaced().scope, row.reach.as_ref());
    match (&row.narrowed_from, &row.matched) {
        (Some(wider), Some(_)) => Some(format!(
            "{}, if abort {wider} would have met them",
            said.unwrap_or_else(|| "clusters that join later are in it too".to_owned())
        )),
        (Some(_), None) | (None, _) => said,
    }
}

/// An abort that could not be stored yet, as the row that it will be.
pub fn unstored(one: &Unstored, here: Position) -> Stored<AbortRow> {
    Stored {
        value: one.row().into(),
        created: here,
        modified: here,
    }
}

/// How long nothing can be certain about who is not heard (P5).
pub fn bound(row: &AbortRow) -> Duration {
    let lease = Duration::from_millis(row.lease_ms);
    Bound { lease }.length()
}

/// After this moment nothing advances in an abort's scope.
pub fn bound_at(row: &AbortRow) -> Timestamp {
    later(row.unplaced().at, bound(row))
}

/// A time after another.
pub fn later(at: Timestamp, wait: Duration) -> Timestamp {
    at.saturating_add(wait).unwrap_or(at)
}

type Orders = Vec<Stored<OrderRow>>;

/// Members in scope with their orders in scope and whether the abort goes to them, and whoever answered.
fn concerned(
    state: &ApiState,
    seen: &Seen,
    sight: &Sight<'_>,
    row: &Stored<AbortRow>,
    (receipts, rollouts): (
        &BTreeMap<ClusterUid, Arc<ReceiptRow>>,
        &[Stored<RolloutRow>],
    ),
) -> Result<Vec<(ClusterUid, Orders, bool)>, StoreError> {
    let scope = &row.unplaced().scope;
    let mut found = Vec::new();
    let open = rollouts.iter().filter(|row| !row.state.is_over());
    let open: Vec<&RolloutRow> = open.map(|row| &*row.value).collect();
    for (uid, cluster) in &seen.clusters {
        let mut orders = super::orders_of(state, uid)?;
        let inside = sight.inside(cluster);
        orders.retain(|stored| {
            let order = stored.unplaced();
            scope.covers(&order.workload, &order.plan, &order.rollout)
        });
        let is_told = !orders.is_empty() || matches!(scope, Scope::Fleet | Scope::Selector(_));
        orders.retain(|stored| inside || sight.workload(&stored.unplaced().workload));
        let counted = counts(scope, cluster, !orders.is_empty(), open.iter().copied());
        let is_seen = inside || !orders.is_empty() || sight.cluster(cluster);
        let meant = cluster.state.is_member() && row.concerns(uid) && counted && is_seen;
        // Everybody is told of a scope, and who has nothing in it answers so.
        let answered = receipts.get(uid).is_some_and(|row| {
            let said = &row.receipt.receipt.workloads;
            said.iter().any(|said| said.state != ReceiptState::Idle)
        });
        if meant || answered {
            found.push((uid.clone(), orders, is_told));
        }
    }
    Ok(found)
}

/// Rollouts that had ended and that this abort takes back: the engine has said so, or what is Done by them
/// (`go_back`) goes back.
fn taken_back(
    sight: &Sight<'_>,
    row: &AbortRow,
    rollouts: &[Stored<RolloutRow>],
    go_back: &BTreeSet<RolloutName>,
) -> BTreeSet<RolloutName> {
    let has_ended = |rollout: &RolloutRow| {
        !go_back.is_empty()
            && rollout.state.is_over()
            && go_back.contains(&RolloutName::of_row(rollout))
    };
    let taken = rollouts.iter().filter(|rollout| {
        (is_taken_back(rollout, row.id()) || has_ended(rollout)) && sight.rollout(rollout)
    });
    taken.map(|rollout| RolloutName::of_row(rollout)).collect()
}

pub(super) fn is_taken_back(rollout: &RolloutRow, by: &AbortId) -> bool {
    let retreat = rollout.state.retreat.as_ref();
    retreat.is_some_and(|back| back.abort.as_ref() == Some(by))
}

/// What has succeeded in one cluster: it goes back or stays, although the engine has not looked yet.
fn done<'a>(
    seen: &'a Seen,
    uid: &'a ClusterUid,
    orders: &'a Orders,
) -> impl Iterator<Item = &'a Order> {
    let done = orders.iter().filter(|stored| {
        let report = seen.report(uid, &stored.unplaced().workload);
        doing(&stored.order(), report.map(|report| &report.status)) == Doing::Done
    });
    done.map(|stored| stored.unplaced())
}

fn totals(clusters: &[AbortCluster]) -> AbortTotals {
    let mut totals = AbortTotals::default();
    for cluster in clusters {
        totals.clusters += 1;
        *match cluster.state {
            AbortState::NotStopped => &mut totals.not_stopped,
            AbortState::NotHeard => &mut totals.not_heard,
            AbortState::Told => &mut totals.told,
            AbortState::Returning => &mut totals.returning,
            AbortState::Returned => &mut totals.returned,
            AbortState::Held => &mut totals.held,
            AbortState::Done => &mut totals.done,
            AbortState::Idle => &mut totals.idle,
        } += 1;
    }
    totals
}

fn outcome(totals: &AbortTotals, past_bound: bool) -> AbortOutcome {
    let unanswered = totals.not_heard + totals.told;
    if totals.not_stopped > 0 {
        AbortOutcome::NotStopped
    } else if unanswered == 0 && totals.returning == 0 {
        AbortOutcome::Stopped
    } else if past_bound && unanswered > 0 {
        AbortOutcome::Bounded
    } else {
        AbortOutcome::Stopping
    }
}

fn summary(totals: &AbortTotals, outcome: AbortOutcome) -> String {
    let parts: Vec<String> = [
        (totals.not_stopped, "NOT stopped"),
        (totals.not_heard, "not heard"),
        (totals.told, "told"),
        (totals.returning, "returning"),
        (totals.returned, "returned"),
        (totals.held, "held"),
        (totals.done, "done before"),
        (totals.idle, "idle"),
    ]
    .into_iter()
    .filter(|(number, _)| *number > 0)
    .map(|(number, word)| format!("{number} {word}"))
    .collect();
    let all = totals.clusters;
    let head = match outcome {
        AbortOutcome::Stopped if all == 0 => return "no cluster is in scope".to_owned(),
        AbortOutcome::Stopped => match all {
            1 => "the cluster stopped".to_owned(),
            all => format!("all {all} clusters stopped"),
        },
        AbortOutcome::Stopping => format!("stopping {}", count(all, "cluster")),
        AbortOutcome::Bounded => {
            format!(
                "{} of {} did not answer; nothing advances there",
                totals.not_heard + totals.told,
                count(all, "cluster")
            )
        }
        AbortOutcome::NotStopped => {
            format!(
                "{} of {} could not stop",
                totals.not_stopped,
                count(all, "cluster")
            )
        }
    };
    format!("{head}: {}", parts.join(", "))
}
