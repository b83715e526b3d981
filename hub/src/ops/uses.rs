//! When tokens were last used: noted in memory by every request, written once a minute for all of them.
//!
//! No request waits for it, and where the disk is nearly full nothing is written.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flagship_proto::model::TokenId;
use jiff::Timestamp;

use super::Ops;
use crate::{
    records::{Stored, TokenUseRow, key},
    store::{StoreError, Txn},
};

/// How often what was noted is written.
pub const WRITTEN_EVERY: Duration = Duration::from_secs(60);

/// The last use of each token that was used since the hub started; no more of them than there are rows.
#[derive(Debug, Clone, Default)]
pub(super) struct Uses(Arc<Mutex<BTreeMap<TokenId, Use>>>);

#[derive(Debug, Clone, Copy)]
struct Use {
    last: Timestamp,
    written: Option<Timestamp>,
}

impl Uses {
    fn lock(&self) -> MutexGuard<'_, BTreeMap<TokenId, Use>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ops {
    /// A token was used.
    pub fn note_use(&self, id: &TokenId, now: Timestamp) {
        let mut uses = self.uses.lock();
        match uses.get_mut(id) {
            Some(noted) => noted.last = now,
            None => {
                let noted = Use {
                    last: now,
                    written: None,
                };
                uses.insert(id.clone(), noted);
            }
        }
    }

    /// When a token was last used.
    pub fn last_use(&self, id: &TokenId) -> Result<Option<Timestamp>, StoreError> {
        if let Some(noted) = self.uses.lock().get(id) {
            return Ok(Some(noted.last));
        }
        let row: Option<Stored<TokenUseRow>> = self.store.read(&key::token_use(id))?;
        Ok(row.map(|row| row.at))
    }

    /// Writes what was noted since the last time, in one transaction. What cannot be written is tried
    /// again the next time.
    pub async fn write_uses(&self) -> Result<usize, StoreError> {
        let news: Vec<(TokenId, Timestamp)> = {
            let uses = self.uses.lock();
            let news = uses
                .iter()
                .filter(|(_, noted)| noted.written != Some(noted.last));
            news.map(|(id, noted)| (id.clone(), noted.last)).collect()
        };
        if news.is_empty() {
            return Ok(0);
        }
        let txn = news.iter().fold(Txn::new(), |txn, (id, at)| {
            let (id, at) = (id.clone(), *at);
            txn.put(&TokenUseRow { id, at })
        });
        self.store.txn(txn).await?;
        let mut uses = self.uses.lock();
        for (id, at) in &news {
            if let Some(noted) = uses.get_mut(id) {
                noted.written = Some(*at);
            }
        }
        Ok(news.len())
    }
}

#[cfg(test)]
mod tests;
