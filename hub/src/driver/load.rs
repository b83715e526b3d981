//! What a step rests on, read from the store as of one moment, and the view that the engine gets.
//! Rows are decoded once a change, so that a pass over an unchanged fleet costs little.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use flagship_proto::model::{Abort, AbortMode, ClusterUid, Tick, WorkloadRef};
use flagship_waves::{FleetView, Freeze, LastGood, Member, OrderSeen, StandingAbort};

use super::is_bound_over;
use crate::{
    fleet::Presence,
    records::{
        self, AbortRow, ClaimRow, ClusterRow, FreezeRow, Guard, LastGoodRow, LiftRow, OrderRow,
        Record, ReportRow, RolloutRow, Stored, key,
    },
    store::{Key, Store, StoreError},
};

/// Decoded rows of one kind.
#[derive(Debug)]
struct Rows<R>(BTreeMap<Key, Arc<Stored<R>>>);

impl<R> Default for Rows<R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<R: Record> Rows<R> {
    fn refresh(&mut self, store: &Store, prefix: &str) -> Result<(), StoreError> {
        let listing = store.list(prefix)?;
        let mut next = BTreeMap::new();
        for (key, row) in listing.rows {
            let known = self
                .0
                .remove(&key)
                .filter(|known| known.modified == row.modified);
            let decoded = match known {
                Some(known) => known,
                None => Arc::new(records::decode(&key, &row)?),
            };
            next.insert(key, decoded);
        }
        self.0 = next;
        Ok(())
    }
}

/// Rows as last decoded.
#[derive(Debug, Default)]
pub(super) struct Cache {
    at: Option<u64>,
    rollouts: Rows<RolloutRow>,
    clusters: Rows<ClusterRow>,
    orders: Rows<OrderRow>,
    reports: Rows<ReportRow>,
    aborts: Rows<AbortRow>,
    lifts: Rows<LiftRow>,
    freezes: Rows<FreezeRow>,
    claims: Rows<ClaimRow>,
    last_good: Rows<LastGoodRow>,
    latest: Option<Arc<Loaded>>,
}

/// All of it, of one moment.
#[derive(Debug, Default)]
pub(super) struct Loaded {
    pub(super) rollouts: BTreeMap<Key, Arc<Stored<RolloutRow>>>,
    pub(super) clusters: Vec<Arc<Stored<ClusterRow>>>,
    pub(super) orders: BTreeMap<(ClusterUid, WorkloadRef), Arc<Stored<OrderRow>>>,
    pub(super) claims: BTreeMap<(WorkloadRef, ClusterUid), Arc<Stored<ClaimRow>>>,
    pub(super) last_good: BTreeMap<WorkloadRef, Arc<Stored<LastGoodRow>>>,
    pub(super) guard: Option<Stored<Guard>>,
    /// Those that stand.
    pub(super) freezes: Vec<Arc<Stored<FreezeRow>>>,
    reports: BTreeMap<(ClusterUid, WorkloadRef), Arc<Stored<ReportRow>>>,
    aborts: Vec<Arc<Stored<AbortRow>>>,
    lifts: BTreeMap<flagship_proto::model::AbortId, Arc<Stored<LiftRow>>>,
}

