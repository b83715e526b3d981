//! Rows of freezes: a stored rule that forbids advancing in a scope for a time.

use std::collections::BTreeSet;

use flagship_proto::model::{ClusterUid, FreezeId, Reach, Scope};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{ClusterRow, Record, key};
use crate::{auth::is_joined_by, store::Key};

/// A freeze. It stands until its end is written here, by a person or by the hub when its time is over.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeRow {
    /// Its id.
    pub id: FreezeId,
    /// What it binds. A selector binds whoever matches, who joins later too.
    pub scope: Scope,
    /// Which clusters its author could freeze then, where not all of them: its selector binds no other.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// When it was stored.
    pub at: Timestamp,
    /// Who ordered it.
    pub actor: String,
    /// Why, in that person's words.
    pub reason: String,
    /// For what ticket.
    pub ticket: Option<String>,
    /// When it ends by itself; none if a person has to end it.
    pub until: Option<Timestamp>,
    /// The longest lease of any order in its scope when it was stored, in milliseconds: for so long
    /// a cluster that is not heard may go on.
    pub lease_ms: u64,
    /// How it ended, once it has.
    pub ended: Option<FreezeEnd>,
}

/// The end of a freeze.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FreezeEnd {
    /// When.
    pub at: Timestamp,
    /// Who; `hub` when its time was over.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl FreezeRow {
    /// Whether it binds anybody now.
    pub fn stands(&self) -> bool {
        self.ended.is_none()
    }

    /// Whether a cluster is among those that it binds.
    pub fn concerns(&self, cluster: &ClusterRow) -> bool {
        match &self.scope {
            scope @ Scope::Selector(_) => {
                let reach = self.reach.as_ref();
                is_joined_by([(scope, reach)], &cluster.name, &cluster.labels)
            }
            Scope::Fleet
            | Scope::Project(_)
            | Scope::Plan(_)
            | Scope::Rollout { .. }
            | Scope::Workload(_) => true,
        }
    }

    /// The clusters that it binds: none means all.
    pub fn clusters<'a>(
        &self,
        fleet: impl IntoIterator<Item = &'a ClusterRow>,
    ) -> Option<BTreeSet<ClusterUid>> {
        match &self.scope {
            Scope::Selector(_) => Some(
                fleet
                    .into_iter()
                    .filter(|cluster| self.concerns(cluster))
                    .map(|cluster| cluster.uid.clone())
                    .collect(),
            ),
            Scope::Fleet
            | Scope::Project(_)
            | Scope::Plan(_)
            | Scope::Rollout { .. }
            | Scope::Workload(_) => None,
        }
    }
}

impl Record for FreezeRow {
    fn key(&self) -> Key {
        key::freeze(&self.id)
    }
}
