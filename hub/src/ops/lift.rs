//! `lift`: the tombstone that ends an abort, and, where parts of its scope are excepted, the narrower
//! aborts that take its place there, in one transaction. It moves nothing by itself (P7, P8).

use std::collections::BTreeSet;

use flagship_proto::{
    model::{Abort, AbortId, ClusterName, ClusterUid, Scope, Tick},
    words::{given, moment},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    AbortOrder, Caller, OpError, Ops, Prepared,
    abort::{bound_from, cut},
    error::named,
    room::MOST_STANDING,
    scope::Otherwise,
    standing_aborts,
};
use crate::{
    auth::Right,
    records::{
        AbortRow, ClusterRow, Guard, LiftRow, OrderRow, ReceiptRow, Record as _, RolloutRow,
        Stored, key,
    },
    store::Txn,
};

/// So many lifts of one author may wait for their end at a time.
const MOST_WAITING: usize = 16;

/// Which abort to end.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiftOrder {
    /// The abort.
    pub abort: AbortId,
    /// Where it goes on standing: parts of its scope.
    pub except: Vec<Scope>,
}

/// The answer to `lift`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct LiftAnswer {
    /// The abort that ends.
    pub abort: AbortId,
    /// When the lift takes effect: at once if everyone has answered, else at the end of the bound,
    /// also where the last answer comes before it.
    pub effective: Timestamp,
    /// Who has not answered yet.
    pub waits_for: Vec<ClusterName>,
    /// The aborts that stand instead, in the order of `except`.
    pub narrowed_to: Vec<AbortId>,
}

impl Ops {
    /// Ends an abort. Its orders stay void: a person retries, starts again or retreats.
    pub async fn lift(
        &self,
        caller: &Caller,
        args: LiftOrder,
        now: Tick,
    ) -> Result<LiftAnswer, OpError> {
        caller.insist_on_reason("lifting an abort")?;
        self.transact(caller, "abort.lift", &args, now, || {
            self.prepare_lift(caller, &args, now)
        })
        .await
    }

    fn prepare_lift(
        &self,
        caller: &Caller,
        args: &LiftOrder,
        now: Tick,
    ) -> Result<Prepared<LiftAnswer>, OpError> {
        let abort = self.standing_abort(caller, &args.abort, now)?;
        let waits_for = self.unanswered(&abort)?;
        let effective = if waits_for.is_empty() {
            now.wall
        } else {
            // A clock that was ahead at the abort makes nobody wait longer than the bound.
            let at = abort.unplaced().at.min(now.wall);
            bound_from(at, &abort).max(now.wall)
        };
        let mut txn = Txn::new()
            .exists(key::abort(&args.abort))
            .absent(key::lift(&args.abort));
        let standing = standing_aborts(&self.store, now.wall)?;
        self.parts_fit(&args.except, &standing)?;
        let mut parts = Vec::new();
        for (number, scope) in args.except.iter().enumerate() {
            let number = u32::try_from(number).unwrap_or(u32::MAX);
            parts.push(self.narrower(caller, &abort, scope, number, now)?);
        }
        let standing: Vec<&AbortRow> = standing.iter().map(|row| &*row.value).collect();
        self.parts_have_room(&parts, &standing)?;
        let narrowed_to: Vec<AbortId> = parts.iter().map(|row| row.id().clone()).collect();
        for row in &parts {
            txn = txn.absent(row.key()).put(row);
        }
        // What takes its place where it is narrowed has its own bound.
        if args.except.is_empty() {
            self.not_too_many_at_once(caller, now)?;
        }
        self.not_lifted_without_end(caller, now)?;
        let row = LiftRow {
            abort: args.abort.clone(),
            at: now.wall,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            effective,
            narrowed_to: narrowed_to.clone(),
        };
        let by = format!("lift of abort {}", args.abort);
        let txn = txn.put(&row).put(&Guard { by });
        let answer = LiftAnswer {
            abort: args.abort.clone(),
            effective,
            waits_for,
            narrowed_to,
        };
        let object = match args.except.as_slice() {
            [] => format!("abort {}", args.abort),
            except => format!("abort {} except {}", args.abort, named(except)),
        };
        let prepared = Prepared::new(txn, answer, object).of(abort.key());
        Ok(prepared.digests(Some(&*abort.value), Some(&row)))
    }

