//! Receipts: what is answered to an abort, from what was read back (P7, P18, S15).

use flagship_proto::model::ReceiptState;

use super::*;

fn state(receipt: &Receipt) -> &ReceiptState {
    &receipt.workloads[0].state
}

#[test]
fn a_receipt_follows_the_weight_back_and_is_final_only_when_kept_and_read_back() {
    let mut bench = Bench::running(secs(0));
    bench.messages(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    assert_eq!(bench.receipts(secs(1)), [], "the canary is being told");
    let first = bench.receipts(at(1_100));
    assert!(matches!(state(&first[0]), ReceiptState::NotStopped { .. }));
    assert!(!first[0].durable && !first[0].is_final());

    let returning = status(Phase::Progressing, 0, Some(20), Intent::Retreat);
    bench.link.observe(returning, 2, secs(2));
    let second = bench.receipts(secs(2));
    let capacity = Weight::saturating(80);
    assert_eq!(*state(&second[0]), ReceiptState::Returning { capacity });

    let zero = status(Phase::Progressing, 0, Some(0), Intent::Retreat);
    bench.link.observe(zero, 2, secs(3));
    let third = bench.receipts(secs(3));
    assert_eq!(*state(&third[0]), ReceiptState::Returned);
    assert!(!third[0].is_final(), "p07: the abort is not on disk");
    assert_eq!(third[0].workloads[0].proxies, 2);
    bench.sync(secs(4));
    let last = bench.receipts(secs(4));
    assert!(last[0].is_final());
    assert!(last[0].seq > third[0].seq);
    assert!(bench.receipts(secs(5)).is_empty(), "said once");
}

#[test]
fn one_receipt_says_all_where_the_disk_keeps_the_abort_within_a_moment() {
    let mut bench = Bench::welcomed(secs(0));
    bench.link.observe(in_flight(), 1, secs(0));
    let settled = status(Phase::Succeeded, 0, Some(0), Intent::Run);
    bench.link.observe(settled, 1, secs(0));
    bench.messages(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), at(1_000))
        .unwrap();
    assert_eq!(bench.receipts(at(1_000)), [], "the disk has not answered");
    assert!(bench.link.wake_after(at(1_000)) <= Duration::from_millis(100));
    bench.sync(at(1_060));
    let only = bench.receipts(at(1_060));
    assert_eq!(only.len(), 1);
    assert!(only[0].is_final());
}

#[test]
fn a_receipt_does_not_wait_for_a_slow_or_a_failing_disk() {
    for fails in [false, true] {
        let mut bench = Bench::welcomed(secs(0));
        let settled = status(Phase::Succeeded, 0, Some(0), Intent::Run);
        bench.link.observe(settled, 1, secs(0));
        bench.messages(secs(0));
        bench
            .abort(abort("a1", Some(20), AbortMode::Return), at(1_000))
            .unwrap();
        assert_eq!(bench.receipts(at(1_000)), []);
        let told = if fails {
            bench.disk_full(at(1_010));
            bench.receipts(at(1_010))
        } else {
            bench.receipts(at(1_100))
        };
        assert_eq!(told.len(), 1, "fails: {fails}");
        assert!(!told[0].durable, "p07: the abort is not on disk");
    }
}

#[test]
fn a_receipt_is_sent_again_in_a_new_session() {
    let mut bench = Bench::aborted();
    assert_eq!(bench.receipts(secs(1)), [], "the canary is being told");
    let before = bench.receipts(at(1_100));
    bench.link.disconnected();
    bench.meet(1, "h1", secs(2)).unwrap();
    let after = bench.receipts(secs(2));
    assert_eq!(after.len(), 1);
    assert!(after[0].seq > before[0].seq);
}

#[test]
fn a_weight_of_zero_before_the_canary_was_told_proves_nothing() {
    let mut bench = Bench::running(secs(0));
    let not_told = status(Phase::Progressing, 0, Some(0), Intent::Run);
    bench.link.observe(not_told, 1, secs(1));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    assert_eq!(bench.receipts(secs(1)), [], "the canary is being told");
    let receipts = bench.receipts(at(1_100));
    assert!(matches!(
        state(&receipts[0]),
        ReceiptState::NotStopped { .. }
    ));
}

