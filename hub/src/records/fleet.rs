//! Rows of the fleet as a whole: its identity, the term, the guard, projects.

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

impl Record for Guard {
    fn key(&self) -> Key {
        key::guard()
    }
}

impl Record for ProjectRow {
    fn key(&self) -> Key {
        key::project(&self.project)
    }
}
