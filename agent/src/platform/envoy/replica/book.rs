//! What the platform is told of one process: ready or not, on record, in trouble, gone.

use std::path::PathBuf;

use tracing::warn;

use super::Replica;
use crate::platform::envoy::{process, record::ReplicaRecord, state::Troubles};

impl Replica {
    /// Takes or gives traffic; with none left on the canary, its weight goes at once (trap 22).
    pub(super) async fn set_ready(&self, ready: bool) {
        let (changed, lowered, first) = {
            let mut state = self.shared.lock();
            let Some(known) = state.workloads.get_mut(&self.key.workload) else {
                return;
            };
            let live = known.live(&self.key.version, self.key.number);
            let changed = live.ready != ready;
            live.ready = ready;
            let lowered = !ready && known.lower_if_dead();
            let record = known.replica_record(&self.key.version, self.key.number);
            let first = record
                .is_some_and(|record| ready && !std::mem::replace(&mut record.was_ready, true));
            (changed, lowered, first)
        };
        if changed || lowered {
            self.shared.want();
        }
        if (lowered || first)
            && let Err(error) = self.shared.keep(&self.key.workload).await
        {
            warn!(%error, "what was seen of a process could not be kept");
        }
    }

    pub(super) fn record<T>(&self, read: impl FnOnce(&ReplicaRecord) -> T) -> Option<T> {
        let mut state = self.shared.lock();
        let known = state.workloads.get_mut(&self.key.workload)?;
        known
            .replica_record(&self.key.version, self.key.number)
            .map(|record| read(record))
    }

    pub(super) async fn keep_record(&self, record: ReplicaRecord) {
        {
            let mut state = self.shared.lock();
            let known = state.workloads.get_mut(&self.key.workload);
            let version = known.and_then(|known| known.record.versions.get_mut(&self.key.version));
            if let Some(version) = version {
                version.replicas.insert(self.key.number, record);
            }
        }
        if let Err(error) = self.shared.keep(&self.key.workload).await {
            warn!(%error, "a process could not be kept on record");
        }
    }

    /// The process has ended and is wanted no more.
    pub(super) async fn forget(&self) {
        {
            let mut state = self.shared.lock();
            if let Some(known) = state.workloads.get_mut(&self.key.workload) {
                known
                    .live
                    .remove(&(self.key.version.clone(), self.key.number));
                if let Some(version) = known.record.versions.get_mut(&self.key.version) {
                    version.replicas.remove(&self.key.number);
                }
            }
        }
        if let Err(error) = self.shared.keep(&self.key.workload).await {
            warn!(%error, "the end of a process could not be kept on record");
        }
        self.shared.want();
    }

    pub(super) fn trouble(&self, change: impl FnOnce(&mut Troubles)) {
        let mut state = self.shared.lock();
        if let Some(known) = state.workloads.get_mut(&self.key.workload) {
            change(known.troubles(&self.key.version));
        }
        drop(state);
        self.shared.saw();
    }

    pub(super) fn log(&self) -> PathBuf {
        let key = &self.key;
        self.shared
            .folders
            .log_of(&key.workload, &key.version, key.number)
    }

    pub(super) fn with_log(&self, words: &str) -> String {
        match process::last_lines(&self.log(), 3) {
            lines if lines.is_empty() => words.to_owned(),
            lines => format!("{words}; its last lines: {lines}"),
        }
    }
}
