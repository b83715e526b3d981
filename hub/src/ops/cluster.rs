//! Members: letting a cluster in, and letting it go.

use std::time::Duration;

use flagship_proto::{
    model::{
        ClusterName, ClusterUid, Intent, OnDisconnect, Order, Tick, WorkloadRef, WorkloadStatus,
        lease::Bound,
    },
    words::moment,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Caller, Doing, OpError, Ops, Prepared, RolloutName, doing, error::named, join_standing_aborts,
};
use crate::{
    auth::{Grants, Right},
    records::{
        ClaimRow, ClusterRow, ClusterState, Guard, LeftCanary, OrderRow, Record as _, ReportRow,
        RolloutRow, Stored, key,
    },
    store::Txn,
};

/// Which cluster to let go.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RemoveCluster {
    /// Which.
    pub name: ClusterName,
    /// Even with a canary in flight; needs a reason.
    pub force: bool,
}

/// The answer to a change of membership.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterAnswer {
    /// Which cluster.
    pub name: ClusterName,
    /// Its uid.
    pub uid: ClusterUid,
    /// What it is now.
    pub state: ClusterState,
}

impl Ops {
    /// All clusters, also those that left.
    pub fn clusters(&self) -> Result<Vec<Stored<ClusterRow>>, OpError> {
        Ok(self.store.read_all(key::CLUSTERS)?)
    }

    /// One cluster that a caller may see.
    pub fn cluster(
        &self,
        grants: &Grants,
        name: &ClusterName,
    ) -> Result<Stored<ClusterRow>, OpError> {
        let row: Option<Stored<ClusterRow>> = self.store.read(&key::cluster(name))?;
        if let Some(row) = row.filter(|row| grants.sees(row.object())) {
            return Ok(row);
        }
        let mut known = self.clusters()?;
        known.retain(|row| grants.sees(row.object()));
        let known = named(known.iter().map(|row| &row.name));
        Err(no_cluster(name).try_this(&format!("clusters here: {known}")))
    }

    /// One cluster over which a caller has a right.
    pub(super) fn cluster_for(
        &self,
        caller: &Caller,
        right: Right,
        name: &ClusterName,
    ) -> Result<Stored<ClusterRow>, OpError> {
        let row = self.cluster(&caller.grants, name)?;
        caller.may(right, row.object(), || no_cluster(name))?;
        Ok(row)
    }

    /// Lets a pending cluster in, ends a quarantine, or confirms a member after history went back (the
    /// latter two with a reason).
    pub async fn approve_cluster(
        &self,
        caller: &Caller,
        name: ClusterName,
        now: Tick,
    ) -> Result<ClusterAnswer, OpError> {
        self.transact(caller, "cluster.approve", &name, now, || {
            self.prepare_approve(caller, &name, now)
        })
        .await
    }

    fn prepare_approve(
        &self,
        caller: &Caller,
        name: &ClusterName,
        now: Tick,
    ) -> Result<Prepared<ClusterAnswer>, OpError> {
        let row = self.cluster_for(caller, Right::Approve, name)?;
        match &row.state {
            ClusterState::Pending => {}
            ClusterState::Quarantined { reason } => {
                let what = format!("ending the quarantine of {name} ({reason})");
                caller.insist_on_reason(&what)?;
            }
            ClusterState::Active if row.unconfirmed.is_some() => {
                caller.insist_on_reason("confirming a member after history went back")?;
            }
            ClusterState::Active => {
                let message = format!("cluster {name} is a member already");
                return Err(OpError::refused("cluster.active", &message));
            }
            ClusterState::Removed { at, .. } => {
                let message = format!("cluster {name} was removed at {}", moment(*at));
                return Err(OpError::refused("cluster.removed", &message)
                    .try_this("enrol it again with a new token"));
            }
        }
        let mut next = row.to_value();
        next.state = ClusterState::Active;
        next.unconfirmed = None;
        let txn = Txn::new().unchanged(&row).put(&next);
        let txn = join_standing_aborts(&self.store, txn, name, &row.uid, &row.labels, now.wall)?;
        Ok(changed(txn, &row, &next))
    }

    /// Lets a cluster go: its sessions end, its certificates are refused from now on, its claims are
    /// free. What serves there goes on serving.
    pub async fn remove_cluster(
        &self,
        caller: &Caller,
        args: RemoveCluster,
        now: Tick,
    ) -> Result<ClusterAnswer, OpError> {
        self.transact(caller, "cluster.remove", &args, now, || {
            self.prepare_remove(caller, &args, now)
        })
        .await
    }

