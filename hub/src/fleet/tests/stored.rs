//! The fleet over a store in memory: rows become what agents are told, and what agents say becomes rows.

mod local;

use flagship_proto::{model::*, sign::SignKey};
use futures::FutureExt as _;
use std::{sync::Arc, time::Duration};

use super::fixture;
use crate::{
    fleet::{
        Config, Effect, Fleet, Follower, Job, KeptReceipt, Next, ReportedStatus, SessionId, Stored,
        Unstored, rows,
    },
    records::{
        AbortRow, ClusterRow, ClusterState, Enrolled, LiftRow, OrderRow, PublicKey, ReportRow,
        Stored as Read, key,
    },
    store::{MemoryStore, Outcome, Store, Txn},
};

struct Hub {
    store: Store,
    fleet: Fleet,
    follower: Follower,
    now: Tick,
}

impl Hub {
    fn new() -> Self {
        let store = Store::memory();
        let key = Arc::new(SignKey::generate().unwrap());
        let config = Config::new(
            "fleet-1".parse().unwrap(),
            "shop.example",
            fixture::term(),
            HubIncarnation("hub-a".into()),
        );
        let mut fleet = Fleet::new(config, key);
        let now = Tick {
            wall: "2026-01-01T00:00:00Z".parse().unwrap(),
            mono: Mono { run: 1, millis: 0 },
        };
        let follower = Follower::start(&store, &mut fleet, now).unwrap();
        Self {
            store,
            fleet,
            follower,
            now,
        }
    }

    fn write(&mut self, txn: Txn) -> Position {
        let outcome = self.store.txn(txn).now_or_never().unwrap().unwrap();
        let Outcome::Committed { position } = outcome else {
            panic!("{outcome:?}");
        };
        self.follower.catch_up(&mut self.fleet, self.now).unwrap();
        position
    }

    fn work(&mut self) {
        for effect in self.fleet.effects() {
            if let Effect::Store(ticket, job) = effect {
                let txn = rows::transaction(&self.store, &job, self.now)
                    .unwrap()
                    .unwrap();
                let outcome = self.store.txn(txn).now_or_never().unwrap().unwrap();
                let stored = match outcome {
                    Outcome::Committed { position } => Stored::Committed(position),
                    Outcome::Conflict { .. } => Stored::Conflict,
                };
                self.fleet.stored(ticket, stored, self.now);
            }
        }
        self.follower.catch_up(&mut self.fleet, self.now).unwrap();
    }

    fn told(&mut self, id: SessionId) -> Vec<HubMessage> {
        let mut told = Vec::new();
        while let Next::Message(message) = self.fleet.take(id, self.now) {
            told.push(message);
        }
        told
    }
}

fn cluster(uid: &str, state: ClusterState) -> ClusterRow {
    let enrolled = Enrolled {
        at: Timestamp::UNIX_EPOCH,
        token: None,
    };
    let mut row = ClusterRow::new(
        "eu-1".parse().unwrap(),
        uid.parse().unwrap(),
        Labels::new(),
        enrolled,
    );
    row.state = state;
    row.keys.push(PublicKey {
        spki: vec![1],
        serial: "01".into(),
        certificate: vec![2],
        not_after: "2026-01-08T00:00:00Z".parse().unwrap(),
        revoked: false,
    });
    row
}

use jiff::Timestamp;

fn join(hub: &mut Hub) -> SessionId {
    let peer = flagship_proto::identity::PeerId {
        trust_domain: "shop.example".into(),
        cluster: "eu-1".parse().unwrap(),
        uid: fixture::uid("eu-1"),
        serial: "01".into(),
        not_after: "2026-01-08T00:00:00Z".parse().unwrap(),
    };
    let id = hub.fleet.opened(peer, hub.now).unwrap();
    let hello = Hello {
        fleet: None,
        incarnation: Incarnation(3),
        term: Term::default(),
        hub: HubIncarnation::default(),
        held: vec![],
        aborts: vec![],
        inventory: Inventory {
            agent: "0.1.0".into(),
            ..fixture::having([fixture::workload()])
        },
        witness: None,
    };
    hub.fleet
        .message(id, AgentMessage::Hello(Box::new(hello)), hub.now);
    hub.work();
    id
}

