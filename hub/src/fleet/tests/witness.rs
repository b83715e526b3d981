//! Agents as witnesses of the audit log: what they are shown, and what becomes of their complaints.

use flagship_proto::{digest::Digest, model::*};

use super::fixture::*;
use crate::{audit::AuditHead, fleet::Alarm};

fn head(count: u64) -> AuditHead {
    AuditHead {
        count,
        head: Digest::of(&count.to_be_bytes()),
    }
}

fn mark(epoch: u64, count: u64) -> AuditMark {
    AuditMark {
        epoch,
        count,
        head: head(count).head,
    }
}

fn say(hub: &mut Fixture, witness: Witness) {
    let id = hub.open("eu-1");
    hub.hello(id, |hello| hello.witness = Some(witness));
    hub.fleet.closed(id);
}

#[test]
fn every_grant_shows_where_the_audit_log_ends() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    assert_eq!(hub.grant(id).audit, None, "it is not known yet");
    hub.fleet.audited(1, head(7));
    assert_eq!(hub.grant(id).audit, Some(mark(1, 7)));
}

#[test]
fn who_saw_more_of_the_audit_log_than_there_is_is_told_of_once_and_stops_nothing() {
    let mut hub = Fixture::new(&["eu-1"]);
    hub.fleet.audited(1, head(7));
    let seen = |count| Witness {
        seen: Some(mark(1, count)),
        complaint: None,
    };
    say(&mut hub, seen(7));
    assert_eq!(hub.fleet.audit_complaints(), []);
    say(&mut hub, seen(9));
    let first = hub.fleet.audit_complaints();
    hub.after(5);
    say(&mut hub, seen(9));
    let complaints = hub.fleet.audit_complaints();
    assert_eq!(complaints, first, "since then");
    assert_eq!(complaints.len(), 1);
    assert!(complaints[0].1.why.contains("9 entries"), "{complaints:?}");
    assert_eq!(hub.alarms.len(), 1, "{:?}", hub.alarms);
    assert!(matches!(&hub.alarms[0], Alarm::AuditWentBack(name, _) if name.to_string() == "eu-1"));
    let id = hub.join("eu-1");
    assert!(hub.grant(id).refused.is_empty(), "it goes on");
}

#[test]
fn a_complaint_stands_until_history_goes_on_in_a_higher_epoch() {
    let mut hub = Fixture::new(&["eu-1"]);
    hub.fleet.audited(1, head(20));
    let complaint = AuditComplaint {
        seen: mark(1, 12),
        shown: mark(1, 9),
        at: hub.now.wall,
    };
    let witness = Witness {
        seen: Some(mark(1, 12)),
        complaint: Some(complaint),
    };
    say(&mut hub, witness);
    assert_eq!(hub.fleet.audit_complaints().len(), 1);
    hub.fleet.audited(2, head(5));
    say(&mut hub, witness);
    assert_eq!(hub.fleet.audit_complaints(), [], "a person put it back");
}
