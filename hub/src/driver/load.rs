//! What a step rests on: rows of one moment, and the view that the engine gets of them.
//!
//! They are listed once; from then on the store's watch brings what changed, so that a pass costs what
//! changed since the last one, not what there is.

mod rows;

use std::{collections::BTreeMap, sync::Arc};

use flagship_proto::model::{Abort, AbortMode, ClusterUid, Tick, WorkloadRef};
use flagship_waves::{AbortEnd, FleetView, Freeze, LastGood, Member, OrderSeen, StandingAbort};

use super::is_bound_over;
use crate::{
    fleet::Presence,
    records::{
        self, AbortRow, ClaimRow, ClusterRow, FreezeRow, Guard, LastGoodRow, LiftRow, OrderRow,
        ReportRow, RolloutRow, Stored, key,
    },
    store::{Events, Key, Row, Store, StoreError, Watch, WatchError},
};

pub(super) use rows::Dirty;
use rows::{Places, Rows, Taken, Touched, take};

/// What is listed once.
const PREFIXES: [&str; 9] = [
    key::ROLLOUTS,
    key::CLUSTERS,
    key::ORDERS,
    key::REPORTS,
    key::ABORTS,
    key::LIFTS,
    key::FREEZES,
    key::CLAIMS,
    key::LAST_GOOD,
];

/// The rows, and the place in the store's history up to which they are known.
#[derive(Debug, Default)]
pub(super) struct Cache {
    known: Option<Known>,
    /// What changed and was not asked for yet.
    dirty: Dirty,
}

#[derive(Debug)]
struct Known {
    watch: Watch,
    loaded: Arc<Loaded>,
}

/// All of it, of one moment.
#[derive(Debug, Clone, Default)]
pub(super) struct Loaded {
    pub(super) rollouts: Rows<RolloutRow>,
    pub(super) orders: Places<OrderRow>,
    pub(super) claims: Places<ClaimRow>,
    pub(super) last_good: Rows<LastGoodRow>,
    pub(super) guard: Option<Stored<Guard>>,
    clusters: Rows<ClusterRow>,
    freezes: Rows<FreezeRow>,
    reports: Places<ReportRow>,
    aborts: Rows<AbortRow>,
    lifts: Rows<LiftRow>,
}

impl Cache {
    /// Everything, as of now. Costs nothing if nothing was committed since the last call.
    pub(super) fn load(&mut self, store: &Store) -> Result<Arc<Loaded>, StoreError> {
        self.load_while(store, || {})
    }

    /// The same, with what happens while rows are listed.
    pub(super) fn load_while(
        &mut self,
        store: &Store,
        meanwhile: impl FnOnce(),
    ) -> Result<Arc<Loaded>, StoreError> {
        // Taken out: what fails half-way is listed again the next time.
        let known = match self.known.take() {
            Some(known) => self.follow(known)?,
            None => None,
        };
        let known = match known {
            Some(known) => known,
            None => {
                self.dirty.add(Touched::Any);
                Known::list(store, meanwhile)?
            }
        };
        let loaded = Arc::clone(&known.loaded);
        self.known = Some(known);
        Ok(loaded)
    }

    /// What changed since the last call, as of the last load.
    pub(super) fn take_dirty(&mut self) -> Dirty {
        std::mem::take(&mut self.dirty)
    }

    /// Waits until something has changed that was not asked for. Cancelling loses nothing.
    pub(super) async fn changed(&mut self, store: &Store) -> Result<(), StoreError> {
        loop {
            self.load(store)?;
            if !self.dirty.is_empty() {
                return Ok(());
            }
            if let Some(known) = &mut self.known
                && known.watch.changed().await.is_err()
            {
                return Err(StoreError::Closed);
            }
        }
    }

    /// Takes in what changed; none where the watch lost its place.
    fn follow(&mut self, mut known: Known) -> Result<Option<Known>, StoreError> {
        let Events { events, at: _ } = match known.watch.poll() {
            Ok(events) => events,
            Err(WatchError::TooOld { .. } | WatchError::Ahead { .. }) => return Ok(None),
            Err(WatchError::Closed) => return Err(StoreError::Closed),
            Err(WatchError::Store(error)) => return Err(error),
        };
        for event in events.iter().filter(|event| is_about_rollouts(&event.key)) {
            let loaded = Arc::make_mut(&mut known.loaded);
            self.dirty.add(loaded.take(&event.key, event.row.as_ref())?);
        }
        Ok(Some(known))
    }
}

impl Known {
    fn list(store: &Store, meanwhile: impl FnOnce()) -> Result<Self, StoreError> {
        let mut loaded = Loaded::default();
        loop {
            // Taken before the lists: what is committed meanwhile comes again by the watch. The guard
            // is read before them too, so that an abort which they do not show conflicts (P15).
            let at = store.position().seq;
            loaded.guard = store.read(&key::guard())?;
            for prefix in PREFIXES {
                for (key, row) in store.list(prefix)?.rows {
                    loaded.take(&key, Some(&row))?;
                }
            }
            match store.watch(key::ALL, at) {
                Ok(watch) => {
                    meanwhile();
                    return Ok(Self {
                        watch: watch.without_values_on_disk(),
                        loaded: Arc::new(loaded),
                    });
                }
                // More was written during the listing than the log keeps: list again.
                Err(WatchError::TooOld { .. } | WatchError::Ahead { .. }) => {
                    loaded = Loaded::default();
                }
                Err(WatchError::Closed) => return Err(StoreError::Closed),
                Err(WatchError::Store(error)) => return Err(error),
            }
        }
    }
}

