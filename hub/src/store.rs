//! The hub's state: rows under keys, changed by transactions, watched by prefix.
//!
//! The shape is etcd's: every committed transaction takes the next sequence number, a row knows the
//! positions at which it was created and last changed, and a transaction compares on them. Two
//! adapters: `embedded` (redb, one process) and `memory` (for the simulation and for tests), with
//! one conformance suite. Reads are synchronous and come from memory; what they show is committed.

mod decoded;
mod embedded;
mod memory;
mod record;
mod table;
mod txn;
mod types;
mod watch;

#[cfg(test)]
mod conformance;

use std::path::Path;

use flagship_proto::model::Position;
use prometheus_client::metrics::histogram::Histogram;

use crate::audit::{AuditExport, AuditHead, AuditRecord};

pub use decoded::Decoded;
pub(crate) use embedded::decode_row;
pub use embedded::{EmbeddedStore, Options};
pub use memory::MemoryStore;
pub(crate) use record::decode_value;
pub use record::{Record, Stored, decode, encode};
pub use txn::{Outcome, Precondition, Txn, Write};
pub use types::{AUDIT, Key, Listing, Part, Row, StoreError};
pub use watch::{Event, Events, Watch, WatchError};

/// A handle on the store; clones share one store.
#[derive(Debug, Clone)]
pub enum Store {
    /// One process, one file.
    Embedded(EmbeddedStore),
    /// In memory, gone with the process.
    Memory(MemoryStore),
}

impl Store {
    /// An empty store in memory, at epoch 1. Its transactions are ready at once.
    pub fn memory() -> Self {
        Self::Memory(MemoryStore::new(1))
    }

    /// The same at another epoch, as after history went back.
    #[cfg(test)]
    pub fn memory_of(epoch: u64) -> Self {
        Self::Memory(MemoryStore::new(epoch))
    }

    /// Creates the store's file in a folder that has none, at epoch 1 (trap 34: only this creates).
    pub fn init(folder: &Path) -> Result<Self, StoreError> {
        EmbeddedStore::init(folder, Options::default()).map(Self::Embedded)
    }

    /// Opens the store's file in a folder where `init` made it; never creates or overwrites one.
    pub fn open(folder: &Path) -> Result<Self, StoreError> {
        EmbeddedStore::open(folder, Options::default()).map(Self::Embedded)
    }

    /// Makes the store's file in a folder that has none, with what a backup holds.
    pub fn restore(
        folder: &Path,
        position: Position,
        audit: AuditHead,
        rows: Vec<(Key, Row)>,
    ) -> Result<Self, StoreError> {
        EmbeddedStore::restore(folder, position, audit, rows).map(Self::Embedded)
    }

    /// Gives everything of one moment to `each`, part by part, while others go on writing.
    pub fn export(
        &self,
        each: &mut dyn FnMut(Part) -> std::io::Result<()>,
    ) -> Result<(), StoreError> {
        match self {
            Self::Embedded(store) => store.export(each),
            Self::Memory(store) => store.export(each),
        }
    }

    /// One row, as last committed.
    pub fn get(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        match self {
            Self::Embedded(store) => store.get(key),
            Self::Memory(store) => Ok(store.get(key)),
        }
    }

    /// All rows whose key begins with `prefix`, in key order, all of one moment. Prefixes come from
    /// [`crate::records::key`]; they end with `/`, so that a name never matches a longer one.
    pub fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        match self {
            Self::Embedded(store) => store.list(prefix),
            Self::Memory(store) => Ok(store.list(prefix)),
        }
    }

    /// Commits all writes and audit entries, or nothing. Returns after the commit is durable.
    pub async fn txn(&self, txn: Txn) -> Result<Outcome, StoreError> {
        match self {
            Self::Embedded(store) => store.txn(txn).await,
            Self::Memory(store) => store.txn(txn),
        }
    }

    /// Follows changes under `prefix` after sequence number `from` (a [`Listing`]'s `at`).
    pub fn watch(&self, prefix: &str, from: u64) -> Result<Watch, WatchError> {
        match self {
            Self::Embedded(store) => store.watch(prefix, from),
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
            Self::Embedded(store) => store.position(),
            Self::Memory(store) => store.position(),
        }
    }

    /// One row, decoded.
    pub fn read<R: Record>(&self, key: &Key) -> Result<Option<Stored<R>>, StoreError> {
        let row = self.get(key)?;
        row.map(|row| decode(key, &row)).transpose()
    }

    /// All rows of one kind under a prefix, decoded, in key order.
    pub fn read_all<R: Record>(&self, prefix: &str) -> Result<Vec<Stored<R>>, StoreError> {
        let listing = self.list(prefix)?;
        listing
            .rows
            .iter()
            .map(|(key, row)| decode(key, row))
            .collect()
    }

    /// How long commits took; none of a store in memory.
    pub fn commit_seconds(&self) -> Option<Histogram> {
        match self {
            Self::Embedded(store) => Some(store.commit_seconds()),
            Self::Memory(_) => None,
        }
    }

    /// Bytes that are left on its disk; none of a store in memory.
    pub fn disk_free(&self) -> Option<u64> {
        match self {
            Self::Embedded(store) => store.disk_free(),
            Self::Memory(_) => None,
        }
    }

    /// The end of the audit chain.
    pub fn audit_head(&self) -> AuditHead {
        match self {
            Self::Embedded(store) => store.audit_head(),
            Self::Memory(store) => store.audit_head(),
        }
    }

    /// One audit entry with its exact stored bytes.
    pub fn audit_entry(&self, index: u64) -> Result<Option<AuditRecord>, StoreError> {
        let key = Key::audit(index);
        let Some(row) = self.get(&key)? else {
            return Ok(None);
        };
        serde_json::from_slice(&row.value)
            .map(Some)
            .map_err(|error| StoreError::Decode {
                key,
                message: error.to_string(),
            })
    }

    /// The whole audit chain as stored, with the head that the store states.
    pub fn audit_export(&self) -> Result<AuditExport, StoreError> {
        let stated = self.audit_head();
        let mut entries = Vec::new();
        for (key, row) in self.list(AUDIT)?.rows {
            let entry =
                String::from_utf8(row.value.to_vec()).map_err(|error| StoreError::Decode {
                    key,
                    message: error.to_string(),
                })?;
            entries.push(entry);
        }
        // entries that were committed meanwhile belong to a later export
        entries.truncate(usize::try_from(stated.count).unwrap_or(usize::MAX));
        Ok(AuditExport { entries, stated })
    }
}
