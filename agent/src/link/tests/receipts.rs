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
    let first = bench.receipts(secs(1));
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
fn a_receipt_is_sent_again_in_a_new_session() {
    let mut bench = Bench::running(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    bench.sync(secs(1));
    let before = bench.receipts(secs(1));
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
    let receipts = bench.receipts(secs(1));
    assert!(matches!(
        state(&receipts[0]),
        ReceiptState::NotStopped { .. }
    ));
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
    let receipts = bench.receipts(secs(2));
    let ReceiptState::NotStopped { reason } = state(&receipts[0]) else {
        panic!("{:?}", receipts[0]);
    };
    assert!(reason.contains("edge-2"), "{reason}");
    assert!(!receipts[0].is_final());
}

#[test]
fn every_state_has_its_answer() {
    let hold = |observed| status(Phase::Progressing, 20, observed, Intent::Hold);
    let done = status(Phase::Succeeded, 100, Some(100), Intent::Run);
    let going = status(Phase::Succeeded, 0, Some(60), Intent::Retreat);
    let failed = status(Phase::Failed, 0, Some(0), Intent::Run);
    let mut aborted = failed.clone();
    aborted.aborted_by = Some("a1".parse().unwrap());
    let returning = ReceiptState::Returning {
        capacity: Weight::saturating(40),
    };
    let rows = [
        (AbortMode::Hold, hold(Some(20)), ReceiptState::Held),
        (AbortMode::Return, done.clone(), ReceiptState::Done),
        (AbortMode::Hold, done, ReceiptState::Done),
        (AbortMode::RetreatDone, going, returning),
        (AbortMode::Return, failed, ReceiptState::Idle),
        (AbortMode::Return, aborted, ReceiptState::Returned),
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
        let receipts = bench.receipts(secs(1));
        assert_eq!(*state(&receipts[0]), expected, "{mode} {seen:?}");
    }
}

#[test]
fn a_workload_without_an_order_is_idle_and_one_out_of_scope_is_not_named() {
    let mut bench = Bench::welcomed(secs(0));
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    let receipts = bench.receipts(secs(1));
    assert_eq!(*state(&receipts[0]), ReceiptState::Idle);
    let mut elsewhere = abort("a2", Some(21), AbortMode::Return);
    elsewhere.scope = Scope::Workload(other_workload());
    bench.abort(elsewhere, secs(1)).unwrap();
    let receipts = bench.receipts(secs(1));
    assert!(receipts[0].workloads.is_empty());
}
