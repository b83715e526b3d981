//! What no good agent does: said, written down once in a while with how often it happened, and felt by
//! nobody else.

use flagship_proto::model::*;

use super::fixture::*;
use crate::fleet::{Change, Job, SessionId, offence::OPENINGS, room::MOST_REPORTED};

fn written(hub: &mut Fixture) -> Vec<String> {
    let mut written = Vec::new();
    while hub
        .jobs
        .iter()
        .any(|(_, job)| matches!(job, Job::Offence { .. }))
    {
        if let Job::Offence { cluster, why } = hub.commit() {
            written.push(format!("{cluster}: {why}"));
        }
    }
    written
}

#[test]
fn garbage_again_and_again_is_written_down_once_and_later_with_its_number() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    let beside = hub.join("us-1");
    for _ in 0..5 {
        let id = hub.join("eu-1");
        hub.fleet.garbled(id, "no message in it", hub.now);
        hub.collect();
        assert_eq!(hub.goodbye(id).unwrap().code, GoodbyeCode::BadMessage);
    }
    let first = "eu-1: it said what is no message: no message in it";
    assert_eq!(written(&mut hub), [first]);
    for _ in 0..11 {
        hub.after(60);
        hub.grant(beside);
    }
    let id = hub.join("eu-1");
    hub.fleet.garbled(id, "no message in it", hub.now);
    hub.collect();
    let later = format!("{first} (and 4 times more since the last entry)");
    assert_eq!(written(&mut hub), [later]);
    assert_eq!(hub.goodbye(beside), None);
}

#[test]
fn who_opens_sessions_without_end_waits_and_others_do_not() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    let peer = hub.peer("eu-1");
    let refused = (0..=OPENINGS.burst).find_map(|_| hub.fleet.opened(peer.clone(), hub.now).err());
    assert!(refused.unwrap().message.contains("wait a minute"));
    hub.collect();
    assert_eq!(written(&mut hub).len(), 1);
    hub.join("us-1");
    hub.after(2);
    hub.fleet.opened(peer, hub.now).unwrap();
}

#[test]
fn p22_a_claim_that_nothing_proves_is_written_down_and_quarantines_that_cluster_only() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    let beside = hub.join("us-1");
    for _ in 0..3 {
        let id = hub.open("eu-1");
        hub.hello(id, |hello| {
            hello.held = vec![HeldWorkload {
                workload: workload(),
                fence: fence(1_000),
                proof: None,
            }];
        });
    }
    let written = written(&mut hub);
    assert_eq!(written.len(), 1, "{written:?}");
    assert!(
        written[0].contains("it claims what nothing proves"),
        "{written:?}"
    );
    assert!(hub.fleet.quarantine(&uid("eu-1")).is_some());
    assert_eq!(hub.fleet.quarantine(&uid("us-1")), None);
    assert!(hub.fleet.behind().is_none());
    assert_eq!(hub.goodbye(beside), None);
}

fn of(n: usize) -> WorkloadStatus {
    WorkloadStatus {
        workload: format!("shop/Deployment/w-{n}").parse().unwrap(),
        ..status(fence(1), Phase::Waiting, 0)
    }
}

fn say(hub: &mut Fixture, id: SessionId, seq: u64, workloads: Vec<WorkloadStatus>) {
    let report = Report {
        incarnation: Incarnation(1),
        seq,
        at: hub.now.wall,
        workloads,
        evidence: Vec::new(),
    };
    hub.say(id, AgentMessage::Report(report));
}

/// How many statuses are on their way to the store.
fn stored(hub: &Fixture) -> usize {
    let reports = hub.jobs.iter();
    let reports = reports.filter(|(_, job)| matches!(job, Job::Report { .. }));
    reports.count()
}

/// A session whose agent has more workloads than are taken; what it says of itself is stored.
fn having_all(hub: &mut Fixture) -> SessionId {
    let id = hub.open("eu-1");
    let all = (0..MOST_WORKLOADS + 30).map(|n| of(n).workload);
    hub.hello(id, |hello| hello.inventory = having(all));
    hub.drain(id);
    hub.commit();
    id
}

