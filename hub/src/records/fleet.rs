//! Rows of the fleet as a whole: its identity, the term, the guard, projects.

use std::time::Duration;

use flagship_proto::model::{FleetId, HubIncarnation, ProjectName, Term};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Record, key};
use crate::store::Key;

/// The fleet's identity; written by `init`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FleetMeta {
    /// Drawn once.
    pub fleet: FleetId,
    /// The trust domain of all SPIFFE ids.
    pub trust_domain: String,
    /// Grows with `init`, `restore`, `migrate` and `recover` (P21); the store's own epoch.
    pub epoch: u64,
    /// When `init` ran.
    pub created: Timestamp,
}

/// The leadership in force (P21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TermRow {
    /// Raised in the transaction that takes leadership.
    pub term: Term,
    /// Drawn at that start of the hub.
    pub hub: HubIncarnation,
    /// When leadership was taken.
    pub since: Timestamp,
}

/// What agents showed of a history that this store does not have (P22): what `recover` has to go
/// above. Kept, so that a hub that is behind knows it also after a restart.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct SeenRow {
    /// The highest epoch that a signature of this hub proves; 0 if nothing was proven.
    pub epoch: u64,
    /// The highest sequence number that a signature proves.
    pub seq: u64,
    /// The highest epoch that was claimed without proof, within reason.
    pub claimed_epoch: u64,
    /// What was seen, in words; empty if nothing was proven.
    pub why: String,
    /// When it was seen first.
    pub at: Timestamp,
}

impl SeenRow {
    /// An epoch is claimed without proof: one far above ours is not believed, as it would use up all
    /// that are left.
    pub const BELIEVED: u64 = 1 << 16;

    /// All that either has seen.
    pub fn and(self, other: &Self) -> Self {
        let first = if self.why.is_empty() { other } else { &self };
        Self {
            why: first.why.clone(),
            at: first.at,
            epoch: self.epoch.max(other.epoch),
            seq: self.seq.max(other.seq),
            claimed_epoch: self.claimed_epoch.max(other.claimed_epoch),
        }
    }
}

/// The longest lease that may still be out: longer than what is given now, where a former process gave
/// longer ones and they have not run out since.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRow {
    /// In milliseconds.
    pub lease_ms: u64,
}

impl LeaseRow {
    /// A row for this length.
    pub fn of(lease: Duration) -> Self {
        Self {
            lease_ms: u64::try_from(lease.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

/// The guard key (P15): a Run order commits only if nothing has bumped it since it was read.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guard {
    /// What bumped it last, for people.
    pub by: String,
}

/// A project; made by the first plan that is applied in it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProjectRow {
    /// Its name.
    pub project: ProjectName,
    /// When.
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
}

impl Record for FleetMeta {
    fn key(&self) -> Key {
        key::fleet()
    }
}

impl Record for TermRow {
    fn key(&self) -> Key {
        key::term()
    }
}

impl Record for LeaseRow {
    fn key(&self) -> Key {
        key::lease()
    }
}

impl Record for Guard {
    fn key(&self) -> Key {
        key::guard()
    }
}

impl Record for SeenRow {
    fn key(&self) -> Key {
        key::seen()
    }
}

impl Record for ProjectRow {
    fn key(&self) -> Key {
        key::project(&self.project)
    }
}
