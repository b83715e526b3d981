//! The hub's state: rows under keys, changed by transactions, watched by prefix.
//!
//! The shape is etcd's: every committed transaction takes the next sequence number, a row knows the
//! positions at which it was created and last changed, and a transaction compares on them. Two
//! adapters: `embedded` (redb, one process) and `memory` (for the simulation and for tests), with
//! one conformance suite. Reads are synchronous and come from memory; what they show is committed.

mod memory;
mod table;
mod types;
mod watch;

use flagship_proto::model::Position;

use crate::records::{self, Record, Stored};

pub use memory::MemoryStore;
pub use types::{Key, Listing, Outcome, Precondition, Row, StoreError, Txn, Write};
pub use watch::{Event, Events, Watch, WatchError};

/// A handle on the store; clones share one store.
#[derive(Debug, Clone)]
pub enum Store {
    /// In memory, gone with the process.
    Memory(MemoryStore),
}

impl Store {
    /// An empty store in memory, at epoch 1. Its transactions are ready at once.
    pub fn memory() -> Self {
        Self::Memory(MemoryStore::new(1))
    }

    /// One row, as last committed.
    pub fn get(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.get(key)),
        }
    }

    /// All rows whose key begins with `prefix`, in key order, all of one moment. Prefixes come from
    /// [`crate::records::key`]; they end with `/`, so that a name never matches a longer one.
    pub fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        match self {
            Self::Memory(store) => Ok(store.list(prefix)),
        }
    }

    /// Commits all writes and audit entries, or nothing. Returns after the commit is durable.
    pub async fn txn(&self, txn: Txn) -> Result<Outcome, StoreError> {
        match self {
            Self::Memory(store) => store.txn(txn),
        }
    }

    /// Follows changes under `prefix` after sequence number `from` (a [`Listing`]'s `at`).
    pub fn watch(&self, prefix: &str, from: u64) -> Result<Watch, WatchError> {
        match self {
            Self::Memory(store) => store.watch(prefix, from),
        }
    }

    /// The epoch of new commits (P21).
    pub fn epoch(&self) -> u64 {
        self.position().epoch
    }

    /// The position of the last commit.
    pub fn position(&self) -> Position {
        match self {
            Self::Memory(store) => store.position(),
        }
    }

    /// One row, decoded.
    pub fn read<R: Record>(&self, key: &Key) -> Result<Option<Stored<R>>, StoreError> {
        let row = self.get(key)?;
        row.map(|row| records::decode(key, &row)).transpose()
    }

    /// All rows of one kind under a prefix, decoded, in key order.
    pub fn read_all<R: Record>(&self, prefix: &str) -> Result<Vec<Stored<R>>, StoreError> {
        let listing = self.list(prefix)?;
        listing
            .rows
            .iter()
            .map(|(key, row)| records::decode(key, row))
            .collect()
    }
}
