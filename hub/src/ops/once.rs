//! Idempotency keys: the same key with the same request gets the first answer again, with another
//! request a refusal. Keys are kept for a day, and no more of them than a hub has room for.

mod ages;

use std::{
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
    time::Duration,
};

use flagship_proto::{
    digest::Digest,
    model::{Tick, TokenId},
};
use serde::{Serialize, de::DeserializeOwned};

use super::{Caller, OpError, Ops};
use crate::{
    records::{self, IdempotencyRow, KeptAnswer, Stored, key},
    store::{Outcome, Store, StoreError, Txn},
};
use ages::Sizes;

/// How long an answer is kept.
const KEPT: Duration = Duration::from_secs(24 * 3600);
/// How many are, at most; beyond that go the oldest of whoever has most.
const MOST: usize = 20_000;
/// How many bytes their answers may have together.
const BYTES: usize = 64 * 1024 * 1024;
/// How many one credential may have; beyond that go its own oldest.
pub(crate) const MOST_OF_ONE: usize = MOST / 4;
/// How many bytes they may have.
const BYTES_OF_ONE: usize = BYTES / 4;
/// How many outdated answers one new one clears away.
const CLEARED: usize = 16;

/// What became of a request with a key; shared with who answers it, so that the whole answer is kept.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answered(Arc<OnceLock<(Digest, Became)>>);

/// Whether a request with a key changed something, or did so before.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Became {
    /// It did now.
    First,
    /// It did before.
    Repeated,
}

impl Answered {
    /// What became of it; none if nothing was changed under the key.
    pub fn became(&self) -> Option<Became> {
        self.0.get().map(|(_, became)| *became)
    }

    fn set(&self, hash: Digest, became: Became) {
        // A request changes one thing: what is set stays.
        let _known = self.0.set((hash, became));
    }
}

/// What is kept, by age and by who keeps it.
#[derive(Debug, Clone, Default)]
pub(super) struct Ages(Arc<Mutex<Option<Sizes>>>);

impl Ages {
    fn lock(&self, store: &Store) -> Result<MutexGuard<'_, Option<Sizes>>, StoreError> {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if known.is_none() {
            let rows = store.list(key::IDEMPOTENCY)?.rows;
            let sizes = known.get_or_insert_default();
            // One that cannot be read stands in nobody's way.
            let rows = rows
                .iter()
                .map(|(key, row)| records::decode::<IdempotencyRow>(key, row));
            for row in rows.flatten() {
                sizes.set(&row);
            }
        }
        Ok(known)
    }

    fn change(&self, store: &Store, change: impl FnOnce(&mut Sizes)) -> Result<(), StoreError> {
        change(self.lock(store)?.get_or_insert_default());
        Ok(())
    }
}

/// What identifies a request; none without a key.
pub(super) struct Once(Option<Identified>);

struct Identified {
    hash: Digest,
    owner: Option<TokenId>,
    action: String,
    request: Digest,
    answered: Answered,
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
        // Two credentials of one name share no key: one may do what the other may not.
        let via = caller.via.as_ref().map(ToString::to_string);
        let hash = Digest::of_document(&(&caller.actor, via, key));
        let request = Digest::of_document(&(action, request));
        match (hash, request) {
            (Ok(hash), Ok(request)) => Ok(Self(Some(Identified {
                hash,
                owner: caller.via.as_ref().map(|via| via.id().clone()),
                action: action.to_owned(),
                request,
                answered: caller.answered.clone(),
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
        let answer = serde_json::from_value(row.answer.clone()).map_err(|error| {
            OpError::from(StoreError::Decode {
                key,
                message: error.to_string(),
            })
        })?;
        once.answered.set(once.hash, Became::Repeated);
        Ok(Some(answer))
    }

    /// Commits with the answer and what it answers to, and clears a few that are outdated.
    pub(super) async fn commit<A: Serialize>(
        &self,
        ops: &Ops,
        txn: Txn,
        answer: &A,
        now: Tick,
    ) -> Result<Outcome, OpError> {
        let Some(once) = &self.0 else {
            return Ok(ops.store.txn(txn).await?);
        };
        let row = IdempotencyRow {
            hash: once.hash,
            owner: once.owner.clone(),
            action: once.action.clone(),
            request: once.request,
            answer: serde_json::to_value(answer).expect("answers are plain data"),
            at: now.wall,
            response: None,
        };
        let mut gone = Vec::new();
        ops.ages.change(&ops.store, |sizes| {
            gone = sizes.make_room(&row.owner, now.wall);
        })?;
        let txn = gone.iter().fold(txn, |txn, ((_, hash), _)| {
            txn.delete(key::idempotency(hash))
        });
        let txn = txn.absent(key::idempotency(&once.hash)).put(&row);
        let outcome = ops.store.txn(txn).await;
        if let Ok(Outcome::Committed { .. }) = outcome {
            once.answered.set(once.hash, Became::First);
            ops.ages.change(&ops.store, |sizes| sizes.set(&row))?;
        } else {
            ops.ages.change(&ops.store, |sizes| sizes.put_back(gone))?;
        }
        Ok(outcome?)
    }
}

impl Ops {
    /// The whole first answer to a request that was repeated, if it was kept.
    pub fn kept(&self, answered: &Answered) -> Result<Option<KeptAnswer>, StoreError> {
        let Some((hash, _)) = answered.0.get() else {
            return Ok(None);
        };
        let row: Option<Stored<IdempotencyRow>> = self.store.read(&key::idempotency(hash))?;
        Ok(row.and_then(|row| row.response.clone()))
    }

    /// Keeps the whole first answer.
    pub async fn keep(&self, answered: &Answered, response: KeptAnswer) -> Result<(), StoreError> {
        let Some((hash, Became::First)) = answered.0.get() else {
            return Ok(());
        };
        let row: Option<Stored<IdempotencyRow>> = self.store.read(&key::idempotency(hash))?;
        let Some(row) = row else {
            return Ok(());
        };
        let mut next = IdempotencyRow::clone(&row);
        next.response = Some(response);
        // Before the write: who waits for it may give up, and the write goes on.
        self.ages.change(&self.store, |sizes| sizes.set(&next))?;
        let txn = Txn::new().unchanged(&row).put(&next);
        self.store.txn(txn).await?;
        Ok(())
    }
}
