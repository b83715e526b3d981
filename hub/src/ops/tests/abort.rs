//! `abort`: one transaction, frozen selectors, its preview, and a disk that is full.

use flagship_proto::model::{AbortMode, Scope, Selector};

use super::*;
use crate::auth::Grants;
use crate::leases::Leases;
use crate::records::Guard;

fn order(scope: Scope) -> AbortOrder {
    AbortOrder {
        scope,
        mode: AbortMode::Return,
    }
}

fn region(region: &str) -> Scope {
    Scope::Selector(Selector {
        match_labels: [("region".to_owned(), region.to_owned())].into(),
        ..Selector::default()
    })
}

fn names(list: &[PreviewCluster]) -> Vec<String> {
    list.iter().map(|found| found.cluster.to_string()).collect()
}

fn stored(hub: &Hub, answer: &AbortAnswer) -> Stored<AbortRow> {
    let key = key::abort(&answer.abort.id);
    hub.ops.store.read(&key).unwrap().unwrap()
}

#[test]
fn an_abort_its_audit_entry_and_the_guard_are_one_transaction() {
    let hub = Hub::new();
    let before = hub.ops.store.position().seq;
    let answer = ready(
        hub.ops
            .abort(&with_reason(), order(Scope::Fleet), hub.now()),
    )
    .unwrap();
    assert_eq!(hub.ops.store.position().seq, before + 1);
    assert!(answer.durable);
    let row = stored(&hub, &answer);
    assert_eq!(row.abort().position, Some(row.created));
    assert_eq!(row.abort().reason, "orders are failing");
    let guard: Stored<Guard> = hub.ops.store.read(&key::guard()).unwrap().unwrap();
    assert_eq!(
        guard.modified, row.created,
        "P15: a start decided before it cannot commit"
    );
    assert_eq!(hub.audited().last().unwrap(), "abort.create");
}

#[test]
fn p09_who_matched_a_selector_stays_matched_and_who_joins_later_is_in_it() {
    let hub = Hub::new();
    let answer = ready(hub.ops.abort(&caller(), order(region("eu")), hub.now())).unwrap();
    let expected = [uid("eu-1"), uid("pilot-1")].into();
    assert_eq!(answer.matched, Some(expected));
    let position = stored(&hub, &answer).created;
    for (name, labels, is_in) in [("eu-2", "eu", true), ("us-2", "us", false)] {
        hub.join(name, &[("region", labels)]);
        let mut row = hub
            .ops
            .cluster(&Grants::everything(), &cluster(name))
            .unwrap()
            .into_value();
        row.state = ClusterState::Pending;
        hub.put(&row);
        ready(hub.ops.approve_cluster(&caller(), cluster(name), hub.now())).unwrap();
        assert_eq!(stored(&hub, &answer).concerns(&uid(name)), is_in, "{name}");
    }
    assert_eq!(stored(&hub, &answer).abort().position, Some(position));
}

#[test]
fn a_scope_that_names_nothing_is_refused_and_says_that_nothing_was_stopped() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    for (scope, word) in [
        (Scope::Project("shpo".parse().unwrap()), "shop"),
        (
            Scope::Plan("shop/chekout".parse().unwrap()),
            "shop/checkout",
        ),
        (
            Scope::Rollout {
                project: "shop".parse().unwrap(),
                id: "checkout-7".parse().unwrap(),
            },
            "checkout-1",
        ),
        (
            Scope::Workload("shop/Deployment/cart".parse().unwrap()),
            "--fleet",
        ),
        (region("mars"), "get clusters"),
        (Scope::Selector(Selector::default()), "--fleet"),
    ] {
        let error = ready(hub.ops.abort(&caller(), order(scope.clone()), hub.now())).unwrap_err();
        assert!(error.message.contains("nothing was stopped"), "{error}");
        assert!(error.remedy.contains(word), "{scope}: {}", error.remedy);
        assert_eq!(error.field.as_deref(), Some("scope"));
        assert!(
            hub.ops
                .preview_abort(&Grants::everything(), &order(scope), hub.now())
                .is_err()
        );
    }
    assert!(hub.ops.store.list(key::ABORTS).unwrap().rows.is_empty());
}