#[test]
fn rows_reach_the_agent_and_its_words_become_rows() {
    let mut hub = Hub::new();
    hub.write(Txn::new().put(&cluster("eu-1-uid", ClusterState::Active)));
    let id = join(&mut hub);
    let stored: Read<ClusterRow> = hub
        .store
        .read(&key::cluster(&"eu-1".parse().unwrap()))
        .unwrap()
        .unwrap();
    assert_eq!(stored.inventory.agent, "0.1.0");
    assert_eq!(stored.incarnation, Incarnation(3));

    let order = fixture::order("eu-1", Intent::Run, fixture::fence(0));
    let at = hub.write(Txn::new().put(&OrderRow::new(order)));
    let told = hub.told(id);
    let Some(HubMessage::Order(sent)) = told.last() else {
        panic!("{told:?}");
    };
    assert_eq!(sent.value.fence.revision, at);

    let report = Report {
        incarnation: Incarnation(3),
        seq: 1,
        at: hub.now.wall,
        workloads: vec![fixture::status(sent.value.fence, Phase::Progressing, 10)],
        evidence: vec![],
    };
    hub.fleet.message(id, AgentMessage::Report(report), hub.now);
    hub.work();
    let row: Read<ReportRow> = hub
        .store
        .read(&key::report(&fixture::uid("eu-1"), &fixture::workload()))
        .unwrap()
        .unwrap();
    assert_eq!(row.status.phase, Phase::Progressing);
    assert!(
        hub.told(id)
            .iter()
            .any(|m| matches!(m, HubMessage::Ack(ack) if ack.seq == 1))
    );
}

#[test]
fn p01_the_same_name_enrolled_again_is_a_leaver_and_a_joiner() {
    let mut hub = Hub::new();
    hub.write(Txn::new().put(&cluster("eu-1-uid", ClusterState::Active)));
    let id = join(&mut hub);
    hub.told(id);
    hub.write(Txn::new().put(&cluster("eu-1-new", ClusterState::Active)));
    let told = hub.told(id);
    assert!(
        matches!(told.as_slice(), [HubMessage::Goodbye(last)] if last.code == GoodbyeCode::Removed),
        "{told:?}"
    );
}

#[test]
fn a_removed_or_pending_cluster_has_no_session() {
    for state in [
        ClusterState::Pending,
        ClusterState::Removed {
            at: Timestamp::UNIX_EPOCH,
            left: Vec::new(),
        },
    ] {
        let mut hub = Hub::new();
        hub.write(Txn::new().put(&cluster("eu-1-uid", ClusterState::Active)));
        let id = join(&mut hub);
        hub.told(id);
        hub.write(Txn::new().put(&cluster("eu-1-uid", state)));
        assert!(matches!(hub.told(id).as_slice(), [HubMessage::Goodbye(_)]));
    }
}

#[test]
fn p08_aborts_and_lifts_survive_a_restart_of_the_hub() {
    let mut hub = Hub::new();
    hub.write(Txn::new().put(&cluster("eu-1-uid", ClusterState::Active)));
    let order = fixture::order("eu-1", Intent::Run, fixture::fence(0));
    hub.write(Txn::new().put(&OrderRow::new(order)));
    let mut abort = fixture::abort("a-1", Scope::Fleet, AbortMode::Return);
    abort.at = "2025-12-31T00:00:00Z".parse().unwrap();
    let at = hub.write(Txn::new().put(&AbortRow::new(abort, None, 30_000)));
    hub.write(Txn::new().put(&LiftRow {
        abort: "a-1".parse().unwrap(),
        at: "2025-12-31T00:01:00Z".parse().unwrap(),
        actor: "olga".into(),
        reason: "found it".into(),
        effective: "2025-12-31T00:01:00Z".parse().unwrap(),
        narrowed_to: vec![],
    }));
    let again = Fleet::new(
        Config::new(
            "fleet-1".parse().unwrap(),
            "shop.example",
            fixture::term(),
            HubIncarnation("hub-b".into()),
        ),
        Arc::new(SignKey::generate().unwrap()),
    );
    hub.fleet = again;
    hub.follower = Follower::start(&hub.store, &mut hub.fleet, hub.now).unwrap();
    let id = join(&mut hub);
    let told = hub.told(id);
    assert!(
        !told.iter().any(|m| matches!(m, HubMessage::Abort(_))),
        "it was lifted long ago"
    );
    let order = told.iter().find_map(|m| match m {
        HubMessage::Order(order) => Some(order.value.clone()),
        HubMessage::Welcome(_)
        | HubMessage::Abort(_)
        | HubMessage::Lift(_)
        | HubMessage::LocalRelease(_)
        | HubMessage::Grant(_)
        | HubMessage::Ack(_)
        | HubMessage::Goodbye(_) => None,
    });
    let order = order.unwrap();
    assert_eq!((order.intent, order.fence.revision), (Intent::Retreat, at));
}

