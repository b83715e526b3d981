//! The driver over a store in memory: orders come with their claims, and nothing is started past a
//! term, a guard or another's claim.

mod freezes;
mod several;

use flagship_proto::{
    digest::Digest,
    model::{Change, Fence, Intent, InventoryWorkload, Mono, Phase, Term, Weight, WorkloadStatus},
};
use flagship_waves::Plan;
use futures::FutureExt as _;
use jiff::Timestamp;

use super::*;
use crate::{
    records::{
        ClaimRow, ClusterRow, ClusterState, Enrolled, Guard, LastGoodRow, OrderRow, ReportRow, key,
    },
    store::Txn,
};

const PLAN: &str = "
apiVersion: flagship.dev/v1
kind: Plan
metadata: {project: shop, name: checkout}
spec:
  workload: {namespace: shop, kind: Deployment, name: checkout}
  change: {version: {}}
  canary:
    analysis: {interval: 2s, threshold: 2, stepWeight: 50, maxWeight: 50, metrics: [{name: request-success-rate, thresholdRange: {min: 99}, interval: 2s}]}
  waves:
    - {name: all, clusters: {}, maxConcurrent: 2}
";

struct Hub {
    store: Store,
    driver: Driver,
    at: u64,
}

fn at(seconds: u64) -> Tick {
    Tick {
        wall: Timestamp::from_second(1_700_000_000 + i64::try_from(seconds).unwrap()).unwrap(),
        mono: Mono {
            run: 1,
            millis: seconds * 1000,
        },
    }
}

fn uid(name: &str) -> ClusterUid {
    format!("uid-{name}").parse().unwrap()
}

impl Hub {
    fn new() -> Self {
        let store = Store::memory();
        let term = TermRow {
            term: Term {
                epoch: 1,
                counter: 1,
            },
            hub: flagship_proto::model::HubIncarnation("ab".into()),
            since: at(0).wall,
        };
        commit(&store, Txn::new().put(&term).put(&Guard::default()));
        let term = store.read(&key::term()).unwrap().unwrap();
        let driver = Driver::new(store.clone(), "fleet-1".parse().unwrap(), term, at(0));
        Self {
            store,
            driver,
            at: 0,
        }
    }

    fn join(&self, name: &str) {
        self.join_with(name, [].into());
    }

    fn join_with(&self, name: &str, labels: flagship_proto::model::Labels) {
        let enrolled = Enrolled {
            at: at(0).wall,
            token: None,
        };
        let mut row = ClusterRow::new(name.parse().unwrap(), uid(name), labels, enrolled);
        row.state = ClusterState::Active;
        row.inventory.workloads.push(InventoryWorkload {
            workload: workload(),
            version: Some("1.0.0".into()),
            digest: None,
            initial: None,
        });
        commit(&self.store, Txn::new().put(&row));
    }

    fn start(&self) {
        self.start_as("shop", "checkout-1", "1.1.0");
    }

    fn start_as(&self, project: &str, id: &str, version: &str) {
        let plan: Plan = flagship_waves::parse_plan(PLAN).unwrap();
        let change = Change::Version(version.into());
        let id: flagship_proto::model::RolloutId = id.parse().unwrap();
        let row = RolloutRow {
            project: project.parse().unwrap(),
            id: id.clone(),
            plan_digest: plan.digest(),
            workload: workload(),
            change: change.clone(),
            state: RolloutState::new(&plan, id, change, at(0).wall),
            plan,
            requests: Vec::new(),
            started: at(0).wall,
            started_by: "ann".into(),
            reason: "release".into(),
            ticket: None,
            supersedes: None,
        };
        commit(&self.store, Txn::new().put(&row));
    }

    /// All are there and have told everything.
    fn presence(&self, now: Tick) -> BTreeMap<ClusterUid, Presence> {
        let presence = Presence {
            connected: true,
            last_heard: Some(now),
            told: Some(now),
            lease_until: None,
        };
        ["a", "b", "c"].map(|name| (uid(name), presence)).into()
    }

