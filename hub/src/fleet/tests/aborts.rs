//! Aborts on their way out and lifts: P7, P8, P9, P10.

use flagship_proto::model::*;

use super::fixture::*;
use crate::{
    fleet::{Job, Stored},
    leases::Leases,
};

pub(super) fn aborts(told: &[HubMessage]) -> usize {
    told.iter()
        .filter(|m| matches!(m, HubMessage::Abort(_)))
        .count()
}

fn lifts(told: &[HubMessage]) -> usize {
    told.iter()
        .filter(|m| matches!(m, HubMessage::Lift(_)))
        .count()
}

fn labels(region: &str) -> Labels {
    Labels::from([("region".to_owned(), region.to_owned())])
}

/// An abort over two clusters that come later, of somebody who could stop one of them.
fn of_eu(id: &str) -> Abort {
    let selector = Selector {
        names: ["eu-2".parse().unwrap(), "us-2".parse().unwrap()].into(),
        ..Selector::default()
    };
    let within = Selector {
        match_labels: labels("eu"),
        ..Selector::default()
    };
    Abort {
        reach: Some(Reach::new(vec![within])),
        ..abort(id, Scope::Selector(selector), AbortMode::Return)
    }
}

/// Which of those two are told an abort when they come.
fn who_joins(hub: &mut Fixture) -> Vec<&'static str> {
    let mut joined = Vec::new();
    for (name, region) in [("eu-2", "eu"), ("us-2", "us")] {
        hub.member(name, |member| member.labels = labels(region));
        let id = hub.open(name);
        hub.hello(id, |_| {});
        if aborts(&hub.drain(id)) > 0 {
            joined.push(name);
        }
    }
    joined
}

#[test]
fn p10_an_abort_wakes_every_session_in_scope_at_once_and_goes_first() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    let (eu, us) = (hub.join("eu-1"), hub.join("us-1"));
    hub.order("eu-1", Intent::Run);
    hub.say(
        eu,
        AgentMessage::LeaseRequest(LeaseRequest {
            nonce: 1,
            unsaid: false,
        }),
    );
    hub.abort("a-1", Scope::Fleet, AbortMode::Return);
    assert!(hub.woken.contains(&eu) && hub.woken.contains(&us));
    let told = hub.drain(eu);
    assert!(
        matches!(
            told.as_slice(),
            [
                HubMessage::Abort(_),
                HubMessage::Order(_),
                HubMessage::Grant(_)
            ]
        ),
        "{told:?}"
    );
    assert_eq!(aborts(&hub.drain(us)), 1);
}

#[test]
fn an_abort_is_signed_once_for_all() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    let (eu, us) = (hub.join("eu-1"), hub.join("us-1"));
    hub.abort("a-1", Scope::Fleet, AbortMode::Return);
    assert_eq!(hub.drain(eu), hub.drain(us));
}

#[test]
fn p07_a_cluster_that_comes_back_later_meets_the_abort_once() {
    let mut hub = Fixture::new(&["eu-1"]);
    hub.abort("a-1", Scope::Fleet, AbortMode::Return);
    let id = hub.open("eu-1");
    hub.hello(id, |_| {});
    assert_eq!(aborts(&hub.drain(id)), 1);
    hub.member("eu-1", |_| {});
    assert_eq!(aborts(&hub.drain(id)), 0);
}

#[test]
fn p09_a_selector_meets_who_matched_then_and_who_matches_now() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    hub.member("eu-1", |member| {
        member.labels.insert("region".into(), "eu".into());
    });
    let (eu, us) = (hub.join("eu-1"), hub.join("us-1"));
    let selector = Selector {
        match_labels: [("region".to_owned(), "eu".to_owned())].into(),
        ..Selector::default()
    };
    hub.abort("a-1", Scope::Selector(selector), AbortMode::Return);
    assert_eq!((aborts(&hub.drain(eu)), aborts(&hub.drain(us))), (1, 0));
    hub.member("us-1", |member| {
        member.labels.insert("region".into(), "eu".into());
    });
    assert_eq!(aborts(&hub.drain(us)), 1, "who joins later is in it too");
}

