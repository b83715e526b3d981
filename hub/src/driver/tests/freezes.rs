//! Freezes reach orders, bind who joins later, and end when their time is over.

use flagship_proto::model::{Scope, Selector};

use super::*;
use crate::records::{FreezeEnd, FreezeRow};

fn freeze(hub: &Hub, scope: Scope, seconds: Option<u64>) -> FreezeRow {
    let row = FreezeRow {
        id: "f-1".parse().unwrap(),
        scope,
        reach: None,
        at: at(hub.at).wall,
        actor: "cleo".to_owned(),
        reason: "black friday".to_owned(),
        ticket: None,
        until: seconds.map(|seconds| at(hub.at + seconds).wall),
        lease_ms: 30_000,
        ended: None,
    };
    let by = "freeze f-1".to_owned();
    commit(&hub.store, Txn::new().put(&row).put(&Guard { by }));
    row
}

fn stored(hub: &Hub) -> FreezeRow {
    let row: Option<Stored<FreezeRow>> = hub
        .store
        .read(&key::freeze(&"f-1".parse().unwrap()))
        .unwrap();
    row.unwrap().into_value()
}

fn eu() -> flagship_proto::model::Labels {
    [("region".to_owned(), "eu".to_owned())].into()
}

#[test]
fn p28_a_freeze_turns_run_orders_to_hold_and_its_end_turns_them_back() {
    let mut hub = Hub::new();
    ["a", "b", "c"].iter().for_each(|name| hub.join(name));
    hub.start();
    hub.pass().unwrap();
    let row = freeze(&hub, Scope::Project("shop".parse().unwrap()), None);
    hub.pass().unwrap();
    let held = [(uid("a"), Intent::Hold), (uid("b"), Intent::Hold)];
    assert_eq!(hub.orders(), held);
    let end = FreezeEnd {
        at: at(hub.at).wall,
        actor: "cleo".to_owned(),
        reason: "over".to_owned(),
    };
    let ended = FreezeRow {
        ended: Some(end),
        ..row
    };
    commit(&hub.store, Txn::new().put(&ended));
    hub.pass().unwrap();
    let runs = [(uid("a"), Intent::Run), (uid("b"), Intent::Run)];
    assert_eq!(hub.orders(), runs);
}

#[test]
fn a_freeze_of_another_scope_holds_nothing() {
    let mut hub = Hub::new();
    hub.join("a");
    hub.start();
    freeze(&hub, Scope::Project("other".parse().unwrap()), None);
    hub.pass().unwrap();
    assert_eq!(hub.orders(), [(uid("a"), Intent::Run)]);
}

#[test]
fn a_freeze_by_selector_binds_who_matches_and_who_joins_later() {
    let mut hub = Hub::new();
    hub.join("a");
    hub.start();
    hub.join_with("b", eu());
    let selector = Selector {
        match_labels: eu(),
        ..Selector::default()
    };
    freeze(&hub, Scope::Selector(selector), None);
    for _ in 0..3 {
        hub.pass().unwrap();
    }
    assert_eq!(hub.orders(), [(uid("a"), Intent::Run)]);
    hub.join_with("c", eu());
    for _ in 0..3 {
        hub.pass().unwrap();
    }
    assert_eq!(hub.orders(), [(uid("a"), Intent::Run)], "c joined frozen");
}

#[test]
fn a_freeze_ends_when_its_time_is_over_and_the_audit_log_says_so() {
    let mut hub = Hub::new();
    hub.join("a");
    hub.start();
    freeze(&hub, Scope::Fleet, Some(10));
    for _ in 0..9 {
        hub.pass().unwrap();
        assert!(
            stored(&hub).stands(),
            "counted from where it was first seen"
        );
        assert!(hub.orders().is_empty());
    }
    hub.pass().unwrap();
    let end = stored(&hub).ended.unwrap();
    assert_eq!(
        (end.actor.as_str(), end.reason.as_str()),
        ("hub", "its time is over")
    );
    assert_eq!(hub.orders(), [(uid("a"), Intent::Run)], "in the same pass");
    let export = hub.store.audit_export().unwrap().to_text();
    assert!(export.contains("freeze.end"), "{export}");
    crate::audit::verify(&export, None).unwrap();
}

#[test]
fn p27_a_wall_clock_that_jumps_neither_ends_a_freeze_early_nor_makes_it_last() {
    for jump in [7 * 86_400, -7 * 86_400] {
        let mut hub = Hub::new();
        freeze(&hub, Scope::Fleet, Some(60));
        hub.pass().unwrap();
        let jumped = |seconds: u64| Tick {
            wall: Timestamp::from_second(at(seconds).wall.as_second() + jump).unwrap(),
            ..at(seconds)
        };
        hub.pass_at(jumped(50)).unwrap();
        assert!(stored(&hub).stands(), "{jump}: ten seconds are left");
        hub.pass_at(jumped(62)).unwrap();
        assert!(!stored(&hub).stands(), "{jump}: a minute has passed");
    }
}

#[test]
fn a_freeze_whose_end_passed_while_the_hub_was_down_ends_at_its_start() {
    let mut hub = Hub::new();
    freeze(&hub, Scope::Fleet, Some(60));
    let other_run = |seconds: u64| Tick {
        mono: Mono {
            run: 2,
            millis: seconds * 1000,
        },
        ..at(seconds)
    };
    hub.pass_at(other_run(50)).unwrap();
    assert!(stored(&hub).stands());
    let mut hub = Hub::new();
    freeze(&hub, Scope::Fleet, Some(60));
    hub.pass_at(other_run(100)).unwrap();
    assert!(!stored(&hub).stands());
}