#[test]
fn a_canary_that_nothing_tells_passes_as_being_told_for_as_long_as_an_action_may_take() {
    let mut bench = Bench::aborted();
    assert_eq!(bench.receipts(secs(1)), [], "the canary is being told");
    let told = bench.receipts(at(1_100));
    assert!(state(&told[0]).is_untold() && !told[0].could_not_stop());
    assert!(bench.link.wake_after(at(5_500)) <= Duration::from_millis(500));
    assert_eq!(bench.receipts(at(5_900)), [], "nothing is new");
    let stuck = bench.receipts(secs(6));
    assert!(!state(&stuck[0]).is_untold() && stuck[0].could_not_stop());
    let back = status(Phase::Progressing, 0, Some(0), Intent::Retreat);
    bench.link.observe(back, 1, secs(7));
    assert!(bench.receipts(secs(7))[0].is_final());
}

#[test]
fn trap_04_a_proxy_that_is_not_heard_is_not_stopped() {
    let mut bench = Bench::running(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    let mut deaf = status(Phase::Progressing, 0, None, Intent::Retreat);
    deaf.message = "envoy edge-2 is not connected".into();
    bench.link.observe(deaf, 1, secs(2));
    bench.sync(secs(2));
    assert_eq!(bench.receipts(secs(2)), [], "it is being read back");
    // What is being read back passes as that for as long as an action may take, and as in the way after it.
    for (now, could_not_stop) in [(at(2_100), false), (secs(8), true)] {
        let receipts = bench.receipts(now);
        let ReceiptState::NotStopped { reason, .. } = state(&receipts[0]) else {
            panic!("{:?}", receipts[0]);
        };
        assert!(reason.contains("edge-2"), "{reason}");
        assert!(!receipts[0].is_final());
        assert_eq!(receipts[0].could_not_stop(), could_not_stop);
    }
}

#[test]
fn who_is_still_on_the_way_back_from_an_earlier_rollout_is_not_idle() {
    for (reason, expected) in [
        ("Returning", None),
        (
            "CannotReturn",
            Some("cannot return to 1.0.0: crashed 3 times"),
        ),
    ] {
        let mut bench = Bench::running(secs(0));
        let mut going = status(Phase::Failed, 100, Some(100), Intent::Run);
        going.rollout = Some("checkout-0".parse().unwrap());
        going.reason = reason.into();
        going.message = "cannot return to 1.0.0: crashed 3 times".into();
        bench.link.observe(going, 1, secs(1));
        bench
            .abort(abort("a1", Some(20), AbortMode::RetreatDone), secs(1))
            .unwrap();
        bench.sync(secs(1));
        let receipts = bench.receipts(at(1_100));
        let capacity = Weight::ZERO;
        let state = match expected {
            None => ReceiptState::Returning { capacity },
            Some(why) => ReceiptState::not_stopped(why),
        };
        assert_eq!(receipts[0].workloads[0].state, state);
    }
}

#[test]
fn every_state_has_its_answer() {
    let hold = |observed| status(Phase::Progressing, 20, observed, Intent::Hold);
    let done = status(Phase::Succeeded, 100, Some(100), Intent::Run);
    let going = status(Phase::Succeeded, 0, Some(60), Intent::Retreat);
    let failed = status(Phase::Failed, 0, Some(0), Intent::Run);
    let returning = ReceiptState::Returning {
        capacity: Weight::saturating(40),
    };
    let rows = [
        (AbortMode::Hold, hold(Some(20)), ReceiptState::Held),
        (AbortMode::Hold, done, ReceiptState::Done),
        (AbortMode::RetreatDone, going, returning),
        (AbortMode::Return, failed, ReceiptState::Idle),
        (
            AbortMode::Return,
            status(Phase::Initialized, 0, Some(0), Intent::Run),
            ReceiptState::Idle,
        ),
    ];
    for (mode, seen, expected) in rows {
        let mut bench = Bench::running(secs(0));
        bench.link.observe(seen.clone(), 1, secs(1));
        bench.abort(abort("a1", Some(20), mode), secs(1)).unwrap();
        bench.sync(secs(1));
        let receipts = bench.receipts(secs(1));
        assert_eq!(*state(&receipts[0]), expected, "{mode} {seen:?}");
    }
}

#[test]
fn what_was_back_before_the_abort_is_not_said_to_be_returned_by_it_after_a_restart_either() {
    let mut bench = Bench::running(secs(0));
    let failed = status(Phase::Failed, 0, Some(0), Intent::Retreat);
    bench.link.observe(failed.clone(), 1, secs(1));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(2))
        .unwrap();
    bench.sync(secs(2));
    // The abort rules it from now on, as it does all in its scope.
    let mut ruled = failed;
    ruled.aborted_by = Some("a1".parse().unwrap());
    bench.link.observe(ruled.clone(), 1, secs(2));
    let receipts = bench.receipts(secs(2));
    assert_eq!(*state(&receipts[0]), ReceiptState::Idle);
    assert!(receipts[0].is_final());
    let now = restarted(secs(3), 2);
    let mut bench = bench.restart();
    bench.meet(1, "h1", now).unwrap();
    bench.link.observe(ruled, 1, now);
    bench.sync(now);
    bench.receipts(now);
    let again = bench.receipts(now.plus(Duration::from_millis(100)));
    assert_eq!(*state(&again[0]), ReceiptState::Idle, "{again:?}");
}

