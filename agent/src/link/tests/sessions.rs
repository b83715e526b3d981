//! Sessions: greeting, reports and their acknowledgement, goodbyes (P2, P10, P23, S13).

use flagship_proto::model::{Ack, Goodbye, GoodbyeCode, Incarnation, Report};

use super::*;
use crate::link::{Session, Then};

fn report(bench: &mut Bench, now: Tick) -> Option<Report> {
    let mut reports = bench
        .messages(now)
        .into_iter()
        .filter_map(|message| match message {
            AgentMessage::Report(report) => Some(report),
            AgentMessage::Hello(_) | AgentMessage::Receipt(_) | AgentMessage::LeaseRequest(_) => {
                None
            }
        });
    reports.next_back()
}

fn ack(bench: &mut Bench, seq: u64, now: Tick) {
    let incarnation = bench.link.incarnation();
    let ack = HubMessage::Ack(Ack { incarnation, seq });
    bench.link.receive(ack, now).unwrap();
}

#[test]
fn hello_comes_first_and_nothing_else_before_the_welcome() {
    let mut bench = Bench::new();
    assert!(bench.messages(secs(0)).is_empty());
    bench.link.observe(in_flight(), 1, secs(0));
    bench.link.connected();
    let messages = bench.messages(secs(0));
    assert!(matches!(messages.as_slice(), [AgentMessage::Hello(_)]));
    let refused = bench.order(order(10, Intent::Run), secs(0)).unwrap_err();
    assert!(matches!(refused, Refused::TooEarly { .. }), "{refused}");
    bench
        .abort(abort("a1", Some(9), AbortMode::Return), secs(0))
        .unwrap();
}

#[test]
fn p10_a_receipt_goes_before_the_lease_and_the_lease_before_reports() {
    let mut bench = Bench::welcomed(secs(0));
    bench.link.observe(in_flight(), 1, secs(0));
    bench
        .abort(abort("a1", Some(9), AbortMode::Return), secs(0))
        .unwrap();
    let messages = bench.messages(secs(0));
    assert!(
        matches!(
            messages.as_slice(),
            [
                AgentMessage::Receipt(_),
                AgentMessage::LeaseRequest(_),
                AgentMessage::Report(_)
            ]
        ),
        "{messages:?}"
    );
}

#[test]
fn p23_a_report_coalesces_while_one_is_under_way_and_is_sent_until_acknowledged() {
    let mut bench = Bench::welcomed(secs(0));
    bench.link.observe(in_flight(), 1, secs(0));
    let first = report(&mut bench, secs(0)).unwrap();
    for weight in [30, 40, 50] {
        let next = status(Phase::Progressing, weight, Some(weight), Intent::Run);
        bench.link.observe(next, 1, secs(1));
    }
    assert_eq!(report(&mut bench, secs(1)), None, "one under way");
    ack(&mut bench, first.seq, secs(2));
    let second = report(&mut bench, secs(2)).unwrap();
    assert_eq!(second.workloads.len(), 1);
    assert_eq!(second.workloads[0].weight.get(), 50);
    let again = report(&mut bench, secs(12)).unwrap();
    assert_eq!(again.workloads, second.workloads, "no acknowledgement came");
    ack(&mut bench, again.seq, secs(13));
    assert_eq!(report(&mut bench, secs(30)), None);
}

#[test]
fn an_unchanged_status_is_reported_once_a_session() {
    let mut bench = Bench::welcomed(secs(0));
    bench.link.observe(in_flight(), 1, secs(0));
    let first = report(&mut bench, secs(0)).unwrap();
    ack(&mut bench, first.seq, secs(0));
    bench.link.observe(in_flight(), 1, secs(1));
    assert_eq!(report(&mut bench, secs(1)), None);
    bench.link.disconnected();
    bench.meet(1, "h1", secs(2)).unwrap();
    assert!(
        report(&mut bench, secs(2)).is_some(),
        "a new session is told all"
    );
}

fn goodbye(bench: &mut Bench, code: GoodbyeCode, highest: u64, now: Tick) -> Then {
    let goodbye = Goodbye {
        code,
        message: "because".into(),
        highest: Incarnation(highest),
    };
    bench
        .link
        .receive(HubMessage::Goodbye(goodbye), now)
        .unwrap();
    let Session::Over(hangup) = bench.link.session() else {
        panic!("{:?}", bench.link.session());
    };
    let then = hangup.then;
    bench.link.disconnected();
    then
}