#[test]
fn trap_12_an_abort_goes_through_on_a_nearly_full_disk_and_out_provisionally_on_a_full_one() {
    let hub = Hub::new();
    hub.memory.set_disk_low(true);
    let answer = ready(hub.ops.abort(&caller(), order(Scope::Fleet), hub.now())).unwrap();
    assert!(answer.durable);
    hub.memory.set_broken(true);
    let answer = ready(hub.ops.abort(&caller(), order(Scope::Fleet), hub.now())).unwrap();
    assert!(!answer.durable);
    assert_eq!(answer.abort.position, None);
    assert!(answer.why_not.unwrap().contains("no space left"));
    assert_eq!(hub.ops.store.list(key::ABORTS).unwrap().rows.len(), 1);
}

#[test]
fn p05_the_bound_is_the_longest_lease_in_scope_and_the_same_before_and_after() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let preview = hub
        .ops
        .preview_abort(&Grants::everything(), &order(Scope::Fleet), hub.now())
        .unwrap();
    assert_eq!(
        preview.bound_ms, 35_300,
        "nothing ordered: the lease that is granted"
    );
    hub.order(
        "pilot-1",
        "checkout-1",
        OnDisconnect::Hold,
        Some(Phase::Progressing),
    );
    let preview = hub
        .ops
        .preview_abort(&Grants::everything(), &order(Scope::Fleet), hub.now())
        .unwrap();
    assert_eq!(
        preview.bound_ms, 15_100,
        "10 s of the order, 5 s to act, 1% drift"
    );
    let answer = ready(hub.ops.abort(&caller(), order(Scope::Fleet), hub.now())).unwrap();
    assert_eq!(
        answer.nothing_advances_after,
        preview.nothing_advances_after
    );
}

#[test]
fn p05_the_bound_counts_with_the_longer_leases_of_a_former_hub_until_they_have_run_out() {
    let mut hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let running = Some(Phase::Progressing);
    hub.order("pilot-1", "checkout-1", OnDisconnect::Hold, running);
    let secs = Duration::from_secs;
    let leases = Leases::after(secs(3), secs(60), hub.now());
    hub.ops = hub.ops.clone().with_leases(leases);
    let scope = || {
        let selector = Selector {
            names: [cluster("us-1")].into(),
            ..Selector::default()
        };
        [Scope::Fleet, Scope::Selector(selector)]
    };
    let bounds = |now: Tick| {
        scope().map(|scope| {
            let stopped = ready(hub.ops.abort(&caller(), order(scope), now)).unwrap();
            let bound = now.wall.until(stopped.nothing_advances_after).unwrap();
            Duration::try_from(bound).unwrap().as_millis()
        })
    };
    assert_eq!(bounds(hub.now()), [15_100, 65_600]);
    assert_eq!(bounds(hub.now().plus(secs(66))), [8_030, 8_030]);
}

#[test]
fn a_preview_says_who_stops_who_is_done_and_who_is_outside_the_bound() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.order(
        "pilot-1",
        "checkout-1",
        OnDisconnect::Hold,
        Some(Phase::Succeeded),
    );
    hub.order(
        "eu-1",
        "checkout-1",
        OnDisconnect::Continue,
        Some(Phase::Progressing),
    );
    hub.order("us-1", "checkout-1", OnDisconnect::Hold, None);
    hub.join("ap-1", &[("region", "ap")]);
    let before = hub.ops.store.position();
    let preview = hub
        .ops
        .preview_abort(&Grants::everything(), &order(Scope::Fleet), hub.now())
        .unwrap();
    assert_eq!(names(&preview.done), ["pilot-1"]);
    assert_eq!(names(&preview.stops), ["eu-1", "us-1"]);
    assert_eq!(names(&preview.outside), ["eu-1"]);
    assert_eq!(preview.idle, [cluster("ap-1")]);
    assert_eq!(preview.rollouts, [name("checkout-1")]);
    assert_eq!(preview.clusters().len(), 4);
    assert_eq!(preview.stops[0].weight, Some(Weight::saturating(20)));
    assert_eq!(hub.ops.store.position(), before, "nothing is stored");
    let eu = hub
        .ops
        .preview_abort(&Grants::everything(), &order(region("us")), hub.now())
        .unwrap();
    assert_eq!(names(&eu.stops), ["us-1"]);
}

