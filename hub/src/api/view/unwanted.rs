//! What serves although nobody wants it, while no rollout is under way that would put something else in its
//! place: what was taken back and serves again, or still; and after history went back, what no rollout brought
//! of which this hub knows. No stop takes it back: it is not in flight, and Done by nothing that is known.

mod said;

use std::{collections::BTreeSet, sync::Arc};

use flagship_proto::{
    command::Command,
    digest::Digest,
    model::{ClusterUid, Phase, ReturnTo, RolloutId, Scope, Weight, WorkloadRef, WorkloadStatus},
};
use flagship_waves::{ClusterPhase, RolloutPhase};
use jiff::Timestamp;

use super::Seen;
use crate::{
    api::{sight::Sight, types::NotFixed},
    records::{
        AbortRow, ClusterRow, OrderRow, PlanRow, RejectedRow, ReportRow, RolloutRow, Stored, key,
    },
    store::StoreError,
};

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

/// What puts another version in its place, and where that is typed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Way {
    /// A rollout.
    Start,
    /// The same, which reaches the cluster once it is heard again.
    StartLater,
    /// The command of the cluster's machine, as it is not heard and what it has can go back.
    There,
}

/// What serves, and where.
#[derive(Debug)]
pub(super) struct Unwanted {
    uid: ClusterUid,
    cluster: String,
    workload: WorkloadRef,
    version: String,
    why: Why,
    way: Way,
    since: Timestamp,
    /// What was rejected, and when, where it was.
    rejected: Option<(Digest, Timestamp)>,
}

impl Unwanted {
    /// Whether a rollout is about to put another version in its place, or a person ordered this very version
    /// after it had been rejected.
    fn is_wanted_by(&self, rollout: &RolloutRow) -> bool {
        let Some(cluster) = rollout.state.clusters.get(&self.uid) else {
            return false;
        };
        let advances = match rollout.state.phase {
            RolloutPhase::Pending | RolloutPhase::Progressing { .. } => true,
            RolloutPhase::Succeeded
            | RolloutPhase::Paused
            | RolloutPhase::Retreating
            | RolloutPhase::RolledBack
            | RolloutPhase::Aborted
            | RolloutPhase::Failed
            | RolloutPhase::Superseded => false,
        };
        let begins = cluster.phase == ClusterPhase::Waiting || cluster.phase.in_flight();
        let comes = self.way == Way::Start && advances && begins;
        let chosen = self.rejected.is_some_and(|(digest, at)| {
            let goes_there = rollout.state.retreat.as_ref().is_some_and(|back| {
                back.actor.is_some()
                    && match &back.to {
                        ReturnTo::LastPromoted => false,
                        ReturnTo::Digest(to) => *to == digest,
                        ReturnTo::Version(to) => *to == self.version,
                    }
            });
            goes_there && rollout.state.ended.unwrap_or(rollout.state.since) >= at
        });
        rollout.workload == self.workload && (comes || chosen)
    }

    /// Whether it lies in a scope: of a plan's, where the plan releases this workload.
    fn is_in(&self, scope: &Scope, plans: &[Stored<PlanRow>]) -> bool {
        let mut plans = plans.iter().filter(|row| {
            let releases = row.plan.workload();
            releases.is_ok_and(|of| of == self.workload)
        });
        match scope {
            Scope::Fleet | Scope::Selector(_) => true,
            Scope::Workload(of) => *of == self.workload,
            Scope::Project(project) => plans.any(|row| row.id.project == *project),
            Scope::Plan(plan) => plans.any(|row| row.id == *plan),
            Scope::Rollout { .. } => false,
        }
    }
}

impl Seen {
    /// All of it; read once.
    fn unwanted(&self) -> Result<&[Unwanted], StoreError> {
        if let Some(found) = self.unwanted.get() {
            return Ok(found);
        }
        let found = self.find_unwanted()?;
        Ok(self.unwanted.get_or_init(|| found))
    }

