//! What a load driver counted at one target.

use std::{
    collections::BTreeMap,
    time::{Duration, SystemTime, UNIX_EPOCH},
};

use serde::{Deserialize, Serialize};

/// How many kinds of loss are told apart in words.
const KINDS_OF_LOSS: usize = 16;

/// One line of a load driver: everything since its start.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Line {
    /// When it was written, in Unix milliseconds.
    pub at: u64,
    /// Whether nothing follows and nothing is on its way.
    #[serde(rename = "final")]
    pub last: bool,
    /// By target.
    pub targets: BTreeMap<String, Totals>,
}

/// Counts since the start. Times are Unix milliseconds.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Totals {
    /// Requests sent.
    pub sent: u64,
    /// Answers by status.
    pub by_status: BTreeMap<u16, u64>,
    /// Answers by the version that they name; those that name none came from the proxy.
    pub by_version: BTreeMap<String, u64>,
    /// Answers with 400 or above by version, and when the first came.
    pub failed_by_version: BTreeMap<String, (u64, u64)>,
    /// What users saw fail: answers with 400 or above, and requests without an answer.
    pub failed: u64,
    /// Requests without an answer, by what happened.
    pub lost: BTreeMap<String, u64>,
    /// The slowest answer, in milliseconds.
    pub worst_ms: u64,
}

impl Totals {
    /// Requests that are not answered yet.
    pub fn open(&self) -> u64 {
        let done = self.by_status.values().sum::<u64>() + self.lost.values().sum::<u64>();
        self.sent.saturating_sub(done)
    }

    /// Answers of one version.
    pub fn of(&self, version: &str) -> u64 {
        self.by_version.get(version).copied().unwrap_or_default()
    }

    pub(super) fn answered(&mut self, status: u16, version: Option<String>, took: Duration) {
        let version = version.unwrap_or_else(|| "proxy".to_owned());
        *self.by_status.entry(status).or_default() += 1;
        *self.by_version.entry(version.clone()).or_default() += 1;
        if status >= 400 {
            self.failed += 1;
            let (count, _first) = self
                .failed_by_version
                .entry(version)
                .or_insert((0, unix_millis()));
            *count += 1;
        }
        let took = u64::try_from(took.as_millis()).unwrap_or(u64::MAX);
        self.worst_ms = self.worst_ms.max(took);
    }

    /// Counts a request without an answer; gives the words back.
    pub(super) fn lost(&mut self, what: String) -> String {
        self.failed += 1;
        let known = self.lost.len() < KINDS_OF_LOSS || self.lost.contains_key(&what);
        let kind = if known {
            what.clone()
        } else {
            "other".to_owned()
        };
        *self.lost.entry(kind).or_default() += 1;
        what
    }
}

/// This moment, in Unix milliseconds.
pub fn unix_millis() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or_default().as_millis()).unwrap_or(u64::MAX)
}
