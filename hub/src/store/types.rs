//! What the store is spoken to with: keys, rows, transactions, and why it may fail.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use flagship_proto::model::Position;

use super::decoded::Decoded;
use crate::{
    audit::{AuditEntry, AuditHead},
    records::{self, Record, Stored},
};

/// A row's key. Made only by [`crate::records::key`] and read back from the store.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// From a finished path; for `records::key` and for what was read from the store.
    pub(crate) fn from_path(path: &str) -> Self {
        Self(path.into())
    }

    /// The whole path, `/v1/…`.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A stored value and where in history it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// The value, as [`crate::records`] encodes it.
    pub value: Bytes,
    /// Where the key was created (after its last deletion).
    pub created: Position,
    /// Where it was last written; an order's revision.
    pub modified: Position,
    /// What was made of the value.
    pub(crate) decoded: Decoded,
}

impl Row {
    /// A row of which nothing was made yet.
    pub fn new(value: Bytes, created: Position, modified: Position) -> Self {
        Self {
            value,
            created,
            modified,
            decoded: Decoded::default(),
        }
    }
}

/// Rows of one moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listing {
    /// In key order.
    pub rows: Vec<(Key, Row)>,
    /// The sequence number as of which they were read: a watch from here misses nothing.
    pub at: u64,
}

/// What must hold for a transaction to commit.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Precondition {
    /// No row has this key.
    Absent(Key),
    /// The row was last written exactly there.
    At {
        /// Which row.
        key: Key,
        /// Its `modified`.
        modified: Position,
    },
    /// A row has this key.
    Exists(Key),
}

/// One change of a transaction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Write {
    /// Creates or replaces.
    Put {
        /// Which row.
        key: Key,
        /// Its new value.
        value: Bytes,
        /// The record that the value was made of, where it was one.
        decoded: Decoded,
    },
    /// Removes; removing what is not there is no error.
    Delete {
        /// Which row.
        key: Key,
    },
}

impl Write {
    /// Creates or replaces a row by bytes.
    pub fn bytes(key: Key, value: Bytes) -> Self {
        Self::Put {
            key,
            value,
            decoded: Decoded::default(),
        }
    }
}

/// Everything that is committed together.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Txn {
    /// All must hold.
    pub preconditions: Vec<Precondition>,
    /// Applied in order; a key should be written once.
    pub writes: Vec<Write>,
    /// Chained into the audit log by the store itself, in the same commit.
    pub audit: Vec<AuditEntry>,
    /// Takes at least this position: history went back, and goes on above what was seen (P12, P21).
    pub rise: Option<Position>,
    /// Goes through where ordinary writes are refused because the disk is nearly full: aborts,
    /// holds and retreats (trap 12).
    pub urgent: bool,
}

impl Txn {
    /// Nothing yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Commits only if no row has this key.
    pub fn absent(mut self, key: Key) -> Self {
        self.preconditions.push(Precondition::Absent(key));
        self
    }

    /// Commits only if the row was last written exactly there.
    pub fn at(mut self, key: Key, modified: Position) -> Self {
        self.preconditions.push(Precondition::At { key, modified });
        self
    }

    /// Commits only if the row is as it was read.
    pub fn unchanged<R: Record>(self, read: &Stored<R>) -> Self {
        self.at(read.value.key(), read.modified)
    }

    /// Commits only if a row has this key.
    pub fn exists(mut self, key: Key) -> Self {
        self.preconditions.push(Precondition::Exists(key));
        self
    }

    /// Writes a record under its own key.
    pub fn put<R: Record>(mut self, record: &R) -> Self {
        let (key, value) = (record.key(), records::encode(record));
        #[cfg(test)]
        assert_eq!(
            records::decode_value::<R>(&key, &value).as_ref(),
            Ok(record),
            "readers are given the record itself, so its bytes have to say the same"
        );
        self.writes.push(Write::Put {
            key,
            value,
            decoded: Decoded::of(record.clone()),
        });
        self
    }

    /// Removes a row.
    pub fn delete(mut self, key: Key) -> Self {
        self.writes.push(Write::Delete { key });
        self
    }

    /// Adds an audit entry.
    pub fn audit(mut self, entry: AuditEntry) -> Self {
        self.audit.push(entry);
        self
    }

    /// Takes at least this position.
    pub fn rising_to(mut self, position: Position) -> Self {
        self.rise = Some(position);
        self
    }

    /// Marks the transaction as one that a nearly full disk must not stop.
    pub fn urgent(mut self) -> Self {
        self.urgent = true;
        self
    }
}

/// A part of a snapshot of the whole store, in this order.
#[derive(Debug)]
pub enum Part {
    /// As of which commit, and the end of the audit chain then; comes once.
    Head(Position, AuditHead),
    /// A row, in key order.
    Row(Key, Row),
}

/// How a transaction ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// All of it is durable.
    Committed {
        /// The position that it took; `created` and `modified` of what it wrote.
        position: Position,
    },
    /// Nothing was written: a precondition does not hold.
    Conflict {
        /// The first key whose precondition does not hold.
        key: Key,
    },
}

/// Why the store could not answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// Ordinary writes stop early, so that an abort can still be stored (trap 12).
    #[error(
        "disk of {path} is nearly full ({free} bytes free): only aborts, holds and retreats are stored; free some space"
    )]
    DiskLow {
        /// The store's folder.
        path: String,
        /// What is left.
        free: u64,
    },
    /// The commit failed; nothing of it is stored.
    #[error("store {path} could not be written: {message}")]
    Io {
        /// The store's file.
        path: String,
        /// The system's words.
        message: String,
    },
    /// A row that cannot be read.
    #[error("row {key} is not readable: {message}")]
    Decode {
        /// Which row.
        key: Key,
        /// What is wrong with it.
        message: String,
    },
    /// The store's file cannot be used as it is.
    #[error("store {path} cannot be opened: {message}")]
    Open {
        /// The store's file.
        path: String,
        /// Why, and what to do.
        message: String,
    },
    /// The store was shut down.
    #[error("store is closed")]
    Closed,
}

impl StoreError {
    /// Whether the same call may succeed later without a person.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::Io { .. } => true,
            Self::DiskLow { .. } | Self::Decode { .. } | Self::Open { .. } | Self::Closed => false,
        }
    }
}