fn is_about_rollouts(key: &Key) -> bool {
    let mut prefixes = PREFIXES.iter();
    prefixes.any(|prefix| key.as_str().starts_with(prefix))
        || (key.as_str().starts_with(key::META) && *key == key::guard())
}

impl Loaded {
    fn take(&mut self, key: &Key, row: Option<&Row>) -> Taken {
        let Some((kind, place)) = key::parse(key) else {
            return Ok(Touched::Nothing);
        };
        match (kind, place.as_slice()) {
            ("rollout", _) => take(&mut self.rollouts, key, row, |rollout| {
                Some(rollout.workload.clone())
            }),
            ("lastgood", _) => take(&mut self.last_good, key, row, |good| {
                Some(good.workload.clone())
            }),
            ("cluster", _) => take(&mut self.clusters, key, row, |_| None),
            ("abort", _) => take(&mut self.aborts, key, row, |_| None),
            ("lift", _) => take(&mut self.lifts, key, row, |_| None),
            ("freeze", _) => take(&mut self.freezes, key, row, |_| None),
            ("order", [uid, workload]) => self.orders.take([workload, uid], key, row),
            ("report", [uid, workload]) => self.reports.take([workload, uid], key, row),
            ("claim", [workload, uid]) => self.claims.take([workload, uid], key, row),
            ("meta", _) => {
                self.guard = row.map(|row| records::decode(key, row)).transpose()?;
                Ok(Touched::Any)
            }
            _ => Ok(Touched::Nothing),
        }
    }

    /// Rollouts among `dirty` that may have something to do: those that are not over, the last one that
    /// Succeeded for a workload (its catch-up lane), any of which a person asked something, and
    /// those in the scope of a standing abort that takes back what is Done.
    /// In the order in which they were started: what one that is superseded writes last comes
    /// before what its successor writes.
    pub(super) fn open_rollouts(&self, dirty: &Dirty, now: Tick) -> Vec<Key> {
        let standing = self.aborts.values().filter(|abort| {
            let lift = self.lifts.get(&key::lift(abort.id()));
            lift.is_none_or(|lift| lift.pending(now.wall))
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
        let is_current = |rollout: &RolloutRow| {
            let good = self.last_good.get(&key::last_good(&rollout.workload));
            good.is_some_and(|row| {
                (&row.good.project, &row.good.rollout) == (&rollout.project, &rollout.id)
            })
        };
        let touched = self.rollouts.iter();
        let touched = touched.filter(|(_, rollout)| dirty.concerns(&rollout.workload));
        let open = touched.filter(|(_, rollout)| {
            let asked = rollout.open_requests().next().is_some();
            // Whoever is in its lane is brought to an end, though another rollout has Succeeded since: until
            // then it keeps the cluster from that one.
            let catches_up = rollout.state.is_lane_busy();
            !rollout.state.is_over()
                || asked
                || catches_up
                || is_current(rollout)
                || goes_back(rollout)
        });
        let mut open: Vec<_> = open
            .map(|(key, rollout)| (rollout.created, key.clone()))
            .collect();
        open.sort();
        open.into_iter().map(|(_, key)| key).collect()
    }

    /// Freezes that stand.
    pub(super) fn standing_freezes(&self) -> impl Iterator<Item = &Stored<FreezeRow>> {
        self.freezes.values().filter(|freeze| freeze.stands())
    }

    /// What is good for a workload.
    pub(super) fn good(&self, workload: &WorkloadRef) -> Option<&Stored<LastGoodRow>> {
        self.last_good.get(&key::last_good(workload))
    }

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
            .values()
            .filter(|cluster| cluster.state.is_member());
        let members = members.map(|cluster| {
            let member = self.member(cluster, rollout, presence, started, now);
            (cluster.uid.clone(), member)
        });
        let standing = self
            .aborts
            .values()
            .filter(|abort| self.stands(abort, rollout, now));
        FleetView {
            members: members.collect(),
            aborts: standing
                .map(|abort| StandingAbort {
                    abort: abort.abort(),
                    clusters: abort.matched.clone(),
                    end: self.lifts.get(&key::lift(abort.id())).map(|lift| AbortEnd {
                        actor: lift.actor.clone(),
                        at: lift.effective,
                    }),
                })
                .collect(),
            freezes: self.freezes_of(rollout),
            last_good: self.good(&rollout.workload).map(|good| LastGood {
                change: good.good.change.clone(),
                digest: good.good.digest,
            }),
            requests: rollout.requests.clone(),
        }
    }

    fn freezes_of(&self, rollout: &RolloutRow) -> Vec<Freeze> {
        let covers = |freeze: &&Stored<FreezeRow>| {
            let scope = &freeze.scope;
            scope.covers(&rollout.workload, &rollout.plan_ref(), &rollout.id)
        };
        let fleet = || self.clusters.values().map(|cluster| &**cluster);
        self.standing_freezes()
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
        let lift = self.lifts.get(&key::lift(abort.id()));
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
        let seen = presence.get(&cluster.uid).copied().unwrap_or_default();
        let order = self
            .orders
            .get(workload, &cluster.uid)
            .map(|row| row.order());
        let claim = self.claims.get(workload, &cluster.uid);
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
            status: self
                .reports
                .get(workload, &cluster.uid)
                .map(|row| row.status.clone()),
        }
    }
}
