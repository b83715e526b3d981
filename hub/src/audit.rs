//! The audit log: who changed what, when and why, each entry chained to the one before it (P30).
//!
//! A transaction carries its entries; the store's single writer gives them their index and the hash
//! of the entry before, in the same commit. The hash is over the exact stored bytes, so that an
//! export can be checked without the hub.

mod verify;

use flagship_proto::{
    digest::{Digest, canonical},
    model::Position,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use verify::{AuditExport, Broken, Verified, verify};

/// What a caller says of a change.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// When, by the hub's clock.
    pub at: Timestamp,
    /// Who: a token's name, `hub`, or `agent <cluster>`.
    pub actor: String,
    /// By what that person was let in: `token 1f0c2ab344`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub via: Option<String>,
    /// What was done, as a stable word (`rollout.start`, `abort.create`).
    pub action: String,
    /// To what (`rollout shop/checkout-3`).
    pub object: String,
    /// The object's digest before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Digest>,
    /// The object's digest after.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Digest>,
    /// Why, in that person's words, or the engine's reason.
    pub reason: String,
    /// A ticket's number.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ticket: Option<String>,
}

impl AuditEntry {
    /// An entry without digests and ticket.
    pub fn new(at: Timestamp, actor: &str, action: &str, object: &str, reason: &str) -> Self {
        Self {
            at,
            actor: actor.to_owned(),
            via: None,
            action: action.to_owned(),
            object: object.to_owned(),
            before: None,
            after: None,
            reason: reason.to_owned(),
            ticket: None,
        }
    }
}

/// An entry in its place in the chain, as stored under `/v1/audit/<index>`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditRecord {
    /// From 0, without gaps.
    pub index: u64,
    /// SHA-256 of the stored bytes of the entry before; of nothing for the first.
    pub previous: Digest,
    /// The position of the transaction that it belongs to.
    pub position: Position,
    /// What was done.
    #[serde(flatten)]
    pub entry: AuditEntry,
}

impl AuditRecord {
    /// The bytes that are stored, exported and hashed.
    pub fn to_bytes(&self) -> Vec<u8> {
        canonical(self).expect("an audit record is plain data")
    }
}

/// The end of a chain: what the next entry hangs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AuditHead {
    /// How many entries there are.
    pub count: u64,
    /// SHA-256 of the last entry's bytes.
    pub head: Digest,
}

impl Default for AuditHead {
    fn default() -> Self {
        Self {
            count: 0,
            head: Digest::of(b""),
        }
    }
}

impl AuditHead {
    /// Follows one more entry, given its exact stored bytes.
    pub fn follow(&mut self, line: &str) -> Result<(), Broken> {
        let at = usize::try_from(self.count).unwrap_or(usize::MAX);
        let record: AuditRecord =
            serde_json::from_str(line).map_err(|error| Broken::NotAnEntry {
                line: at.saturating_add(1),
                message: error.to_string(),
            })?;
        if record.index != self.count {
            return Err(Broken::Index {
                line: at.saturating_add(1),
                found: record.index,
                expected: self.count,
            });
        }
        if record.previous != self.head {
            return Err(Broken::Link {
                index: record.index,
            });
        }
        *self = Self {
            count: self.count + 1,
            head: Digest::of(line.as_bytes()),
        };
        Ok(())
    }

    /// Whether the chain ends where it is stated to.
    pub fn ends_at(&self, stated: &Self) -> Result<(), Broken> {
        if self == stated {
            return Ok(());
        }
        Err(Broken::Trailer {
            count: self.count,
            head: self.head,
            stated_count: stated.count,
            stated: stated.head,
        })
    }

    /// Puts an entry at the end; gives the entry's index and bytes.
    pub fn append(&mut self, position: Position, entry: AuditEntry) -> (u64, Vec<u8>) {
        let record = AuditRecord {
            index: self.count,
            previous: self.head,
            position,
            entry,
        };
        let bytes = record.to_bytes();
        self.count += 1;
        self.head = Digest::of(&bytes);
        (record.index, bytes)
    }
}