    fn rollout(&self) -> Stored<RolloutRow> {
        let mut all = self.store.read_all(key::ROLLOUTS).unwrap();
        all.remove(0)
    }

    fn pass(&mut self) -> Result<Duration, DriverError> {
        self.at += 1;
        self.pass_at(at(self.at))
    }

    fn passes(&mut self, number: usize) {
        for _ in 0..number {
            self.pass().unwrap();
        }
    }

    fn pass_at(&mut self, now: Tick) -> Result<Duration, DriverError> {
        let presences = self.presence(now);
        self.driver
            .pass(|| presences, now)
            .now_or_never()
            .expect("memory is ready at once")
    }

    fn open_rollouts(&mut self) -> Vec<crate::store::Key> {
        let loaded = self.driver.loaded.load(&self.store).unwrap();
        loaded.open_rollouts(&Dirty::all(), at(0))
    }

    fn orders(&self) -> Vec<(ClusterUid, Intent)> {
        let rows = self.store.read_all::<OrderRow>(key::ORDERS).unwrap();
        rows.iter()
            .map(|row| (row.unplaced().uid.clone(), row.unplaced().intent))
            .collect()
    }

    fn succeed(&self, name: &str) {
        let row = self
            .store
            .read::<OrderRow>(&key::order(&uid(name), &workload()))
            .unwrap()
            .unwrap();
        let order = row.order();
        let digest = Some(Digest::of(b"1.1.0"));
        let status = WorkloadStatus {
            workload: workload(),
            fence: Fence { ..order.fence },
            rollout: Some(order.rollout.clone()),
            attempt: order.attempt,
            intent: Some(Intent::Run),
            phase: Phase::Succeeded,
            step: 1,
            weight: Weight::FULL,
            observed: Some(Weight::FULL),
            failed_checks: 0,
            version: Some("1.1.0".into()),
            digest,
            primary_version: Some("1.1.0".into()),
            primary_digest: digest,
            can_return_to: Vec::new(),
            reason: "Succeeded".into(),
            message: "done".into(),
            since: at(0).wall,
            aborted_by: None,
            local: Vec::new(),
        };
        let row = ReportRow {
            uid: uid(name),
            incarnation: flagship_proto::model::Incarnation(1),
            seq: 1,
            at: at(self.at).wall,
            status,
        };
        commit(&self.store, Txn::new().put(&row));
    }
}

fn workload() -> flagship_proto::model::WorkloadRef {
    "shop/Deployment/checkout".parse().unwrap()
}

fn commit(store: &Store, txn: Txn) {
    let outcome = store
        .txn(txn)
        .now_or_never()
        .expect("memory is ready at once")
        .unwrap();
    assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
}

#[test]
fn a_rollout_orders_as_many_as_its_wave_allows_and_claims_them() {
    let mut hub = Hub::new();
    ["a", "b", "c"].iter().for_each(|name| hub.join(name));
    hub.start();
    for _ in 0..3 {
        hub.pass().unwrap();
    }
    assert_eq!(
        hub.orders(),
        [(uid("a"), Intent::Run), (uid("b"), Intent::Run)]
    );
    assert_eq!(
        hub.store.read_all::<ClaimRow>(key::CLAIMS).unwrap().len(),
        2
    );
    let order = hub
        .store
        .read::<OrderRow>(&key::order(&uid("a"), &workload()))
        .unwrap()
        .unwrap();
    assert_eq!(
        order.order().fence.revision,
        order.modified,
        "the revision is the row's position"
    );
}

#[test]
fn a_rollout_succeeds_records_the_good_version_and_lets_go_of_its_claims() {
    let mut hub = Hub::new();
    ["a", "b"].iter().for_each(|name| hub.join(name));
    hub.start();
    hub.pass().unwrap();
    ["a", "b"].iter().for_each(|name| hub.succeed(name));
    for _ in 0..5 {
        hub.pass().unwrap();
    }
    let rollout = &hub.store.read_all::<RolloutRow>(key::ROLLOUTS).unwrap()[0];
    assert_eq!(
        rollout.state.phase,
        flagship_waves::RolloutPhase::Succeeded,
        "{:?}",
        rollout.state
    );
    assert!(
        hub.store
            .read_all::<ClaimRow>(key::CLAIMS)
            .unwrap()
            .is_empty()
    );
    let good = hub.store.read_all::<LastGoodRow>(key::LAST_GOOD).unwrap();
    assert_eq!(good[0].good.change, Change::Version("1.1.0".into()));
    let history = hub.store.list(key::HISTORY).unwrap().rows.len();
    assert!(history >= 4, "{history} entries");
}

