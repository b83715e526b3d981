//! What the platform keeps in files, so that a killed agent comes back to it: routes, versions, the
//! processes by pid and start time, and the ports that were picked.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use flagship_canary::{Route, Scale};
use flagship_proto::{
    digest::Digest,
    model::WorkloadRef,
    process::files::{self, FileError, PRIVATE},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize, de::DeserializeOwned};

use super::{
    mark::{self, Marked},
    process::ProcessId,
};

/// A record of this size is not ours.
const LARGEST: u64 = 4 << 20;

/// How many versions are remembered after their end.
const REMEMBERED: usize = 8;

/// What is kept of one workload.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct WorkloadRecord {
    /// The route that was told last.
    pub route: Option<Route>,
    /// Versions that run or should run.
    pub versions: BTreeMap<String, VersionRecord>,
    /// Versions that ran, newest last, with their digests.
    #[serde(default)]
    pub ran: Vec<(String, Digest)>,
}

/// What is kept of one version.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct VersionRecord {
    /// Its digest when it was first started; nothing else is ever started under its name.
    pub digest: Digest,
    /// The scale that was told last.
    pub scale: Scale,
    /// It drains, then it is forgotten.
    pub stopping: bool,
    /// Its processes by number.
    pub replicas: BTreeMap<u32, ReplicaRecord>,
}

/// What is kept of one process.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct ReplicaRecord {
    /// The port that it was given.
    pub port: u16,
    /// Its mark, which stands in the environment of the process; kept before it is started, so that it
    /// is found again even if the agent died before it could keep the pid.
    pub token: String,
    /// The process, once it was started.
    pub process: Option<ProcessId>,
    /// It took requests: an adopted one goes on taking them while its health is looked at.
    #[serde(default)]
    pub was_ready: bool,
}

impl WorkloadRecord {
    /// The processes on record, of all versions.
    pub(super) fn replicas(&self) -> impl Iterator<Item = &ReplicaRecord> {
        let versions = self.versions.values();
        versions.flat_map(|version| version.replicas.values())
    }

    /// Gives a process that is not on record a place. A version that is kept has it under its number,
    /// or a further one where that number's process runs: what is not wanted is drained. A version that
    /// is not kept is there again only to end. Says whether its version is kept.
    pub(super) fn put_back(&mut self, marked: Marked, was_ready: bool) -> bool {
        let Marked {
            process,
            mark,
            token,
        } = marked;
        let held = self.versions.get(&mark.version);
        let is_other = held.is_some_and(|held| held.digest != mark.digest);
        let name = if is_other {
            // Another executable under the same name: it ends beside the one that is kept.
            format!("{}@{}", mark.version, mark.digest.short())
        } else {
            self.remember(&mark.version, mark.digest);
            mark.version
        };
        let version = self.versions.entry(name).or_insert(VersionRecord {
            digest: mark.digest,
            scale: Scale::Canary,
            stopping: true,
            replicas: BTreeMap::new(),
        });
        let runs =
            |replica: &ReplicaRecord| replica.process.as_ref().is_some_and(ProcessId::is_alive);
        let number = match version.replicas.get(&mark.number) {
            Some(replica) if runs(replica) => {
                let last = version.replicas.keys().max().copied();
                last.map_or(mark.number, |last| last.saturating_add(1))
            }
            Some(_) | None => mark.number,
        };
        let replica = ReplicaRecord {
            port: mark.port,
            token,
            process: Some(process),
            was_ready,
        };
        version.replicas.insert(number, replica);
        !version.stopping
    }

    /// Remembers that a version ran.
    pub(super) fn remember(&mut self, version: &str, digest: Digest) {
        self.ran.retain(|(known, _)| known != version);
        self.ran.push((version.to_owned(), digest));
        if self.ran.len() > REMEMBERED {
            self.ran.remove(0);
        }
    }
}