#[test]
fn p08_an_order_in_scope_brings_its_abort_before_itself() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.abort(
        "a-1",
        Scope::Plan("shop/checkout".parse().unwrap()),
        AbortMode::Return,
    );
    assert_eq!(hub.drain(id), []);
    hub.order("eu-1", Intent::Run);
    let told = hub.drain(id);
    assert!(
        matches!(
            told.as_slice(),
            [HubMessage::Abort(_), HubMessage::Order(_)]
        ),
        "{told:?}"
    );
}

#[test]
fn p05_an_abort_that_cannot_be_stored_counts_with_the_longest_lease_that_is_out() {
    let mut hub = Fixture::new(&["eu-1"]);
    let secs = std::time::Duration::from_secs;
    hub.fleet.config.lease = Leases::after(secs(3), secs(120), hub.now);
    for (id, lease) in [("a-1", 120), ("a-2", 3)] {
        let order = abort(id, Scope::Fleet, AbortMode::Return);
        hub.fleet.abort_provisionally(order, hub.now);
        let unstored = hub.fleet.unstored();
        assert_eq!(unstored.last().unwrap().lease, secs(lease), "{id}");
        hub.after(127);
    }
}

#[test]
fn p08_a_lift_takes_effect_after_the_bound_or_when_all_receipts_are_in() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.order("eu-1", Intent::Run);
    hub.abort("a-1", Scope::Fleet, AbortMode::Return);
    hub.drain(id);
    hub.lift("a-1");
    hub.after(35);
    assert_eq!(lifts(&hub.drain(id)), 0);
    hub.after(1);
    assert_eq!(lifts(&hub.drain(id)), 1);

    hub.abort("a-2", Scope::Fleet, AbortMode::Return);
    hub.drain(id);
    let receipt = receipt("a-2", 1, ReceiptState::Returned);
    let signed = hub.agent_key.sign_receipt(receipt, "01").unwrap();
    hub.say(id, AgentMessage::Receipt(Box::new(signed)));
    hub.commit();
    hub.lift("a-2");
    assert_eq!(lifts(&hub.drain(id)), 1, "its only cluster has answered");
}

pub(super) fn receipt(abort: &str, seq: u64, state: ReceiptState) -> Receipt {
    Receipt {
        abort: abort.parse().unwrap(),
        cluster: "eu-1".parse().unwrap(),
        uid: uid("eu-1"),
        incarnation: Incarnation(1),
        seq,
        at: jiff::Timestamp::UNIX_EPOCH,
        durable: true,
        workloads: vec![WorkloadReceipt {
            workload: workload(),
            fence: fence(1),
            state,
            read_back: Some(Weight::ZERO),
            proxies: 1,
            digest: None,
        }],
    }
}

#[test]
fn p07_a_lift_stays_a_tombstone_for_who_still_holds_the_abort() {
    let mut hub = Fixture::new(&["eu-1"]);
    hub.abort("a-1", Scope::Fleet, AbortMode::Return);
    hub.lift("a-1");
    hub.after(36);
    let id = hub.open("eu-1");
    hub.hello(id, |hello| {
        hello.aborts = vec![("a-1".parse().unwrap(), None)]
    });
    let told = hub.drain(id);
    assert_eq!((aborts(&told), lifts(&told)), (0, 1));
    let other = hub.join("eu-1");
    assert_eq!(
        lifts(&hub.drain(other)),
        0,
        "who never knew the abort need not know its end"
    );
}

#[test]
fn p07_an_abort_that_cannot_be_stored_goes_out_without_a_position_and_is_stored_later() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.order("eu-1", Intent::Run);
    hub.drain(id);
    hub.fleet
        .abort_provisionally(abort("a-1", Scope::Fleet, AbortMode::Return), hub.now);
    hub.collect();
    assert!(
        matches!(hub.drain(id).as_slice(), [HubMessage::Abort(signed)] if signed.value.position.is_none())
    );
    assert!(hub.grant(id).refused.contains("a-1"));

    let (ticket, job) = hub.jobs.remove(0);
    assert!(matches!(job, Job::TakeOver(_)));
    hub.fleet
        .stored(ticket, Stored::Failed("disk is full".into()), hub.now);
    hub.after(1);
    assert!(
        matches!(hub.jobs.as_slice(), [(_, Job::TakeOver(_))]),
        "it is tried again"
    );
    hub.commit();
    hub.abort("a-1", Scope::Fleet, AbortMode::Return);
    assert_eq!(aborts(&hub.drain(id)), 1, "with its position now");
}

