//! Rows as views: what is stored and who is connected, in words for people. Nothing here decides.

pub mod abort;
pub mod cluster;
pub mod freeze;
pub mod halted;
pub mod heard;
mod named;
mod not_fixed;
pub mod plain;
pub mod rollout;
mod serving;
mod stays;
pub mod stopped;
mod unwanted;

use std::{
    collections::BTreeMap,
    sync::{Arc, OnceLock},
    time::Duration,
};

use flagship_proto::{
    command::Command,
    model::{AbortId, ClusterUid, Scope, Tick, WorkloadRef, lease::DEFAULT_LEASE},
    words::given,
};

use super::{
    ApiState,
    sight::Sight,
    types::{About, Banner, MORE_ABORTS},
};
use named::{counted, scope, shared};

use crate::{
    fleet::{Behind, Presence, Unstored},
    ops::{Step, next_steps, standing_aborts, standing_freezes},
    records::{
        AbortRow, ClusterRow, FreezeRow, LiftRow, OrderRow, ReportRow, RolloutRow, Stored, key,
    },
    store::{Store, StoreError},
};

/// So many aborts are named above everything else; the rest is counted.
const NAMED: usize = 16;

/// What views are made from, read at one moment.
#[derive(Debug)]
pub struct Seen {
    store: Store,
    /// This moment.
    pub now: Tick,
    /// The store's sequence before anything was read.
    pub seq: u64,
    /// Clusters, those that left too.
    pub clusters: BTreeMap<ClusterUid, Stored<ClusterRow>>,
    /// The last stored report about each workload.
    pub reports: BTreeMap<(ClusterUid, WorkloadRef), Arc<ReportRow>>,
    /// When this hub process began to hear agents.
    pub started: Tick,
    /// The length of leases, or the usual one where that is longer: who holds none asks as often.
    pub lease: Duration,
    /// The longest lease that may be out, or that length where that is longer.
    pub longest: Duration,
    /// Who is connected.
    pub presences: BTreeMap<ClusterUid, Presence>,
    /// Aborts that stand, those too that could not be stored yet.
    pub standing: Vec<Stored<AbortRow>>,
    /// The latter.
    pub unstored: Vec<Unstored>,
    /// Of those that stand, lifts that were ordered and wait for the last answers.
    pub lifts: BTreeMap<AbortId, LiftRow>,
    /// Freezes that stand.
    pub frozen: Vec<Stored<FreezeRow>>,
    /// Why this hub gives no orders, if so.
    pub behind: Option<Behind>,
    unwanted: OnceLock<Vec<unwanted::Unwanted>>,
}

impl Seen {
    /// Reads it all.
    pub fn read(state: &ApiState) -> Result<Self, StoreError> {
        let store = state.store();
        let now = state.now();
        let seq = store.position().seq;
        let clusters: Vec<Stored<ClusterRow>> = store.read_all(key::CLUSTERS)?;
        let reports: Vec<Stored<ReportRow>> = store.read_all(key::REPORTS)?;
        let unstored = state.fleet.unstored();
        let mut standing = standing_aborts(store, now.wall)?;
        // One that was stored since stands there already.
        let missing = unstored
            .iter()
            .filter(|one| standing.iter().all(|row| *row.id() != one.abort.id));
        let rows: Vec<_> = missing
            .map(|one| self::abort::unstored(one, store.position()))
            .collect();
        standing.extend(rows);
        let mut lifts = BTreeMap::new();
        for abort in &standing {
            if let Some(lift) = store.read::<LiftRow>(&key::lift(abort.id()))? {
                lifts.insert(abort.id().clone(), lift.into_value());
            }
        }
        let lease = Duration::from_millis(state.settings.lease_ms).max(DEFAULT_LEASE);
        Ok(Self {
            store: store.clone(),
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
            started: state.fleet.started(),
            lease,
            longest: state.ops.longest_lease_out(now).max(lease),
            presences: state.fleet.presences(),
            frozen: standing_freezes(store)?,
            standing,
            unstored,
            lifts,
            behind: state.fleet.behind(),
            unwanted: OnceLock::new(),
        })
    }

