//! Several rollouts of one workload: which are looked at, in which order, and who holds the last good
//! version.

use flagship_proto::model::ReturnTo;
use flagship_waves::{Request, Wish};

use super::*;
use crate::records::GoodVersion;

fn named(hub: &Hub, id: &str) -> Stored<RolloutRow> {
    let all = hub.store.read_all::<RolloutRow>(key::ROLLOUTS).unwrap();
    all.into_iter().find(|row| row.id.as_str() == id).unwrap()
}

/// A hub whose first rollout has succeeded in its one cluster.
fn succeeded() -> Hub {
    let mut hub = Hub::new();
    hub.join("a");
    hub.start();
    hub.pass().unwrap();
    hub.succeed("a");
    while !hub.rollout().state.is_over() {
        hub.pass().unwrap();
    }
    hub
}

/// That a later rollout has succeeded since.
fn newer_good(hub: &Hub) -> LastGoodRow {
    let good: Stored<LastGoodRow> = hub
        .store
        .read(&key::last_good(&workload()))
        .unwrap()
        .unwrap();
    LastGoodRow {
        good: GoodVersion {
            rollout: "checkout-2".parse().unwrap(),
            change: Change::Version("1.2.0".into()),
            ..good.value.good.clone()
        },
        ..good.to_value()
    }
}

#[test]
fn what_a_person_asks_of_an_older_rollout_that_succeeded_is_heard() {
    let mut hub = succeeded();
    let newer = newer_good(&hub);
    let mut asked = hub.rollout().to_value();
    asked.requests.push(Request {
        id: asked.next_request(),
        at: at(9).wall,
        actor: "ann".into(),
        reason: "it leaks".into(),
        wish: Wish::Retreat {
            to: ReturnTo::LastPromoted,
            now: false,
        },
    });
    commit(&hub.store, Txn::new().put(&newer).put(&asked));
    hub.pass().unwrap();
    assert_eq!(hub.orders(), [(uid("a"), Intent::Retreat)]);
}

/// Where an older rollout that Succeeded were looked at no more, it would keep the cluster that catches up with
/// it from the newer one for ever.
#[test]
fn who_catches_up_with_a_rollout_is_brought_to_an_end_though_another_has_succeeded_since() {
    for succeeds in [true, false] {
        let mut hub = succeeded();
        hub.join("b");
        hub.passes(3);
        let lane = hub.rollout().state.catch_up.clone().unwrap();
        assert_eq!(lane.uid, uid("b"));
        let newer = newer_good(&hub);
        commit(&hub.store, Txn::new().put(&newer));
        hub.join("c");
        hub.succeed("b");
        let of = key::report(&uid("b"), &workload());
        let report: Stored<ReportRow> = hub.store.read(&of).unwrap().unwrap();
        let mut report = report.to_value();
        if !succeeds {
            let status = &mut report.status;
            (status.phase, status.weight) = (Phase::Failed, Weight::ZERO);
            status.observed = Some(Weight::ZERO);
            status.primary_version = Some("1.0.0".into());
            status.primary_digest = Some(Digest::of(b"1.0.0"));
            commit(&hub.store, Txn::new().put(&report));
        }
        hub.passes(3);
        if !succeeds {
            // It says that it is back under the order that sent it there.
            let order = key::order(&uid("b"), &workload());
            let order: Stored<OrderRow> = hub.store.read(&order).unwrap().unwrap();
            assert_eq!(order.unplaced().intent, Intent::Retreat);
            report.status.fence = order.order().fence;
            report.status.intent = Some(Intent::Retreat);
            report.seq += 1;
            commit(&hub.store, Txn::new().put(&report));
            hub.passes(3);
        }
        let state = hub.rollout().state.clone();
        assert!(state.catch_up.is_none(), "it takes nobody else: {state:?}");
        let claim = key::claim(&workload(), &uid("b"));
        let claim = hub.store.get(&claim).unwrap();
        assert!(claim.is_none(), "{succeeds}: {state:?}");
    }
}

