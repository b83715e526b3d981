//! Transactions: what has to hold, what is written, and how it ended.

use bytes::Bytes;
use flagship_proto::model::Position;

use super::{
    decoded::Decoded,
    record::{Record, Stored, encode},
    types::Key,
};
use crate::audit::AuditEntry;

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
        let (key, value) = (record.key(), encode(record));
        #[cfg(test)]
        assert_eq!(
            super::record::decode_value::<R>(&key, &value).as_ref(),
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
