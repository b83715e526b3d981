//! Freezes whose time is over are ended by the leader, in a transaction of their own.
//!
//! A freeze's end is a time of day; how long until then is measured on the monotonic clock from where
//! this process first saw the freeze. So a wall clock that jumps while the hub runs neither ends a
//! freeze early nor makes it last.

use std::collections::BTreeMap;

use flagship_proto::model::{FreezeId, Tick};
use jiff::Timestamp;

use super::{Driver, DriverError};
use crate::{
    audit::AuditEntry,
    records::{FreezeEnd, FreezeRow, Stored, key},
    store::{Outcome, Txn},
};

/// When each standing freeze was first seen.
#[derive(Debug, Default)]
pub(super) struct FirstSeen(BTreeMap<FreezeId, Tick>);

impl FirstSeen {
    /// Whether a freeze's time is over.
    fn is_over(&mut self, freeze: &FreezeRow, now: Tick) -> bool {
        let Some(until) = freeze.until else {
            return false;
        };
        let first = *self.0.entry(freeze.id.clone()).or_insert(now);
        let passed = now.mono.since(first.mono).unwrap_or_default();
        passed >= left(first.wall, until)
    }

    fn forget_all_but(&mut self, standing: &[&Stored<FreezeRow>]) {
        self.0
            .retain(|id, _| standing.iter().any(|freeze| freeze.id == *id));
    }
}

fn left(from: Timestamp, until: Timestamp) -> std::time::Duration {
    from.duration_until(until).try_into().unwrap_or_default()
}

impl Driver {
    /// Ends what is over. A conflict means that somebody else ended it.
    pub(super) async fn end_freezes(&mut self, now: Tick) -> Result<(), DriverError> {
        let loaded = self.loaded.load(&self.store)?;
        let standing: Vec<&Stored<FreezeRow>> = loaded.standing_freezes().collect();
        self.frozen.forget_all_but(&standing);
        for freeze in standing {
            if !self.frozen.is_over(freeze, now) {
                continue;
            }
            let reason = "its time is over";
            let ended = FreezeRow {
                ended: Some(FreezeEnd {
                    at: now.wall,
                    actor: super::commit::ACTOR.to_owned(),
                    reason: reason.to_owned(),
                }),
                ..freeze.to_value()
            };
            let object = format!("freeze {} ({})", freeze.id, freeze.scope);
            let digest = |row: &FreezeRow| flagship_proto::digest::Digest::of_document(row).ok();
            let entry = AuditEntry {
                before: digest(freeze),
                after: digest(&ended),
                ..AuditEntry::new(
                    now.wall,
                    super::commit::ACTOR,
                    "freeze.end",
                    &object,
                    reason,
                )
            };
            let txn = Txn::new()
                .at(key::term(), self.term.modified)
                .unchanged(freeze)
                .put(&ended)
                .audit(entry);
            match self.store.txn(txn).await? {
                Outcome::Committed { .. } => {
                    tracing::info!(code = "freeze.end", freeze = %freeze.id, scope = %freeze.scope, reason, "decided");
                }
                Outcome::Conflict { key } if key == key::term() => {
                    return Err(DriverError::Deposed(self.term.term));
                }
                Outcome::Conflict { key } => {
                    tracing::debug!(%key, freeze = %freeze.id, "ended by another in between");
                }
            }
        }
        Ok(())
    }
}