#[test]
fn p21_a_deposed_leader_writes_nothing() {
    let mut hub = Hub::new();
    hub.join("a");
    hub.start();
    let next = TermRow {
        term: Term {
            epoch: 1,
            counter: 2,
        },
        hub: flagship_proto::model::HubIncarnation("cd".into()),
        since: at(1).wall,
    };
    commit(&hub.store, Txn::new().put(&next));
    assert!(matches!(hub.pass(), Err(DriverError::Deposed(_))));
    assert!(hub.orders().is_empty());
}

#[test]
fn p15_nothing_starts_on_a_view_from_before_the_guard_was_bumped() {
    let mut hub = Hub::new();
    hub.join("a");
    hub.start();
    let loaded = hub.driver.loaded.load(&hub.store).unwrap();
    let rollout = loaded.rollouts.values().next().unwrap().clone();
    let view = loaded.view(&rollout, &hub.presence(at(hub.at)), at(0), at(1));
    let by = "an abort that the view does not show".to_owned();
    commit(&hub.store, Txn::new().put(&Guard { by }));

    let stepped = hub.driver.step(&loaded, &rollout, &view, at(1));
    let stepped = stepped.now_or_never().expect("memory is ready at once");
    assert!(matches!(stepped, Ok(Stepped::Again)));
    assert!(hub.orders().is_empty(), "nothing was ordered");
    hub.pass().unwrap();
    assert_eq!(
        hub.orders(),
        [(uid("a"), Intent::Run)],
        "on a fresh view it is"
    );
}

#[test]
fn p15_an_abort_that_is_stored_while_rows_are_read_conflicts_with_what_they_lead_to() {
    let mut hub = Hub::new();
    hub.join("a");
    hub.start();
    let store = hub.store.clone();
    let abort = || {
        let by = "an abort that the lists do not show".to_owned();
        commit(&store, Txn::new().put(&Guard { by }));
    };
    let loaded = hub.driver.loaded.load_while(&hub.store, abort).unwrap();
    let rollout = loaded.rollouts.values().next().unwrap().clone();
    let presence = hub.presence(at(hub.at));
    let view = loaded.view(&rollout, &presence, at(0), at(1));
    let stepped = hub.driver.step(&loaded, &rollout, &view, at(1));
    let stepped = stepped.now_or_never().expect("memory is ready at once");
    assert!(matches!(stepped, Ok(Stepped::Again)));
    assert!(hub.orders().is_empty(), "nothing was ordered");
}

#[test]
fn p16_a_cluster_that_another_rollout_holds_is_not_ordered() {
    let mut hub = Hub::new();
    ["a", "b"].iter().for_each(|name| hub.join(name));
    let claim = ClaimRow {
        workload: workload(),
        uid: uid("a"),
        cluster: "a".parse().unwrap(),
        project: "shop".parse().unwrap(),
        rollout: "other-1".parse().unwrap(),
        at: at(0).wall,
    };
    commit(&hub.store, Txn::new().put(&claim));
    hub.start();
    for _ in 0..3 {
        hub.pass().unwrap();
    }
    assert_eq!(hub.orders(), [(uid("b"), Intent::Run)]);
}

#[test]
fn a_pass_over_an_unchanged_fleet_commits_nothing() {
    let mut hub = Hub::new();
    hub.join("a");
    hub.start();
    hub.pass().unwrap();
    hub.succeed("a");
    for _ in 0..10 {
        hub.pass().unwrap();
    }
    let before = hub.store.position();
    hub.pass().unwrap();
    assert_eq!(hub.store.position(), before);
}
