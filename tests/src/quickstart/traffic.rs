//! What users sent and what the backends answered, as figures at one moment and between two.

use std::{collections::BTreeMap, fs, path::Path};

use anyhow::Context;

use crate::{fleet::Fleet, load::Line, sample::Counts};

/// The counts of both ends at one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Moment {
    /// Answers at the backends by (cluster, version).
    pub(super) served: BTreeMap<(String, String), u64>,
    /// Of these, the bad ones.
    pub(super) bad: u64,
    /// Requests that users sent.
    pub(super) sent: u64,
    /// Requests that users saw fail.
    pub(super) failed: u64,
    /// Requests that the proxies answered themselves, or nobody did.
    pub(super) unserved: u64,
}

impl Moment {
    pub(super) fn of(fleet: &Fleet, load: &Path) -> anyhow::Result<Self> {
        let mut moment = Self::default();
        for name in fleet.clusters.keys() {
            for counts in fleet.counts(name)? {
                let key = (name.clone(), counts.version.clone());
                *moment.served.entry(key).or_default() += counts.served();
                moment.bad += counts.bad();
            }
        }
        for totals in last_line(load)?.targets.values() {
            moment.sent += totals.sent;
            moment.failed += totals.failed;
            moment.unserved += totals.of("proxy") + totals.lost.values().sum::<u64>();
        }
        Ok(moment)
    }

    /// What came after `earlier`.
    pub(super) fn since(&self, earlier: &Self) -> Self {
        let more = |(key, count): (&(String, String), &u64)| {
            let before = earlier.served.get(key).copied().unwrap_or_default();
            (*count > before).then(|| (key.clone(), count - before))
        };
        Self {
            served: self.served.iter().filter_map(more).collect(),
            bad: self.bad - earlier.bad,
            sent: self.sent - earlier.sent,
            failed: self.failed - earlier.failed,
            unserved: self.unserved - earlier.unserved,
        }
    }

    /// The versions that served.
    pub(super) fn versions(&self) -> Vec<&str> {
        let mut versions: Vec<&str> = self.served.keys().map(|(_, v)| v.as_str()).collect();
        versions.sort_unstable();
        versions.dedup();
        versions
    }

    pub(super) fn of_version(&self, cluster: &str, version: &str) -> u64 {
        let key = (cluster.to_owned(), version.to_owned());
        self.served.get(&key).copied().unwrap_or_default()
    }

    /// Clusters in which `version` served.
    pub(super) fn clusters_with(&self, version: &str) -> Vec<&str> {
        let with = self.served.keys().filter(|(_, v)| v == version);
        with.map(|(cluster, _)| cluster.as_str()).collect()
    }
}

/// From the first bad request of a version to the last request of it, in milliseconds.
pub(super) fn bad_for(counts: &[Counts], version: &str) -> Option<u64> {
    let of_version = || counts.iter().filter(|c| c.version == version);
    let first = of_version().filter_map(|c| c.first_bad).min()?;
    let last = of_version().filter_map(|c| c.last).max()?;
    Some(last.saturating_sub(first))
}

/// The newest whole line of the load driver.
pub(super) fn last_line(path: &Path) -> anyhow::Result<Line> {
    let text = fs::read_to_string(path).context("the load driver wrote nothing")?;
    let whole = text
        .rfind('\n')
        .map(|end| &text[..end])
        .context("the load driver wrote nothing")?;
    let line = whole.rsplit('\n').next().unwrap_or_default();
    serde_json::from_str(line).context("the load driver wrote what is no line")
}
