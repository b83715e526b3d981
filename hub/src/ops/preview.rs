//! What an abort would do: who stops, who is already Done, who is outside the bound (DESIGN, `--dry-run`).

use flagship_proto::model::{
    AbortMode, ClusterName, Intent, OnDisconnect, Phase, RolloutId, Scope, Tick, Weight,
    WorkloadRef, lease::Bound,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AbortOrder, OpError, Ops};
use crate::{
    records::{ClusterRow, OrderRow, ReportRow, Stored, key},
    store::StoreError,
};

/// What an abort would do, had it been given at this moment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AbortPreview {
    /// Whom it would cover.
    pub scope: Scope,
    /// What it would do to traffic.
    pub mode: AbortMode,
    /// In flight: these go back (or stay, under `--hold`).
    pub stops: Vec<PreviewCluster>,
    /// Done: these stay on the version (or go back, under `--retreat`).
    pub done: Vec<PreviewCluster>,
    /// In flight and allowed to go on while cut off (P6): the bound does not hold for these.
    pub outside: Vec<PreviewCluster>,
    /// Clusters in scope where nothing is in flight.
    pub idle: u32,
    /// How long the bound is, in milliseconds.
    pub bound_ms: u64,
    /// After this time nothing in scope advances, whoever is cut off.
    pub nothing_advances_after: Timestamp,
}

/// One workload of one cluster that an abort would meet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreviewCluster {
    /// The cluster.
    pub cluster: ClusterName,
    /// The workload.
    pub workload: WorkloadRef,
    /// The rollout that ordered it.
    pub rollout: RolloutId,
    /// What is released, in words.
    pub change: String,
    /// The last phase reported for this order; none if it has not answered.
    pub phase: Option<Phase>,
    /// The last weight reported.
    pub weight: Option<Weight>,
}

impl Ops {
    /// Says what an abort would do; stores nothing.
    pub fn preview_abort(&self, args: &AbortOrder, now: Tick) -> Result<AbortPreview, OpError> {
        let matched = self.evaluate(&args.scope)?;
        let bound = Bound {
            lease: std::time::Duration::from_millis(self.lease_in(&args.scope)),
        };
        let mut preview = AbortPreview {
            scope: args.scope.clone(),
            mode: args.mode,
            stops: Vec::new(),
            done: Vec::new(),
            outside: Vec::new(),
            idle: 0,
            bound_ms: u64::try_from(bound.length().as_millis()).unwrap_or(u64::MAX),
            nothing_advances_after: now.plus(bound.length()).wall,
        };
        let clusters: Vec<Stored<ClusterRow>> = self.store.read_all(key::CLUSTERS)?;
        let concerned = clusters
            .iter()
            .filter(|row| row.state.is_member())
            .filter(|row| matched.as_ref().is_none_or(|uids| uids.contains(&row.uid)));
        for cluster in concerned {
            if !self.look(cluster, &args.scope, &mut preview)? {
                preview.idle += 1;
            }
        }
        Ok(preview)
    }

    /// Whether anything of the cluster is in flight or done.
    fn look(
        &self,
        cluster: &ClusterRow,
        scope: &Scope,
        preview: &mut AbortPreview,
    ) -> Result<bool, StoreError> {
        let orders: Vec<Stored<OrderRow>> = self.store.read_all(&key::orders_of(&cluster.uid))?;
        let mut any = false;
        for row in &orders {
            let order = row.order();
            if !scope.covers(&order.workload, &order.plan, &order.rollout) {
                continue;
            }
            let report: Option<Stored<ReportRow>> = self
                .store
                .read(&key::report(&cluster.uid, &order.workload))?;
            let status = report
                .map(|report| report.value.status)
                .filter(|status| status.fence >= order.fence);
            let phase = status.as_ref().map(|status| status.phase);
            let found = PreviewCluster {
                cluster: cluster.name.clone(),
                workload: order.workload.clone(),
                rollout: order.rollout.clone(),
                change: order.change.to_string(),
                phase,
                weight: status.map(|status| status.weight),
            };
            match (order.intent, phase) {
                (Intent::Run | Intent::Hold, Some(Phase::Succeeded)) => preview.done.push(found),
                (
                    Intent::Run | Intent::Hold,
                    Some(Phase::Failed | Phase::Terminating | Phase::Terminated),
                )
                | (Intent::Retreat | Intent::Remove, _) => continue,
                (
                    Intent::Run | Intent::Hold,
                    None
                    | Some(
                        Phase::Initializing
                        | Phase::Initialized
                        | Phase::Waiting
                        | Phase::Progressing
                        | Phase::WaitingPromotion
                        | Phase::Promoting
                        | Phase::Finalising,
                    ),
                ) => {
                    if order.intent == Intent::Run && order.on_disconnect == OnDisconnect::Continue
                    {
                        preview.outside.push(found.clone());
                    }
                    preview.stops.push(found);
                }
            }
            any = true;
        }
        Ok(any)
    }
}
