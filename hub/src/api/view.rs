//! Rows as views: what is stored and who is connected, in words for people. Nothing here decides.

pub mod abort;
pub mod cluster;
pub mod plain;
pub mod rollout;
pub mod steps;
pub mod stopped;

use std::collections::BTreeMap;

use flagship_proto::model::{ClusterUid, Tick, WorkloadRef};

use super::{ApiState, types::Banner};
use crate::{
    fleet::Presence,
    ops::standing_aborts,
    records::{AbortRow, ClusterRow, OrderRow, ReportRow, RolloutRow, Stored, key},
    store::StoreError,
};

/// What views are made from, read at one moment.
#[derive(Debug)]
pub struct Seen {
    /// This moment.
    pub now: Tick,
    /// The store's sequence before anything was read.
    pub seq: u64,
    /// Clusters, those that left too.
    pub clusters: BTreeMap<ClusterUid, Stored<ClusterRow>>,
    /// The last stored report about each workload.
    pub reports: BTreeMap<(ClusterUid, WorkloadRef), ReportRow>,
    /// Who is connected.
    pub presences: BTreeMap<ClusterUid, Presence>,
    /// Aborts that stand.
    pub standing: Vec<Stored<AbortRow>>,
}

impl Seen {
    /// Reads it all.
    pub fn read(state: &ApiState) -> Result<Self, StoreError> {
        let store = state.store();
        let now = state.now();
        let seq = store.position().seq;
        let clusters: Vec<Stored<ClusterRow>> = store.read_all(key::CLUSTERS)?;
        let reports: Vec<Stored<ReportRow>> = store.read_all(key::REPORTS)?;
        Ok(Self {
            now,
            seq,
            clusters: clusters
                .into_iter()
                .map(|row| (row.uid.clone(), row))
                .collect(),
            reports: reports
                .into_iter()
                .map(|row| ((row.uid.clone(), row.status.workload.clone()), row.value))
                .collect(),
            presences: state.fleet.presences(),
            standing: standing_aborts(store, now.wall)?,
        })
    }

    /// Whether a cluster's agent has a session.
    pub fn connected(&self, uid: &ClusterUid) -> bool {
        self.presences
            .get(uid)
            .is_some_and(|presence| presence.connected)
    }

    /// When a cluster's agent was last heard: by this process, else what the store remembers.
    pub fn last_heard(&self, uid: &ClusterUid) -> Option<jiff::Timestamp> {
        let live = self
            .presences
            .get(uid)
            .and_then(|presence| presence.last_heard);
        let stored = || self.clusters.get(uid).and_then(|row| row.last_seen);
        live.map(|tick| tick.wall).or_else(stored)
    }

    /// The last report about a workload of a cluster.
    pub fn report(&self, uid: &ClusterUid, workload: &WorkloadRef) -> Option<&ReportRow> {
        self.reports.get(&(uid.clone(), workload.clone()))
    }

    /// Standing aborts that cover a rollout; an abort by selector does if it met one of its clusters.
    pub fn covering<'a>(
        &'a self,
        rollout: &'a RolloutRow,
    ) -> impl Iterator<Item = &'a Stored<AbortRow>> {
        self.standing.iter().filter(|abort| {
            let scope = &abort.unplaced().scope;
            let plan = rollout.plan_ref();
            let met = || rollout.state.clusters.keys().any(|uid| abort.concerns(uid));
            scope.covers(&rollout.workload, &plan, &rollout.id)
                && (abort.matched.is_none() || met())
        })
    }

    /// Every standing abort as a banner.
    pub fn banners(&self) -> Vec<Banner> {
        self.standing.iter().map(banner).collect()
    }
}

/// An abort in one line.
pub fn banner(abort: &Stored<AbortRow>) -> Banner {
    let order = abort.unplaced();
    let reason = if order.reason.is_empty() {
        "no reason given"
    } else {
        &order.reason
    };
    Banner {
        kind: "abort".to_owned(),
        id: order.id.to_string(),
        text: format!(
            "{} by abort {} of {}: {reason}",
            order.scope, order.id, order.actor
        ),
        since: order.at,
        remedy: format!("flagship lift {} --reason …", order.id),
    }
}

/// The orders of a cluster.
pub fn orders_of(state: &ApiState, uid: &ClusterUid) -> Result<Vec<Stored<OrderRow>>, StoreError> {
    state.store().read_all(&key::orders_of(uid))
}
