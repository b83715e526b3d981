//! Which orders are taken, and from when they are obeyed (P12, P13, P21).

use super::*;
use crate::link::{Session, Then, Why};

#[test]
fn p13_a_run_order_is_obeyed_only_once_it_is_on_disk() {
    let mut bench = Bench::welcomed(secs(0));
    bench.lease(0, secs(0));
    bench.order(order(10, Intent::Run), secs(1)).unwrap();
    assert!(bench.link.permission(&workload(), secs(1)).is_none());
    bench.disk_full(secs(1));
    assert!(bench.link.permission(&workload(), secs(1)).is_none());
    assert!(bench.link.next_save(secs(1)).is_none(), "tried again later");
    bench.sync(secs(3));
    assert!(bench.advances(secs(3)));
}

#[test]
fn p13_hold_and_retreat_act_even_where_nothing_can_be_kept() {
    for intent in [Intent::Hold, Intent::Retreat, Intent::Remove] {
        let mut bench = Bench::running(secs(0));
        bench.order(order(11, intent), secs(1)).unwrap();
        bench.disk_full(secs(1));
        assert_eq!(bench.may(secs(1)).intent, intent);
    }
}

#[test]
fn a_run_that_waits_for_the_disk_gives_way_to_a_hold_that_came_after() {
    let mut bench = Bench::running(secs(0));
    bench.order(order(11, Intent::Run), secs(1)).unwrap();
    let save = bench.link.next_save(secs(1)).unwrap();
    bench.order(order(12, Intent::Hold), secs(1)).unwrap();
    bench
        .link
        .saved(&save.key(), save.generation, true, secs(1));
    assert_eq!(bench.may(secs(1)).order().fence.revision, position(12));
    bench.sync(secs(1));
    let kept = &bench.disk.releases[&workload()];
    assert_eq!(kept.order().fence.revision, position(12));
}

#[test]
fn p12_an_older_order_is_refused_and_an_equal_one_is_held() {
    let mut bench = Bench::running(secs(0));
    let refused = bench.order(order(9, Intent::Hold), secs(1)).unwrap_err();
    assert!(refused.is_normal(), "{refused}");
    let mut same = order(10, Intent::Hold);
    same.intent = Intent::Hold;
    bench.order(same, secs(1)).unwrap();
    assert_eq!(
        bench.may(secs(1)).intent,
        Intent::Run,
        "equal: nothing to do"
    );
}

#[test]
fn p12_a_higher_term_wins_over_a_higher_revision() {
    let mut bench = Bench::running(secs(0));
    bench.meet(2, "h2", secs(1)).unwrap();
    bench.sync(secs(1));
    let mut newer = order(5, Intent::Hold);
    newer.fence.term = term(2);
    bench.order(newer, secs(1)).unwrap();
    assert_eq!(bench.may(secs(1)).intent, Intent::Hold);
}

#[test]
fn p01_an_order_for_another_uid_or_fleet_is_refused() {
    let mut bench = Bench::welcomed(secs(0));
    let mut foreign = order(10, Intent::Run);
    foreign.uid = "u2".parse().unwrap();
    assert!(!bench.order(foreign, secs(0)).unwrap_err().is_normal());
    let mut foreign = order(10, Intent::Run);
    foreign.fleet = "another".parse().unwrap();
    let refused = bench.order(foreign, secs(0)).unwrap_err();
    assert!(matches!(refused, Refused::OtherFleet { .. }), "{refused}");
    assert_eq!(bench.link.workloads().count(), 0);
}

#[test]
fn p21_what_no_key_of_the_hub_signed_is_refused() {
    let mut bench = Bench::welcomed(secs(0));
    let mut forged = signed(order(10, Intent::Run));
    forged.signature = FORGED.to_vec();
    let refused = bench
        .link
        .receive(HubMessage::Order(Box::new(forged)), secs(0));
    assert!(matches!(refused, Err(Refused::Signature { .. })));
    let mut forged = signed(lift("a1", 9));
    forged.signature = FORGED.to_vec();
    let refused = bench
        .link
        .receive(HubMessage::Lift(Box::new(forged)), secs(0));
    assert!(matches!(refused, Err(Refused::Signature { .. })));
}

#[test]
fn p21_a_second_hub_under_the_same_term_is_refused_even_after_a_restart() {
    let bench = Bench::welcomed(secs(0));
    let mut again = bench.restart();
    again.meet(1, "h2", restarted(secs(1), 2)).unwrap();
    let Session::Over(hangup) = again.link.session() else {
        panic!("{:?}", again.link.session());
    };
    assert!(hangup.reason.contains("h2"), "{hangup}");
    assert_eq!(hangup.then, Then::Again, "the right one may be back soon");
    again.link.disconnected();
    again.meet(1, "h1", restarted(secs(2), 2)).unwrap();
    assert!(matches!(again.link.session(), Session::Welcomed { .. }));
}

#[test]
fn p21_nothing_advances_before_the_hubs_term_is_on_disk() {
    let mut bench = Bench::running(secs(0));
    bench.meet(2, "h2", secs(1)).unwrap();
    bench.disk_full(secs(1));
    assert!(!bench.advances(secs(1)));
    bench.sync(secs(3));
    assert!(bench.advances(secs(3)));
}

#[test]
fn a_hub_of_an_older_term_may_only_stop() {
    let mut bench = Bench::new();
    bench.meet(5, "h5", secs(0)).unwrap();
    bench.sync(secs(0));
    bench.link.disconnected();
    bench.meet(4, "h4", secs(1)).unwrap();
    let refused = bench.order(order(10, Intent::Run), secs(1)).unwrap_err();
    assert!(matches!(refused, Refused::Behind { .. }), "{refused}");
    bench
        .abort(abort("a1", Some(9), AbortMode::Return), secs(1))
        .unwrap();
    bench.sync(secs(1));
    assert_eq!(bench.disk.aborts.standing.len(), 1);
    assert!(matches!(
        bench.lift(lift("a1", 20), secs(1)),
        Err(Refused::Behind { .. })
    ));
}

#[test]
fn p13_a_run_becomes_hold_at_its_not_after() {
    let mut bench = Bench::welcomed(secs(0));
    let mut short = order(10, Intent::Run);
    short.not_after = secs(5).wall;
    bench.order(short, secs(0)).unwrap();
    bench.sync(secs(0));
    bench.lease(10, secs(0));
    assert!(bench.advances(secs(5)));
    let may = bench.may(at(5001));
    assert_eq!((may.intent, may.may_advance), (Intent::Hold, false));
    assert!(matches!(may.why, Why::NotAfter { .. }), "{}", may.why);
}

#[test]
fn s03_after_a_restart_hello_names_what_is_held() {
    let bench = Bench::running(secs(0));
    let mut again = bench.restart();
    again.link.connected();
    let Some(AgentMessage::Hello(hello)) = again.link.next_message(restarted(secs(1), 2)) else {
        panic!("no hello");
    };
    assert_eq!(hello.held.len(), 1);
    assert_eq!(hello.held[0].fence, order(10, Intent::Run).fence);
    assert_eq!(hello.held[0].proof.as_ref().unwrap().key_id, "k");
    assert_eq!(hello.incarnation.0, 2);
    assert_eq!(hello.term, term(1));
}
