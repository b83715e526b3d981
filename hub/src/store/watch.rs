//! Watches: a cursor over the table's log of changes. A watcher keeps no queue and no lock; one
//! that lags too far is told so and lists again (trap 35).

use std::sync::{Arc, RwLock};

use tokio::sync::watch::Receiver;

use super::{
    table::Table,
    types::{Key, Row, StoreError, is_cold},
};

/// The latest state of a key that changed. Changes of one key that follow each other quickly come as one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// The sequence number of the change.
    pub seq: u64,
    /// Which row.
    pub key: Key,
    /// Whether it was deleted.
    pub deleted: bool,
    /// The row; none if it was deleted, or is on disk and the watch leaves it there.
    pub row: Option<Row>,
}

/// What changed since the last call.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Events {
    /// In the order of their commits; empty where other prefixes changed.
    pub events: Vec<Event>,
    /// Everything up to this sequence number has now been seen.
    pub at: u64,
}

/// Why a watch ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum WatchError {
    /// The log no longer reaches back so far: list, then watch from the listing's `at`.
    #[error("changes after {from} are no longer kept (oldest {oldest}): list again")]
    TooOld {
        /// Where the watch stood.
        from: u64,
        /// From where on changes are kept.
        oldest: u64,
    },
    /// A position that the store has not reached: it is of another store or of a later life.
    #[error("changes after {from} were asked for, but the store is at {at}: list again")]
    Ahead {
        /// Where the watch wanted to start.
        from: u64,
        /// Where the store is.
        at: u64,
    },
    /// The store was shut down.
    #[error("store is closed")]
    Closed,
    /// A row could not be read.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// How rows that are not in memory are read.
pub(super) type ColdRead = Arc<dyn Fn(&Key) -> Result<Option<Row>, StoreError> + Send + Sync>;

/// A position in the log of changes, and what it follows.
pub struct Watch {
    table: Arc<RwLock<Table>>,
    changed: Receiver<u64>,
    /// None: what is not in memory stays where it is.
    cold: Option<ColdRead>,
    prefix: String,
    at: u64,
}

impl std::fmt::Debug for Watch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Watch({} after {})", self.prefix, self.at)
    }
}

impl Watch {
    pub(super) fn new(
        table: Arc<RwLock<Table>>,
        changed: Receiver<u64>,
        cold: ColdRead,
        prefix: &str,
        from: u64,
    ) -> Result<Self, WatchError> {
        let watch = Self {
            table,
            changed,
            cold: Some(cold),
            prefix: prefix.to_owned(),
            at: from,
        };
        watch.check(&watch.read())?;
        Ok(watch)
    }

    /// Tells of rows that are only on disk (audit, history) without reading them: for who decides
    /// nothing by them.
    #[must_use]
    pub fn without_values_on_disk(mut self) -> Self {
        self.cold = None;
        self
    }

    /// What changed since the last call, at once; empty if nothing did.
    pub fn poll(&mut self) -> Result<Events, WatchError> {
        self.poll_some(usize::MAX)
    }

    /// The next of what changed since the last call: so many changes are looked at, or a few more, since a
    /// commit is seen whole. What is left comes with the next call.
    pub fn poll_some(&mut self, most: usize) -> Result<Events, WatchError> {
        self.changed.borrow_and_update();
        let mut found = Vec::new();
        let at = {
            let table = self.read();
            self.check(&table)?;
            let first = table.first_after(self.at);
            let end = table.end_of_piece(first, most);
            for change in table.log.range(first..end) {
                if change.key.as_str().starts_with(&self.prefix) {
                    let row = table.rows.get(&change.key).cloned();
                    found.push((change.clone(), row));
                }
            }
            if end == table.log.len() {
                table.position.seq
            } else {
                table.log[end - 1].seq
            }
        };
        let mut events = Vec::with_capacity(found.len());
        for (change, row) in found {
            let (row, is_left) = match (row, &self.cold) {
                (None, Some(cold)) if !change.deleted => (cold(&change.key)?, false),
                (None, None) if !change.deleted => (None, is_cold(change.key.as_str())),
                (other, _) => (other, false),
            };
            // what a later change replaced comes with that change
            let latest = match &row {
                Some(row) => !change.deleted && row.modified.seq == change.seq,
                None => change.deleted || is_left,
            };
            if latest {
                events.push(Event {
                    seq: change.seq,
                    key: change.key,
                    deleted: change.deleted,
                    row,
                });
            }
        }
        self.at = at;
        Ok(Events { events, at })
    }

    /// Waits until something under the prefix changed. Cancelling loses nothing.
    pub async fn next(&mut self) -> Result<Events, WatchError> {
        loop {
            let found = self.poll()?;
            if !found.events.is_empty() {
                return Ok(found);
            }
            self.changed().await?;
        }
    }

    /// Waits until anything was committed, under the prefix or not. Cancelling loses nothing.
    pub async fn changed(&mut self) -> Result<(), WatchError> {
        self.changed.changed().await.map_err(|_| WatchError::Closed)
    }

    /// How many changes came since the last call, under the prefix or not.
    pub fn behind(&self) -> Result<usize, WatchError> {
        let table = self.read();
        self.check(&table)?;
        Ok(table.log.len() - table.first_after(self.at))
    }

    /// Everything up to this sequence number has been seen.
    pub fn at(&self) -> u64 {
        self.at
    }

    fn read(&self) -> std::sync::RwLockReadGuard<'_, Table> {
        super::table::read(&self.table)
    }

    fn check(&self, table: &Table) -> Result<(), WatchError> {
        if self.at < table.compacted {
            return Err(WatchError::TooOld {
                from: self.at,
                oldest: table.compacted,
            });
        }
        if self.at > table.position.seq {
            return Err(WatchError::Ahead {
                from: self.at,
                at: table.position.seq,
            });
        }
        Ok(())
    }
}
