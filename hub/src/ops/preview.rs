//! What an abort would do: who stops, who is already Done, who is outside the bound (DESIGN, `--dry-run`).

use std::collections::{BTreeMap, BTreeSet};

use flagship_proto::model::{
    AbortMode, ClusterName, ClusterUid, Intent, OnDisconnect, Order, Phase, Scope, Tick, Weight,
    WorkloadRef, WorkloadStatus, lease::Bound,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{AbortOrder, Caller, OpError, Ops, RolloutName, abort::NOT_STOPPED};
use crate::{
    auth::Grants,
    records::{ClusterRow, OrderRow, ReportRow, RolloutRow, Stored, key},
    store::{Store, StoreError},
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
    /// Done in a rollout that has not ended: these stay on the version. Under `--retreat` all that
    /// succeeded last, also in a rollout that has ended: these go back.
    pub done: Vec<PreviewCluster>,
    /// In flight and allowed to go on while cut off (P6): the bound does not hold for these.
    pub outside: Vec<PreviewCluster>,
    /// Clusters in scope where nothing is in flight.
    pub idle: Vec<ClusterName>,
    /// Rollouts in scope that have not ended.
    pub rollouts: Vec<RolloutName>,
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
    pub rollout: RolloutName,
    /// What is released, in words.
    pub change: String,
    /// The last phase reported for this order; none if it has not answered.
    pub phase: Option<Phase>,
    /// The last weight reported.
    pub weight: Option<Weight>,
    /// Until when its order is good.
    pub not_after: Timestamp,
}

impl AbortPreview {
    /// Every cluster in scope, by name.
    pub fn clusters(&self) -> BTreeSet<&ClusterName> {
        let busy = self.stops.iter().chain(&self.done);
        busy.map(|found| &found.cluster).chain(&self.idle).collect()
    }
}

impl Ops {
    /// Says what an abort would do; stores nothing.
    pub fn preview_abort(
        &self,
        grants: &Grants,
        args: &AbortOrder,
        now: Tick,
    ) -> Result<AbortPreview, OpError> {
        self.preview_in(grants, &Survey::of(&self.store)?, args, now)
    }

    /// The same for many scopes of one moment.
    pub fn preview_all(
        &self,
        grants: &Grants,
        orders: &[AbortOrder],
        now: Tick,
    ) -> Result<Vec<AbortPreview>, OpError> {
        let survey = Survey::of(&self.store)?;
        let preview = |args| self.preview_in(grants, &survey, args, now);
        orders.iter().map(preview).collect()
    }

    fn preview_in(
        &self,
        grants: &Grants,
        survey: &Survey,
        args: &AbortOrder,
        now: Tick,
    ) -> Result<AbortPreview, OpError> {
        let reader = Caller {
            grants: grants.clone(),
            ..Caller::default()
        };
        let matched = self.evaluate(&reader, &args.scope, NOT_STOPPED)?;
        let bound = Bound {
            lease: self.longest_lease(&args.scope, survey.orders.values().flatten()),
        };
        let mut preview = AbortPreview {
            scope: args.scope.clone(),
            mode: args.mode,
            stops: Vec::new(),
            done: Vec::new(),
            outside: Vec::new(),
            idle: Vec::new(),
            rollouts: Vec::new(),
            bound_ms: u64::try_from(bound.length().as_millis()).unwrap_or(u64::MAX),
            nothing_advances_after: now.plus(bound.length()).wall,
        };
        let meant = |uid: &ClusterUid| matched.as_ref().is_none_or(|matched| matched.contains(uid));
        let open = survey.rollouts.values().filter(|rollout| {
            let covered = args
                .scope
                .covers(&rollout.workload, &rollout.plan_ref(), &rollout.id);
            let met = || rollout.state.clusters.keys().any(meant);
            covered && (matched.is_none() || met())
        });
        let open: Vec<&Stored<RolloutRow>> = open.collect();
        preview.rollouts = open.iter().map(|rollout| name_of(rollout)).collect();
        for cluster in survey.clusters.iter().filter(|row| meant(&row.uid)) {
            let in_flight = survey.look(cluster, &args.scope, &mut preview);
            let takes_part = || {
                let mut rollouts = open.iter();
                rollouts.any(|rollout| rollout.state.clusters.contains_key(&cluster.uid))
            };
            let in_scope = match &args.scope {
                Scope::Fleet | Scope::Selector(_) => true,
                Scope::Project(_) | Scope::Plan(_) | Scope::Rollout { .. } => takes_part(),
                Scope::Workload(workload) => {
                    let mut has = cluster.inventory.workloads.iter();
                    has.any(|has| has.workload == *workload) || takes_part()
                }
            };
            if !in_flight && in_scope {
                preview.idle.push(cluster.name.clone());
            }
        }
        self.cut(grants, &survey.clusters, &mut preview);
        Ok(preview)
    }

    /// Leaves what a caller may see.
    fn cut(&self, grants: &Grants, clusters: &[Stored<ClusterRow>], preview: &mut AbortPreview) {
        if grants.sees_everything() {
            return;
        }
        let found = [&preview.stops, &preview.done, &preview.outside];
        let named = found.into_iter().flatten().map(|found| &found.rollout);
        let mut seen: BTreeSet<RolloutName> = named.chain(&preview.rollouts).cloned().collect();
        seen.retain(|name| self.sees_rollout(grants, name).unwrap_or(false));
        preview.rollouts.retain(|name| seen.contains(name));
        for list in [&mut preview.stops, &mut preview.done, &mut preview.outside] {
            list.retain(|found| seen.contains(&found.rollout));
        }
        let shown = clusters.iter().filter(|row| grants.sees(row.object()));
        let shown: BTreeSet<&ClusterName> = shown.map(|row| &row.name).collect();
        preview.idle.retain(|name| shown.contains(name));
    }
}

fn name_of(rollout: &RolloutRow) -> RolloutName {
    RolloutName {
        project: rollout.project.clone(),
        id: rollout.id.clone(),
    }
}

/// The fleet at one moment: members, their orders and what they last said of them, open rollouts.
struct Survey {
    clusters: Vec<Stored<ClusterRow>>,
    orders: BTreeMap<ClusterUid, Vec<Order>>,
    reports: BTreeMap<(ClusterUid, WorkloadRef), WorkloadStatus>,
    rollouts: BTreeMap<RolloutName, Stored<RolloutRow>>,
}

impl Survey {
    fn of(store: &Store) -> Result<Self, StoreError> {
        let mut clusters: Vec<Stored<ClusterRow>> = store.read_all(key::CLUSTERS)?;
        clusters.retain(|row| row.state.is_member());
        let mut orders: BTreeMap<ClusterUid, Vec<Order>> = BTreeMap::new();
        for row in store.read_all::<OrderRow>(key::ORDERS)? {
            let order = row.order();
            orders.entry(order.uid.clone()).or_default().push(order);
        }
        let reports: Vec<Stored<ReportRow>> = store.read_all(key::REPORTS)?;
        let rollouts: Vec<Stored<RolloutRow>> = store.read_all(key::ROLLOUTS)?;
        let open = rollouts.into_iter().filter(|row| !row.state.is_over());
        Ok(Self {
            clusters,
            orders,
            reports: reports
                .into_iter()
                .map(|row| {
                    let ReportRow { uid, status, .. } = row.into_value();
                    ((uid, status.workload.clone()), status)
                })
                .collect(),
            rollouts: open.map(|row| (name_of(&row), row)).collect(),
        })
    }

    /// Whether anything of the cluster is in flight, or done in a rollout that has not ended.
    fn look(&self, cluster: &ClusterRow, scope: &Scope, preview: &mut AbortPreview) -> bool {
        let mut any = false;
        for order in self.orders.get(&cluster.uid).into_iter().flatten() {
            if !scope.covers(&order.workload, &order.plan, &order.rollout) {
                continue;
            }
            let status = self
                .reports
                .get(&(cluster.uid.clone(), order.workload.clone()))
                .filter(|status| status.fence >= order.fence);
            let phase = status.map(|status| status.phase);
            let found = PreviewCluster {
                cluster: cluster.name.clone(),
                workload: order.workload.clone(),
                rollout: RolloutName {
                    project: order.plan.project.clone(),
                    id: order.rollout.clone(),
                },
                change: order.change.to_string(),
                phase,
                weight: status.map(|status| status.weight),
                not_after: order.not_after,
            };
            match (order.intent, phase) {
                (Intent::Run | Intent::Hold, Some(Phase::Succeeded)) => {
                    // An agent takes back whatever succeeded last, its rollout ended or not.
                    let goes_back = preview.mode == AbortMode::RetreatDone;
                    if !goes_back && !self.rollouts.contains_key(&found.rollout) {
                        continue;
                    }
                    preview.done.push(found);
                }
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
        any
    }
}
