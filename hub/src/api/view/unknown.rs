//! After history went back: what serves that no rollout brought of which this hub knows. A stop knows
//! nothing of it either, and no retreat takes it back.

use std::collections::{BTreeMap, BTreeSet};

use flagship_proto::{
    command::{Command, OPEN},
    model::{ClusterUid, WorkloadRef},
    words::count,
};

use super::Seen;
use crate::{
    api::{
        sight::Sight,
        types::{About, Banner},
    },
    records::{PlanRow, RolloutRow, Stored, key},
    store::StoreError,
};

/// So many clusters are named of each.
const NAMED: usize = 5;

/// A version that serves, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Unknown {
    /// The cluster.
    pub(super) uid: ClusterUid,
    cluster: String,
    /// The workload.
    pub(super) workload: WorkloadRef,
    version: String,
}

impl Seen {
    /// What members serve that no stored rollout brought, and that was not there to begin with. Where history
    /// never went back there is no such thing.
    pub(super) fn unknown(&self) -> Result<Vec<Unknown>, StoreError> {
        if self.store.epoch() <= 1 {
            return Ok(Vec::new());
        }
        let rollouts: Vec<Stored<RolloutRow>> = self.store.read_all(key::ROLLOUTS)?;
        let brought: BTreeSet<(&WorkloadRef, String)> = rollouts
            .iter()
            .map(|row| (&row.workload, row.change.to_string()))
            .collect();
        let mut found = Vec::new();
        for row in self.clusters.values().filter(|row| row.state.is_member()) {
            for has in &row.inventory.workloads {
                let status = self.report(&row.uid, &has.workload).map(|one| &one.status);
                // Of what was never released here nobody asks who brought it.
                let status = status.filter(|status| status.rollout.is_some());
                let serves = status.and_then(|status| status.primary_version.clone());
                let is_unknown = |version: &String| {
                    has.initial.as_ref() != Some(version)
                        && !brought.contains(&(&has.workload, version.clone()))
                };
                found.extend(serves.filter(is_unknown).map(|version| Unknown {
                    uid: row.uid.clone(),
                    cluster: row.name.to_string(),
                    workload: has.workload.clone(),
                    version,
                }));
            }
        }
        Ok(found)
    }

    /// The same as banners, one a version of a workload, with what puts another in its place.
    pub fn unknown_banners(&self, sight: &Sight<'_>) -> Result<Vec<Banner>, StoreError> {
        let mut grouped: BTreeMap<(WorkloadRef, String), Vec<String>> = BTreeMap::new();
        for one in self.unknown()? {
            let what = (one.workload, one.version);
            grouped.entry(what).or_default().push(one.cluster);
        }
        if grouped.is_empty() {
            return Ok(Vec::new());
        }
        let plans: Vec<Stored<PlanRow>> = self.store.read_all(key::PLANS)?;
        let banner = |((workload, version), mut clusters): ((WorkloadRef, String), Vec<String>)| {
            let meant = |row: &&Stored<PlanRow>| {
                sight.plan(row) && row.plan.workload().is_ok_and(|of| of == workload)
            };
            let plan = plans.iter().find(meant).map(|row| row.id.to_string());
            let start = Command::flagship("start").of(plan.as_deref().unwrap_or(OPEN));
            let start = start.of("--to-version").of(OPEN).because();
            clusters.sort();
            let serve = if clusters.len() == 1 {
                "serves"
            } else {
                "serve"
            };
            let more = clusters.len().saturating_sub(NAMED);
            clusters.truncate(NAMED);
            let names = match more {
                0 => clusters.join(", "),
                more => format!(
                    "{} and {}",
                    clusters.join(", "),
                    count(more, "more cluster")
                ),
            };
            Banner {
                kind: "unknown".to_owned(),
                id: format!("{workload} {version}"),
                text: format!(
                    "{names} {serve} {version} of {workload}: history went back, no rollout of which this hub knows brought that, and no stop takes it back"
                ),
                since: self.started.wall,
                remedy: start.that("releases what is wanted in its place"),
                about: About::Workload(workload),
            }
        };
        Ok(grouped.into_iter().map(banner).collect())
    }
}
