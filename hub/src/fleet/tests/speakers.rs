//! Who may speak: P1, P2, P22, S13 and what ends a session.

use std::time::Duration;

use flagship_proto::{
    model::*,
    sign::{Kind, SignKey},
};

use super::fixture::*;
use crate::fleet::{Alarm, Job, Next};

#[test]
fn a_session_opens_only_for_a_member_with_a_known_serial_and_a_certificate_that_lives() {
    let mut hub = Fixture::new(&["eu-1"]);
    let peer = hub.peer("eu-1");
    let cases = [
        (PeerIdEdit::Uid, GoodbyeCode::Removed),
        (PeerIdEdit::Name, GoodbyeCode::Removed),
        (PeerIdEdit::Domain, GoodbyeCode::Removed),
        (PeerIdEdit::Serial, GoodbyeCode::Removed),
        (PeerIdEdit::Expired, GoodbyeCode::CertificateExpired),
    ];
    for (edit, code) in cases {
        let mut peer = peer.clone();
        match edit {
            PeerIdEdit::Uid => peer.uid = uid("us-1"),
            PeerIdEdit::Name => peer.cluster = "us-1".parse().unwrap(),
            PeerIdEdit::Domain => peer.trust_domain = "other.example".into(),
            PeerIdEdit::Serial => peer.serial = "02".into(),
            PeerIdEdit::Expired => peer.not_after = hub.now.wall,
        }
        let refused = hub.fleet.opened(peer, hub.now);
        assert_eq!(refused.unwrap_err().code, code, "{edit:?}");
    }
}

#[derive(Debug, Clone, Copy)]
enum PeerIdEdit {
    Uid,
    Name,
    Domain,
    Serial,
    Expired,
}

#[test]
fn p02_the_newest_session_at_equal_incarnation_speaks_and_the_older_is_closed() {
    let mut hub = Fixture::new(&["eu-1"]);
    let older = hub.join("eu-1");
    let newer = hub.join("eu-1");
    assert_eq!(hub.goodbye(older).unwrap().code, GoodbyeCode::NewerSession);
    assert_eq!(hub.fleet.take(older, hub.now), Next::End);
    assert_eq!(hub.grant(newer).length, Duration::from_secs(30));
}

#[test]
fn p02_a_lower_incarnation_is_told_the_highest() {
    let mut hub = Fixture::new(&["eu-1"]);
    let first = hub.open("eu-1");
    hub.hello(first, |hello| hello.incarnation = Incarnation(9));
    hub.fleet.closed(first);
    let second = hub.open("eu-1");
    hub.hello(second, |hello| hello.incarnation = Incarnation(4));
    let last = hub.goodbye(second).unwrap();
    assert_eq!(
        (last.code, last.highest),
        (GoodbyeCode::OldIncarnation, Incarnation(9))
    );
}

#[test]
fn s13_a_data_folder_put_back_goes_above_the_highest_and_is_no_clone() {
    let mut hub = Fixture::new(&["eu-1"]);
    let first = hub.open("eu-1");
    hub.hello(first, |hello| hello.incarnation = Incarnation(9));
    let refused = hub.open("eu-1");
    hub.hello(refused, |hello| hello.incarnation = Incarnation(4));
    hub.fleet.closed(refused);
    let above = hub.open("eu-1");
    hub.hello(above, |hello| hello.incarnation = Incarnation(10));
    assert_eq!(hub.fleet.quarantine(&uid("eu-1")), None);
    hub.drain(above);
    assert_eq!(hub.grant(above).length, Duration::from_secs(30));
}

#[test]
fn s13_two_living_sessions_in_turn_are_a_clone_and_get_no_grant_but_still_aborts() {
    let mut hub = Fixture::new(&["eu-1"]);
    for incarnation in [6, 7, 6, 8] {
        let id = hub.open("eu-1");
        hub.hello(id, |hello| hello.incarnation = Incarnation(incarnation));
        hub.after(2);
    }
    assert!(
        hub.fleet
            .quarantine(&uid("eu-1"))
            .unwrap()
            .contains("in turn")
    );
    assert!(matches!(hub.alarms.as_slice(), [Alarm::Quarantined(..)]));
    let stored = hub
        .jobs
        .iter()
        .any(|(_, job)| matches!(job, Job::Quarantine { .. }));
    assert!(stored, "a person is told also after a restart");

    let id = hub.join("eu-1");
    assert_eq!(hub.grant(id).length, Duration::ZERO);
    hub.order("eu-1", Intent::Run);
    assert_eq!(hub.orders(id), [], "no Run reaches a clone");
    hub.abort("a-1", Scope::Fleet, AbortMode::Return);
    assert!(
        hub.drain(id)
            .iter()
            .any(|m| matches!(m, HubMessage::Abort(_)))
    );
}

#[test]
fn s13_a_renewed_certificate_is_no_clone_and_two_old_ones_in_turn_are() {
    let mut hub = Fixture::new(&["eu-1"]);
    let certificate = hub.certificate.clone();
    let serials = ["01", "02", "03", "04", "05"];
    hub.member("eu-1", |member| {
        member.certificates = serials
            .map(|serial| (serial.to_owned(), certificate.clone()))
            .into();
    });
    let mut speak = |serial: &str| {
        let mut peer = hub.peer("eu-1");
        peer.serial = serial.into();
        let id = hub.fleet.opened(peer, hub.now).unwrap();
        hub.hello(id, |_| {});
        hub.after(2);
        hub.fleet.quarantine(&uid("eu-1"))
    };
    for serial in serials {
        assert_eq!(speak(serial), None, "{serial} is the next certificate");
    }
    assert_eq!(speak("04"), None);
    assert_eq!(speak("05"), None);
    assert!(speak("04").unwrap().contains("in turn"));
}

