//! What serves although nobody wants it, while no rollout is under way that would put something else in its
//! place: what was taken back and serves again, or still; and after history went back, what no rollout brought
//! of which this hub knows. No stop takes it back: it is not in flight, and Done by nothing that is known.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use flagship_proto::{
    command::{Command, OPEN},
    digest::Digest,
    model::{ClusterUid, RolloutId, Weight, WorkloadRef, WorkloadStatus},
    words::count,
};

use super::Seen;
use crate::{
    api::{
        sight::Sight,
        types::{About, Banner},
    },
    auth::Right,
    ops::who_may,
    records::{OrderRow, PlanRow, RejectedRow, ReportRow, RolloutRow, Stored, key},
    store::StoreError,
};

/// So many clusters are named of each.
const NAMED: usize = 5;

/// Why nobody wants a version.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Why {
    /// It was taken back in this rollout, or failed there.
    TakenBack(RolloutId),
    /// A canary stands as it did when its cluster was last heard, and this rollout, which began it, has ended.
    Left(RolloutId),
    /// History went back, and nobody knows who brought it.
    Unknown,
}

/// What serves, and where.
#[derive(Debug)]
pub(super) struct Unwanted {
    /// The cluster.
    pub(super) uid: ClusterUid,
    cluster: String,
    /// The workload.
    pub(super) workload: WorkloadRef,
    version: String,
    why: Why,
}

