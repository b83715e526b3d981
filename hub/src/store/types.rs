//! What the store holds: rows under keys; and why it may fail.

use std::{fmt, sync::Arc};

use bytes::Bytes;
use flagship_proto::model::Position;

use super::decoded::Decoded;
use crate::audit::AuditHead;

/// Prefix of all audit entries.
pub const AUDIT: &str = "/v1/audit/";

/// Prefixes that stay on disk: they grow without end and nothing is decided by them.
const COLD: [&str; 2] = [AUDIT, "/v1/history/"];

/// Whether a row stays on disk.
pub(super) fn is_cold(path: &str) -> bool {
    COLD.iter().any(|prefix| path.starts_with(prefix))
}

/// A row's key. Made only by [`crate::records::key`] and read back from the store; the store's own are the
/// audit entries.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Key(Arc<str>);

impl Key {
    /// From a finished path; for `records::key` and for what was read from the store.
    pub(crate) fn from_path(path: &str) -> Self {
        Self(path.into())
    }

    /// An audit entry; 20 digits, so that key order is index order.
    pub fn audit(index: u64) -> Self {
        Self::from_path(&format!("{AUDIT}{index:020}"))
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
    /// The value, as `record` encodes it.
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

/// A part of a snapshot of the whole store, in this order.
#[derive(Debug)]
pub enum Part {
    /// As of which commit, and the end of the audit chain then; comes once.
    Head(Position, AuditHead),
    /// A row, in key order.
    Row(Key, Row),
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