fn supersedes(intent: Intent) -> (Intent, String) {
    let mut hub = Hub::new();
    hub.write(Txn::new().put(&cluster("eu-1-uid", ClusterState::Active)));
    let order = fixture::order("eu-1", intent, fixture::fence(900));
    let job = Job::Given(Box::new(order));
    let txn = rows::transaction(&hub.store, &job, hub.now).unwrap();
    hub.write(txn.unwrap());
    let row: Read<OrderRow> = hub
        .store
        .read(&key::order(&fixture::uid("eu-1"), &fixture::workload()))
        .unwrap()
        .unwrap();
    let export = hub.store.audit_export().unwrap();
    let last: crate::audit::AuditRecord =
        serde_json::from_str(export.entries.last().unwrap()).unwrap();
    (row.unplaced().intent, last.entry.action)
}

#[test]
fn rule_4_what_was_going_back_in_a_history_that_was_given_up_goes_on_going_back() {
    let expected = [
        (Intent::Run, Intent::Hold, "order.hold"),
        (Intent::Hold, Intent::Hold, "order.hold"),
        (Intent::Retreat, Intent::Retreat, "order.retreat"),
        (Intent::Remove, Intent::Remove, "order.remove"),
    ];
    for (given, written, action) in expected {
        assert_eq!(supersedes(given), (written, action.to_owned()));
    }
}

#[test]
fn p05_an_abort_that_is_stored_late_carries_the_lease_that_its_bound_rests_on() {
    let mut hub = Hub::new();
    let job = Job::TakeOver(Box::new(Unstored {
        abort: fixture::abort("a-1", Scope::Fleet, AbortMode::Return),
        matched: None,
        lease: Duration::from_secs(120),
    }));
    let txn = rows::transaction(&hub.store, &job, hub.now).unwrap();
    hub.write(txn.unwrap());
    let row: Read<AbortRow> = hub
        .store
        .read(&key::abort(&"a-1".parse().unwrap()))
        .unwrap()
        .unwrap();
    assert_eq!(row.lease_ms, 120_000);
}

#[test]
fn trap_12_a_receipt_is_stored_on_a_nearly_full_disk_and_a_status_is_not() {
    let memory = MemoryStore::new(1);
    let store = Store::Memory(memory.clone());
    memory.set_disk_low(true);
    let now = Tick {
        wall: "2026-01-01T00:00:00Z".parse().unwrap(),
        mono: Mono { run: 1, millis: 0 },
    };
    let commit = |job: &Job| {
        let txn = rows::transaction(&store, job, now).unwrap().unwrap();
        store.txn(txn).now_or_never().unwrap()
    };
    let signed = SignedReceipt {
        receipt: super::aborts::receipt("a-1", 1, ReceiptState::Returned),
        body: Vec::new(),
        signature: Vec::new(),
        serial: "01".into(),
    };
    let receipt = Job::Receipt {
        uid: fixture::uid("eu-1"),
        receipt: Box::new(KeptReceipt {
            signed,
            certificate: Arc::from([2].as_slice()),
            taken: now.wall,
        }),
        read: None,
    };
    assert!(matches!(commit(&receipt), Ok(Outcome::Committed { .. })));
    let status = Job::Report {
        uid: fixture::uid("eu-1"),
        cluster: "eu-1".parse().unwrap(),
        reported: Box::new(ReportedStatus {
            incarnation: Incarnation(1),
            seq: 1,
            at: now.wall,
            status: fixture::status(Fence::default(), Phase::Progressing, 10),
        }),
        read: None,
    };
    assert!(commit(&status).is_err());
}