impl Seen {
    /// All of it.
    pub(super) fn unwanted(&self) -> Result<Vec<Unwanted>, StoreError> {
        let rejected: Vec<Stored<RejectedRow>> = self.store.read_all(key::REJECTED)?;
        let is_in_flight = |report: &Arc<ReportRow>| report.status.phase.is_active();
        let flies = self.reports.values().any(is_in_flight);
        // Where history never went back nothing is unknown.
        let brought = match self.store.epoch() > 1 {
            true => Some(self.brought()?),
            false => None,
        };
        if rejected.is_empty() && brought.is_none() && !flies {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for row in self.clusters.values().filter(|row| row.state.is_member()) {
            for has in &row.inventory.workloads {
                let status = self.report(&row.uid, &has.workload).map(|one| &one.status);
                // Of what was never released here nobody asks who brought it.
                let Some(status) = status.filter(|status| status.rollout.is_some()) else {
                    continue;
                };
                let share = status.observed.unwrap_or(status.weight);
                let flying = status.rollout.as_ref().filter(|_| {
                    status.phase.is_active() && share > Weight::ZERO && !self.connected(&row.uid)
                });
                if let (Some(by), Some(version)) = (flying, &status.version)
                    && self.is_left(&row.uid, &has.workload)?
                {
                    found.push(Unwanted {
                        uid: row.uid.clone(),
                        cluster: format!("{} (with {share}, not heard)", row.name),
                        workload: has.workload.clone(),
                        version: version.clone(),
                        why: Why::Left(by.clone()),
                    });
                }
                let Some(version) = &status.primary_version else {
                    continue;
                };
                let is_unknown = brought.as_ref().is_some_and(|brought| {
                    let what = (has.workload.clone(), version.clone());
                    has.initial.as_ref() != Some(version) && !brought.contains(&what)
                });
                let taken = rejected.iter().find(|one| is_of(one, status, version));
                let why = match taken {
                    Some(by) if self.is_left(&row.uid, &has.workload)? => {
                        Some(Why::TakenBack(by.rollout.clone()))
                    }
                    Some(_) => None,
                    None => is_unknown.then_some(Why::Unknown),
                };
                found.extend(why.map(|why| Unwanted {
                    uid: row.uid.clone(),
                    cluster: row.name.to_string(),
                    workload: has.workload.clone(),
                    version: version.clone(),
                    why,
                }));
            }
        }
        Ok(found)
    }

    /// What rollouts that are stored released, by workload.
    fn brought(&self) -> Result<BTreeSet<(WorkloadRef, String)>, StoreError> {
        let rollouts: Vec<Stored<RolloutRow>> = self.store.read_all(key::ROLLOUTS)?;
        let brought = rollouts.iter().map(|row| {
            let version = row.change.to_string();
            (row.workload.clone(), version)
        });
        Ok(brought.collect())
    }

    /// Whether the rollout that ordered something in a cluster last has ended, and not with success there: who
    /// accepted what is Done there has decided so.
    fn is_left(&self, uid: &ClusterUid, workload: &WorkloadRef) -> Result<bool, StoreError> {
        let Some(order) = self.store.read::<OrderRow>(&key::order(uid, workload))? else {
            return Ok(false);
        };
        let order = order.unplaced();
        let of = key::rollout(&order.plan.project, &order.rollout);
        let Some(rollout) = self.store.read::<RolloutRow>(&of)? else {
            return Ok(false);
        };
        let cluster = rollout.state.clusters.get(uid);
        let is_done = cluster.is_some_and(|cluster| cluster.phase.succeeded());
        Ok(rollout.state.is_over() && !is_done)
    }

    /// The same as banners, one a version of a workload, with what puts another in its place.
    pub fn unwanted_banners(&self, sight: &Sight<'_>) -> Result<Vec<Banner>, StoreError> {
        let mut grouped: BTreeMap<(WorkloadRef, String, Why), Vec<String>> = BTreeMap::new();
        let unwanted = self.unwanted()?.into_iter().filter(|one| {
            let row = self.clusters.get(&one.uid);
            row.is_some_and(|row| sight.cluster(row))
        });
        for one in unwanted {
            let what = (one.workload, one.version, one.why);
            grouped.entry(what).or_default().push(one.cluster);
        }
        if grouped.is_empty() {
            return Ok(Vec::new());
        }
        let plans: Vec<Stored<PlanRow>> = self.store.read_all(key::PLANS)?;
        let banner = |((workload, version, why), clusters): (_, Vec<String>)| {
            let meant = |row: &&Stored<PlanRow>| {
                sight.plan(row) && row.plan.workload().is_ok_and(|of| of == workload)
            };
            let plan = plans.iter().find(meant);
            let may_ship = plan.is_some_and(|row| {
                let ships = sight.grants().decide(Right::Ship, row.object());
                ships.is_ok()
            });
            let plan = plan.map(|row| row.id.to_string());
            let start = Command::flagship("start").of(plan.as_deref().unwrap_or(OPEN));
            let start = start.of("--to-version").of(OPEN).because();
            let mut remedy = match may_ship {
                true => start.that("releases what is wanted in its place"),
                false => who_may("start another version there"),
            };
            let (kind, why) = match why {
                Why::Left(rollout) => {
                    let there = Command::agent("retreat").of(&workload).because();
                    remedy = there.that("on the machine of the cluster");
                    let why = format!("as it stood when last heard, and {rollout} has ended");
                    ("serving", why)
                }
                Why::TakenBack(rollout) => (
                    "serving",
                    format!("which was taken back ({rollout}), and no rollout is under way there"),
                ),
                Why::Unknown => (
                    "unknown",
                    "history went back, and no rollout that this hub knows brought that; no stop takes it back".to_owned(),
                ),
            };
            Banner {
                kind: kind.to_owned(),
                id: format!("{workload} {version}"),
                text: format!(
                    "{version} of {workload} serves in {}: {why}",
                    named(clusters)
                ),
                since: self.started.wall,
                remedy,
                about: About::Workload(workload),
            }
        };
        Ok(grouped.into_iter().map(banner).collect())
    }
}

/// Whether what serves was rejected: by its digest where that is known, else by its version.
fn is_of(rejected: &RejectedRow, status: &WorkloadStatus, version: &str) -> bool {
    let same = |digest: Digest| digest == rejected.digest;
    let is_same = status
        .primary_digest
        .map_or_else(|| rejected.change.to_string() == version, same);
    rejected.workload == status.workload && is_same
}

fn named(mut clusters: Vec<String>) -> String {
    clusters.sort();
    let more = clusters.len().saturating_sub(NAMED);
    clusters.truncate(NAMED);
    match more {
        0 => clusters.join(", "),
        more => format!(
            "{} and {}",
            clusters.join(", "),
            count(more, "more cluster")
        ),
    }
}
