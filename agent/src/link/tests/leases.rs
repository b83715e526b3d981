//! The lease: from when it counts, what makes it live, what follows its end (P4, P5, P6, P20, S3, S10).

use super::*;
use crate::link::{NoLease, Why};

#[test]
fn p04_a_lease_counts_from_before_it_was_asked_for() {
    let mut bench = Bench::welcomed(secs(0));
    bench.order(order(10, Intent::Run), secs(0)).unwrap();
    bench.sync(secs(0));
    let nonce = bench.ask(secs(0)).unwrap();
    bench.grant(nonce, 10, Vec::new(), secs(8));
    assert_eq!(bench.may(secs(8)).lease_left, Duration::from_secs(22));
    assert!(bench.advances(at(29_999)));
    assert!(!bench.advances(secs(30)));
}

#[test]
fn p04_a_lease_is_asked_for_every_third_of_its_length() {
    let mut bench = Bench::running(secs(0));
    assert_eq!(bench.ask(at(9_999)), None);
    assert!(bench.ask(secs(10)).is_some());
    assert_eq!(bench.ask(secs(10)), None);
    assert!(bench.ask(secs(20)).is_some());
}

#[test]
fn p04_a_grant_is_live_only_once_the_watermark_is_applied() {
    let mut bench = Bench::running(secs(0));
    let nonce = bench.ask(secs(10)).unwrap();
    bench.grant(nonce, 15, Vec::new(), secs(10));
    let may = bench.may(secs(10));
    assert_eq!(may.why, Why::WaitingForLease(NoLease::OrderMissing));
    let mut of_other = order(15, Intent::Hold);
    of_other.workload = other_workload();
    bench.order(of_other, secs(11)).unwrap();
    assert!(bench.advances(secs(11)));
}

#[test]
fn s10_a_grant_is_live_only_once_all_its_aborts_are_on_disk() {
    let mut bench = Bench::running(secs(0));
    let mut elsewhere = abort("a1", Some(12), AbortMode::Return);
    elsewhere.scope = Scope::Workload(other_workload());
    let nonce = bench.ask(secs(10)).unwrap();
    bench.grant(nonce, 10, vec![elsewhere], secs(10));
    bench.disk_full(secs(10));
    assert!(!bench.advances(secs(10)));
    bench.sync(secs(12));
    assert!(bench.advances(secs(12)), "{}", bench.may(secs(12)).why);
}

#[test]
fn s10_the_shorter_of_grant_and_order_counts() {
    let mut bench = Bench::welcomed(secs(0));
    let mut short = order(10, Intent::Run);
    short.lease = Duration::from_secs(6);
    bench.order(short, secs(0)).unwrap();
    bench.sync(secs(0));
    bench.lease(10, secs(0));
    assert!(bench.advances(at(5_999)));
    assert!(!bench.advances(secs(6)));
    assert_eq!(bench.ask(at(1_999)), None);
    assert!(
        bench.ask(secs(2)).is_some(),
        "asked every third of the shorter one"
    );
}

#[test]
fn a_grant_that_answers_nothing_gives_nothing() {
    let mut bench = Bench::welcomed(secs(0));
    bench.order(order(10, Intent::Run), secs(0)).unwrap();
    bench.sync(secs(0));
    bench.grant(77, 10, Vec::new(), secs(0));
    assert!(!bench.advances(secs(0)));
    let nonce = bench.ask(secs(0)).unwrap();
    bench.link.disconnected();
    bench.meet(1, "h1", secs(1)).unwrap();
    bench.grant(nonce, 10, Vec::new(), secs(1));
    assert!(
        !bench.advances(secs(1)),
        "the answer belongs to a session that is over"
    );
}

#[test]
fn s03_the_lease_outlives_the_session_and_not_the_process() {
    let mut bench = Bench::running(secs(0));
    bench.link.disconnected();
    assert!(bench.advances(secs(20)));
    let again = bench.restart();
    let may = again.may(restarted(secs(1), 2));
    assert_eq!(may.intent, Intent::Hold);
    assert_eq!(may.why, Why::WaitingForLease(NoLease::None));
}

#[test]
fn p05_no_lease_no_advance_by_default() {
    let mut bench = Bench::running(secs(0));
    bench.link.disconnected();
    let may = bench.may(secs(31));
    assert_eq!((may.intent, may.may_advance), (Intent::Hold, false));
    assert_eq!(may.lease_left, Duration::ZERO);
    assert!(
        may.why.to_string().contains("ended 1.0 s ago"),
        "{}",
        may.why
    );
}

#[test]
fn trap_09_a_suspended_machine_finds_its_lease_over() {
    let bench = Bench::running(secs(0));
    let mut woken = secs(3600);
    woken.wall = secs(1).wall;
    assert!(
        !bench.advances(woken),
        "the clock that counts sleep decides"
    );
}

fn with(on_disconnect: OnDisconnect) -> Bench {
    let mut bench = Bench::welcomed(secs(0));
    let mut order = order(10, Intent::Run);
    order.on_disconnect = on_disconnect;
    order.not_after = secs(600).wall;
    bench.order(order, secs(0)).unwrap();
    bench.sync(secs(0));
    bench.lease(10, secs(0));
    bench.link.observe(in_flight(), 1, secs(0));
    bench.sync(secs(0));
    bench
}

