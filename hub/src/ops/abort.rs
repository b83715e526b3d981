//! `abort`: one transaction with the abort, its audit entry and the guard. Nothing refuses it but a
//! scope that names nothing; where the disk is full it is given back without a position, to be
//! pushed all the same (P7, trap 12).

use std::{collections::BTreeSet, time::Duration};

use flagship_proto::model::{Abort, AbortId, AbortMode, ClusterUid, Scope, Tick, lease::Bound};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Caller, OpError, OpErrorKind, Ops, Prepared, scope::Otherwise};
use crate::{
    auth::Right,
    records::{AbortRow, Guard, Record as _, key},
    store::Txn,
};

/// What a refused abort says.
pub(super) const NOT_STOPPED: Otherwise = Otherwise {
    field: "scope",
    outcome: "nothing was stopped",
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
                tracing::error!(code = "NotStored", %error, scope = %args.scope, "abort cannot be stored, it goes out all the same");
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
        let matched = self.may_stop(caller, &args.scope)?;
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

    /// Whom a scope means, to who may stop all of it.
    fn may_stop(
        &self,
        caller: &Caller,
        scope: &Scope,
    ) -> Result<Option<BTreeSet<ClusterUid>>, OpError> {
        self.reach(caller, Right::Stop, scope, NOT_STOPPED)
    }

    /// What stops a fleet must not depend on a disk: the abort without a position.
    fn provisional(
        &self,
        caller: &Caller,
        args: &AbortOrder,
        error: &OpError,
        now: Tick,
    ) -> Result<AbortAnswer, OpError> {
        let matched = self.may_stop(caller, &args.scope)?;
        let lease = self.lease_in(&args.scope);
        let abort = self.draw_abort(caller, args, 0, now);
        let row = AbortRow::new(abort, matched, lease);
        Ok(answer(&row, Some(error.message.clone())))
    }

    pub(super) fn draw_abort(
        &self,
        caller: &Caller,
        args: &AbortOrder,
        tries: u32,
        now: Tick,
    ) -> Abort {
        let drawn = self.draw('a', caller, &(args, tries), now);
        let id: AbortId = drawn.parse().expect("hexadecimal digits make an abort id");
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
}

/// When nothing in an abort's scope advances any more, whoever is cut off (P5).
fn bound_of(row: &AbortRow) -> Timestamp {
    bound_from(row.unplaced().at, row)
}

/// The same for an abort that was stored at this time.
pub(super) fn bound_from(at: Timestamp, row: &AbortRow) -> Timestamp {
    let bound = Bound {
        lease: Duration::from_millis(row.lease_ms),
    };
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
