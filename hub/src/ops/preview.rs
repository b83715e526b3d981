//! What an abort would do: who stops, who is already Done, who is outside the bound (DESIGN, `--dry-run`).

use std::collections::{BTreeMap, BTreeSet};

use flagship_proto::model::{
    AbortMode, ClusterName, ClusterUid, Intent, OnDisconnect, Order, Phase, Reach, Scope, Tick,
    Weight, WorkloadRef, WorkloadStatus, lease::Bound,
};
use flagship_waves::is_served;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    AbortOrder, Caller, OpError, Ops, RolloutName, Sight,
    abort::NOT_STOPPED,
    doing::{Doing, counts, doing},
};
use crate::{
    auth::{Grants, Right},
    records::{ClusterRow, FreezeRow, OrderRow, ReportRow, RolloutRow, Stored, key},
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
    /// For a selector: who would join it later, in words.
    pub joins: Option<String>,
    /// In flight: these go back (or stay, under `--hold`).
    pub stops: Vec<PreviewCluster>,
    /// What succeeded last, also in a rollout that has ended: these stay on the version, and go back
    /// under `--retreat`.
    pub done: Vec<PreviewCluster>,
    /// Done by a rollout that goes back under `--retreat`, where a later one is in flight: that one gives up
    /// what it brought, and these stay with what they had before.
    pub left: Vec<PreviewCluster>,
    /// In flight and allowed to go on while cut off (P6): the bound does not hold for these.
    pub outside: Vec<PreviewCluster>,
    /// In flight out of scope, in a rollout of which the scope meets some clusters: they stay as they are.
    pub held_with: Vec<PreviewCluster>,
    /// Clusters in scope where nothing is in flight.
    pub idle: Vec<ClusterName>,
    /// Rollouts in scope that have not ended.
    pub rollouts: Vec<RolloutName>,
    /// Rollouts in scope that had ended and go back (`--retreat`).
    pub taken_back: Vec<RolloutName>,
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
    /// Says what an abort would do, as far as the caller may see it; stores nothing.
    pub fn preview_abort(
        &self,
        grants: &Grants,
        args: &AbortOrder,
        now: Tick,
    ) -> Result<AbortPreview, OpError> {
        let survey = Survey::of(&self.sight(grants))?;
        self.preview_in(grants, &survey, args, now)
    }

    /// The same for many scopes of one moment.
    pub fn preview_all(
        &self,
        grants: &Grants,
        orders: &[AbortOrder],
        now: Tick,
    ) -> Result<Vec<AbortPreview>, OpError> {
        let survey = Survey::of(&self.sight(grants))?;
        let preview = |args| self.preview_in(grants, &survey, args, now);
        orders.iter().map(preview).collect()
    }

    /// What a freeze that stands holds now, as far as the caller may see it.
    pub fn preview_freeze(
        &self,
        grants: &Grants,
        freeze: &FreezeRow,
        now: Tick,
    ) -> Result<AbortPreview, OpError> {
        let survey = Survey::of(&self.sight(grants))?;
        let args = AbortOrder {
            scope: freeze.scope.clone(),
            mode: AbortMode::Hold,
        };
        let matched = freeze.clusters(survey.clusters.iter().map(|row| &**row));
        Ok(self.preview_of(&survey, &args, matched, freeze.reach.clone(), now))
    }

    fn preview_in(
        &self,
        grants: &Grants,
        survey: &Survey,
        args: &AbortOrder,
        now: Tick,
    ) -> Result<AbortPreview, OpError> {
        let reader = Caller::asking(grants);
        let matched = self.evaluate(&reader, &args.scope, NOT_STOPPED)?;
        let stops = grants.somewhere(Right::Stop).is_ok();
        let right = if stops { Right::Stop } else { Right::View };
        let reach = self.kept_reach(&reader, right, &args.scope);
        Ok(self.preview_of(survey, args, matched, reach, now))
    }

    fn preview_of(
        &self,
        survey: &Survey,
        args: &AbortOrder,
        matched: Option<BTreeSet<ClusterUid>>,
        reach: Option<Reach>,
        now: Tick,
    ) -> AbortPreview {
        let orders = survey.orders.values().flatten();
        let bound = Bound {
            lease: self.longest_lease(&args.scope, matched.as_ref(), orders, now),
        };
        let mut preview = AbortPreview {
            scope: args.scope.clone(),
            mode: args.mode,
            joins: joins(&args.scope, reach.as_ref()),
            stops: Vec::new(),
            done: Vec::new(),
            left: Vec::new(),
            outside: Vec::new(),
            held_with: Vec::new(),
            idle: Vec::new(),
            rollouts: Vec::new(),
            taken_back: Vec::new(),
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
        preview.rollouts = open
            .iter()
            .map(|rollout| RolloutName::of_row(rollout))
            .collect();
        for cluster in survey.clusters.iter().filter(|row| meant(&row.uid)) {
            let is_named = survey.look(cluster, &args.scope, &mut preview);
            let has_order = survey.orders_in(cluster, &args.scope).next().is_some();
            let open = open.iter().map(|rollout| &*rollout.value);
            let counted = counts(&args.scope, cluster, has_order, open);
            if !is_named && counted && survey.seen.contains(&cluster.uid) {
                preview.idle.push(cluster.name.clone());
            }
        }
        let beyond = survey.clusters.iter().filter(|row| !meant(&row.uid));
        for cluster in beyond {
            survey.look_beyond(cluster, &mut preview);
        }
        if args.mode == AbortMode::RetreatDone {
            survey.name_the_settled(&meant, &mut preview);
        }
        preview
    }
}

/// Who joins a scope after it was ordered, in words; none where the scope itself says it.
pub fn joins(scope: &Scope, reach: Option<&Reach>) -> Option<String> {
    match scope {
        Scope::Selector(_) => Some(match reach {
            None => "clusters that match and join later are in it too".to_owned(),
            Some(reach) if reach.selectors().is_empty() => {
                "clusters that match and join later are not in it".to_owned()
            }
            Some(reach) => {
                format!(
                    "of clusters that match and join later, those labelled {reach} are in it too"
                )
            }
        }),
        Scope::Fleet
        | Scope::Project(_)
        | Scope::Plan(_)
        | Scope::Rollout { .. }
        | Scope::Workload(_) => None,
    }
}

/// What a caller sees of the fleet at one moment: members, their orders and what they last said of them,
/// open rollouts.
struct Survey {
    /// All of them: in one that is not seen, what is ordered by a rollout that is seen counts.
    clusters: Vec<Stored<ClusterRow>>,
    /// Clusters that are seen.
    seen: BTreeSet<ClusterUid>,
    /// Orders of rollouts that are seen, and all orders in a cluster that is theirs as a whole.
    orders: BTreeMap<ClusterUid, Vec<Order>>,
    /// Rollouts that gave them, and are seen.
    named: BTreeSet<RolloutName>,
    reports: BTreeMap<(ClusterUid, WorkloadRef), WorkloadStatus>,
    /// Open rollouts that are seen.
    rollouts: BTreeMap<RolloutName, Stored<RolloutRow>>,
    /// Those that have ended.
    ended: BTreeMap<RolloutName, Stored<RolloutRow>>,
}

impl Survey {
    fn of(sight: &Sight<'_>) -> Result<Self, StoreError> {
        let store = sight.store();
        let mut clusters: Vec<Stored<ClusterRow>> = store.read_all(key::CLUSTERS)?;
        clusters.retain(|row| row.state.is_member());
        let uids = |sees: &dyn Fn(&ClusterRow) -> bool| -> BTreeSet<ClusterUid> {
            let rows = clusters.iter().filter(|row| sees(row));
            rows.map(|row| row.uid.clone()).collect()
        };
        let seen = uids(&|row| sight.cluster(row));
        let inside = uids(&|row| sight.inside(row));
        let mut known: BTreeMap<RolloutName, bool> = BTreeMap::new();
        let mut orders: BTreeMap<ClusterUid, Vec<Order>> = BTreeMap::new();
        for row in store.read_all::<OrderRow>(key::ORDERS)? {
            let order = row.order();
            let name = RolloutName::of(&order);
            let is_named = *known
                .entry(name)
                .or_insert_with_key(|name| sight.is_whole() || sight.rollout_named(name));
            if is_named || inside.contains(&order.uid) {
                orders.entry(order.uid.clone()).or_default().push(order);
            }
        }
        let reports: Vec<Stored<ReportRow>> = store.read_all(key::REPORTS)?;
        let rollouts: Vec<Stored<RolloutRow>> = store.read_all(key::ROLLOUTS)?;
        let rollouts = rollouts.into_iter().filter(|row| sight.rollout(row));
        let (ended, open): (Vec<_>, Vec<_>) = rollouts.partition(|row| row.state.is_over());
        let by_name = |rows: Vec<Stored<RolloutRow>>| {
            let rows = rows.into_iter();
            rows.map(|row| (RolloutName::of_row(&row), row)).collect()
        };
        Ok(Self {
            clusters,
            seen,
            orders,
            named: known
                .into_iter()
                .filter_map(|(name, is_named)| is_named.then_some(name))
                .collect(),
            reports: reports
                .into_iter()
                .map(|row| {
                    let ReportRow { uid, status, .. } = row.into_value();
                    ((uid, status.workload.clone()), status)
                })
                .collect(),
            rollouts: by_name(open),
            ended: by_name(ended),
        })
    }

    fn orders_in<'a>(
        &'a self,
        cluster: &ClusterRow,
        scope: &'a Scope,
    ) -> impl Iterator<Item = &'a Order> {
        let orders = self.orders.get(&cluster.uid).into_iter().flatten();
        orders.filter(|order| scope.covers(&order.workload, &order.plan, &order.rollout))
    }

    /// Which rollouts that had ended go back with what is Done, and where they are left.
    fn name_the_settled(&self, meant: &dyn Fn(&ClusterUid) -> bool, preview: &mut AbortPreview) {
        let rollouts: BTreeSet<&RolloutName> =
            preview.done.iter().map(|found| &found.rollout).collect();
        let settled = rollouts.into_iter();
        let settled = settled.filter_map(|name| self.ended.get_key_value(name));
        for (name, row) in settled {
            preview.taken_back.push(name.clone());
            for (uid, cluster) in row.state.clusters.iter().filter(|(uid, _)| meant(uid)) {
                let orders = self.orders.get(uid).into_iter().flatten();
                let mut later = orders.filter(|order| {
                    order.workload == row.workload && RolloutName::of(order) != *name
                });
                let status = self.reports.get(&(uid.clone(), row.workload.clone()));
                let serves = status.is_none_or(|last| is_served(last, &row.change));
                if let (true, Some(order)) = (cluster.phase.succeeded() && serves, later.next()) {
                    preview.left.push(PreviewCluster {
                        cluster: cluster.name.clone(),
                        workload: row.workload.clone(),
                        rollout: name.clone(),
                        change: row.change.to_string(),
                        phase: None,
                        weight: None,
                        not_after: order.not_after,
                    });
                }
            }
        }
    }

    /// What an order does in a cluster, as far as it was heard.
    fn found(&self, cluster: &ClusterRow, order: &Order) -> (Doing, PreviewCluster) {
        let known = (cluster.uid.clone(), order.workload.clone());
        let last = self.reports.get(&known);
        let answer = last.filter(|status| status.fence >= order.fence);
        let found = PreviewCluster {
            cluster: cluster.name.clone(),
            workload: order.workload.clone(),
            rollout: RolloutName::of(order),
            change: order.change.to_string(),
            phase: answer.map(|status| status.phase),
            // What was told since may not have been heard there.
            weight: last
                .filter(|last| last.rollout.as_ref() == Some(&order.rollout))
                .map(WorkloadStatus::share),
            not_after: order.not_after,
        };
        (doing(order, last), found)
    }

    /// What is in flight in a cluster out of scope, in a rollout that stops as a whole.
    fn look_beyond(&self, cluster: &ClusterRow, preview: &mut AbortPreview) {
        let orders = self.orders.get(&cluster.uid).into_iter().flatten();
        let found = orders.map(|order| self.found(cluster, order));
        let held = found.filter(|(doing, found)| {
            *doing == Doing::InFlight && preview.rollouts.contains(&found.rollout)
        });
        let held: Vec<PreviewCluster> = held.map(|(_, found)| found).collect();
        preview.held_with.extend(held);
    }

    /// Whether anything of the cluster is in flight, or done.
    fn look(&self, cluster: &ClusterRow, scope: &Scope, preview: &mut AbortPreview) -> bool {
        let mut any = false;
        for order in self.orders_in(cluster, scope) {
            let (what, found) = self.found(cluster, order);
            match what {
                Doing::Nothing => continue,
                Doing::Done => {
                    // An agent takes back whatever succeeded last, its rollout ended or not: what it
                    // would take back is what stays without `--retreat`.
                    if !self.named.contains(&found.rollout) {
                        continue;
                    }
                    preview.done.push(found);
                }
                Doing::InFlight => {
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