    fn prepare_remove(
        &self,
        caller: &Caller,
        args: &RemoveCluster,
        now: Tick,
    ) -> Result<Prepared<ClusterAnswer>, OpError> {
        let row = self.cluster_for(caller, Right::Administer, &args.name)?;
        if let ClusterState::Removed { at, .. } = &row.state {
            let message = format!("cluster {} was removed at {}", args.name, moment(*at));
            return Err(OpError::refused("cluster.removed", &message));
        }
        let unsettled = self.unsettled(caller, &row)?;
        if !unsettled.is_empty() {
            if !args.force {
                let message = format!(
                    "cluster {} is not settled: {}",
                    args.name,
                    named(&unsettled)
                );
                return Err(OpError::refused("cluster.unsettled", &message)
                    .try_this("wait for the rollout, retreat it, or say --force with a reason"));
            }
            caller.insist_on_reason("removing a cluster with a canary in flight")?;
        }
        let mut next = row.to_value();
        let reports: Vec<Stored<ReportRow>> = self.store.read_all(&key::reports_of(&row.uid))?;
        let left = self.left_in(&row.uid, &reports, now)?;
        // What serves there is known from its reports, which go.
        for has in &mut next.inventory.workloads {
            let report = report_of(&reports, &has.workload);
            if let Some(version) = report.and_then(|status| status.primary_version.clone()) {
                has.version = Some(version);
                has.digest = report.and_then(|status| status.primary_digest);
            }
        }
        next.state = ClusterState::Removed { at: now.wall, left };
        for key in &mut next.keys {
            key.revoked = true;
        }
        if !next.former.contains(&row.uid) {
            next.former.push(row.uid.clone());
        }
        let by = format!("removal of cluster {}", args.name);
        let mut txn = Txn::new().unchanged(&row).put(&next).put(&Guard { by });
        let claims: Vec<Stored<ClaimRow>> = self.store.read_all(key::CLAIMS)?;
        for claim in claims.iter().filter(|claim| claim.uid == row.uid) {
            txn = txn.unchanged(claim).delete(claim.value.key());
        }
        // the uid never comes back; what it did is in history and receipts
        let of_it = [
            key::orders_of(&row.uid),
            key::reports_of(&row.uid),
            key::local_releases_of(&row.uid),
        ];
        for prefix in of_it {
            for (key, _) in self.store.list(&prefix)?.rows {
                txn = txn.delete(key);
            }
        }
        Ok(changed(txn, &row, &next))
    }

    /// What is in flight in a cluster, or begins there yet.
    fn left_in(
        &self,
        uid: &ClusterUid,
        reports: &[Stored<ReportRow>],
        now: Tick,
    ) -> Result<Vec<LeftCanary>, OpError> {
        let orders: Vec<Stored<OrderRow>> = self.store.read_all(&key::orders_of(uid))?;
        let longest = self.longest_lease_out(now);
        let of = |workload: &WorkloadRef| {
            let mut orders = orders.iter().map(|row| row.unplaced());
            orders.find(|order| order.workload == *workload)
        };
        let left = reports.iter().filter_map(|row| {
            let until = goes_on_until(of(&row.status.workload), longest, now);
            LeftCanary::of(&row.status, until)
        });
        let mut left: Vec<LeftCanary> = left.collect();
        for row in &orders {
            let order = row.order();
            let status = report_of(reports, &order.workload);
            let is_told = left.iter().any(|one| one.workload == order.workload);
            let begins = order.intent == Intent::Run && doing(&order, status) == Doing::InFlight;
            if begins && !is_told {
                let until = goes_on_until(Some(&order), longest, now);
                left.push(LeftCanary::ordered(&order, until));
            }
        }
        Ok(left)
    }

    /// What is in flight in a cluster, in words: that something is, to who may not see what it is.
    fn unsettled(&self, caller: &Caller, cluster: &ClusterRow) -> Result<Vec<String>, OpError> {
        let mut found = Vec::new();
        let sight = self.sight(&caller.grants);
        let named = |workload: &WorkloadRef| {
            if sight.workload(workload) {
                return workload.to_string();
            }
            "a workload of others".to_owned()
        };
        let reports: Vec<Stored<ReportRow>> =
            self.store.read_all(&key::reports_of(&cluster.uid))?;
        for report in reports.iter().filter(|row| row.status.phase.is_active()) {
            let status = &report.status;
            found.push(format!(
                "{} is {} at {}",
                named(&status.workload),
                status.phase,
                status.weight
            ));
        }
        let orders: Vec<Stored<OrderRow>> = self.store.read_all(&key::orders_of(&cluster.uid))?;
        for order in orders.iter().map(|row| row.unplaced()) {
            let key = key::rollout(&order.plan.project, &order.rollout);
            let Some(rollout) = self.store.read::<RolloutRow>(&key)? else {
                continue;
            };
            let place = rollout.state.clusters.get(&cluster.uid);
            if let Some(place) = place.filter(|place| place.holds_slot()) {
                found.push(format!(
                    "{} is {} in {}",
                    named(&order.workload),
                    place.phase.word(),
                    self.shown(caller, &RolloutName::of(order))
                ));
            }
        }
        found.dedup();
        Ok(found)
    }
}

/// What is reported of a workload.
fn report_of<'a>(
    reports: &'a [Stored<ReportRow>],
    workload: &WorkloadRef,
) -> Option<&'a WorkloadStatus> {
    let mut statuses = reports.iter().map(|row| &row.status);
    statuses.find(|status| status.workload == *workload)
}

/// Until when a canary may advance whose agent hears nothing any more.
fn goes_on_until(order: Option<&Order>, longest: Duration, now: Tick) -> Timestamp {
    let bound = Bound { lease: longest }.length();
    let bounded = now.wall.saturating_add(bound).unwrap_or(now.wall);
    match order {
        Some(order) if order.on_disconnect == OnDisconnect::Continue => {
            bounded.max(order.not_after)
        }
        Some(_) | None => bounded,
    }
}

fn no_cluster(name: &ClusterName) -> OpError {
    OpError::not_found("cluster.notFound", &format!("there is no cluster {name}"))
        .in_field("cluster")
}

fn changed(txn: Txn, row: &ClusterRow, next: &ClusterRow) -> Prepared<ClusterAnswer> {
    let answer = ClusterAnswer {
        name: next.name.clone(),
        uid: next.uid.clone(),
        state: next.state.clone(),
    };
    let object = format!("cluster {} ({})", next.name, next.uid);
    let before = (&row.state, &row.unconfirmed);
    let after = (&next.state, &next.unconfirmed);
    Prepared::new(txn, answer, object)
        .of(next.key())
        .digests(Some(&before), Some(&after))
}
