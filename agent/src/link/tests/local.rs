//! Local control: outranks Run, never delays a retreat, is in force at once, kept, reported, and
//! ended on the spot or by a person on the hub.

use flagship_proto::model::{LocalAct, LocalActor, LocalVerb};

use super::*;
use crate::link::{
    Why,
    local::{Controlled, NotControlled, Wanted},
};

pub(super) fn wanted(id: &str, verb: LocalVerb) -> Wanted {
    Wanted {
        id: id.parse().unwrap(),
        workload: workload(),
        verb,
        by: LocalActor::Spot {
            user: "ana".into(),
            uid: 1000,
        },
        reason: "errors here".into(),
    }
}

impl Bench {
    fn control(&mut self, id: &str, verb: LocalVerb, now: Tick) -> Controlled {
        self.link.control(wanted(id, verb), now).unwrap()
    }

    fn end(&mut self, act: &str, now: Tick) -> Result<(), Refused> {
        let release = LocalRelease {
            cluster: member().cluster,
            uid: member().uid,
            workload: workload(),
            act: act.parse().unwrap(),
            position: position(90),
            at: now.wall,
            actor: "bob".into(),
            reason: "all clear".into(),
        };
        self.link
            .receive(HubMessage::LocalRelease(Box::new(signed(release))), now)
    }

    /// What the next report says of local control.
    fn reported(&mut self, now: Tick) -> Option<Vec<LocalAct>> {
        let mut last = None;
        for message in self.messages(now) {
            if let AgentMessage::Report(report) = message {
                last = report
                    .workloads
                    .into_iter()
                    .next()
                    .map(|status| status.local);
            }
        }
        last
    }
}

#[test]
fn what_stands_on_the_spot_against_what_is_ordered() {
    use Intent::{Hold, Remove, Retreat, Run};
    use LocalVerb::{Hold as LocalHold, Release, Retreat as LocalRetreat};
    // ordered, on the spot, what counts
    let table = [
        (Run, LocalHold, Hold),
        (Hold, LocalHold, Hold),
        (Retreat, LocalHold, Retreat),
        (Remove, LocalHold, Remove),
        (Run, LocalRetreat, Retreat),
        (Hold, LocalRetreat, Retreat),
        (Retreat, LocalRetreat, Retreat),
        (Remove, LocalRetreat, Remove),
        (Run, Release, Run),
        (Hold, Release, Hold),
        (Retreat, Release, Retreat),
    ];
    for (ordered, verb, counts) in table {
        let now = secs(0);
        let mut bench = Bench::running(now);
        bench.order(order(11, ordered), now).unwrap();
        bench.sync(now);
        if verb == Release {
            bench.control("l0", LocalHold, now);
        }
        bench.control("l1", verb, now);
        let may = bench.may(now);
        assert_eq!(
            may.intent,
            counts,
            "{ordered} under a local {}",
            verb.word()
        );
        assert_eq!(may.may_advance, counts == Run, "{ordered} {verb:?}");
    }
}

#[test]
fn aborts_and_local_control_together_take_back_the_most() {
    use AbortMode::{Hold as AbortHold, Return};
    use LocalVerb::{Hold as LocalHold, Retreat as LocalRetreat};
    let table = [
        (AbortHold, LocalHold, Intent::Hold, "Aborted"),
        (AbortHold, LocalRetreat, Intent::Retreat, "LocalControl"),
        (Return, LocalHold, Intent::Retreat, "Aborted"),
        (Return, LocalRetreat, Intent::Retreat, "Aborted"),
    ];
    for (mode, verb, counts, why) in table {
        let now = secs(0);
        let mut bench = Bench::running(now);
        bench.abort(abort("a1", Some(20), mode), now).unwrap();
        bench.control("l1", verb, now);
        let may = bench.may(now);
        assert_eq!(
            (may.intent, may.why.word()),
            (counts, why),
            "{mode} {verb:?}"
        );
        assert_eq!(may.aborted_by, Some("a1".parse().unwrap()));
    }
}

#[test]
fn a_local_hold_does_not_delay_the_way_back_of_a_lease_that_ended() {
    let now = secs(0);
    let mut bench = Bench::welcomed(now);
    let mut run = order(10, Intent::Run);
    run.on_disconnect = OnDisconnect::Retreat { after_ms: 60_000 };
    bench.order(run, now).unwrap();
    bench.sync(now);
    bench.lease(10, now);
    bench.link.observe(in_flight(), 1, now);
    bench.control("l1", LocalVerb::Hold, now);
    bench.link.disconnected();
    for second in [31, 60, 95] {
        bench.link.tick(secs(second));
    }
    let may = bench.may(secs(95));
    assert_eq!(
        (may.intent, may.why.word()),
        (Intent::Retreat, "LeaseLapsed")
    );
}

#[test]
fn it_works_without_a_hub_and_survives_a_kill() {
    let now = secs(0);
    let mut bench = Bench::running(now);
    bench.link.disconnected();
    let kept = bench.control("l1", LocalVerb::Retreat, now);
    assert!(!bench.link.is_local_kept(kept.generation));
    bench.sync(now);
    assert!(bench.link.is_local_kept(kept.generation));
    let after = restarted(secs(1), 2);
    let again = bench.restart();
    let may = again.link.permission(&workload(), after).unwrap();
    assert_eq!(may.intent, Intent::Retreat);
    assert_eq!(may.return_to, ReturnTo::LastPromoted);
    assert_eq!(may.why, Why::Local { act: kept.act });
}

