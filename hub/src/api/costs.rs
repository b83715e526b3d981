//! What callers of the API may cost: event streams at a time, wrong tokens from one address.
//!
//! Wrong tokens are answered with 429 after a while; a right one always passes, from wherever it comes: who
//! has to stop a rollout is not kept out by somebody who guesses at the same address.

use std::sync::{Arc, Mutex, PoisonError};

use axum::http::StatusCode;
use flagship_proto::model::{Tick, TokenId};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{error::ApiError, turns::Turns};
use crate::limit::{Entered, Origin, Rate, Rates, Rooms, Sample};

/// Event streams at a time.
pub const READERS: usize = 1536;
/// Event streams of one token at a time.
pub const READERS_OF_ONE: usize = 32;
/// Connections for which one token vouches; others of it make room like those of strangers.
pub const VISITS_OF_ONE: usize = 128;
/// Wrong tokens from one address before the answer is 429.
pub const WRONG_TOKENS: Rate = Rate {
    burst: 30,
    per_minute: 10,
};

/// Counts over all callers.
#[derive(Debug)]
pub struct Costs {
    /// Places for bodies and reads.
    pub(super) turns: Turns,
    readers: Arc<Semaphore>,
    of_one: Arc<Rooms<TokenId>>,
    visits: Arc<Rooms<TokenId>>,
    wrong: Mutex<Wrong>,
    forbidden: Mutex<Sample<TokenId>>,
}

#[derive(Debug)]
struct Wrong {
    rates: Rates<Origin>,
    written: Sample<Origin>,
}

/// A place among those who read events.
#[derive(Debug)]
pub struct Reading {
    _one: OwnedSemaphorePermit,
    _of_one: Entered<TokenId>,
}

/// What follows from a wrong token.
#[derive(Debug)]
pub struct WrongToken {
    /// Whether there were too many.
    pub is_too_often: bool,
    /// What is to be written down, if anything.
    pub written: Option<String>,
}

impl Default for Costs {
    fn default() -> Self {
        Self {
            turns: Turns::default(),
            readers: Arc::new(Semaphore::new(READERS)),
            of_one: Rooms::new(READERS_OF_ONE),
            visits: Rooms::new(VISITS_OF_ONE),
            wrong: Mutex::new(Wrong {
                rates: Rates::new(WRONG_TOKENS),
                written: Sample::default(),
            }),
            forbidden: Mutex::default(),
        }
    }
}

impl Costs {
    /// A place for an event stream of this token.
    pub fn read_events(&self, token: &TokenId) -> Result<Reading, ApiError> {
        let of_one = self.of_one.try_enter(token.clone()).ok_or_else(|| {
            let detail = format!("this token reads {READERS_OF_ONE} event streams already");
            ApiError::new(StatusCode::TOO_MANY_REQUESTS, "events.tooMany", detail)
                .remedy("close some, or share one stream among its readers")
        })?;
        let one = self.readers.clone().try_acquire_owned().map_err(|_| {
            let detail = format!("{READERS} event streams are read already");
            ApiError::new(StatusCode::SERVICE_UNAVAILABLE, "events.full", detail)
                .remedy("try again later, or ask for what is wanted instead of following it")
        })?;
        Ok(Reading {
            _one: one,
            _of_one: of_one,
        })
    }

    /// A place among the connections for which this token vouches, if one is free.
    pub fn visit(&self, token: &TokenId) -> Option<Entered<TokenId>> {
        self.visits.try_enter(token.clone())
    }

    /// How many event streams are read.
    pub fn readers(&self) -> usize {
        READERS.saturating_sub(self.readers.available_permits())
    }

    /// Somebody asked for what they may not do: what the log says of it, if anything. Who asks again and
    /// again neither fills it nor hides what others did.
    pub fn forbidden(&self, by: &TokenId, detail: &str, now: Tick) -> Option<String> {
        let mut sample = self
            .forbidden
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        sample.note(by.clone(), detail, now.mono)
    }

    /// A wrong token came.
    pub fn wrong_token(&self, from: Origin, reason: &str, now: Tick) -> WrongToken {
        let mut wrong = self.wrong.lock().unwrap_or_else(PoisonError::into_inner);
        WrongToken {
            is_too_often: !wrong.rates.take(from, now.mono),
            written: wrong.written.note(from, reason, now.mono),
        }
    }
}