impl Cache {
    /// Rollouts that may have something to do: those that are not over, the last one that
    /// Succeeded for a workload (its catch-up lane), any of which a person asked something, and
    /// those in the scope of a standing abort that takes back what is Done.
    /// In the order in which they were started: what one that is superseded writes last comes
    /// before what its successor writes.
    pub(super) fn open_rollouts(
        &mut self,
        store: &Store,
        now: Tick,
    ) -> Result<Vec<Key>, StoreError> {
        self.rollouts.refresh(store, key::ROLLOUTS)?;
        self.aborts.refresh(store, key::ABORTS)?;
        self.lifts.refresh(store, key::LIFTS)?;
        let lifts = || self.lifts.0.values();
        let standing = self.aborts.0.values().filter(|abort| {
            let mut own = lifts().filter(|lift| lift.abort == *abort.id());
            own.all(|lift| lift.pending(now.wall))
        });
        let retreats: Vec<_> = standing
            .map(|abort| abort.unplaced())
            .filter(|abort| abort.mode == AbortMode::RetreatDone)
            .collect();
        let goes_back = |rollout: &RolloutRow| {
            let plan = rollout.plan_ref();
            let covers = |abort: &&Abort| abort.scope.covers(&rollout.workload, &plan, &rollout.id);
            retreats.iter().any(covers)
        };
        self.last_good.refresh(store, key::LAST_GOOD)?;
        let good = self.last_good.0.values();
        let current: BTreeSet<Key> = good
            .map(|row| key::rollout(&row.good.project, &row.good.rollout))
            .collect();
        let open = self.rollouts.0.iter().filter(|(key, rollout)| {
            let asked = rollout.open_requests().next().is_some();
            !rollout.state.is_over() || current.contains(*key) || asked || goes_back(rollout)
        });
        let mut open: Vec<_> = open
            .map(|(key, rollout)| (rollout.created, key.clone()))
            .collect();
        open.sort();
        Ok(open.into_iter().map(|(_, key)| key).collect())
    }

    /// Everything, as of now. Reads nothing if nothing was committed since the last call.
    pub(super) fn load(&mut self, store: &Store) -> Result<Arc<Loaded>, StoreError> {
        self.load_while(store, || {})
    }

    /// The same, with what happens while rows are read.
    pub(super) fn load_while(
        &mut self,
        store: &Store,
        meanwhile: impl FnOnce(),
    ) -> Result<Arc<Loaded>, StoreError> {
        // Taken before the lists: what is committed meanwhile is read again the next time.
        let at = store.position().seq;
        if let (Some(latest), true) = (&self.latest, self.at == Some(at)) {
            return Ok(Arc::clone(latest));
        }
        // Before the lists too: an abort that is stored while they are read conflicts (P15).
        let guard = store.read(&key::guard())?;
        self.rollouts.refresh(store, key::ROLLOUTS)?;
        self.clusters.refresh(store, key::CLUSTERS)?;
        self.orders.refresh(store, key::ORDERS)?;
        self.reports.refresh(store, key::REPORTS)?;
        self.aborts.refresh(store, key::ABORTS)?;
        self.lifts.refresh(store, key::LIFTS)?;
        self.freezes.refresh(store, key::FREEZES)?;
        meanwhile();
        self.claims.refresh(store, key::CLAIMS)?;
        self.last_good.refresh(store, key::LAST_GOOD)?;
        let orders = self.orders.0.values().map(|row| {
            let order = row.unplaced();
            ((order.uid.clone(), order.workload.clone()), Arc::clone(row))
        });
        let reports = self.reports.0.values().map(|row| {
            (
                (row.uid.clone(), row.status.workload.clone()),
                Arc::clone(row),
            )
        });
        let claims = self.claims.0.values();
        let claims = claims.map(|row| ((row.workload.clone(), row.uid.clone()), Arc::clone(row)));
        let good = self.last_good.0.values();
        let good = good.map(|row| (row.workload.clone(), Arc::clone(row)));
        let lifts = self
            .lifts
            .0
            .values()
            .map(|row| (row.abort.clone(), Arc::clone(row)));
        let standing = self.freezes.0.values().filter(|freeze| freeze.stands());
        let loaded = Arc::new(Loaded {
            rollouts: self.rollouts.0.clone(),
            clusters: self.clusters.0.values().cloned().collect(),
            orders: orders.collect(),
            reports: reports.collect(),
            claims: claims.collect(),
            last_good: good.collect(),
            aborts: self.aborts.0.values().cloned().collect(),
            freezes: standing.cloned().collect(),
            lifts: lifts.collect(),
            guard,
        });
        self.at = Some(at);
        self.latest = Some(Arc::clone(&loaded));
        Ok(loaded)
    }
}

