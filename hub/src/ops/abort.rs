//! `abort`: one transaction with the abort, its audit entry and the guard. Nothing refuses it but a
//! scope that names nothing; where the disk is full it is given back without a position, to be
//! pushed all the same (P7, trap 12).

use std::{collections::BTreeSet, time::Duration};

use flagship_proto::{
    command::Command,
    digest::Digest,
    model::{Abort, AbortId, AbortMode, ClusterUid, Scope, Tick, lease::Bound},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Caller, OpError, OpErrorKind, Ops, Prepared, room::Room, scope::Otherwise, standing_aborts,
};
use crate::{
    auth::Right,
    records::{AbortRow, Guard, Record as _, Stored, key},
    store::Txn,
};

/// What a refused abort says.
pub(super) const NOT_STOPPED: Otherwise = Otherwise {
    field: "scope",
    outcome: "nothing was stopped",
};

/// So much of a reason goes to the agents with the abort; the audit log has all of it.
const REASON: usize = 512;

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
    /// Whether it stood already, so often as it is worth: nothing new was ordered.
    #[serde(default)]
    pub stood: bool,
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
        let row = self.new_abort(caller, args, matched, tries, now);
        // No row that cannot be read may stand in the way of an abort.
        let standing = standing_aborts(&self.store, now.wall).unwrap_or_default();
        let rows: Vec<&AbortRow> = standing.iter().map(|row| &*row.value).collect();
        if let Room::Stands(id) = self.room_for(&row, &rows)?
            && let Some(stands) = standing.iter().find(|row| *row.id() == id)
        {
            return self.join(caller, stands, now);
        }
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

    fn new_abort(
        &self,
        caller: &Caller,
        args: &AbortOrder,
        matched: Option<BTreeSet<ClusterUid>>,
        tries: u32,
        now: Tick,
    ) -> AbortRow {
        let abort = Abort {
            reach: self.kept_reach(caller, Right::Stop, &args.scope),
            ..self.draw_abort(caller, args, tries, now)
        };
        let lease = self.lease_in(&args.scope, matched.as_ref(), now);
        let mut row = AbortRow::new(abort, matched, lease);
        row.ticket.clone_from(&caller.ticket);
        row
    }

    /// What stands as often as it is worth is ordered by one more: who orders it is written down, and it is
    /// what they are told of.
    fn join(
        &self,
        caller: &Caller,
        stands: &Stored<AbortRow>,
        now: Tick,
    ) -> Result<Prepared<AbortAnswer>, OpError> {
        self.not_without_end(caller, now)?;
        let object = format!("abort {} ({})", stands.id(), stands.unplaced().scope);
        let answer = AbortAnswer {
            abort: stands.abort(),
            stood: true,
            ..answer(stands, None)
        };
        let txn = Txn::new()
            .unchanged(stands)
            .absent(key::lift(stands.id()))
            .urgent();
        Ok(Prepared::new(txn, answer, object))
    }

    /// Refuses an abort that could not be stored where it finds no room beside those that stand, stored or
    /// not: these are stored as well as soon as they can be, and each needs a lift of its own then. One that
    /// was ordered again under its key is the same.
    pub fn fits_beside(
        &self,
        answer: &AbortAnswer,
        unstored: &[AbortRow],
        now: Tick,
    ) -> Result<(), OpError> {
        let new = AbortRow::new(answer.abort.clone(), answer.matched.clone(), 0);
        let stored = standing_aborts(&self.store, now.wall).unwrap_or_default();
        let unstored = unstored
            .iter()
            .filter(|row| stored.iter().all(|known| known.id() != row.id()));
        let standing = stored.iter().map(|row| &*row.value).chain(unstored);
        let others: Vec<&AbortRow> = standing.filter(|row| row.id() != new.id()).collect();
        let Room::Stands(last) = self.room_for(&new, &others)? else {
            return Ok(());
        };
        let what = format!("such aborts of {} stand already", new.unplaced().scope);
        Err(OpError::refused("abort.stands", &what).try_this(&format!(
            "follow it: {}",
            Command::flagship("describe").of("abort").of(&last)
        )))
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
        let row = self.new_abort(caller, args, matched, 0, now);
        let mut answer = answer(&row, Some(error.message.clone()));
        if let Some(id) = self.drawn_by_key(caller, args) {
            answer.abort.id = id;
        }
        Ok(answer)
    }

    /// The id of an abort that is ordered again under the same key while nothing can be stored, so that it is
    /// one abort. One that was stored once is another: it may have been lifted, and is dead then (P7).
    fn drawn_by_key(&self, caller: &Caller, args: &AbortOrder) -> Option<AbortId> {
        let key = caller.idempotency_key.as_ref()?;
        // Two credentials of one name share no key: one may stop what the other may not.
        let via = caller.via.as_ref().map(ToString::to_string);
        let drawn = Digest::of_document(&(&caller.actor, via, key, args)).ok()?;
        let id: AbortId = format!("a-{}", drawn.short()).parse().ok()?;
        let is_new = |key| matches!(self.store.get(&key), Ok(None));
        (is_new(key::abort(&id)) && is_new(key::lift(&id))).then_some(id)
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
            reason: cut(&caller.reason).to_owned(),
            reach: None,
        }
    }
}

/// What of a reason goes to the agents.
pub(super) fn cut(reason: &str) -> &str {
    &reason[..reason.floor_char_boundary(REASON)]
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
        abort: row.provisional(),
        stood: false,
        durable: why_not.is_none(),
        why_not,
        nothing_advances_after: bound_of(row),
        matched: row.matched.clone(),
    }
}