#[test]
fn the_last_good_versions_holder_is_looked_for_in_its_own_project() {
    let mut hub = Hub::new();
    hub.join("a");
    for project in ["bar", "shop"] {
        hub.start_as(project, "checkout-1", "1.1.0");
    }
    let holder = LastGoodRow {
        workload: workload(),
        good: GoodVersion {
            change: Change::Version("1.1.0".into()),
            digest: None,
            project: "shop".parse().unwrap(),
            rollout: "checkout-1".parse().unwrap(),
        },
        at: at(0).wall,
        before: Vec::new(),
    };
    let mut txn = Txn::new().put(&holder);
    for row in hub.store.read_all::<RolloutRow>(key::ROLLOUTS).unwrap() {
        let mut row = row.into_value();
        row.state.phase = flagship_waves::RolloutPhase::Succeeded;
        row.state.ended = Some(at(0).wall);
        txn = txn.put(&row);
    }
    commit(&hub.store, txn);
    let open = hub.open_rollouts();
    let shop = key::rollout(&"shop".parse().unwrap(), &"checkout-1".parse().unwrap());
    assert_eq!(open, [shop]);
}

#[test]
fn a_superseded_rollout_ends_before_its_successor_writes_whatever_their_numbers() {
    let mut hub = Hub::new();
    hub.join("a");
    hub.start_as("shop", "checkout-9", "1.1.0");
    hub.pass().unwrap();
    hub.start_as("shop", "checkout-10", "1.2.0");
    let mut old = named(&hub, "checkout-9").into_value();
    old.requests.push(Request {
        id: old.next_request(),
        at: at(9).wall,
        actor: "ann".into(),
        reason: "hotfix".into(),
        wish: Wish::Supersede {
            by: "checkout-10".parse().unwrap(),
        },
    });
    let mut txn = Txn::new().put(&old);
    for claim in hub.store.read_all::<ClaimRow>(key::CLAIMS).unwrap() {
        let mut claim = claim.into_value();
        claim.rollout = "checkout-10".parse().unwrap();
        txn = txn.put(&claim);
    }
    commit(&hub.store, txn);
    let open = hub.open_rollouts();
    let shop = "shop".parse().unwrap();
    let named = |id: &str| key::rollout(&shop, &id.parse().unwrap());
    assert_eq!(open, [named("checkout-9"), named("checkout-10")]);
    hub.pass().unwrap();
    assert_eq!(hub.orders(), [(uid("a"), Intent::Run)]);
}

#[test]
fn the_driver_is_woken_by_what_its_rollouts_rest_on_and_by_nothing_else() {
    let mut hub = Hub::new();
    hub.join("a");
    hub.start();
    for _ in 0..5 {
        hub.pass().unwrap();
    }
    assert!(
        hub.driver.changed().now_or_never().is_none(),
        "all is known"
    );
    let project = crate::records::ProjectRow {
        project: "shop".parse().unwrap(),
        created: at(0).wall,
        created_by: "ann".into(),
    };
    commit(&hub.store, Txn::new().put(&project));
    assert!(hub.driver.changed().now_or_never().is_none(), "no rollout");
    hub.succeed("a");
    assert!(hub.driver.changed().now_or_never().is_some());
}

#[test]
fn a_report_is_about_the_rollouts_of_its_workload_and_a_member_about_all() {
    let mut hub = Hub::new();
    hub.join("a");
    hub.start();
    hub.pass().unwrap();
    let other = "shop/Deployment/cart".parse().unwrap();
    let changed = |hub: &mut Hub| {
        hub.driver.loaded.load(&hub.store).unwrap();
        hub.driver.loaded.take_dirty()
    };
    changed(&mut hub);
    hub.succeed("a");
    let dirty = changed(&mut hub);
    assert!(dirty.concerns(&workload()) && !dirty.concerns(&other));
    hub.join("b");
    assert!(changed(&mut hub).concerns(&other));
    assert!(!changed(&mut hub).concerns(&other), "said once");
}

#[test]
fn what_is_followed_is_what_a_list_shows() {
    let mut hub = Hub::new();
    ["a", "b"].iter().for_each(|name| hub.join(name));
    hub.start();
    for _ in 0..3 {
        hub.pass().unwrap();
    }
    hub.succeed("a");
    hub.start_as("shop", "checkout-2", "1.2.0");
    hub.pass().unwrap();
    let claim = key::claim(&workload(), &uid("b"));
    commit(&hub.store, Txn::new().delete(claim));
    let followed = hub.driver.loaded.load(&hub.store).unwrap();
    let listed = load::Cache::default().load(&hub.store).unwrap();
    assert_eq!(format!("{followed:?}"), format!("{listed:?}"));
}
