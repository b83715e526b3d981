//! Processes that run under an agent's mark without a place in its records: they get one again. Where such a
//! process is wanted it serves on, where not it is drained like any other.

use std::{collections::BTreeMap, net::SocketAddr};

use flagship_proto::model::WorkloadRef;
use tracing::warn;

use super::{
    config::WorkloadConfig,
    http,
    mark::{Mark, Marked},
    process,
    record::{Folders, ReplicaRecord, WorkloadRecord},
};

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::platform::envoy::{process::ProcessId, record::VersionRecord};
    use flagship_canary::Scale;
    use flagship_proto::digest::Digest;

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
