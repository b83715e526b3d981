//! A cluster that is enrolled anew is a leaver and a joiner (P1): what its earlier life was told does
//! not count, what that life left behind is settled.

use flagship_proto::model::{FleetId, ReceiptState};

use super::*;
use crate::{
    link::{Session, Why},
    release::{Binding, MOST_TOMBSTONES, Release},
};

fn of_another_life() -> Kept {
    let mut before = order(10, Intent::Run);
    before.uid = "u0".parse().unwrap();
    let mut disk = Kept::default();
    disk.record.fleet = Some(member().fleet);
    let release = Release::new(signed(before), secs(0));
    disk.releases.insert(workload(), release);
    disk
}

#[test]
fn p01_a_release_of_an_earlier_uid_is_not_obeyed_and_what_it_left_goes_back() {
    let mut bench = Bench::on(of_another_life());
    bench.link.observe(in_flight(), 1, secs(1));
    bench.link.connected();
    let Some(AgentMessage::Hello(hello)) = bench.link.next_message(secs(1)) else {
        panic!("no hello");
    };
    assert!(hello.held.is_empty(), "{:?}", hello.held);
    bench.link.disconnected();

    let may = bench.may(secs(1));
    assert_eq!((may.intent, may.may_advance), (Intent::Remove, false));
    assert!(!may.is_ours() && matches!(may.why, Why::Left { .. }));
    assert!(may.why.to_string().contains("u0"), "{}", may.why);
    assert_eq!(bench.link.workloads().count(), 0);
}

#[test]
fn p01_a_joiner_takes_any_order_for_its_own_uid_and_keeps_it() {
    let mut bench = Bench::on(of_another_life());
    bench.meet(1, "h1", secs(1)).unwrap();
    let mut for_the_leaver = order(12, Intent::Run);
    for_the_leaver.uid = "u0".parse().unwrap();
    assert!(bench.order(for_the_leaver, secs(1)).is_err());
    bench.order(order(5, Intent::Run), secs(1)).unwrap();
    bench.sync(secs(1));
    bench.lease(5, secs(1));
    assert!(bench.advances(secs(1)), "{}", bench.may(secs(1)).why);
    let again = bench.restart();
    assert!(again.may(restarted(secs(2), 2)).is_ours());
}

#[test]
fn p01_a_canary_that_no_order_speaks_for_is_not_said_to_be_idle() {
    let mut bench = Bench::on(of_another_life());
    bench.meet(1, "h1", secs(1)).unwrap();
    bench
        .abort(abort("a1", Some(20), AbortMode::Return), secs(1))
        .unwrap();
    bench.sync(secs(1));
    let mut answers = Vec::new();
    for (phase, observed) in [
        (Phase::Progressing, 20),
        (Phase::Failed, 20),
        (Phase::Failed, 0),
    ] {
        let mut seen = status(phase, 0, Some(observed), Intent::Run);
        (seen.rollout, seen.intent) = (None, None);
        bench.link.observe(seen, 1, secs(2));
        let receipts = bench.receipts(secs(2));
        answers.push((
            receipts[0].workloads[0].state.clone(),
            receipts[0].is_final(),
        ));
    }
    assert!(matches!(
        answers[0],
        (ReceiptState::NotStopped { .. }, false)
    ));
    assert!(matches!(
        answers[1],
        (ReceiptState::Returning { .. }, false)
    ));
    assert_eq!(answers[2], (ReceiptState::Idle, true));
}

#[test]
fn p01_aborts_outlive_a_uid_but_aborts_and_terms_of_another_fleet_do_not_count() {
    let bench = Bench::aborted();
    let mut disk = bench.disk.clone();
    disk.record.bound = Some(Binding {
        term: term(9),
        hub: HubIncarnation("h9".into()),
    });
    for (fleet, stands) in [("fleet", true), ("another", false)] {
        let mut of = disk.clone();
        of.record.fleet = Some(fleet.parse::<FleetId>().unwrap());
        let mut again = Bench::on(of);
        again.meet(1, "h1", restarted(secs(2), 2)).unwrap();
        again.sync(restarted(secs(2), 2));
        assert_eq!(!again.disk.aborts.standing.is_empty(), stands, "{fleet}");
        let behind = matches!(again.link.session(), Session::Welcomed { behind: true, .. });
        assert_eq!(
            behind, stands,
            "{fleet}: a term of another fleet says nothing"
        );
    }
}

#[test]
fn p07_tombstones_are_bounded_the_newest_stay_and_a_forgotten_one_only_ever_stops() {
    let mut bench = Bench::running(secs(0));
    let most = u64::try_from(MOST_TOMBSTONES).unwrap();
    for n in 0..=most {
        let (id, at) = (format!("a{n}"), 100 + 10 * n);
        bench
            .abort(abort(&id, Some(at), AbortMode::Return), secs(1))
            .unwrap();
        bench.lift(lift(&id, at + 5), secs(1)).unwrap();
    }
    bench.sync(secs(1));
    let book = &bench.disk.aborts;
    assert_eq!(book.lifted.len(), MOST_TOMBSTONES);
    assert!(
        !book.lifted.contains_key(&"a0".parse().unwrap()),
        "the oldest"
    );
    let may = bench.may(secs(1));
    assert_eq!(may.intent, Intent::Retreat, "what a0 voided stays void");

    let mut again = bench.restart();
    let now = restarted(secs(2), 2);
    again.meet(1, "h1", now).unwrap();
    let newest = abort(&format!("a{most}"), Some(9000), AbortMode::Return);
    again.abort(newest, now).unwrap();
    again
        .abort(abort("a0", Some(100), AbortMode::Return), now)
        .unwrap();
    again.sync(now);
    let standing: Vec<_> = again.disk.aborts.standing.keys().collect();
    assert_eq!(
        standing,
        [&"a0".parse().unwrap()],
        "it stops, which is safe"
    );
    // The next `Hello` lists it, and a hub that has the lift's row sends that again.
    again.lift(lift("a0", 105), now).unwrap();
    assert_eq!(again.link.next_save(now).map(|_| ()), Some(()));
}