#[test]
fn p09_a_selectors_abort_that_cannot_be_stored_stops_whom_it_meets_and_nobody_else() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    let (eu, us) = (hub.join("eu-1"), hub.join("us-1"));
    let selector = Selector {
        names: ["eu-1".parse().unwrap()].into(),
        ..Selector::default()
    };
    let order = abort("a-1", Scope::Selector(selector), AbortMode::Return);
    hub.fleet.abort_provisionally(order, hub.now);
    hub.collect();
    assert_eq!(aborts(&hub.drain(eu)), 1);
    assert_eq!(aborts(&hub.drain(us)), 0, "it is not in the scope");
    let stored: Vec<_> = hub.jobs.iter().map(|(_, job)| job).collect();
    assert!(
        matches!(stored.as_slice(), [Job::TakeOver(row)] if row.matched == Some([uid("eu-1")].into())),
        "{stored:?}"
    );
}

#[test]
fn p09_a_selectors_abort_that_cannot_be_stored_is_joined_only_where_its_author_could_stop() {
    let mut hub = Fixture::new(&["eu-1"]);
    hub.fleet.abort_provisionally(of_eu("a-1"), hub.now);
    hub.collect();
    assert_eq!(who_joins(&mut hub), ["eu-2"]);
}

#[test]
fn p08_an_abort_that_an_agent_gives_back_is_joined_only_where_its_author_could_stop() {
    let region = |name: &str| Selector {
        match_labels: [("region".to_owned(), name.to_owned())].into(),
        ..Selector::default()
    };
    let others = (0..200).map(|n| region(&format!("eu-{n}")));
    let many = others.chain([region("eu")]).collect();
    let own = of_eu("a-1").reach;
    let cases = [
        (own.clone(), own, &["eu-2"][..]),
        // As every abort was signed once.
        (None, None, &["eu-2", "us-2"]),
        // What no message has room for is left out, and more stop.
        (Some(Reach::new(many)), None, &["eu-2", "us-2"]),
    ];
    for (reach, carried, joined) in cases {
        let mut lost = Fixture::new(&["eu-1"]);
        let order = Abort {
            reach,
            ..of_eu("a-1")
        };
        lost.fleet.abort_provisionally(order, lost.now);
        lost.member("eu-2", |member| member.labels = labels("eu"));
        let id = lost.open("eu-2");
        lost.hello(id, |_| {});
        let told = lost.drain(id);
        let kept = told.into_iter().find_map(|message| {
            let HubMessage::Abort(signed) = message else {
                return None;
            };
            Some(*signed)
        });
        let kept = kept.unwrap();
        assert_eq!(kept.value.reach, carried);

        let mut hub = Fixture::signing(&["eu-1"], lost.key);
        let id = hub.open("eu-1");
        hub.hello(id, |hello| {
            hello.aborts = vec![("a-1".parse().unwrap(), Some(proof(kept)))];
        });
        let job = hub.jobs.iter().find_map(|(_, job)| {
            let Job::TakeOver(unstored) = job else {
                return None;
            };
            Some(unstored.row().reach)
        });
        assert_eq!(job, Some(carried), "it is stored as it was signed");
        assert_eq!(who_joins(&mut hub), joined);
    }
}

#[test]
fn p08_a_lift_takes_effect_after_the_bound_that_was_said() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.order("eu-1", Intent::Run);
    let mut order = abort("a-1", Scope::Fleet, AbortMode::Return);
    order.at = hub.now.wall;
    hub.apply(|at| crate::fleet::Change::Abort {
        narrowed_from: None,
        lease: std::time::Duration::from_secs(2),
        clusters: None,
        abort: Box::new(Abort {
            position: Some(at),
            ..order
        }),
    });
    hub.lift("a-1");
    hub.drain(id);
    hub.after(7);
    assert_eq!(lifts(&hub.drain(id)), 0, "7.02 s were said");
    hub.after(1);
    assert_eq!(lifts(&hub.drain(id)), 1);
}

#[test]
fn p08_a_lift_does_not_wait_for_who_had_nothing_to_stop() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    let id = hub.join("eu-1");
    hub.abort("a-1", Scope::Fleet, AbortMode::Return);
    hub.drain(id);
    hub.lift("a-1");
    assert_eq!(lifts(&hub.drain(id)), 1, "us-1 is away and has no order");
}
