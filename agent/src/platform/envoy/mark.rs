//! The mark of a process: who started it, as what. It stands in the environment of the process, so that
//! an agent whose data folder was put back from an older copy finds what it does not know that it
//! started (`found`).

use std::path::Path;

use flagship_proto::{digest::Digest, model::WorkloadRef};
use serde::{Deserialize, Serialize};

use super::process::ProcessId;

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

/// The name of a data folder, the same at each start of an agent on it.
pub(super) fn name_of(data: &Path) -> String {
    // One folder has one name, whatever links lead to it.
    let path = std::fs::canonicalize(data).or_else(|_| std::path::absolute(data));
    let path = path.unwrap_or_else(|_| data.to_owned());
    path.to_string_lossy().into_owned()
}
