//! The mark of a process: who started it, as what. It stands in the environment of the process, so that
//! an agent whose data folder was put back from an older copy finds what it does not know that it
//! started. Such a process gets a place in the records again: where it is wanted it serves on, where
//! not it is drained like any other.

use std::{collections::BTreeMap, net::SocketAddr, path::Path};

use flagship_proto::{digest::Digest, model::WorkloadRef};
use serde::{Deserialize, Serialize};
use tracing::warn;

use super::{
    config::WorkloadConfig,
    http,
    process::{self, ProcessId},
    record::{Folders, ReplicaRecord, WorkloadRecord},
};

/// What a process was started as.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(super) struct Mark {
    /// The data folder of the agent that started it; two agents on one machine have two.
    pub data: String,
    /// Of which workload it is.
    pub workload: WorkloadRef,
    /// Of which version.
    pub version: String,
    /// The version's digest when it was started.
    pub digest: Digest,
    /// Its number among the version's processes.
    pub number: u32,
    /// The port that it was given.
    pub port: u16,
    /// No two starts have the same.
    pub nonce: String,
}

/// A process that runs and bears the mark of a data folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Marked {
    pub process: ProcessId,
    pub mark: Mark,
    /// The mark as it stands in the environment.
    pub token: String,
}

impl Mark {
    /// As it stands in the environment.
    pub(super) fn token(&self) -> String {
        serde_json::to_string(self).expect("a mark holds only what JSON can say")
    }
}

impl Marked {
    fn is_on_record(&self, replica: &ReplicaRecord) -> bool {
        replica.token == self.token || replica.process.as_ref() == Some(&self.process)
    }
}

/// The processes of this agent's own user that bear the mark of its data folder.
pub(super) fn find(folders: &Folders) -> Vec<Marked> {
    let data = folders.name();
    process::started_with(|token| {
        let mark: Mark = serde_json::from_str(token).ok()?;
        (mark.data == data).then(|| (mark, token.to_owned()))
    })
    .map(|(process, (mark, token))| Marked {
        process,
        mark,
        token,
    })
    .collect()
}

/// Gives the processes that no record knows a place in it. One that answers its check counts as ready:
/// a proxy may be sending to it at this moment.
pub(super) async fn take_up(
    workloads: &mut BTreeMap<WorkloadRef, (WorkloadConfig, WorkloadRecord)>,
    found: Vec<Marked>,
) {
    for marked in found {
        let (version, pid) = (&marked.mark.version, marked.process.pid);
        let Some((config, record)) = workloads.get_mut(&marked.mark.workload) else {
            warn!(workload = %marked.mark.workload, version, pid, "a process of a workload that is not configured is left as it is");
            continue;
        };
        if record.replicas().any(|known| marked.is_on_record(known)) {
            continue;
        }
        let address = SocketAddr::from(([127, 0, 0, 1], marked.mark.port));
        let check = &config.health_check;
        let answer = http::get(address, &check.path, check.timeout.0).await;
        let was_ready = matches!(answer, Ok((200..=299, _)));
        let kept = record.put_back(marked.clone(), was_ready);
        warn!(workload = %marked.mark.workload, version, pid, kept, "a process of this agent was not on its record: was the data folder put back from an older copy?");
    }
}

/// The name of a data folder, the same at each start of an agent on it.
pub(super) fn name_of(data: &Path) -> String {
    // One folder has one name, whatever links lead to it.
    let path = std::fs::canonicalize(data).or_else(|_| std::path::absolute(data));
    let path = path.unwrap_or_else(|_| data.to_owned());
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::envoy::record::VersionRecord;
    use flagship_canary::Scale;

    fn digest(byte: u8) -> Digest {
        Digest::from_bytes([byte; 32])
    }

    fn marked(version: &str, byte: u8, number: u32) -> Marked {
        let mark = Mark {
            data: "/d".to_owned(),
            workload: WorkloadRef::new("shop", "Deployment", "checkout").unwrap(),
            version: version.to_owned(),
            digest: digest(byte),
            number,
            port: 8080,
            nonce: "1".to_owned(),
        };
        Marked {
            process: ProcessId::of(std::process::id()).unwrap(),
            token: mark.token(),
            mark,
        }
    }

    fn with_a_primary() -> WorkloadRecord {
        let mut record = WorkloadRecord::default();
        let version = VersionRecord {
            digest: digest(1),
            scale: Scale::Full,
            stopping: false,
            replicas: BTreeMap::new(),
        };
        record.versions.insert("1.0.0".to_owned(), version);
        record
    }

    #[test]
    fn a_process_of_a_version_that_is_not_kept_is_put_back_to_end() {
        let mut record = with_a_primary();
        assert!(!record.put_back(marked("1.1.0", 2, 0), true));
        let version = &record.versions["1.1.0"];
        assert!(version.stopping && version.replicas[&0].was_ready);
        assert_eq!(record.ran, [("1.1.0".to_owned(), digest(2))]);
    }

    #[test]
    fn a_process_of_a_kept_version_serves_on_under_its_number_or_is_one_too_many() {
        let mut record = with_a_primary();
        assert!(record.put_back(marked("1.0.0", 1, 0), true));
        assert!(record.put_back(marked("1.0.0", 1, 0), true));
        let version = &record.versions["1.0.0"];
        let numbers: Vec<_> = version.replicas.keys().copied().collect();
        assert_eq!(numbers, [0, 1], "the second is beyond what is wanted");
        assert!(!version.stopping);
    }

    #[test]
    fn a_process_of_another_digest_ends_beside_the_version_of_its_name() {
        let mut record = with_a_primary();
        assert!(!record.put_back(marked("1.0.0", 7, 0), true));
        assert!(record.versions["1.0.0"].replicas.is_empty());
        assert!(record.versions["1.0.0@07070707"].stopping);
    }
}
