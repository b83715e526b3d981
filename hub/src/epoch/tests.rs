//! A new epoch over the store in memory: above all that was seen, and nothing advances by itself.

use flagship_proto::{
    digest::Digest,
    model::{
        Change, ClusterUid, Document, Fence, HubIncarnation, Intent, OnDisconnect, Order, ReturnTo,
        WorkloadRef, lease::DEFAULT_LEASE,
    },
};
use futures::FutureExt as _;

use super::*;
use crate::{
    leader::{found, take},
    records::Enrolled,
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

const AT: Timestamp = Timestamp::UNIX_EPOCH;

fn ready<T>(future: impl Future<Output = T>) -> T {
    future.now_or_never().expect("memory is ready at once")
}

fn uid() -> ClusterUid {
    "eu-1-uid".parse().unwrap()
}

fn workload() -> WorkloadRef {
    "shop/Deployment/checkout".parse().unwrap()
}

fn order(intent: Intent) -> Order {
    Order {
        fleet: "fleet-1".parse().unwrap(),
        cluster: "eu-1".parse().unwrap(),
        uid: uid(),
        workload: workload(),
        plan: "shop/checkout".parse().unwrap(),
        rollout: "checkout-1".parse().unwrap(),
        attempt: 1,
        fence: Fence::default(),
        intent,
        change: Change::Version("1.1.0".into()),
        return_to: ReturnTo::LastPromoted,
        now: false,
        canary: Document::of(&serde_json::json!({})).unwrap(),
        plan_digest: Digest::of(b"plan"),
        not_after: AT,
        lease: std::time::Duration::from_secs(30),
        on_disconnect: OnDisconnect::Hold,
        reason: "wave pilot".into(),
    }
}

fn put<R: crate::records::Record>(store: &Store, row: &R) {
    let outcome = ready(store.txn(Txn::new().put(row))).unwrap();
    assert!(matches!(outcome, Outcome::Committed { .. }));
}

fn fleet() -> Store {
    let store = Store::memory();
    ready(found(
        &store,
        "fleet-1".parse().unwrap(),
        "shop.example",
        AT,
    ))
    .unwrap();
    ready(take(&store, HubIncarnation("a".into()), DEFAULT_LEASE, AT)).unwrap();
    let enrolled = Enrolled {
        at: AT,
        token: None,
    };
    let mut row = ClusterRow::new("eu-1".parse().unwrap(), uid(), Default::default(), enrolled);
    row.state = ClusterState::Active;
    put(&store, &row);
    store
}

fn recover(store: &Store) -> NewEpoch {
    let said = Said {
        action: "fleet.recover",
        actor: "root (uid 0) on the hub's machine",
        reason: "yesterday's disk",
        at: AT,
    };
    ready(begin(store, &said)).unwrap()
}

#[test]
fn p21_recover_goes_above_everything_that_was_seen_and_never_back() {
    let seen = [(0, 0, 0, 2), (1, 900, 0, 2), (4, 900, 0, 5), (1, 0, 7, 8)];
    for (epoch, seq, claimed_epoch, expected) in seen {
        let store = fleet();
        put(
            &store,
            &SeenRow {
                epoch,
                seq,
                claimed_epoch,
                why: "a signed order".into(),
                at: AT,
            },
        );
        let before = store.position();
        let began = recover(&store);
        assert_eq!(began.epoch, expected);
        assert!(began.position.seq > seq.max(before.seq), "P12: {began:?}");
        assert_eq!(store.position(), began.position);
        let led = ready(take(&store, HubIncarnation("b".into()), DEFAULT_LEASE, AT)).unwrap();
        assert_eq!(led.term.term.epoch, expected);
        assert!(led.position > began.position);
    }
}

#[test]
fn p22_after_recover_nothing_advances_by_what_was_ordered_before() {
    let store = fleet();
    put(&store, &OrderRow::new(order(Intent::Run)));
    let began = recover(&store);
    assert_eq!((began.held, began.unconfirmed.len()), (1, 1));
    let row: Stored<OrderRow> = store
        .read(&key::order(&uid(), &workload()))
        .unwrap()
        .unwrap();
    let held = row.order();
    assert_eq!(held.intent, Intent::Hold);
    assert_eq!(
        (held.fence.term.epoch, held.fence.revision),
        (2, began.position)
    );
    let member: Stored<ClusterRow> = store
        .read(&key::cluster(&"eu-1".parse().unwrap()))
        .unwrap()
        .unwrap();
    assert_eq!(member.unconfirmed, Some(AT));
    assert_eq!(
        member.state,
        ClusterState::Active,
        "it stays a member: aborts and retreats reach it"
    );
    let export = store.audit_export().unwrap();
    crate::audit::verify(&export.to_text(), None).unwrap();
    assert!(export.entries.last().unwrap().contains("fleet.recover"));
}

#[test]
fn p22_what_a_person_asked_before_recover_makes_nothing_go_on_after_it() {
    let store = fleet();
    let plan = flagship_waves::parse_plan(PLAN).unwrap();
    let change = Change::Version("1.1.0".into());
    let id: flagship_proto::model::RolloutId = "checkout-1".parse().unwrap();
    let mut state = flagship_waves::RolloutState::new(&plan, id.clone(), change.clone(), AT);
    state.phase = flagship_waves::RolloutPhase::Paused;
    let resume = Request {
        id: 1,
        at: AT,
        actor: "ann".into(),
        reason: "it looked good".into(),
        wish: Wish::Resume,
    };
    let row = RolloutRow {
        project: "shop".parse().unwrap(),
        id,
        plan_digest: plan.digest(),
        workload: workload(),
        change,
        state,
        plan,
        requests: vec![resume],
        started: AT,
        started_by: "ann".into(),
        reason: "release".into(),
        ticket: None,
        supersedes: None,
    };
    put(&store, &row);
    assert_eq!(recover(&store).paused, ["shop/checkout-1"]);
    let row: Stored<RolloutRow> = store.read_all(key::ROLLOUTS).unwrap().remove(0);
    let asked: Vec<&Wish> = row.open_requests().map(|request| &request.wish).collect();
    assert_eq!(asked, [&Wish::Resume, &Wish::Pause]);
}
