//! Rows of what is told to people: one a delivery, and how far the store was looked through.

use flagship_notify::Entry;
use serde::{Deserialize, Serialize};

use super::{Record, key};
use crate::store::Key;

/// One message for one channel, kept before it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct NoticeRow {
    /// The delivery.
    pub entry: Entry,
}

/// Up to where the store's changes were made into messages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct NotifiedRow {
    /// The store sequence.
    pub seq: u64,
}

impl Record for NoticeRow {
    fn key(&self) -> Key {
        key::notice(&self.entry.id)
    }
}

impl Record for NotifiedRow {
    fn key(&self) -> Key {
        key::notified()
    }
}
