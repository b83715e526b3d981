//! Idempotency keys: the same key with the same request gets the first answer again, with another
//! request a refusal.

use flagship_proto::{digest::Digest, model::Tick};
use serde::{Serialize, de::DeserializeOwned};

use super::{Caller, OpError};
use crate::{
    records::{IdempotencyRow, Record as _, Stored, key},
    store::{Store, StoreError, Txn},
};

/// How long an answer is kept.
const KEPT: std::time::Duration = std::time::Duration::from_secs(24 * 3600);

/// How many outdated answers one new one clears away.
const CLEARED: usize = 16;

/// What identifies a request; none without a key.
pub(super) struct Once(Option<Identified>);

struct Identified {
    hash: Digest,
    action: String,
    request: Digest,
}

impl Once {
    pub(super) fn of<R: Serialize>(
        caller: &Caller,
        action: &str,
        request: &R,
    ) -> Result<Self, OpError> {
        let Some(key) = &caller.idempotency_key else {
            return Ok(Self(None));
        };
        if key.is_empty() || key.len() > 255 {
            return Err(OpError::bad_input(
                "idempotencyKey.invalid",
                "an idempotency key has 1 to 255 characters",
            )
            .in_field("Idempotency-Key")
            .try_this("draw one, such as a UUID"));
        }
        let hash = Digest::of_document(&(&caller.actor, key));
        let request = Digest::of_document(&(action, request));
        match (hash, request) {
            (Ok(hash), Ok(request)) => Ok(Self(Some(Identified {
                hash,
                action: action.to_owned(),
                request,
            }))),
            (Err(error), _) | (_, Err(error)) => Err(OpError::bad_input(
                "request.invalid",
                &format!("the request cannot be written as JSON: {error}"),
            )),
        }
    }

    /// The first answer, if there was one.
    pub(super) fn replay<A: DeserializeOwned>(&self, store: &Store) -> Result<Option<A>, OpError> {
        let Some(once) = &self.0 else {
            return Ok(None);
        };
        let key = key::idempotency(&once.hash);
        let Some(row) = store.read::<IdempotencyRow>(&key)? else {
            return Ok(None);
        };
        if (&row.action, row.request) != (&once.action, once.request) {
            return Err(OpError::conflict(
                "idempotencyKey.used",
                &format!(
                    "this idempotency key was used for another request ({})",
                    row.action
                ),
            )
            .in_field("Idempotency-Key")
            .try_this("use a new key for a new request"));
        }
        let answer = serde_json::from_value(row.into_value().answer).map_err(|error| {
            OpError::from(StoreError::Decode {
                key,
                message: error.to_string(),
            })
        })?;
        Ok(Some(answer))
    }

    /// Keeps the answer with what it answers to, and clears a few that are outdated.
    pub(super) fn remember<A: Serialize>(
        &self,
        store: &Store,
        txn: Txn,
        answer: &A,
        now: Tick,
    ) -> Result<Txn, OpError> {
        let Some(once) = &self.0 else {
            return Ok(txn);
        };
        let row = IdempotencyRow {
            hash: once.hash,
            action: once.action.clone(),
            request: once.request,
            answer: serde_json::to_value(answer).expect("answers are plain data"),
            at: now.wall,
        };
        let rows: Vec<Stored<IdempotencyRow>> = store.read_all(key::IDEMPOTENCY)?;
        let outdated = rows
            .iter()
            .filter(|row| {
                row.at.duration_until(now.wall).unsigned_abs() > KEPT && row.at < now.wall
            })
            .take(CLEARED);
        let txn = outdated.fold(txn, |txn, row| txn.delete(row.value.key()));
        Ok(txn.absent(row.key()).put(&row))
    }
}
