//! The store's state in memory and how transactions change it; no disk, no clock, no threads.
//!
//! A [`Batch`] collects the changes of several transactions over a table without showing them to
//! readers: a transaction sees those before it in the batch, and one whose preconditions fail adds
//! nothing. The adapter makes the batch durable, then applies it.

use std::{
    collections::{BTreeMap, VecDeque},
    sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard},
};

use bytes::Bytes;
use flagship_proto::model::Position;

use super::{
    txn::{Outcome, Precondition, Txn, Write},
    types::{Key, Row},
};
use crate::audit::AuditHead;

/// How many changes a watcher may lag behind before it has to list again.
pub(super) const LOG_LENGTH: usize = 65_536;

/// One changed key; the value is looked up when it is read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Change {
    pub(super) seq: u64,
    pub(super) key: Key,
    pub(super) deleted: bool,
}

/// Committed state.
#[derive(Debug, Clone, Default)]
pub(super) struct Table {
    pub(super) rows: BTreeMap<Key, Row>,
    pub(super) position: Position,
    pub(super) audit: AuditHead,
    pub(super) log: VecDeque<Change>,
    /// Changes at or below this sequence number are no longer in the log.
    pub(super) compacted: u64,
}

impl Table {
    pub(super) fn new(position: Position, audit: AuditHead) -> Self {
        Self {
            position,
            audit,
            compacted: position.seq,
            ..Self::default()
        }
    }

    pub(super) fn list(&self, prefix: &str) -> Vec<(Key, Row)> {
        self.rows
            .range(Key::from_path(prefix)..)
            .take_while(|(key, _)| key.as_str().starts_with(prefix))
            .map(|(key, row)| (key.clone(), row.clone()))
            .collect()
    }

    /// Where in the log the changes after a sequence number begin.
    pub(super) fn first_after(&self, seq: u64) -> usize {
        self.log.partition_point(|change| change.seq <= seq)
    }

    /// Where in the log a piece of about so many changes ends: at the end of a commit, and after `first`
    /// if anything is.
    pub(super) fn end_of_piece(&self, first: usize, most: usize) -> usize {
        let last = first.saturating_add(most.max(1) - 1);
        let last = self.log.get(last).map(|change| change.seq);
        last.map_or(self.log.len(), |seq| self.first_after(seq))
    }

    /// Takes over what a batch holds, once it is durable. Rows for which `keep` says no are only
    /// logged: the adapter reads them from its disk.
    pub(super) fn apply(&mut self, staged: Staged, keep: impl Fn(&Key) -> bool) {
        self.position = staged.position;
        self.audit = staged.audit;
        for (key, row) in staged.rows {
            match row {
                Some(row) if keep(&key) => {
                    self.rows.insert(key, row);
                }
                Some(_) => {}
                None => {
                    self.rows.remove(&key);
                }
            }
        }
        self.log.extend(staged.changes);
        while self.log.len() > LOG_LENGTH {
            let Some(oldest) = self.log.pop_front() else {
                break;
            };
            self.compacted = oldest.seq;
        }
        // a transaction's changes leave the log together, else a watcher would see half of it
        while self
            .log
            .front()
            .is_some_and(|change| change.seq <= self.compacted)
        {
            self.log.pop_front();
        }
    }
}

/// A panic while a lock is held leaves a whole table: it is changed by `apply` only.
pub(super) fn read(table: &RwLock<Table>) -> RwLockReadGuard<'_, Table> {
    table.read().unwrap_or_else(PoisonError::into_inner)
}

pub(super) fn write(table: &RwLock<Table>) -> RwLockWriteGuard<'_, Table> {
    table.write().unwrap_or_else(PoisonError::into_inner)
}

/// What a batch would change.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Staged {
    /// New rows, and deletions.
    pub(super) rows: BTreeMap<Key, Option<Row>>,
    /// For the log.
    pub(super) changes: Vec<Change>,
    /// After the last transaction.
    pub(super) position: Position,
    /// After the last transaction.
    pub(super) audit: AuditHead,
}

/// Transactions that become durable together.
pub(super) struct Batch<'a, F> {
    base: &'a Table,
    /// Reads rows that the table does not keep.
    cold: F,
    pub(super) staged: Staged,
}

impl<'a, E, F: Fn(&Key) -> Result<Option<Row>, E>> Batch<'a, F> {
    /// `cold` is asked for rows that the table does not hold in memory.
    pub(super) fn over(base: &'a Table, cold: F) -> Self {
        let staged = Staged {
            position: base.position,
            audit: base.audit,
            ..Staged::default()
        };
        Self { base, cold, staged }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.staged.position == self.base.position
    }

    /// Adds a transaction, or says which precondition does not hold.
    pub(super) fn add(&mut self, txn: Txn) -> Result<Outcome, E> {
        for precondition in &txn.preconditions {
            if let Some(key) = self.violated(precondition)? {
                return Ok(Outcome::Conflict { key });
            }
        }
        let position = Position {
            epoch: self.staged.position.epoch,
            seq: self.staged.position.seq + 1,
        };
        let position = txn.rise.map_or(position, |rise| rise.max(position));
        // everything that can fail comes before the first change, so a failure adds nothing
        let mut existing = Vec::with_capacity(txn.writes.len());
        for write in &txn.writes {
            let (Write::Put { key, .. } | Write::Delete { key }) = write;
            existing.push(self.row(key)?.map(|row| row.created));
        }
        for (write, created) in txn.writes.into_iter().zip(existing) {
            match write {
                Write::Put {
                    key,
                    value,
                    decoded,
                } => {
                    let row = Row {
                        value,
                        created: created.unwrap_or(position),
                        modified: position,
                        decoded,
                    };
                    self.put(key, row);
                }
                Write::Delete { key } if created.is_some() => self.delete(key, position),
                Write::Delete { .. } => {}
            }
        }
        for entry in txn.audit {
            let (index, bytes) = self.staged.audit.append(position, entry);
            let row = Row::new(Bytes::from(bytes), position, position);
            self.put(Key::audit(index), row);
        }
        self.staged.position = position;
        Ok(Outcome::Committed { position })
    }

    fn row(&self, key: &Key) -> Result<Option<Row>, E> {
        if let Some(staged) = self.staged.rows.get(key) {
            return Ok(staged.clone());
        }
        match self.base.rows.get(key) {
            Some(row) => Ok(Some(row.clone())),
            None => (self.cold)(key),
        }
    }

    fn violated(&self, precondition: &Precondition) -> Result<Option<Key>, E> {
        let (key, holds) = match precondition {
            Precondition::Absent(key) => (key, self.row(key)?.is_none()),
            Precondition::Exists(key) => (key, self.row(key)?.is_some()),
            Precondition::At { key, modified } => {
                let row = self.row(key)?;
                (key, row.is_some_and(|row| row.modified == *modified))
            }
        };
        Ok((!holds).then(|| key.clone()))
    }

    fn put(&mut self, key: Key, row: Row) {
        self.changed(&key, row.modified, false);
        self.staged.rows.insert(key, Some(row));
    }

    fn delete(&mut self, key: Key, position: Position) {
        self.changed(&key, position, true);
        self.staged.rows.insert(key, None);
    }

    fn changed(&mut self, key: &Key, position: Position, deleted: bool) {
        self.staged.changes.push(Change {
            seq: position.seq,
            key: key.clone(),
            deleted,
        });
    }
}