    /// The last report about a workload of a cluster.
    pub fn report(&self, uid: &ClusterUid, workload: &WorkloadRef) -> Option<&ReportRow> {
        let report = self.reports.get(&(uid.clone(), workload.clone()));
        report.map(Arc::as_ref)
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

    /// What can be done about a rollout now.
    pub fn next_steps(&self, sight: &Sight<'_>, rollout: &RolloutRow) -> Vec<Step> {
        let aborts = self.covering(rollout).filter(|abort| sight.abort(abort));
        let aborts: Vec<_> = aborts.map(|abort| abort.id()).collect();
        let freezes = self.freezing(rollout).filter(|row| sight.freeze(row));
        let freezes = freezes.map(|freeze| &freeze.id);
        let freezes: Vec<_> = freezes.take(freeze::NAMED).collect();
        next_steps(rollout, &aborts, &freezes, |id| self.lifts.contains_key(id))
    }

    /// Standing freezes that bind a rollout, or some of its clusters.
    pub fn freezing<'a>(
        &'a self,
        rollout: &'a RolloutRow,
    ) -> impl Iterator<Item = &'a Stored<FreezeRow>> {
        self.frozen.iter().filter(|freeze| {
            let covers = freeze
                .scope
                .covers(&rollout.workload, &rollout.plan_ref(), &rollout.id);
            let mut clusters = rollout.state.clusters.keys();
            let met = clusters.any(|uid| {
                let row = self.clusters.get(uid);
                row.is_some_and(|row| freeze.concerns(row))
            });
            covers && (met || !matches!(freeze.scope, Scope::Selector(_)))
        })
    }

    /// What stands over a rollout, aborts first.
    pub fn banners_over(&self, sight: &Sight<'_>, rollout: &RolloutRow) -> Vec<Banner> {
        let aborts = self.covering(rollout).filter(|abort| sight.abort(abort));
        let aborts = self.abort_banners(aborts).into_iter();
        let freezes = self.freezing(rollout).filter(|row| sight.freeze(row));
        aborts
            .chain(freeze::banners(freezes))
            .chain(self.serving_banner(sight, rollout))
            .chain(self.stays_banner(sight, rollout))
            .map(|banner| sight.offer(banner))
            .collect()
    }

    /// What stands over other rollouts of a rollout's plan and not over it: who starts the plan again is
    /// to know of it.
    pub fn banners_beside<'a>(
        &self,
        sight: &Sight<'_>,
        rollout: &RolloutRow,
        others: impl Iterator<Item = &'a RolloutRow>,
    ) -> Vec<Banner> {
        let plan = rollout.plan_ref();
        let own = self.banners_over(sight, rollout);
        let mut beside: Vec<Banner> = Vec::new();
        for other in others.filter(|other| other.plan_ref() == plan) {
            let aborts = self.covering(other).filter(|abort| sight.abort(abort));
            let aborts = self.abort_banners(aborts).into_iter();
            let freezes = self.freezing(other).filter(|row| sight.freeze(row));
            for banner in aborts.chain(freeze::banners(freezes)) {
                let is_told = |told: &Banner| told.id == banner.id;
                if !own.iter().any(is_told) && !beside.iter().any(is_told) {
                    beside.push(sight.offer(banner));
                }
            }
        }
        beside
    }

    /// What stands and is seen, as banners, aborts first.
    pub fn banners(&self, sight: &Sight<'_>) -> Vec<Banner> {
        let aborts = self.standing.iter().filter(|abort| sight.abort(abort));
        let freezes = self.frozen.iter().filter(|freeze| sight.freeze(freeze));
        let aborts = self.abort_banners(aborts).into_iter();
        aborts.chain(freeze::banners(freezes)).collect()
    }
}

impl Seen {
    /// Aborts that stand, each in one line; of many some of each author.
    fn abort_banners<'a>(
        &self,
        standing: impl Iterator<Item = &'a Stored<AbortRow>>,
    ) -> Vec<Banner> {
        let of = |row: &'a Stored<AbortRow>| (row.unplaced().actor.as_str(), row.unplaced().at);
        let (named, rest) = shared(standing.collect(), NAMED, of);
        let named = named.into_iter().map(|row| self.abort_banner(row));
        let since = rest.iter().map(|row| row.unplaced().at);
        let remedy = Command::flagship("get").of("aborts").into();
        let more = counted((MORE_ABORTS, MORE_ABORTS), "more abort", since, remedy);
        named.chain(more).collect()
    }

    /// An abort in one line; of one that is lifted and waits for its end, when that is.
    pub fn abort_banner(&self, abort: &Stored<AbortRow>) -> Banner {
        let mut banner = banner(abort);
        if let Some(lift) = self.lifts.get(abort.id()) {
            let until = lift.effective.strftime("%H:%M:%SZ");
            let by = &lift.actor;
            banner.kind = "lifted".to_owned();
            banner.text += &format!("; lifted by {by}: it ends at {until}");
            let shows = Command::flagship("describe").of("abort").of(abort.id());
            banner.remedy = shows.that("who has answered, and who has not");
        }
        banner
    }
}

/// An abort in one line.
fn banner(abort: &Stored<AbortRow>) -> Banner {
    let order = abort.unplaced();
    let reason = given(&order.reason);
    Banner {
        kind: "abort".to_owned(),
        id: order.id.to_string(),
        text: format!(
            "{} by abort {} of {}: {reason}",
            scope(&order.scope),
            order.id,
            order.actor
        ),
        since: order.at,
        remedy: Command::flagship("lift").of(&order.id).because().into(),
        about: About::Seen,
    }
}

/// The orders of a cluster.
pub fn orders_of(state: &ApiState, uid: &ClusterUid) -> Result<Vec<Stored<OrderRow>>, StoreError> {
    state.store().read_all(&key::orders_of(uid))
}