#[test]
fn it_acts_where_it_cannot_be_written_and_says_so() {
    let now = secs(0);
    let mut bench = Bench::running(now);
    let wanted = bench.control("l1", LocalVerb::Hold, now);
    bench.disk_full(now);
    assert_eq!(bench.may(now).intent, Intent::Hold);
    assert!(bench.link.is_local_failing() && !bench.link.is_local_kept(wanted.generation));
    let later = secs(2);
    bench.sync(later);
    assert!(bench.link.is_local_kept(wanted.generation) && !bench.link.is_local_failing());
}

#[test]
fn a_retreat_takes_back_what_was_ordered_and_holds_what_comes_later() {
    let now = secs(0);
    let mut bench = Bench::running(now);
    bench.control("l1", LocalVerb::Retreat, now);
    assert_eq!(bench.may(now).intent, Intent::Retreat);

    let mut again = order(30, Intent::Run);
    again.attempt = 2;
    bench.order(again, now).unwrap();
    bench.sync(now);
    assert_eq!(bench.may(now).intent, Intent::Hold, "nothing starts");
    assert!(!bench.advances(now));

    bench.control("l2", LocalVerb::Retreat, now);
    assert_eq!(
        bench.may(now).intent,
        Intent::Retreat,
        "said again, it takes that back too"
    );
}

#[test]
fn a_hold_does_not_weaken_a_retreat_and_nothing_is_released_twice() {
    let now = secs(0);
    let mut bench = Bench::running(now);
    let first = bench.control("l1", LocalVerb::Hold, now);
    let same = bench.control("l2", LocalVerb::Hold, now);
    assert_eq!(first.act, same.act, "it stands already");
    bench.control("l3", LocalVerb::Retreat, now);
    let less = bench.link.control(wanted("l4", LocalVerb::Hold), now);
    assert!(matches!(less, Err(NotControlled::Less { .. })), "{less:?}");
    bench.control("l5", LocalVerb::Release, now);
    let twice = bench.link.control(wanted("l6", LocalVerb::Release), now);
    assert!(
        matches!(twice, Err(NotControlled::Nothing { .. })),
        "{twice:?}"
    );
    let unknown = Wanted {
        workload: other_workload(),
        ..wanted("l7", LocalVerb::Hold)
    };
    let error = bench.link.control(unknown, now).unwrap_err().to_string();
    assert!(
        error.contains("this agent has shop/Deployment/checkout"),
        "{error}"
    );
}

#[test]
fn every_act_is_reported_also_those_from_while_the_hub_was_away() {
    let now = secs(0);
    let mut bench = Bench::running(now);
    bench.messages(now);
    bench.link.disconnected();
    bench.control("l1", LocalVerb::Hold, now);
    bench.control("l2", LocalVerb::Release, now);
    bench.control("l3", LocalVerb::Retreat, now);
    bench.meet(1, "h1", secs(1)).unwrap();
    let acts = bench.reported(secs(1)).expect("a report is due");
    let ids: Vec<&str> = acts.iter().map(|act| act.id.as_str()).collect();
    assert_eq!(ids, ["l1", "l2", "l3"]);
}

#[test]
fn a_person_on_the_hub_ends_the_act_that_is_named_and_no_other() {
    let now = secs(0);
    let mut bench = Bench::running(now);
    bench.control("l1", LocalVerb::Hold, now);
    bench.end("l0", now).unwrap();
    assert_eq!(bench.may(now).intent, Intent::Hold, "another act was meant");

    let mut forged = signed(LocalRelease {
        cluster: member().cluster,
        uid: member().uid,
        workload: workload(),
        act: "l1".parse().unwrap(),
        position: position(90),
        at: now.wall,
        actor: "eve".into(),
        reason: String::new(),
    });
    forged.signature = FORGED.to_vec();
    let refused = bench
        .link
        .receive(HubMessage::LocalRelease(Box::new(forged)), now);
    assert!(
        matches!(refused, Err(Refused::Signature { .. })),
        "{refused:?}"
    );
    assert_eq!(bench.may(now).intent, Intent::Hold);

    bench.end("l1", now).unwrap();
    assert!(
        bench.may(now).may_advance,
        "the order counts again, under its lease"
    );
    let acts = bench.reported(now).expect("a report is due");
    let last = acts.last().unwrap();
    assert_eq!(last.verb, LocalVerb::Release);
    assert_eq!(last.by.to_string(), "bob on the hub");
}

#[test]
fn p22_a_hub_that_is_behind_ends_no_local_control() {
    let now = secs(0);
    let mut bench = Bench::welcomed(now);
    bench.meet(5, "h5", now).unwrap();
    bench.sync(now);
    bench.link.disconnected();
    bench.meet(2, "h2", now).unwrap();
    bench.control("l1", LocalVerb::Hold, now);
    let refused = bench.end("l1", now);
    assert!(
        matches!(refused, Err(Refused::Behind { .. })),
        "{refused:?}"
    );
}