#[test]
fn a_flapping_connection_is_no_clone() {
    let mut hub = Fixture::new(&["eu-1"]);
    for _ in 0..10 {
        let id = hub.join("eu-1");
        hub.fleet.closed(id);
    }
    assert_eq!(hub.fleet.quarantine(&uid("eu-1")), None);
}

#[test]
fn a_removed_cluster_is_sent_away_at_once_and_its_certificate_is_refused() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.leave("eu-1");
    assert_eq!(hub.goodbye(id).unwrap().code, GoodbyeCode::Removed);
    let again = hub.fleet.opened(hub.peer("eu-1"), hub.now);
    assert_eq!(again.unwrap_err().code, GoodbyeCode::Removed);
}

#[test]
fn trap_11_no_session_outlives_its_certificate() {
    let mut hub = Fixture::new(&["eu-1"]);
    hub.after(7 * 24 * 3600 - 2);
    let id = hub.join("eu-1");
    hub.after(1);
    assert_eq!(hub.goodbye(id), None);
    hub.after(1);
    assert_eq!(
        hub.goodbye(id).unwrap().code,
        GoodbyeCode::CertificateExpired
    );
}

#[test]
fn trap_37_a_peer_that_reads_nothing_is_cut() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.order("eu-1", Intent::Run);
    hub.after(19);
    assert!(hub.cut.is_empty());
    hub.after(1);
    assert!(hub.cut.contains(&id));
}

#[test]
fn a_message_before_hello_ends_the_session() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.open("eu-1");
    hub.say(
        id,
        AgentMessage::LeaseRequest(LeaseRequest {
            nonce: 1,
            unsaid: false,
        }),
    );
    assert_eq!(hub.goodbye(id).unwrap().code, GoodbyeCode::BadMessage);
}

fn held(fence: Fence, proof: Option<Proof>) -> HeldWorkload {
    HeldWorkload {
        workload: workload(),
        fence,
        proof,
    }
}

#[test]
fn p22_a_signed_order_above_the_store_stops_runs_and_grants_for_all_and_alarms() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    let other = hub.join("us-1");
    let ahead = fence(900);
    let signed = hub
        .key
        .sign(Kind::Order, order("eu-1", Intent::Run, ahead))
        .unwrap();
    let id = hub.open("eu-1");
    hub.hello(id, |hello| {
        hello.held = vec![held(ahead, Some(proof(signed)))]
    });
    assert!(hub.fleet.behind().is_some());
    assert!(matches!(hub.alarms.as_slice(), [Alarm::Behind(_)]));
    assert_eq!(hub.grant(other).length, Duration::ZERO);
    hub.order("us-1", Intent::Run);
    assert_eq!(hub.orders(other), []);
    hub.order("us-1", Intent::Hold);
    assert_eq!(hub.orders(other).len(), 1, "Hold and Retreat still go out");
}

#[test]
fn p22_a_signed_abort_that_the_store_lacks_is_taken_over() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    let other = hub.join("us-1");
    let lost = Abort {
        position: Some(position(800)),
        ..abort("a-9", Scope::Fleet, AbortMode::Return)
    };
    let signed = hub.key.sign(Kind::Abort, lost).unwrap();
    let id = hub.open("eu-1");
    hub.hello(id, |hello| {
        hello.aborts = vec![("a-9".parse().unwrap(), Some(proof(signed)))]
    });
    assert!(hub.fleet.behind().is_some());
    assert!(
        hub.drain(other)
            .iter()
            .any(|m| matches!(m, HubMessage::Abort(_)))
    );
    assert!(
        hub.jobs
            .iter()
            .any(|(_, job)| matches!(job, Job::TakeOver(_)))
    );
}

#[test]
fn p22_an_unproven_claim_quarantines_that_cluster_only() {
    let stranger = SignKey::generate().unwrap();
    let forged = stranger
        .sign(Kind::Order, order("eu-1", Intent::Run, fence(900)))
        .unwrap();
    for proof in [None, Some(proof(forged))] {
        let mut hub = Fixture::new(&["eu-1", "us-1"]);
        let other = hub.join("us-1");
        let id = hub.open("eu-1");
        hub.hello(id, |hello| hello.held = vec![held(fence(900), proof)]);
        hub.drain(id);
        assert_eq!(hub.fleet.behind(), None);
        assert!(hub.grant(id).refused.contains("quarantined"));
        assert_eq!(hub.grant(other).length, Duration::from_secs(30));
    }
}

#[test]
fn p21_an_agent_that_saw_another_hub_under_this_term_is_quarantined() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.open("eu-1");
    hub.hello(id, |hello| {
        hello.term = term();
        hello.hub = HubIncarnation("hub-b".into());
    });
    hub.drain(id);
    assert!(hub.grant(id).refused.contains("another hub"));
}

#[test]
fn p07_a_provisional_abort_of_another_hub_is_taken_over_and_proves_nothing() {
    let mut hub = Fixture::new(&["eu-1"]);
    let signed = hub
        .key
        .sign(Kind::Abort, abort("a-9", Scope::Fleet, AbortMode::Return))
        .unwrap();
    let id = hub.open("eu-1");
    hub.hello(id, |hello| {
        hello.aborts = vec![("a-9".parse().unwrap(), Some(proof(signed)))]
    });
    assert_eq!(hub.fleet.behind(), None);
    assert!(matches!(hub.jobs.as_slice(), [(_, Job::TakeOver(_))]));
}