    fn find_unwanted(&self) -> Result<Vec<Unwanted>, StoreError> {
        let rejected: Vec<Stored<RejectedRow>> = self.store.read_all(key::REJECTED)?;
        let is_in_flight = |report: &Arc<ReportRow>| report.status.phase.is_active();
        let flies = self.reports.values().any(is_in_flight);
        // Where history never went back nothing is unknown.
        let mut rollouts: Option<Vec<Stored<RolloutRow>>> = None;
        let brought = match self.store.epoch() > 1 {
            true => Some(brought(
                rollouts.insert(self.store.read_all(key::ROLLOUTS)?),
            )),
            false => None,
        };
        if rejected.is_empty() && brought.is_none() && !flies {
            return Ok(Vec::new());
        }
        let mut found = Vec::new();
        for row in self.clusters.values().filter(|row| row.state.is_member()) {
            for has in &row.inventory.workloads {
                let report = self.report(&row.uid, &has.workload);
                // Of what was never released here nobody asks who brought it.
                let Some(report) = report.filter(|report| report.status.rollout.is_some()) else {
                    continue;
                };
                found.extend(self.left(row, report)?);
                let Some(version) = &report.status.primary_version else {
                    continue;
                };
                let is_unknown = brought.as_ref().is_some_and(|brought| {
                    let what = (has.workload.clone(), version.clone());
                    has.initial.as_ref() != Some(version) && !brought.contains(&what)
                });
                let of = rejected.iter();
                let of = of.filter(|one| is_of(one, &report.status, version));
                let taken = of.max_by_key(|one| one.at);
                let why = match taken {
                    Some(by) if self.is_left(&row.uid, &has.workload)? => {
                        Some(Why::TakenBack(by.rollout.clone()))
                    }
                    Some(_) => None,
                    None => is_unknown.then_some(Why::Unknown),
                };
                let (silent, way) = match self.connected(&row.uid) {
                    true => ("", Way::Start),
                    // What succeeded there goes back there; what it went back to does not. What nobody knows
                    // may be what is wanted.
                    false if taken.is_some() && report.status.phase == Phase::Succeeded => {
                        (" (not heard)", Way::There)
                    }
                    false => (" (not heard)", Way::StartLater),
                };
                found.extend(why.map(|why| Unwanted {
                    uid: row.uid.clone(),
                    cluster: format!("{}{silent}", row.name),
                    workload: has.workload.clone(),
                    version: version.clone(),
                    why,
                    way,
                    since: taken.map_or(report.at, |by| by.at.max(report.at)),
                    rejected: taken.map(|by| (by.digest, by.at)),
                }));
            }
        }
        if !found.is_empty() {
            let rollouts = match rollouts {
                Some(rollouts) => rollouts,
                None => self.store.read_all(key::ROLLOUTS)?,
            };
            found.retain(|one| !rollouts.iter().any(|rollout| one.is_wanted_by(rollout)));
        }
        Ok(found)
    }

    /// A canary that its rollout left in a cluster that is not heard.
    fn left(&self, row: &ClusterRow, report: &ReportRow) -> Result<Option<Unwanted>, StoreError> {
        let status = &report.status;
        let share = status.share();
        let flies = status.phase.is_active() && share > Weight::ZERO && !self.connected(&row.uid);
        let (true, Some(by), Some(version)) = (flies, &status.rollout, &status.version) else {
            return Ok(None);
        };
        let left = self.is_left(&row.uid, &status.workload)?;
        Ok(left.then(|| Unwanted {
            uid: row.uid.clone(),
            cluster: format!("{} (with {share}, not heard)", row.name),
            workload: status.workload.clone(),
            version: version.clone(),
            why: Why::Left(by.clone()),
            way: Way::There,
            since: report.at,
            rejected: None,
        }))
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

    /// What of it lies in an abort's scope and is seen.
    fn unwanted_in_scope(
        &self,
        sight: &Sight<'_>,
        abort: &AbortRow,
    ) -> Result<Vec<&Unwanted>, StoreError> {
        let unwanted = self.unwanted()?.iter();
        let mut met: Vec<&Unwanted> = unwanted
            .filter(|one| abort.concerns(&one.uid) && sight.workload(&one.workload))
            .collect();
        if !met.is_empty() {
            let plans: Vec<Stored<PlanRow>> = self.store.read_all(key::PLANS)?;
            met.retain(|one| one.is_in(&abort.unplaced().scope, &plans));
        }
        Ok(met)
    }

    /// Whether an abort does not take some of it back. What is left in flight goes back by it once it is heard.
    pub(super) fn leaves_unwanted(
        &self,
        sight: &Sight<'_>,
        abort: &AbortRow,
    ) -> Result<bool, StoreError> {
        let met = self.unwanted_in_scope(sight, abort)?;
        Ok(met.iter().any(|one| !matches!(one.why, Why::Left(_))))
    }

    /// Canaries in an abort's scope that ended rollouts left in clusters that are not heard.
    pub(super) fn left_in_scope(
        &self,
        sight: &Sight<'_>,
        abort: &AbortRow,
    ) -> Result<Vec<NotFixed>, StoreError> {
        let met = self.unwanted_in_scope(sight, abort)?.into_iter();
        let left = met.filter(|one| matches!(one.why, Why::Left(_)));
        let left = left.filter_map(|one| {
            let report = self.report(&one.uid, &one.workload)?;
            Some(NotFixed {
                cluster: self.clusters.get(&one.uid)?.name.to_string(),
                workload: one.workload.to_string(),
                version: Some(one.version.clone()),
                rollout: None,
                done: false,
                soaked: false,
                share: Some(report.status.share().get()),
                unheard: Some("not heard; goes back by this abort once it is".to_owned()),
                stuck: None,
                command: Command::agent("retreat").of(&one.workload).because().into(),
            })
        });
        Ok(left.collect())
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

/// What rollouts released, by workload.
fn brought(rollouts: &[Stored<RolloutRow>]) -> BTreeSet<(WorkloadRef, String)> {
    let brought = rollouts.iter().map(|row| {
        let version = row.change.to_string();
        (row.workload.clone(), version)
    });
    brought.collect()
}
