//! History that went back: what agents show of it is kept, and what was given up by `recover` stops
//! nobody but starts nothing either (P21, P22).

use flagship_proto::{model::*, sign::Kind};
use std::time::Duration;

use super::fixture::*;
use crate::{
    fleet::{Change, Job},
    records::SeenRow,
};

fn at(epoch: u64, seq: u64) -> Fence {
    Fence {
        term: Term { epoch, counter: 9 },
        revision: Position { epoch, seq },
    }
}

/// A session whose agent holds a signed order at this fence.
fn holds(hub: &mut Fixture, fence: Fence) -> crate::fleet::SessionId {
    let order = order("eu-1", Intent::Run, fence);
    let signed = hub.key.sign(Kind::Order, order).unwrap();
    let held = HeldWorkload {
        workload: workload(),
        fence,
        proof: Some(proof(signed)),
    };
    let id = hub.open("eu-1");
    hub.hello(id, |hello| hello.held = vec![held]);
    id
}

fn seen(hub: &Fixture) -> Vec<SeenRow> {
    let jobs = hub.jobs.iter().filter_map(|(_, job)| match job {
        Job::Seen(seen) => Some(seen.as_ref().clone()),
        Job::Report { .. }
        | Job::Receipt { .. }
        | Job::Inventory { .. }
        | Job::Quarantine { .. }
        | Job::Offence { .. }
        | Job::Given(_)
        | Job::TakeOver(_) => None,
    });
    jobs.collect()
}

#[test]
fn p22_what_was_seen_is_kept_and_a_hub_that_starts_again_is_behind_at_once() {
    let mut hub = Fixture::new(&["eu-1"]);
    holds(&mut hub, at(1, 900));
    let kept = seen(&hub);
    assert_eq!((kept[0].epoch, kept[0].seq), (1, 900));

    let mut again = Fixture::new(&["eu-1", "us-1"]);
    again.apply(|_| Change::Seen(Box::new(kept[0].clone())));
    let behind = again.fleet.behind().map(|behind| behind.why.as_str());
    assert_eq!(behind, Some(kept[0].why.as_str()));
    let other = again.join("us-1");
    assert_eq!(again.grant(other).length, Duration::ZERO);
    let alarm = again.alarms[0].to_string();
    assert!(alarm.contains("flagship-hub recover --data DIR"), "{alarm}");
}

#[test]
fn p22_a_claimed_epoch_is_kept_for_recover_within_reason_and_stops_nobody_else() {
    for (epoch, kept) in [(9, vec![9]), (1 << 40, vec![])] {
        let mut hub = Fixture::new(&["eu-1"]);
        let id = hub.open("eu-1");
        hub.hello(id, |hello| hello.term = Term { epoch, counter: 1 });
        let claimed: Vec<u64> = seen(&hub).iter().map(|seen| seen.claimed_epoch).collect();
        assert_eq!(claimed, kept);
        assert_eq!(hub.fleet.behind(), None);
    }
}

#[test]
fn p22_an_order_of_a_history_that_was_given_up_is_held_and_gets_no_lease() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = holds(&mut hub, at(0, 900));
    hub.drain(id);
    assert_eq!(hub.fleet.behind(), None, "recover has gone above it");
    assert!(hub.jobs.iter().any(|(_, job)| matches!(job, Job::Given(_))));
    let refused = hub.grant(id).refused;
    assert!(
        refused.contains("which the store does not have"),
        "{refused}"
    );

    hub.order("eu-1", Intent::Hold);
    assert_eq!(hub.orders(id).len(), 1, "the hold supersedes it");
    assert_eq!(hub.grant(id).length, Duration::from_secs(30));
}

#[test]
fn p22_nothing_advances_in_a_member_until_a_person_has_confirmed_it() {
    let mut hub = Fixture::new(&["eu-1"]);
    let words = "history went back".to_owned();
    hub.member("eu-1", |member| member.unconfirmed = Some(words.clone()));
    let id = hub.join("eu-1");
    hub.order("eu-1", Intent::Run);
    assert_eq!(hub.orders(id), []);
    assert_eq!(hub.grant(id).refused, words);
    hub.member("eu-1", |_| {});
    assert_eq!(hub.orders(id).len(), 1);
    assert_eq!(hub.grant(id).length, Duration::from_secs(30));
}

#[test]
fn p22_an_order_for_another_workload_proves_nothing_and_stops_nobody_else() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    let other = hub.join("us-1");
    let order = order("eu-1", Intent::Run, at(1, 900));
    let signed = hub.key.sign(Kind::Order, order).unwrap();
    let held = HeldWorkload {
        workload: "shop/Deployment/invented".parse().unwrap(),
        fence: at(1, 900),
        proof: Some(proof(signed)),
    };
    let id = hub.open("eu-1");
    hub.hello(id, |hello| hello.held = vec![held]);
    assert_eq!(hub.fleet.behind(), None);
    assert_eq!(seen(&hub), []);
    assert!(hub.fleet.quarantine(&uid("eu-1")).is_some());
    assert_eq!(hub.grant(other).length, Duration::from_secs(30));
}
