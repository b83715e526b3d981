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

#[test]
fn what_a_person_asks_of_an_older_rollout_that_succeeded_is_heard() {
    let mut hub = Hub::new();
    hub.join("a");
    hub.start();
    hub.pass().unwrap();
    hub.succeed("a");
    while !hub.rollout().state.is_over() {
        hub.pass().unwrap();
    }
    let good: Stored<LastGoodRow> = hub
        .store
        .read(&key::last_good(&workload()))
        .unwrap()
        .unwrap();
    let newer = LastGoodRow {
        good: GoodVersion {
            rollout: "checkout-2".parse().unwrap(),
            change: Change::Version("1.2.0".into()),
            ..good.value.good.clone()
        },
        ..good.value.clone()
    };
    let mut asked = hub.rollout().value.clone();
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
    for mut row in hub.store.read_all::<RolloutRow>(key::ROLLOUTS).unwrap() {
        row.value.state.phase = flagship_waves::RolloutPhase::Succeeded;
        row.value.state.ended = Some(at(0).wall);
        txn = txn.put(&row.value);
    }
    commit(&hub.store, txn);
    let open = hub.driver.loaded.open_rollouts(&hub.store, at(0)).unwrap();
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
    let mut old = named(&hub, "checkout-9").value;
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
    for mut claim in hub.store.read_all::<ClaimRow>(key::CLAIMS).unwrap() {
        claim.value.rollout = "checkout-10".parse().unwrap();
        txn = txn.put(&claim.value);
    }
    commit(&hub.store, txn);
    let open = hub.driver.loaded.open_rollouts(&hub.store, at(0)).unwrap();
    let shop = "shop".parse().unwrap();
    let named = |id: &str| key::rollout(&shop, &id.parse().unwrap());
    assert_eq!(open, [named("checkout-9"), named("checkout-10")]);
    hub.pass().unwrap();
    assert_eq!(hub.orders(), [(uid("a"), Intent::Run)]);
}