#[test]
fn what_a_cluster_does_not_have_and_was_not_ordered_is_not_stored_and_its_other_words_are() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    let own = status(fence(1), Phase::Waiting, 0);
    say(&mut hub, id, 1, vec![of(1), own, of(2)]);
    assert_eq!(stored(&hub), 1);
    let written = written(&mut hub);
    assert_eq!(written.len(), 1, "{written:?}");
    let why = "shop/Deployment/w-1 is neither in its inventory nor ordered there";
    assert!(written[0].contains(why), "{written:?}");
    assert_eq!(hub.goodbye(id), None);

    // What was ordered there is heard, whatever the agent says that it has.
    hub.apply(|at| {
        let order = Order {
            workload: of(2).workload,
            ..order("eu-1", Intent::Run, fence(at.seq))
        };
        Change::Order(uid("eu-1"), of(2).workload, Some(Box::new(order)))
    });
    say(&mut hub, id, 2, vec![of(2)]);
    assert_eq!(stored(&hub), 2);
}

#[test]
fn the_words_of_one_cluster_are_no_more_than_a_page_a_workload_however_few_workloads_say_them() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = having_all(&mut hub);
    let long = |n: usize| WorkloadStatus {
        local: vec![
            LocalAct {
                id: "l1".parse().unwrap(),
                verb: LocalVerb::Hold,
                by: LocalActor::Hub {
                    actor: String::new()
                },
                at: "2026-01-01T00:00:00Z".parse().unwrap(),
                reason: "x".repeat(64 * 1024),
            };
            4
        ],
        ..of(n)
    };
    let fits = MOST_REPORTED / long(0).size();
    assert!(fits > 50 && fits < 70, "{fits}");
    for n in 0..fits + 5 {
        say(&mut hub, id, n as u64 + 1, vec![long(n)]);
    }
    assert_eq!(stored(&hub), fits);
    let written = written(&mut hub);
    assert_eq!(written.len(), 1, "{written:?}");
    assert!(
        written[0].contains("more than 16777216 bytes"),
        "{written:?}"
    );
    // Nobody's session ends for it, and what is known already is heard again, if it is no longer than it was.
    assert_eq!(hub.goodbye(id), None);
    while !hub.jobs.is_empty() {
        hub.commit();
    }
    let phase = Phase::Progressing;
    say(&mut hub, id, 900, vec![WorkloadStatus { phase, ..long(1) }]);
    assert_eq!(stored(&hub), 1);
}

#[test]
fn more_workloads_than_a_cluster_can_have_are_not_stored() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = having_all(&mut hub);
    say(&mut hub, id, 1, (0..MOST_WORKLOADS - 1).map(of).collect());
    say(
        &mut hub,
        id,
        2,
        (MOST_WORKLOADS - 1..MOST_WORKLOADS + 9).map(of).collect(),
    );
    assert_eq!(stored(&hub), MOST_WORKLOADS, "those on their way count");
    let written = written(&mut hub);
    assert_eq!(written.len(), 1, "{written:?}");
    assert!(
        written[0].contains("more than a cluster can have"),
        "{written:?}"
    );
    while !hub.jobs.is_empty() {
        hub.commit();
    }
    let known = WorkloadStatus {
        phase: Phase::Progressing,
        ..of(7)
    };
    say(&mut hub, id, 3, vec![of(MOST_WORKLOADS + 20), known]);
    assert_eq!(stored(&hub), 1, "what it had before does not lock it out");
    assert_eq!(hub.goodbye(id), None);
}

#[test]
fn who_keeps_a_session_open_and_asks_for_no_lease_is_cut_and_written_down() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    let silent = hub.join("eu-1");
    let speaks = hub.join("us-1");
    for _ in 0..9 {
        hub.after(10);
        hub.grant(speaks);
    }
    assert!(hub.cut.contains(&silent));
    assert!(!hub.cut.contains(&speaks));
    let written = written(&mut hub);
    assert_eq!(written, ["eu-1: it said nothing: nothing came for 90 s"]);
}