#[test]
fn a_preview_lists_what_succeeded_in_rollouts_that_have_ended_too_whether_it_goes_back_or_stays() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let succeeded = Some(Phase::Succeeded);
    hub.order("us-1", "checkout-1", OnDisconnect::Hold, succeeded);
    hub.alter("checkout-1", |row| {
        row.state.phase = flagship_waves::RolloutPhase::Succeeded;
    });
    for (mode, taken_back) in [(AbortMode::Return, 0), (AbortMode::RetreatDone, 1)] {
        let scope = Scope::Fleet;
        let preview = hub.ops.preview_abort(
            &Grants::everything(),
            &AbortOrder { scope, mode },
            hub.now(),
        );
        let preview = preview.unwrap();
        assert_eq!(preview.done.len(), 1, "{mode}");
        assert_eq!(preview.taken_back.len(), taken_back, "{mode}");
    }
}

#[test]
fn a_preview_of_retreat_names_the_rollout_that_ended_and_where_it_is_left_behind() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.alter("checkout-1", |row| {
        row.state.phase = flagship_waves::RolloutPhase::Succeeded;
        for (name, wave) in [("us-1", 0), ("eu-1", 1)] {
            let done = flagship_waves::ClusterState {
                phase: flagship_waves::ClusterPhase::Done,
                touched: true,
                ..flagship_waves::ClusterState::waiting(cluster(name), wave, row.started)
            };
            row.state.clusters.insert(uid(name), done);
        }
    });
    let (done, running) = (Some(Phase::Succeeded), Some(Phase::Progressing));
    hub.order("us-1", "checkout-1", OnDisconnect::Hold, done);
    hub.order("eu-1", "checkout-2", OnDisconnect::Hold, running);
    let key = key::report(&uid("eu-1"), &workload());
    let report: Stored<ReportRow> = hub.ops.store.read(&key).unwrap().unwrap();
    let mut report = report.into_value();
    report.status.version = Some("1.2.0".to_owned());
    report.status.primary_version = Some("1.1.0".to_owned());
    hub.put(&report);
    let order = |mode| AbortOrder {
        scope: Scope::Fleet,
        mode,
    };
    let everything = Grants::everything();
    let preview = |mode| hub.ops.preview_abort(&everything, &order(mode), hub.now());
    let preview_of = |mode| preview(mode).unwrap();
    let back = preview_of(AbortMode::RetreatDone);
    assert_eq!(names(&back.stops), ["eu-1"]);
    assert_eq!(names(&back.done), ["us-1"]);
    assert_eq!(back.taken_back, [name("checkout-1")]);
    assert_eq!(names(&back.left), ["eu-1"]);
    assert_eq!(back.left[0].rollout, name("checkout-1"));
    assert!(preview_of(AbortMode::Return).taken_back.is_empty());
}

#[test]
fn no_row_that_cannot_be_read_stands_in_the_way_of_a_fleet_abort() {
    let hub = Hub::new();
    let mut txn = Txn::new();
    for prefix in [key::ORDERS, key::CLUSTERS, key::ROLLOUTS, key::ABORTS] {
        txn.writes.push(crate::store::Write::bytes(
            crate::store::Key::from_path(&format!("{prefix}x/y")),
            bytes::Bytes::from_static(b"torn"),
        ));
    }
    ready(hub.ops.store.txn(txn)).unwrap();
    let answer = ready(hub.ops.abort(&caller(), order(Scope::Fleet), hub.now())).unwrap();
    assert!(answer.durable);
    assert!(answer.nothing_advances_after > hub.now().wall);
}

#[test]
fn who_was_told_to_go_back_and_has_not_said_so_counts_as_in_flight_at_its_last_weight() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let running = Some(Phase::Progressing);
    hub.order("us-1", "checkout-1", OnDisconnect::Hold, running);
    let key = key::order(&uid("us-1"), &workload());
    let told: Stored<OrderRow> = hub.ops.store.read(&key).unwrap().unwrap();
    let back = flagship_proto::model::Order {
        intent: flagship_proto::model::Intent::Retreat,
        ..told.order()
    };
    hub.put(&OrderRow::new(back));
    let preview = hub
        .ops
        .preview_abort(&Grants::everything(), &order(Scope::Fleet), hub.now())
        .unwrap();
    assert_eq!(preview.stops.len(), 1, "{preview:?}");
    assert_eq!(preview.stops[0].weight, Some(Weight::saturating(20)));
    assert!(preview.idle.iter().all(|name| name.as_str() != "us-1"));
}
