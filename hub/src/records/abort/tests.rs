//! What a cluster's newest answer keeps of those before it.

use flagship_proto::model::{Fence, Receipt, ReceiptState, WorkloadReceipt};

use super::*;

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_800_000_000 + second).unwrap()
}

fn answer(second: i64, durable: bool, state: ReceiptState) -> ReceiptRow {
    let receipt = Receipt {
        abort: "a-1".parse().unwrap(),
        cluster: "eu-1".parse().unwrap(),
        uid: "uid-eu-1".parse().unwrap(),
        incarnation: Default::default(),
        seq: u64::try_from(second).unwrap(),
        at: at(second),
        durable,
        workloads: vec![WorkloadReceipt {
            workload: "shop/Deployment/checkout".parse().unwrap(),
            fence: Fence::default(),
            state,
            read_back: None,
            proxies: 1,
            digest: None,
        }],
    };
    let signed = SignedReceipt {
        receipt,
        body: Vec::new(),
        signature: Vec::new(),
        serial: String::new(),
    };
    ReceiptRow::new(signed, Vec::new(), at(second))
}

/// The last of some answers, each after the one before it: when it was settled, and when it changed.
fn last(answers: Vec<ReceiptRow>) -> (Option<Timestamp>, Option<Timestamp>) {
    let mut answers = answers.into_iter();
    let first = answers.next().unwrap();
    let last = answers.fold(first, |before, next| next.after(&before));
    (last.settled, last.changed)
}

fn returning() -> ReceiptState {
    ReceiptState::not_stopped("it is told")
}

#[test]
fn an_abort_took_until_the_first_answer_for_good_however_often_it_is_given_again() {
    let (settled, changed) = last(vec![
        answer(1, true, returning()),
        answer(3, true, ReceiptState::Returned),
        answer(90, true, ReceiptState::Returned),
    ]);
    assert_eq!((settled, changed), (Some(at(3)), None));
}

#[test]
fn what_is_not_on_disk_or_goes_on_is_settled_by_the_answer_that_follows() {
    let (settled, changed) = last(vec![
        answer(1, false, ReceiptState::Returned),
        answer(2, true, returning()),
    ]);
    assert_eq!((settled, changed), (None, None));
    let (settled, changed) = last(vec![
        answer(1, false, ReceiptState::Held),
        answer(2, true, ReceiptState::Held),
    ]);
    assert_eq!((settled, changed), (Some(at(2)), None));
}

#[test]
fn what_is_answered_after_an_answer_for_good_is_another_acts_with_its_own_time() {
    let held = || answer(3, true, ReceiptState::Held);
    let (settled, changed) = last(vec![held(), answer(60, true, ReceiptState::Returned)]);
    assert_eq!((settled, changed), (Some(at(3)), Some(at(60))));
    let (settled, changed) = last(vec![
        held(),
        answer(60, true, ReceiptState::Returned),
        answer(61, true, ReceiptState::Returned),
    ]);
    assert_eq!((settled, changed), (Some(at(3)), Some(at(60))), "the same");
    let (settled, changed) = last(vec![
        held(),
        answer(60, true, ReceiptState::Returned),
        answer(70, true, ReceiptState::Idle),
    ]);
    assert_eq!(
        (settled, changed),
        (Some(at(3)), Some(at(70))),
        "the latest"
    );
}
