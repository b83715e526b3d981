//! The agent as a witness of the audit log: what it keeps, and when it complains.

use super::*;

fn mark(epoch: u64, count: u64, head: &str) -> AuditMark {
    AuditMark {
        epoch,
        count,
        head: Digest::of(head.as_bytes()),
    }
}

fn show(bench: &mut Bench, shown: AuditMark, now: Tick) {
    let nonce = bench.ask(now).expect("a request is due");
    let grant = Grant {
        nonce,
        length: LEASE,
        watermark: Position::default(),
        aborts: Vec::new(),
        refused: String::new(),
        audit: Some(shown),
    };
    let aborts = Vec::new();
    bench
        .link
        .receive(HubMessage::Grant(SignedGrant { grant, aborts }), now)
        .unwrap();
    bench.sync(now);
}

fn told(bench: &mut Bench, now: Tick) -> Witness {
    bench.link.connected();
    match bench.link.next_message(now) {
        Some(AgentMessage::Hello(hello)) => hello.witness.unwrap(),
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_audit_log_that_goes_back_is_complained_of_once_kept_and_told_to_the_hub() {
    let mut bench = Bench::welcomed(at(0));
    show(&mut bench, mark(1, 10, "ten"), secs(0));
    show(&mut bench, mark(1, 12, "twelve"), secs(10));
    assert_eq!(bench.link.witness().complaint, None);
    show(&mut bench, mark(1, 9, "nine"), secs(20));
    let complaint = bench.link.witness().complaint.unwrap();
    assert_eq!((complaint.seen.count, complaint.shown.count), (12, 9));
    assert!(complaint.to_string().contains("went back"), "{complaint}");
    show(&mut bench, mark(1, 13, "later"), secs(30));
    assert_eq!(bench.link.witness().complaint, Some(complaint), "it stands");

    let mut again = bench.restart();
    assert_eq!(
        again.link.witness().complaint,
        Some(complaint),
        "it is kept"
    );
    let witness = told(&mut again, secs(40));
    assert_eq!(witness.complaint, Some(complaint));
    assert_eq!(witness.seen.unwrap().count, 12);
}

#[test]
fn another_last_entry_under_the_same_number_is_complained_of_too() {
    let mut bench = Bench::welcomed(at(0));
    show(&mut bench, mark(1, 10, "ten"), secs(0));
    show(&mut bench, mark(1, 10, "rewritten"), secs(10));
    assert!(bench.link.witness().complaint.is_some());
}

#[test]
fn history_that_a_person_put_back_is_taken_over_and_ends_a_complaint() {
    let mut bench = Bench::welcomed(at(0));
    show(&mut bench, mark(1, 10, "ten"), secs(0));
    show(&mut bench, mark(1, 9, "nine"), secs(10));
    assert!(bench.link.witness().complaint.is_some());
    show(&mut bench, mark(2, 5, "five"), secs(20));
    assert_eq!(bench.link.witness().complaint, None);
    assert_eq!(bench.restart().link.witness().complaint, None);
    show(&mut bench, mark(2, 4, "four"), secs(30));
    assert!(bench.link.witness().complaint.is_some());
}

#[test]
fn a_log_that_grows_is_written_down_once_in_a_while_and_costs_no_lease() {
    let mut bench = Bench::welcomed(at(0));
    let mut writes = 0;
    for round in 0..90 {
        let now = secs(round * 10);
        let before = bench.disk.witness;
        show(&mut bench, mark(1, round, &round.to_string()), now);
        writes += u32::from(bench.disk.witness != before);
        assert!(bench.link.lease_left(now).is_some());
    }
    assert_eq!(writes, 3, "at 0, 300 and 600 s");
    assert_eq!(bench.link.witness().seen.unwrap().count, 89);
}