#[test]
fn s13_an_agent_put_back_goes_above_what_the_hub_knows_once() {
    let mut bench = Bench::new();
    bench.meet(1, "h1", secs(0)).unwrap();
    let then = goodbye(&mut bench, GoodbyeCode::OldIncarnation, 7, secs(0));
    assert_eq!(then, Then::Again);
    assert_eq!(bench.link.incarnation(), Incarnation(8));
    bench.sync(secs(0));
    assert_eq!(bench.disk.record.incarnation, Incarnation(8));
    bench.meet(1, "h1", secs(1)).unwrap();
    let then = goodbye(&mut bench, GoodbyeCode::OldIncarnation, 9, secs(1));
    assert_eq!(then, Then::Rarely, "the second time another agent is alive");
    assert_eq!(bench.link.incarnation(), Incarnation(8));
}

#[test]
fn p02_each_start_is_a_higher_incarnation() {
    let mut bench = Bench::welcomed(secs(0));
    for incarnation in 2..5 {
        bench = bench.restart();
        assert_eq!(bench.link.incarnation(), Incarnation(incarnation));
        bench.sync(restarted(secs(0), incarnation));
    }
}

#[test]
fn a_goodbye_changes_no_workload() {
    let codes = [
        (GoodbyeCode::NewerSession, Then::Rarely),
        (GoodbyeCode::CertificateExpired, Then::Reenrol),
        (GoodbyeCode::Quarantined, Then::Rarely),
        (GoodbyeCode::NotLeading, Then::Again),
        (GoodbyeCode::BadMessage, Then::Again),
        (GoodbyeCode::HubBehind, Then::Again),
        (GoodbyeCode::Draining, Then::Again),
    ];
    for (code, then) in codes {
        let mut bench = Bench::running(secs(0));
        assert_eq!(goodbye(&mut bench, code, 0, secs(1)), then, "{code:?}");
        assert_eq!(bench.may(secs(2)).intent, Intent::Run, "{code:?}");
        assert_eq!(bench.may(secs(40)).intent, Intent::Hold, "{code:?}");
    }
}

/// No abort reaches it any more: it waits for none of its lease to pass.
#[test]
fn p05_a_cluster_that_was_removed_holds_at_once() {
    let mut bench = Bench::running(secs(0));
    assert_eq!(bench.may(secs(1)).intent, Intent::Run);
    let then = goodbye(&mut bench, GoodbyeCode::Removed, 0, secs(1));
    assert_eq!(then, Then::Rarely);
    assert_eq!(bench.may(secs(1)).intent, Intent::Hold);
}

#[test]
fn a_hub_of_another_fleet_or_with_another_uid_in_mind_is_left() {
    for (fleet, uid) in [("another", "u1"), ("fleet", "u2")] {
        let mut bench = Bench::new();
        bench.link.connected();
        bench.link.next_message(secs(0));
        let welcome = Welcome {
            fleet: fleet.parse().unwrap(),
            term: term(1),
            hub: HubIncarnation("h1".into()),
            uid: uid.parse().unwrap(),
            incarnation: Incarnation(1),
            at: secs(0).wall,
        };
        bench
            .link
            .receive(HubMessage::Welcome(welcome), secs(0))
            .unwrap();
        assert!(
            matches!(bench.link.session(), Session::Over(_)),
            "{fleet} {uid}"
        );
    }
}

#[test]
fn p31_a_request_says_whether_a_status_is_in_no_report_yet() {
    let unsaid = |messages: Vec<AgentMessage>| {
        messages.into_iter().find_map(|message| match message {
            AgentMessage::LeaseRequest(request) => Some(request.unsaid),
            AgentMessage::Hello(_) | AgentMessage::Receipt(_) | AgentMessage::Report(_) => None,
        })
    };
    let mut bench = Bench::welcomed(secs(0));
    bench.link.observe(in_flight(), 1, secs(0));
    let first = unsaid(bench.messages(secs(0)));
    assert_eq!(first, Some(true), "it goes before the report");
    assert_eq!(unsaid(bench.messages(secs(10))), Some(false));
}