#[test]
fn p06_continue_goes_on_until_not_after_and_never_past_a_known_abort() {
    let mut bench = with(OnDisconnect::Continue);
    bench.link.disconnected();
    let may = bench.may(secs(100));
    assert!(may.may_advance);
    assert!(matches!(may.why, Why::Continues { .. }), "{}", may.why);
    assert!(!bench.advances(secs(601)));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(101))
        .unwrap();
    let may = bench.may(secs(101));
    assert_eq!((may.intent, may.may_advance), (Intent::Retreat, false));
}

#[test]
fn p06_continue_is_not_for_a_hub_that_is_heard_and_refuses() {
    let mut bench = with(OnDisconnect::Continue);
    let nonce = bench.ask(secs(10)).unwrap();
    let grant = Grant {
        nonce,
        length: Duration::ZERO,
        watermark: position(10),
        aborts: Vec::new(),
        refused: "fleet abort".into(),
        audit: None,
    };
    let refusal = SignedGrant {
        grant,
        aborts: Vec::new(),
    };
    bench
        .link
        .receive(HubMessage::Grant(refusal), secs(10))
        .unwrap();
    assert!(
        bench.advances(secs(20)),
        "what was granted stays good to its end"
    );
    let may = bench.may(secs(31));
    assert_eq!(may.intent, Intent::Hold);
    assert!(may.why.to_string().contains("fleet abort"), "{}", may.why);
}

#[test]
fn p20_an_unfinished_canary_goes_back_after_its_time_without_a_lease() {
    let mut bench = with(OnDisconnect::Retreat { after_ms: 60_000 });
    bench.link.disconnected();
    for second in 0..90 {
        bench.link.tick(secs(second));
    }
    assert_eq!(bench.may(at(89_900)).intent, Intent::Hold);
    let may = bench.may(secs(90));
    assert_eq!(may.intent, Intent::Retreat, "{}", may.why);
    bench.link.tick(secs(90));
    bench.meet(1, "h1", secs(91)).unwrap();
    bench.lease(10, secs(91));
    assert_eq!(
        bench.may(secs(91)).intent,
        Intent::Retreat,
        "it stays on its way back"
    );
}

#[test]
fn p20_a_lease_in_time_stops_the_timer() {
    let mut bench = with(OnDisconnect::Retreat { after_ms: 60_000 });
    bench.link.disconnected();
    for second in (0..80).step_by(5) {
        bench.link.tick(secs(second));
    }
    bench.meet(1, "h1", secs(80)).unwrap();
    bench.lease(10, secs(80));
    assert!(bench.advances(secs(80)));
    bench.link.disconnected();
    bench.link.tick(secs(115));
    assert_eq!(
        bench.may(secs(115)).intent,
        Intent::Hold,
        "the time starts anew"
    );
}

#[test]
fn p20_a_restart_does_not_extend_the_time() {
    let mut bench = with(OnDisconnect::Retreat { after_ms: 60_000 });
    bench.link.disconnected();
    for second in 0..50 {
        bench.link.tick(secs(second));
        bench.sync(secs(second));
    }
    // 20 s without a lease, then 45 s in which the agent is not running.
    let mut again = bench.restart();
    let later = restarted(secs(95), 2);
    assert_eq!(
        again.may(later).intent,
        Intent::Retreat,
        "{}",
        again.may(later).why
    );
    again.link.observe(in_flight(), 1, later);
    assert_eq!(again.may(later).intent, Intent::Retreat);
}

#[test]
fn p20_the_timer_concerns_unfinished_canaries_only() {
    let mut bench = with(OnDisconnect::Retreat { after_ms: 60_000 });
    bench.link.observe(
        status(Phase::Succeeded, 100, Some(100), Intent::Run),
        1,
        secs(1),
    );
    bench.link.disconnected();
    for second in 0..200 {
        bench.link.tick(secs(second));
    }
    assert_eq!(bench.may(secs(200)).intent, Intent::Hold);
}

#[test]
fn p04_nothing_advances_on_an_order_while_a_newer_one_waits_to_be_on_disk() {
    let mut bench = Bench::running(secs(0));
    let mut newer = order(12, Intent::Run);
    newer.rollout = "checkout-2".parse().unwrap();
    bench.order(newer, secs(1)).unwrap();
    let mut of_other = order(15, Intent::Hold);
    of_other.workload = other_workload();
    bench.order(of_other, secs(1)).unwrap();
    let nonce = bench.ask(secs(10)).unwrap();
    bench.grant(nonce, 15, Vec::new(), secs(10));
    let may = bench.may(secs(10));
    assert_eq!(may.why, Why::WaitingForLease(NoLease::OrderMissing));
    bench.sync(secs(10));
    assert!(bench.advances(secs(10)));
}

#[test]
fn p04_a_lift_is_followed_by_a_request_at_once() {
    let mut bench = Bench::running(secs(0));
    let abort = abort("a1", Some(20), AbortMode::Return);
    bench.abort(abort, secs(1)).unwrap();
    assert_eq!(bench.ask(secs(2)), None);
    bench.lift(lift("a1", 40), secs(3)).unwrap();
    assert!(bench.ask(secs(3)).is_some());
}
