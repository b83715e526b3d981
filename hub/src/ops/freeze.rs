//! `freeze` and `unfreeze`: a stored rule that forbids advancing in a scope, and its end. Each is one
//! transaction with its audit entry; a freeze also bumps the guard, so that nothing starts past it (P15).

pub(crate) mod room;

use std::time::Duration;

use flagship_proto::{
    model::{FreezeId, Scope, Tick},
    words::given,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use self::room::Room;
use super::{Caller, OpError, Ops, Prepared, error::named, scope::Otherwise};
use crate::{
    auth::Right,
    records::{FreezeEnd, FreezeRow, Guard, Record as _, Stored, key},
    store::{Store, StoreError, Txn},
};

/// The longest time that a freeze may be given: past that, somebody has to end it.
const LONGEST: Duration = Duration::from_secs(366 * 24 * 3600);

/// Whom to freeze, and how long.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct FreezeOrder {
    /// Whom.
    pub scope: Scope,
    /// When it is to end by itself.
    pub end: FreezeUntil,
}

/// When a freeze is to end by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum FreezeUntil {
    /// A person has to end it.
    Unfrozen,
    /// After this time, in milliseconds.
    After(u64),
    /// At this time.
    At(Timestamp),
}

impl Ops {
    /// Stores a freeze; gives its row.
    pub async fn freeze(
        &self,
        caller: &Caller,
        args: FreezeOrder,
        now: Tick,
    ) -> Result<FreezeRow, OpError> {
        self.transact(caller, "freeze.create", &args, now, || {
            self.prepare_freeze(caller, &args, now)
        })
        .await
    }

    fn prepare_freeze(
        &self,
        caller: &Caller,
        args: &FreezeOrder,
        now: Tick,
    ) -> Result<Prepared<FreezeRow>, OpError> {
        let otherwise = Otherwise {
            field: "scope",
            outcome: "nothing was frozen",
        };
        let matched = self.reach(caller, Right::Stop, &args.scope, otherwise)?;
        self.not_without_end(caller, now)?;
        let id = self.draw('f', caller, args, now);
        let row = FreezeRow {
            id: id.parse().expect("hexadecimal digits make a freeze id"),
            scope: args.scope.clone(),
            reach: self.kept_reach(caller, Right::Stop, &args.scope),
            at: now.wall,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            ticket: caller.ticket.clone(),
            until: ending(args.end, now.wall)?,
            lease_ms: self.lease_in(&args.scope, matched.as_ref(), now),
            ended: None,
        };
        // No row that cannot be read may stand in the way of a freeze.
        let standing = standing_freezes(&self.store).unwrap_or_default();
        let object = |row: &FreezeRow| format!("freeze {} ({})", row.id, row.scope);
        let (row, known) = match self.freeze_room(&row, &standing)? {
            Room::Found => (row, None),
            Room::Stands(stands) => {
                // Who orders it again is written down, and is told of that one.
                let txn = Txn::new().unchanged(&stands).urgent();
                return Ok(Prepared::new(txn, stands.to_value(), object(&stands)));
            }
            Room::Longer(stands) => {
                let longer = FreezeRow {
                    until: row.until,
                    lease_ms: row.lease_ms.max(stands.lease_ms),
                    ..stands.to_value()
                };
                (longer, Some(stands))
            }
        };
        let object = object(&row);
        let by = format!("freeze {}", row.id);
        let txn = match &known {
            Some(known) => Txn::new().unchanged(known),
            None => Txn::new().absent(row.key()),
        };
        let txn = txn.put(&row).put(&Guard { by }).urgent();
        let before = known.as_ref().map(|known| &*known.value);
        Ok(Prepared::new(txn, row.clone(), object).digests(before, Some(&row)))
    }

    /// Ends a freeze before its time: what it held goes on.
    pub async fn unfreeze(
        &self,
        caller: &Caller,
        id: FreezeId,
        now: Tick,
    ) -> Result<FreezeRow, OpError> {
        caller.insist_on_reason("ending a freeze")?;
        self.transact(caller, "freeze.end", &id, now, || {
            let row = self.standing_freeze(caller, &id)?;
            let ended = FreezeRow {
                ended: Some(FreezeEnd {
                    at: now.wall,
                    actor: caller.actor.clone(),
                    reason: caller.reason.clone(),
                }),
                ..row.to_value()
            };
            let txn = Txn::new().unchanged(&row).put(&ended);
            let object = format!("freeze {id} ({})", row.scope);
            let prepared = Prepared::new(txn, ended.clone(), object).of(ended.key());
            Ok(prepared.digests(Some(&*row.value), Some(&ended)))
        })
        .await
    }

    fn standing_freeze(
        &self,
        caller: &Caller,
        id: &FreezeId,
    ) -> Result<Stored<FreezeRow>, OpError> {
        let sight = self.sight(&caller.grants);
        let row: Option<Stored<FreezeRow>> = self.store.read(&key::freeze(id))?;
        let Some(row) = row.filter(|row| sight.freeze(row)) else {
            let mut standing = standing_freezes(&self.store)?;
            standing.retain(|row| sight.freeze(row));
            let standing = named(standing.iter().map(|row| &row.id));
            let message = format!("there is no freeze {id}");
            return Err(OpError::not_found("freeze.notFound", &message)
                .in_field("id")
                .try_this(&format!("standing freezes: {standing}")));
        };
        let clusters = self.clusters()?;
        let matched = row.clusters(clusters.iter().map(|row| &**row));
        let covered = (matched.as_ref(), row.reach.as_ref());
        self.may_end(caller, Right::Unfreeze, &row.scope, covered)?;
        match &row.ended {
            None => Ok(row),
            Some(end) => {
                let message = format!(
                    "freeze {id} was ended by {} at {}: {}",
                    end.actor,
                    end.at,
                    given(&end.reason)
                );
                Err(OpError::conflict("freeze.ended", &message)
                    .try_this("there is nothing left to end"))
            }
        }
    }
}

/// All freezes that stand.
pub fn standing_freezes(store: &Store) -> Result<Vec<Stored<FreezeRow>>, StoreError> {
    let mut rows: Vec<Stored<FreezeRow>> = store.read_all(key::FREEZES)?;
    rows.retain(|row| row.stands());
    Ok(rows)
}

fn ending(end: FreezeUntil, now: Timestamp) -> Result<Option<Timestamp>, OpError> {
    let (field, until) = match end {
        FreezeUntil::Unfrozen => return Ok(None),
        FreezeUntil::After(millis) => {
            let until = now.saturating_add(Duration::from_millis(millis));
            ("forMs", until.unwrap_or(Timestamp::MAX))
        }
        FreezeUntil::At(until) => ("until", until),
    };
    if until <= now {
        let message = format!("a freeze until {until} would have ended before it began");
        return Err(OpError::bad_input("freeze.past", &message)
            .in_field(field)
            .try_this("name a time to come, such as --for 2h"));
    }
    if now.duration_until(until).unsigned_abs() > LONGEST {
        return Err(
            OpError::bad_input("freeze.tooLong", "a freeze ends within a year")
                .in_field(field)
                .try_this("leave its end open: it stands until somebody ends it"),
        );
    }
    Ok(Some(until))
}