impl Loaded {
    /// What the engine sees for one rollout.
    pub(super) fn view(
        &self,
        rollout: &RolloutRow,
        presence: &BTreeMap<ClusterUid, Presence>,
        started: Tick,
        now: Tick,
    ) -> FleetView {
        let members = self
            .clusters
            .iter()
            .filter(|cluster| cluster.state.is_member());
        let members = members.map(|cluster| {
            let member = self.member(cluster, rollout, presence, started, now);
            (cluster.uid.clone(), member)
        });
        let standing = self
            .aborts
            .iter()
            .filter(|abort| self.stands(abort, rollout, now));
        FleetView {
            members: members.collect(),
            aborts: standing
                .map(|abort| StandingAbort {
                    abort: abort.abort(),
                    clusters: abort.matched.clone(),
                })
                .collect(),
            freezes: self.freezes_of(rollout),
            last_good: self.last_good.get(&rollout.workload).map(|good| LastGood {
                change: good.good.change.clone(),
                digest: good.good.digest,
            }),
            requests: rollout.requests.clone(),
        }
    }

    fn freezes_of(&self, rollout: &RolloutRow) -> Vec<Freeze> {
        let covers = |freeze: &&Arc<Stored<FreezeRow>>| {
            let scope = &freeze.scope;
            scope.covers(&rollout.workload, &rollout.plan_ref(), &rollout.id)
        };
        let fleet = || self.clusters.iter().map(|cluster| &cluster.value);
        self.freezes
            .iter()
            .filter(covers)
            .map(|freeze| Freeze {
                id: freeze.id.clone(),
                actor: freeze.actor.clone(),
                reason: freeze.reason.clone(),
                until: freeze.until,
                clusters: freeze.clusters(fleet()),
            })
            .collect()
    }

    fn stands(&self, abort: &Stored<AbortRow>, rollout: &RolloutRow, now: Tick) -> bool {
        let scope = &abort.unplaced().scope;
        let covers = scope.covers(&rollout.workload, &rollout.plan_ref(), &rollout.id);
        let lift = self.lifts.get(abort.id());
        covers && lift.is_none_or(|lift| lift.pending(now.wall))
    }

    fn member(
        &self,
        cluster: &ClusterRow,
        rollout: &RolloutRow,
        presence: &BTreeMap<ClusterUid, Presence>,
        started: Tick,
        now: Tick,
    ) -> Member {
        let workload = &rollout.workload;
        let here = (cluster.uid.clone(), workload.clone());
        let seen = presence.get(&cluster.uid).copied().unwrap_or_default();
        let order = self.orders.get(&here).map(|row| row.order());
        let claim = self.claims.get(&(workload.clone(), cluster.uid.clone()));
        let lease = rollout
            .plan
            .lease()
            .max(flagship_proto::model::lease::DEFAULT_LEASE);
        let goes_on = rollout.plan.on_disconnect() == flagship_proto::model::OnDisconnect::Continue
            && order
                .as_ref()
                .is_some_and(|order| now.wall <= order.not_after);
        Member {
            name: cluster.name.clone(),
            labels: cluster.labels.clone(),
            has_workload: cluster
                .inventory
                .workloads
                .iter()
                .any(|had| had.workload == *workload),
            connected: seen.connected,
            bound_passed: is_bound_over(&seen, lease, started, now) && !goes_on,
            heard: seen.told.map(|told| told.mono),
            claimed_by_another: claim.is_some_and(|claim| {
                (&claim.project, &claim.rollout) != (&rollout.project, &rollout.id)
            }),
            order: order.as_ref().map(OrderSeen::from),
            status: self.reports.get(&here).map(|row| row.status.clone()),
        }
    }
}