/// What is kept of the platform itself.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct PlatformRecord {
    /// The port of the xDS server, where it was picked.
    pub xds_port: Option<u16>,
    /// The proxies by node id.
    pub nodes: BTreeMap<String, NodeRecord>,
}

/// What is kept of one proxy.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct NodeRecord {
    /// The port of its admin interface, where it was picked.
    pub admin_port: Option<u16>,
    /// Its process, where it was started here.
    pub process: Option<ProcessId>,
    /// When it started, as first computed from its uptime; stable while it runs.
    pub started: Option<Timestamp>,
}

/// The folders of the platform below the agent's data folder.
#[derive(Debug, Clone)]
pub(super) struct Folders {
    root: PathBuf,
    name: String,
}

impl Folders {
    pub(super) fn new(data: &Path) -> Self {
        Self {
            root: data.join("envoy"),
            name: mark::name_of(data),
        }
    }

    /// The data folder as the marks of processes name it.
    pub(super) fn name(&self) -> &str {
        &self.name
    }

    pub(super) fn create(&self) -> Result<(), FileError> {
        files::private_folder(&self.logs())
    }

    pub(super) fn logs(&self) -> PathBuf {
        self.root.join("logs")
    }

    pub(super) fn platform(&self) -> PathBuf {
        self.root.join("platform.json")
    }

    pub(super) fn bootstrap(&self, node: &str) -> PathBuf {
        self.root.join(format!("bootstrap-{}.json", plain(node)))
    }

    pub(super) fn log_of_proxy(&self, node: &str) -> PathBuf {
        self.logs().join(format!("envoy-{}.log", plain(node)))
    }

    pub(super) fn workload(&self, workload: &WorkloadRef) -> PathBuf {
        self.root
            .join(format!("workload-{}.json", dotted(workload)))
    }

    pub(super) fn data_of(&self, workload: &WorkloadRef) -> PathBuf {
        self.root.join("data").join(dotted(workload))
    }

    pub(super) fn log_of(&self, workload: &WorkloadRef, version: &str, replica: u32) -> PathBuf {
        self.logs()
            .join(format!("{}-{version}-{replica}.log", dotted(workload)))
    }

    /// The records of all workloads that there are, also of those no longer configured.
    pub(super) fn workload_records(&self) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(&self.root) else {
            return Vec::new();
        };
        entries
            .flatten()
            .map(|entry| entry.path())
            .filter(|path| {
                let name = path.file_name().and_then(|name| name.to_str());
                name.is_some_and(|n| n.starts_with("workload-") && n.ends_with(".json"))
            })
            .collect()
    }
}

fn dotted(workload: &WorkloadRef) -> String {
    format!(
        "{}.{}.{}",
        workload.namespace(),
        workload.kind(),
        workload.name()
    )
}

/// A node id as part of a file name.
fn plain(node: &str) -> String {
    percent_encoding::utf8_percent_encode(node, percent_encoding::NON_ALPHANUMERIC).to_string()
}

/// A record could not be read or written.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// The file itself.
    #[error(transparent)]
    File(#[from] FileError),
    /// Its content.
    #[error("{} is damaged ({source}): put back a whole copy; nothing was overwritten", path.display())]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What the parser said.
        source: serde_json::Error,
    },
}

/// Reads a record; the default where there is no file. A damaged one is an error, never a fresh start.
pub(super) fn load<T: DeserializeOwned + Default>(path: &Path) -> Result<T, RecordError> {
    let Some(bytes) = files::read(path, LARGEST)? else {
        return Ok(T::default());
    };
    serde_json::from_slice(&bytes).map_err(|source| RecordError::Damaged {
        path: path.to_owned(),
        source,
    })
}

/// Writes a record durably. It waits for the disk: not for async tasks.
pub(super) fn save<T: Serialize>(path: &Path, record: &T) -> Result<(), FileError> {
    let bytes = serde_json::to_vec_pretty(record).expect("records hold only what JSON can say");
    files::write_atomic(path, &bytes, PRIVATE)
}