    /// Refuses one author's lifts while many of them wait for their end: what they end is ordered again and
    /// again. An abort is never refused for that.
    fn not_too_many_at_once(&self, caller: &Caller, now: Tick) -> Result<(), OpError> {
        let lifts: Vec<Stored<LiftRow>> = self.store.read_all(key::LIFTS)?;
        let waiting = lifts
            .iter()
            .filter(|lift| lift.actor == caller.actor && lift.narrowed_to.is_empty())
            .filter(|lift| lift.pending(now.wall));
        let waiting = waiting.count();
        if waiting < MOST_WAITING {
            return Ok(());
        }
        let what = format!(
            "{waiting} lifts of {} wait for the last answers: the abort stands on",
            caller.actor
        );
        Err(OpError::too_often("lift.tooOften", &what)
            .try_this("lift it when their bound has passed, or have somebody else lift it"))
    }

    fn standing_abort(
        &self,
        caller: &Caller,
        id: &AbortId,
        now: Tick,
    ) -> Result<Stored<AbortRow>, OpError> {
        let sight = self.sight(&caller.grants);
        let row: Option<Stored<AbortRow>> = self.store.read(&key::abort(id))?;
        let Some(abort) = row.filter(|row| sight.abort(row)) else {
            let mut standing = standing_aborts(&self.store, now.wall)?;
            standing.retain(|row| sight.abort(row));
            let standing = named(standing.iter().map(|abort| abort.id()));
            let message = format!("there is no abort {id}");
            return Err(OpError::not_found("abort.notFound", &message)
                .in_field("abort")
                .try_this(&format!("standing aborts: {standing}")));
        };
        let scope = &abort.unplaced().scope;
        let covered = (abort.matched.as_ref(), abort.reach.as_ref());
        self.may_end(caller, Right::Lift, scope, covered)?;
        if let Some(lift) = self.store.read::<LiftRow>(&key::lift(id))? {
            let mut message = format!(
                "abort {id} was lifted by {} at {}: {}",
                lift.actor,
                moment(lift.at),
                given(&lift.reason)
            );
            if lift.pending(now.wall) {
                message += &format!("; it ends at {}", moment(lift.effective));
            }
            let remedy = match lift.narrowed_to.as_slice() {
                [] => "there is nothing left to lift".to_owned(),
                rest => format!("what stands instead: {}", named(rest)),
            };
            return Err(OpError::conflict("abort.lifted", &message).try_this(&remedy));
        }
        Ok(abort)
    }

    /// Who is in scope and has not said, finally, that it stopped.
    fn unanswered(&self, abort: &Stored<AbortRow>) -> Result<Vec<ClusterName>, OpError> {
        let receipts: Vec<Stored<ReceiptRow>> =
            self.store.read_all(&key::receipts_of(abort.id()))?;
        let answered: BTreeSet<&ClusterUid> = receipts
            .iter()
            .map(|row| &row.receipt.receipt)
            .filter(|receipt| receipt.is_final())
            .map(|receipt| &receipt.uid)
            .collect();
        let orders: Vec<Stored<OrderRow>> = self.store.read_all(key::ORDERS)?;
        let scope = &abort.unplaced().scope;
        let ordered: BTreeSet<&ClusterUid> = orders
            .iter()
            .map(|row| row.unplaced())
            .filter(|order| scope.covers(&order.workload, &order.plan, &order.rollout))
            .map(|order| &order.uid)
            .collect();
        let clusters: Vec<Stored<ClusterRow>> = self.store.read_all(key::CLUSTERS)?;
        Ok(clusters
            .iter()
            .filter(|row| row.state.is_member() && abort.concerns(&row.uid))
            .filter(|row| ordered.contains(&row.uid) && !answered.contains(&row.uid))
            .map(|row| row.name.clone())
            .collect())
    }

