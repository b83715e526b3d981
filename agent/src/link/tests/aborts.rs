//! Aborts: at once, for ever, above every order (P7, P8, P9, S2, S11).

use super::*;
use crate::link::Why;

#[test]
fn s11_an_abort_counts_at_once_also_where_it_cannot_be_kept() {
    let mut bench = Bench::running(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    bench.disk_full(secs(1));
    let may = bench.may(secs(1));
    assert_eq!((may.intent, may.may_advance), (Intent::Retreat, false));
    assert_eq!(may.return_to, ReturnTo::LastPromoted);
    assert_eq!(may.aborted_by, Some("a1".parse().unwrap()));
}

#[test]
fn p07_a_provisional_abort_voids_what_was_held_and_only_holds_what_came_after() {
    let mut bench = Bench::running(secs(0));
    bench
        .abort(abort("a1", None, AbortMode::Return), secs(1))
        .unwrap();
    assert_eq!(bench.may(secs(1)).intent, Intent::Retreat);
    bench.order(order(40, Intent::Run), secs(2)).unwrap();
    bench.sync(secs(2));
    let mut waiting = in_flight();
    waiting.phase = Phase::Waiting;
    bench.link.observe(waiting, 1, secs(2));
    let may = bench.may(secs(2));
    assert_eq!(
        (may.intent, may.may_advance),
        (Intent::Hold, false),
        "it waits for the lift: {}",
        may.why
    );
}

#[test]
fn p08_an_abort_voids_a_run_for_ever_also_after_the_lift_and_a_restart() {
    let mut bench = Bench::running(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    bench.lift(lift("a1", 30), secs(2)).unwrap();
    bench.sync(secs(2));
    for bench in [&bench, &bench.restart()] {
        let mut again = Bench::on(bench.disk.clone());
        again.link.observe(in_flight(), 1, secs(3));
        let may = again.may(secs(3));
        assert_eq!(may.intent, Intent::Retreat);
        assert!(
            matches!(may.why, Why::Aborted { stands: false, .. }),
            "{}",
            may.why
        );
    }
    bench.order(order(31, Intent::Run), secs(3)).unwrap();
    bench.sync(secs(3));
    bench.lease(31, secs(10));
    assert!(
        bench.advances(secs(10)),
        "a new order after the lift may run"
    );
}

#[test]
fn p08_a_run_from_before_a_lifted_abort_is_void_when_it_comes_late() {
    let mut bench = Bench::welcomed(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    bench.lift(lift("a1", 30), secs(2)).unwrap();
    bench.order(order(15, Intent::Run), secs(3)).unwrap();
    bench.sync(secs(3));
    bench.lease(15, secs(3));
    bench.link.observe(in_flight(), 1, secs(3));
    assert_eq!(bench.may(secs(3)).intent, Intent::Retreat);
}

#[test]
fn p08_an_abort_that_was_kept_voids_the_release_that_was_not() {
    let mut bench = Bench::running(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    let save = bench.link.next_save(secs(1)).unwrap();
    bench.disk.apply(save.what);
    let mut again = bench.restart();
    again.link.observe(in_flight(), 1, restarted(secs(2), 2));
    assert_eq!(again.may(restarted(secs(2), 2)).intent, Intent::Retreat);
}

#[test]
fn p09_two_aborts_need_two_lifts_and_no_abort_stops_a_retreat() {
    let mut bench = Bench::running(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Hold), secs(1))
        .unwrap();
    assert_eq!(bench.may(secs(1)).intent, Intent::Hold);
    bench
        .abort(abort("a2", Some(21), AbortMode::Return), secs(1))
        .unwrap();
    assert_eq!(bench.may(secs(1)).intent, Intent::Retreat);
    bench.lift(lift("a2", 30), secs(2)).unwrap();
    assert_eq!(bench.link.next_save(secs(2)).map(|_| ()), Some(()));
    bench.order(order(25, Intent::Retreat), secs(3)).unwrap();
    assert_eq!(bench.may(secs(3)).intent, Intent::Retreat);
    bench.order(order(31, Intent::Run), secs(3)).unwrap();
    bench.sync(secs(3));
    assert!(!bench.advances(secs(3)), "a1 still stands");
}

#[test]
fn p07_only_a_lift_from_above_ends_an_abort_and_its_id_stays_dead() {
    let mut bench = Bench::running(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    let refused = bench.lift(lift("a1", 20), secs(1)).unwrap_err();
    assert!(matches!(refused, Refused::LiftBelow { .. }), "{refused}");
    bench.lift(lift("a1", 21), secs(2)).unwrap();
    bench
        .abort(abort("a1", Some(40), AbortMode::Return), secs(3))
        .unwrap();
    bench.sync(secs(3));
    assert!(bench.disk.aborts.standing.is_empty());
    let mut again = bench.restart();
    again.meet(1, "h1", restarted(secs(4), 2)).unwrap();
    again
        .abort(
            abort("a1", Some(40), AbortMode::Return),
            restarted(secs(4), 2),
        )
        .unwrap();
    again.sync(restarted(secs(4), 2));
    assert!(again.disk.aborts.standing.is_empty(), "also over a restart");
}

#[test]
fn p07_a_lift_that_comes_before_its_abort_counts() {
    let mut bench = Bench::running(secs(0));
    bench.lift(lift("a1", 30), secs(1)).unwrap();
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(2))
        .unwrap();
    assert_eq!(bench.may(secs(2)).intent, Intent::Run);
}

#[test]
fn p07_a_provisional_abort_voids_every_run_held_and_is_replaced_by_the_stored_one() {
    let mut bench = Bench::running(secs(0));
    bench
        .abort(abort("a1", None, AbortMode::Return), secs(1))
        .unwrap();
    assert_eq!(bench.may(secs(1)).intent, Intent::Retreat);
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(2))
        .unwrap();
    bench.sync(secs(2));
    let kept = &bench.disk.aborts.standing[&"a1".parse().unwrap()];
    assert_eq!(kept.signed.value.position, Some(position(20)));
    bench
        .abort(abort("a1", None, AbortMode::Return), secs(3))
        .unwrap();
    bench.sync(secs(3));
    let kept = &bench.disk.aborts.standing[&"a1".parse().unwrap()];
    assert_eq!(kept.signed.value.position, Some(position(20)), "never back");
    bench.lift(lift("a1", 30), secs(4)).unwrap();
    assert_eq!(bench.may(secs(4)).intent, Intent::Retreat, "void for ever");
}

#[test]
fn s02_done_stays_unless_the_abort_takes_it_back() {
    let done = status(Phase::Succeeded, 100, Some(100), Intent::Run);
    let modes = [
        (AbortMode::Return, Intent::Hold),
        (AbortMode::Hold, Intent::Hold),
        (AbortMode::RetreatDone, Intent::Retreat),
    ];
    for (mode, intent) in modes {
        let mut bench = Bench::running(secs(0));
        bench.link.observe(done.clone(), 1, secs(1));
        bench.abort(abort("a1", Some(20), mode), secs(2)).unwrap();
        assert_eq!(bench.may(secs(2)).intent, intent, "{mode}");
        bench.lift(lift("a1", 30), secs(3)).unwrap();
        assert_eq!(bench.may(secs(3)).intent, intent, "{mode}, lifted");
    }
}

#[test]
fn while_it_is_not_known_whether_a_canary_is_done_nothing_moves() {
    let mut bench = Bench::running(secs(0));
    bench.sync(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    bench.sync(secs(1));
    let mut again = bench.restart();
    let now = restarted(secs(2), 2);
    assert_eq!(again.may(now).intent, Intent::Hold);
    again.link.observe(in_flight(), 1, now);
    assert_eq!(again.may(now).intent, Intent::Retreat);
}

#[test]
fn an_abort_of_another_scope_changes_nothing() {
    let mut bench = Bench::running(secs(0));
    let mut elsewhere = abort("a1", Some(20), AbortMode::Return);
    elsewhere.scope = Scope::Project("payments".parse().unwrap());
    bench.abort(elsewhere, secs(1)).unwrap();
    assert!(bench.advances(secs(1)));
}

#[test]
fn p08_an_order_newer_than_a_standing_abort_waits_for_the_lift_and_does_not_fail() {
    let mut bench = Bench::running(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    let went_back = status(Phase::Failed, 0, Some(0), Intent::Retreat);
    bench.link.observe(went_back, 1, secs(2));
    let mut again = order(30, Intent::Run);
    again.attempt = 2;
    bench.order(again, secs(3)).unwrap();
    bench.sync(secs(3));
    assert_eq!(bench.may(secs(3)).intent, Intent::Hold);
    assert_eq!(bench.may(secs(3)).aborted_by, Some("a1".parse().unwrap()));
    bench.lift(lift("a1", 40), secs(4)).unwrap();
    assert!(bench.advances(secs(4)), "{}", bench.may(secs(4)).why);
}

#[test]
fn however_many_aborts_are_kept_what_an_agent_shows_fits_a_message_and_names_the_newest() {
    use prost::Message as _;
    let mut bench = Bench::running(secs(0));
    for number in 0..5000_u64 {
        let mut large = abort(&format!("a{number}"), Some(20 + number), AbortMode::Return);
        large.reason = "r".repeat(500);
        bench.abort(large, secs(1)).unwrap();
    }
    let given_unstored = abort("unstored", None, AbortMode::Return);
    bench.abort(given_unstored, secs(1)).unwrap();
    let hello = bench.link.hello();
    let shown = &hello.aborts;
    assert_eq!(shown.len(), 4096);
    assert_eq!(shown[0].0.as_str(), "unstored");
    assert_eq!(shown[1].0.as_str(), "a4999");
    let proven = shown.iter().take_while(|(_, proof)| proof.is_some());
    let proven = proven.count();
    assert!((200..4096).contains(&proven), "{proven}");
    assert!(
        hello.held.iter().all(|held| held.proof.is_some()),
        "they have their own room"
    );
    let message = flagship_proto::wire::Hello::from(hello);
    let size = message.encoded_len();
    assert!(size < 1024 * 1024, "{size}");
}
