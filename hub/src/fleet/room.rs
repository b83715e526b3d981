//! How much of what one cluster reports is kept: about workloads that it has, so many of them, in so many bytes.
//! What it had long ago must not lock it out, so its session goes on.

use std::collections::BTreeMap;

use flagship_proto::model::{ClusterUid, MOST_WORKLOADS, WorkloadRef, WorkloadStatus};

use super::{Fleet, SessionId, ledger::Subject};

/// So many bytes of one cluster's reports are kept, those on their way too: a page for each workload.
pub const MOST_REPORTED: usize = MOST_WORKLOADS * 4 * 1024;

/// What finds room still.
#[derive(Debug)]
pub(super) struct Room {
    workloads: usize,
    bytes: usize,
}

impl Fleet {
    /// What a cluster may say more than what is stored and on its way.
    pub(super) fn room(&self, uid: &ClusterUid) -> Room {
        let rows = self.view.reports.get(uid);
        let ledger = self.peers.get(uid).map(|peer| &peer.ledger);
        let known = rows.map_or(0, BTreeMap::len) + ledger.map_or(0, |all| all.new_workloads(rows));
        let rows = rows.into_iter().flat_map(BTreeMap::values);
        let stored: usize = rows.map(|row| row.status.size()).sum();
        let on_their_way = ledger.map_or(0, |ledger| ledger.reported_bytes());
        Room {
            workloads: MOST_WORKLOADS.saturating_sub(known),
            bytes: MOST_REPORTED.saturating_sub(stored + on_their_way),
        }
    }

    /// Takes the room of a status, or says why there is none.
    pub(super) fn take_room(
        &self,
        id: SessionId,
        status: &WorkloadStatus,
        room: &mut Room,
    ) -> Result<(), String> {
        let Some(session) = self.sessions.get(&id) else {
            return Err("the session is closed".to_owned());
        };
        let (uid, workload) = (&session.peer.uid, &status.workload);
        let row = self.view.reports.get(uid);
        let row = row.and_then(|rows| rows.get(workload));
        let (size, before) = (status.size(), row.map_or(0, |row| row.status.size()));
        if size > before.max(room.bytes) {
            return Err(format!(
                "what it says of {workload} and of all others is more than {MOST_REPORTED} bytes"
            ));
        }
        if row.is_none() && !self.is_on_its_way(uid, workload) {
            let has = session.has.contains(workload) || self.view.fence(uid, workload).is_some();
            if !has {
                return Err(format!(
                    "{workload} is neither in its inventory nor ordered there"
                ));
            }
            if room.workloads == 0 {
                return Err(format!("{workload} is one workload too many"));
            }
            room.workloads -= 1;
        }
        room.bytes = room.bytes.saturating_sub(size);
        Ok(())
    }

    fn is_on_its_way(&self, uid: &ClusterUid, workload: &WorkloadRef) -> bool {
        let subject = Subject::Report(workload.clone());
        let peer = self.peers.get(uid);
        peer.is_some_and(|peer| peer.ledger.newest(&subject).is_some())
    }
}
