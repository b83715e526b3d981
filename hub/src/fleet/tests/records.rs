//! What of an agent's words is kept: reports on transitions, acknowledged after the commit; receipts
//! that prove themselves.

use flagship_proto::{model::*, sign::SignKey};

use super::{aborts::receipt, fixture::*};
use crate::fleet::{Alarm, Job, Stored};

fn report(seq: u64, workloads: Vec<WorkloadStatus>) -> AgentMessage {
    AgentMessage::Report(Report {
        incarnation: Incarnation(1),
        seq,
        at: jiff::Timestamp::UNIX_EPOCH,
        workloads,
        evidence: vec![],
    })
}

fn acked(hub: &mut Fixture, id: crate::fleet::SessionId) -> Option<u64> {
    let told = hub.drain(id);
    let mut seqs = told.iter().filter_map(|message| match message {
        HubMessage::Ack(ack) => Some(ack.seq),
        HubMessage::Welcome(_)
        | HubMessage::Order(_)
        | HubMessage::Abort(_)
        | HubMessage::Lift(_)
        | HubMessage::LocalRelease(_)
        | HubMessage::Grant(_)
        | HubMessage::Goodbye(_) => None,
    });
    seqs.next_back()
}

#[test]
fn p23_a_report_is_acknowledged_after_its_commit() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.say(
        id,
        report(5, vec![status(fence(1), Phase::Progressing, 10)]),
    );
    assert_eq!(acked(&mut hub, id), Some(4), "what came before is safe");
    hub.commit();
    assert_eq!(acked(&mut hub, id), Some(5));
}

#[test]
fn what_is_no_report_is_not_acknowledged_and_what_was_acknowledged_is_not_again() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.collect();
    hub.drain(id);
    hub.say(
        id,
        report(5, vec![status(fence(1), Phase::Progressing, 10)]),
    );
    hub.commit();
    assert_eq!(acked(&mut hub, id), Some(5));
    hub.say(
        id,
        report(6, vec![status(fence(1), Phase::Progressing, 20)]),
    );
    assert_eq!(
        acked(&mut hub, id),
        None,
        "up to 5 was said, and 6 is on its way"
    );
    hub.commit();
    assert_eq!(acked(&mut hub, id), Some(6));

    hub.abort("a-1", Scope::Fleet, AbortMode::Return);
    hub.drain(id);
    let receipt = receipt("a-1", 1, ReceiptState::Returned);
    let signed = hub.agent_key.sign_receipt(receipt, "01").unwrap();
    hub.say(id, AgentMessage::Receipt(Box::new(signed)));
    hub.commit();
    assert_eq!(acked(&mut hub, id), None);
}

#[test]
fn a_report_without_a_transition_is_not_stored_and_acknowledged_at_once() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.say(
        id,
        report(1, vec![status(fence(1), Phase::Progressing, 10)]),
    );
    hub.commit();
    let mut same = status(fence(1), Phase::Progressing, 10);
    same.message = "success rate 99.1".into();
    same.failed_checks = 1;
    hub.say(id, report(2, vec![same]));
    assert_eq!(hub.jobs, []);
    assert_eq!(acked(&mut hub, id), Some(2));
}

#[test]
fn p23_one_write_of_a_row_is_on_its_way_and_the_latest_status_follows_it() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    for (seq, weight) in [(1, 10), (2, 20), (3, 30)] {
        hub.say(
            id,
            report(seq, vec![status(fence(1), Phase::Progressing, weight)]),
        );
    }
    assert_eq!(hub.jobs.len(), 1);
    let Job::Report { read: None, .. } = hub.commit() else {
        panic!("there was no row");
    };
    let at = position(hub.seq);
    let Job::Report { read, reported, .. } = hub.commit() else {
        panic!("the latest follows");
    };
    assert_eq!((read, reported.seq), (Some(at), 3));
    assert_eq!(acked(&mut hub, id), Some(3));
}