#[test]
fn a_workload_without_an_order_is_idle_and_one_out_of_scope_is_not_named() {
    let mut bench = Bench::welcomed(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    bench.sync(secs(1));
    let receipts = bench.receipts(secs(1));
    assert_eq!(*state(&receipts[0]), ReceiptState::Idle);
    let mut elsewhere = abort("a2", Some(21), AbortMode::Return);
    elsewhere.scope = Scope::Workload(other_workload());
    bench.abort(elsewhere, secs(1)).unwrap();
    bench.sync(secs(1));
    let receipts = bench.receipts(secs(1));
    assert!(receipts[0].workloads.is_empty());
}

/// What is answered after an order that comes with or after the abort.
fn answered_after(bench: &mut Bench, order: Option<Order>, now: Tick) -> (ReceiptState, bool) {
    if let Some(order) = order {
        bench.order(order, now).unwrap();
    }
    bench.sync(now);
    let receipts = bench.receipts(now);
    let last = receipts.last().expect("the answer changed");
    (state(last).clone(), last.is_final())
}

#[test]
fn p11_who_is_known_to_be_done_answers_so_at_once() {
    let mut bench = Bench::running(secs(0));
    let done = status(Phase::Succeeded, 100, Some(100), Intent::Hold);
    bench.link.observe(done, 1, secs(1));
    bench.order(order(15, Intent::Hold), secs(1)).unwrap();
    bench.sync(secs(1));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(2))
        .unwrap();
    let answer = answered_after(&mut bench, None, secs(2));
    assert_eq!(answer, (ReceiptState::Done, true));
}

#[test]
fn p08_who_finished_unheard_is_not_final_before_the_hub_says_what_became_of_its_order() {
    let returning = ReceiptState::Returning {
        capacity: Weight::ZERO,
    };
    for (word, expected) in [
        (Intent::Hold, (ReceiptState::Done, true)),
        (Intent::Retreat, (returning.clone(), false)),
    ] {
        let mut bench = Bench::running(secs(0));
        bench.link.disconnected();
        let done = status(Phase::Succeeded, 100, Some(100), Intent::Run);
        bench.link.observe(done.clone(), 1, secs(1));
        bench.meet(1, "h1", secs(2)).unwrap();
        bench
            .abort(abort("a1", Some(20), AbortMode::Return), secs(2))
            .unwrap();
        bench.sync(secs(2));
        let first = answered_after(&mut bench, None, secs(2));
        assert_eq!(first, (returning.clone(), false), "p11: not Done yet");
        assert_eq!(bench.may(secs(2)).intent, Intent::Hold, "s02: it stays");

        bench.order(order(20, word), secs(3)).unwrap();
        let mut told = done.clone();
        told.intent = Some(Intent::Hold);
        bench.link.observe(told, 1, secs(3));
        if expected.1 {
            assert_eq!(answered_after(&mut bench, None, secs(3)), expected);
            continue;
        }
        let back = |observed| status(Phase::Failed, 0, Some(observed), Intent::Retreat);
        bench.link.observe(back(60), 1, secs(4));
        let capacity = Weight::saturating(40);
        let on_its_way = (ReceiptState::Returning { capacity }, false);
        assert_eq!(answered_after(&mut bench, None, secs(4)), on_its_way);
        bench.link.observe(back(0), 1, secs(5));
        let answer = answered_after(&mut bench, None, secs(5));
        assert_eq!(answer, (ReceiptState::Returned, true));
    }
}

#[test]
fn p18_a_done_cluster_that_cannot_go_back_says_so_and_is_not_final() {
    let mut bench = Bench::running(secs(0));
    let mut stuck = status(Phase::Succeeded, 100, Some(100), Intent::Retreat);
    stuck.reason = "CannotReturn".into();
    stuck.message = "cannot return to 1.0.0: this cluster does not know it any more".into();
    bench.link.observe(stuck, 1, secs(1));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    let (said, is_final) = answered_after(&mut bench, Some(order(20, Intent::Retreat)), secs(2));
    let ReceiptState::NotStopped { reason, .. } = said else {
        panic!("{said:?}");
    };
    assert!(reason.contains("1.0.0") && !is_final, "{reason}");
}