    fn narrower(
        &self,
        caller: &Caller,
        abort: &Stored<AbortRow>,
        scope: &Scope,
        number: u32,
        now: Tick,
    ) -> Result<AbortRow, OpError> {
        let whole = &abort.unplaced().scope;
        let otherwise = Otherwise {
            field: "except",
            outcome: "nothing was lifted",
        };
        let matched = self.evaluate(caller, scope, otherwise)?;
        if !self.lies_inside(scope, whole)? {
            let message = format!(
                "{scope} does not lie inside {whole}, which abort {} covers",
                abort.id()
            );
            return Err(OpError::bad_input("except.outside", &message)
                .in_field("except")
                .try_this("except a part of the abort's scope, or abort that scope on its own"));
        }
        let matched = match (matched, &abort.matched) {
            (Some(new), Some(old)) => Some(new.intersection(old).cloned().collect()),
            (Some(some), None) => Some(some),
            (None, some) => some.clone(),
        };
        let order = AbortOrder {
            scope: scope.clone(),
            mode: abort.unplaced().mode,
        };
        let reason = format!(
            "{} (what is left of abort {}: {})",
            given(&caller.reason),
            abort.id(),
            given(&abort.unplaced().reason)
        );
        let drawn = Abort {
            reason: cut(&reason).to_owned(),
            reach: abort.reach.clone(),
            ..self.draw_abort(caller, &order, number, now)
        };
        let lease = self.lease_in(scope, matched.as_ref(), now);
        let mut row = AbortRow::new(drawn, matched, lease);
        row.narrowed_from = Some(abort.id().clone());
        row.ticket.clone_from(&caller.ticket);
        Ok(row)
    }

    /// Refuses parts that are named twice, or more of them than aborts may stand: each is shown by every
    /// agent that connects. One for one fits where a few end already.
    fn parts_fit(&self, parts: &[Scope], all: &[Stored<AbortRow>]) -> Result<(), OpError> {
        // Of more parts than are taken only the first is compared with the others.
        let compared = if parts.len() > MOST_STANDING {
            1
        } else {
            parts.len()
        };
        let mut compared = parts.iter().take(compared).enumerate();
        if let Some((_, part)) = compared.find(|(at, part)| parts[at + 1..].contains(part)) {
            let message = format!("{part} is excepted twice: nothing was lifted");
            return Err(OpError::bad_input("except.twice", &message)
                .in_field("except")
                .try_this("name each part once"));
        }
        let standing = all.len();
        let ends =
            |row: &&Stored<AbortRow>| !matches!(self.store.get(&key::lift(row.id())), Ok(None));
        let most = match parts {
            [_] => {
                MOST_STANDING.max(standing - all.iter().filter(ends).count()) + MOST_STANDING / 4
            }
            _ => MOST_STANDING,
        };
        if !parts.is_empty() && standing.saturating_sub(1) + parts.len() > most {
            let message = format!(
                "{standing} aborts stand, and {} in place of one are too many: nothing was lifted",
                parts.len()
            );
            return Err(OpError::refused("abort.tooMany", &message)
                .in_field("except")
                .try_this("except fewer and wider parts, or lift first what is not needed"));
        }
        Ok(())
    }

    /// Whether everything that `part` covers is covered by `whole`, and `part` is less.
    fn lies_inside(&self, part: &Scope, whole: &Scope) -> Result<bool, OpError> {
        Ok(match (whole, part) {
            (Scope::Fleet, Scope::Fleet) => false,
            (Scope::Fleet, _) => true,
            (Scope::Project(project), Scope::Plan(plan)) => plan.project == *project,
            (Scope::Project(project), Scope::Rollout { project: of, .. }) => of == project,
            (Scope::Plan(plan), Scope::Rollout { project, id }) => {
                let row: Option<Stored<RolloutRow>> =
                    self.store.read(&key::rollout(project, id))?;
                row.is_some_and(|row| row.plan_ref() == *plan)
            }
            // clusters that were matched stay matched, so any other scope means: there, in those clusters
            (Scope::Selector(old), Scope::Selector(new)) => old != new,
            (
                Scope::Selector(_),
                Scope::Project(_) | Scope::Plan(_) | Scope::Rollout { .. } | Scope::Workload(_),
            ) => true,
            (
                Scope::Project(_)
                | Scope::Plan(_)
                | Scope::Rollout { .. }
                | Scope::Workload(_)
                | Scope::Selector(_),
                _,
            ) => false,
        })
    }
}