#[test]
fn p23_a_write_that_lost_is_compared_again_and_an_older_report_never_wins() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.say(
        id,
        report(2, vec![status(fence(1), Phase::Progressing, 20)]),
    );
    let (ticket, _) = hub.jobs.remove(0);
    hub.fleet.stored(ticket, Stored::Conflict, hub.now);
    hub.after(1);
    assert_eq!(hub.jobs.len(), 1, "it is tried again");
    hub.commit();
    hub.say(
        id,
        report(1, vec![status(fence(1), Phase::Progressing, 10)]),
    );
    assert_eq!(hub.jobs, [], "an older report is no news");
}

#[test]
fn the_inventory_is_stored_when_it_differs() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.open("eu-1");
    hub.hello(id, |hello| hello.inventory.agent = "0.1.0".into());
    assert!(matches!(hub.commit(), Job::Inventory { .. }));
    hub.fleet.closed(id);
    let again = hub.open("eu-1");
    hub.hello(again, |hello| hello.inventory.agent = "0.1.0".into());
    assert_eq!(hub.jobs, []);
}

#[test]
fn s15_a_receipt_is_kept_with_the_certificate_that_proves_it() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.abort("a-1", Scope::Fleet, AbortMode::Return);
    let signed = hub
        .agent_key
        .sign_receipt(receipt("a-1", 1, ReceiptState::Returned), "01")
        .unwrap();
    hub.say(id, AgentMessage::Receipt(Box::new(signed.clone())));
    let Job::Receipt { receipt: kept, .. } = hub.commit() else {
        panic!("a receipt is stored");
    };
    assert_eq!(
        (kept.signed, kept.certificate),
        (signed, hub.certificate.clone())
    );
}

#[test]
fn s15_a_forged_or_borrowed_receipt_ends_the_session_and_a_replayed_one_is_no_news() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    let beside = hub.join("us-1");
    hub.abort("a-1", Scope::Fleet, AbortMode::Return);
    let good = hub
        .agent_key
        .sign_receipt(receipt("a-1", 2, ReceiptState::Returned), "01")
        .unwrap();
    let mut altered = good.clone();
    altered.body.push(b' ');
    let strange = SignKey::generate()
        .unwrap()
        .sign_receipt(receipt("a-1", 2, ReceiptState::Returned), "01")
        .unwrap();
    let mut other = receipt("a-1", 2, ReceiptState::Returned);
    other.uid = uid("us-1");
    let borrowed = hub.agent_key.sign_receipt(other, "01").unwrap();
    let serial = hub
        .agent_key
        .sign_receipt(receipt("a-1", 2, ReceiptState::Returned), "02")
        .unwrap();
    for (n, forged) in [altered, strange, borrowed, serial].into_iter().enumerate() {
        let id = hub.join("eu-1");
        hub.say(id, AgentMessage::Receipt(Box::new(forged)));
        assert!(matches!(hub.alarms[n], Alarm::Forged(..)));
        assert_eq!(hub.goodbye(id).unwrap().code, GoodbyeCode::BadMessage);
        if n == 0 {
            let Job::Offence { cluster, why } = hub.commit() else {
                panic!("not written down");
            };
            assert_eq!(cluster.as_str(), "eu-1");
            assert!(why.contains("a receipt that is not what it says"), "{why}");
        }
        assert_eq!(hub.jobs, [], "once is enough for a while");
    }
    assert_eq!(hub.goodbye(beside), None);

    let id = hub.join("eu-1");
    hub.say(id, AgentMessage::Receipt(Box::new(good.clone())));
    hub.commit();
    let older = hub
        .agent_key
        .sign_receipt(receipt("a-1", 1, ReceiptState::Idle), "01")
        .unwrap();
    for replayed in [good, older] {
        hub.say(id, AgentMessage::Receipt(Box::new(replayed)));
        assert_eq!(hub.jobs, []);
    }
}
