//! The row of a person's word on the hub that a local hold or retreat ends.

use flagship_proto::model::{ClusterName, ClusterUid, LocalId, LocalRelease, WorkloadRef};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Record, Stored, key};
use crate::store::Key;

/// The last act of local control over a workload that a person on the hub ended. It names the act:
/// once that has ended, the row says nothing any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalReleaseRow {
    /// In which cluster.
    pub cluster: ClusterName,
    /// In which cluster.
    pub uid: ClusterUid,
    /// Over which workload.
    pub workload: WorkloadRef,
    /// Which act ends.
    pub act: LocalId,
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

impl Stored<LocalReleaseRow> {
    /// As it is sent, with its position.
    pub fn release(&self) -> LocalRelease {
        let LocalReleaseRow {
            cluster,
            uid,
            workload,
            act,
            at,
            actor,
            reason,
        } = self.to_value();
        LocalRelease {
            cluster,
            uid,
            workload,
            act,
            position: self.modified,
            at,
            actor,
            reason,
        }
    }
}

impl Record for LocalReleaseRow {
    fn key(&self) -> Key {
        key::local_release(&self.uid, &self.workload)
    }
}
