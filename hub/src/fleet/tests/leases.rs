//! What a lease is worth: P3, P4, P11, S10.

use std::time::Duration;

use flagship_proto::model::*;

use super::fixture::*;
use crate::fleet::Presence;

#[test]
fn p04_a_grant_lasts_what_is_left_of_l_as_of_the_views_own_moment() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    assert_eq!(hub.grant(id).length, Duration::from_secs(30));
    hub.after(12);
    assert_eq!(hub.grant(id).length, Duration::from_secs(18));
    hub.after(18);
    let grant = hub.grant(id);
    assert_eq!(grant.length, Duration::ZERO);
    assert!(grant.refused.contains("30 s old"), "{}", grant.refused);
    hub.read();
    assert_eq!(hub.grant(id).length, Duration::from_secs(30));
}

#[test]
fn p03_a_read_counts_once_what_it_returned_is_applied_and_a_lost_watch_ends_all() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.after(40);
    let started = hub.now;
    hub.fleet.read(started.mono, position(hub.seq + 1));
    assert_eq!(
        hub.grant(id).length,
        Duration::ZERO,
        "what was read is not applied yet"
    );
    hub.now = hub.now.plus(Duration::from_secs(4));
    hub.seq += 1;
    hub.fleet.apply(vec![], position(hub.seq), hub.now);
    assert_eq!(hub.grant(id).length, Duration::from_secs(26));
    hub.fleet.lost();
    assert!(hub.grant(id).refused.contains("does not know"));
}

#[test]
fn p03_after_a_lost_watch_no_read_counts_until_a_list_of_one_revision_is_applied() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.fleet.lost();
    // Another member of the store answers, and the watch that lost events goes on sending some.
    hub.read();
    hub.seq += 1;
    hub.fleet.apply(vec![], position(hub.seq), hub.now);
    hub.read();
    assert_eq!(hub.grant(id).length, Duration::ZERO);
    hub.after(7);
    let listed = hub.now;
    hub.list("eu-1");
    assert_eq!(
        hub.grant(id).length,
        Duration::ZERO,
        "a list alone says what was, not that it is the newest"
    );
    hub.now = hub.now.plus(Duration::from_secs(2));
    hub.fleet.read(listed.mono, position(hub.seq));
    assert_eq!(hub.grant(id).length, Duration::from_secs(28));
}

#[test]
fn p04_a_grant_carries_the_watermark_and_the_complete_list_of_standing_aborts() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    let at = hub.order("eu-1", Intent::Run);
    hub.drain(id);
    let grant = hub.grant(id);
    assert_eq!(grant.watermark, at.revision);
    assert_eq!(grant.aborts, []);

    let aborted = hub.abort("a-1", Scope::Workload(workload()), AbortMode::Return);
    hub.abort(
        "a-2",
        Scope::Plan("shop/cart".parse().unwrap()),
        AbortMode::Return,
    );
    let grant = hub.grant(id);
    assert_eq!(
        grant.length,
        Duration::from_secs(30),
        "renewal goes on outside the scope"
    );
    let listed: Vec<&str> = grant.aborts.iter().map(|abort| abort.id.as_str()).collect();
    assert_eq!(listed, ["a-1"], "a-2 concerns no work of this cluster");
    assert_eq!(grant.watermark, aborted, "the voided order's revision");
}

#[test]
fn p11_a_fleet_abort_gets_no_grants_until_its_lift_takes_effect() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.order("eu-1", Intent::Run);
    hub.abort("a-1", Scope::Fleet, AbortMode::Return);
    let grant = hub.grant(id);
    assert_eq!((grant.length, grant.aborts.len()), (Duration::ZERO, 1));
    hub.lift("a-1");
    assert_eq!(
        hub.grant(id).length,
        Duration::ZERO,
        "the receipt is missing and the bound not past"
    );
    hub.after(36);
    hub.read();
    assert_eq!(hub.grant(id).length, Duration::from_secs(30));
}

#[test]
fn p02_a_session_that_was_displaced_gets_no_further_grant() {
    let mut hub = Fixture::new(&["eu-1"]);
    let older = hub.join("eu-1");
    hub.say(
        older,
        AgentMessage::LeaseRequest(LeaseRequest {
            nonce: 1,
            unsaid: false,
        }),
    );
    hub.join("eu-1");
    let told = hub.drain(older);
    assert!(
        matches!(told.as_slice(), [HubMessage::Goodbye(_)]),
        "{told:?}"
    );
}

#[test]
fn presence_says_who_is_connected_when_heard_and_until_when_a_lease_counts() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    assert_eq!(hub.fleet.presence(&uid("us-1")), Presence::default());
    let id = hub.join("eu-1");
    hub.grant(id);
    let heard = hub.now;
    hub.after(5);
    hub.fleet.closed(id);
    let presence = hub.fleet.presence(&uid("eu-1"));
    assert!(!presence.connected);
    assert_eq!(presence.last_heard, Some(heard));
    assert_eq!(
        presence.lease_until,
        Some(heard.plus(Duration::from_secs(30)))
    );
}

#[test]
fn p31_who_is_heard_has_told_all_only_when_its_statuses_are_stored() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    let fence = hub.order("eu-1", Intent::Run);
    while !hub.jobs.is_empty() {
        hub.commit();
    }
    let report = Report {
        incarnation: Incarnation(1),
        seq: 1,
        at: hub.now.wall,
        workloads: vec![status(fence, Phase::Failed, 0)],
        evidence: Vec::new(),
    };
    hub.say(id, AgentMessage::Report(report));
    hub.after(1);
    hub.grant(id);
    let presence = hub.fleet.presence(&uid("eu-1"));
    assert_eq!(presence.last_heard, Some(hub.now));
    assert_eq!(
        presence.told, None,
        "its failure is on its way to the store"
    );
    while !hub.jobs.is_empty() {
        hub.commit();
    }
    let presence = hub.fleet.presence(&uid("eu-1"));
    assert_eq!(presence.told, Some(hub.now));
}

#[test]
fn p31_who_asks_for_a_lease_with_something_unsaid_is_heard_and_has_not_told_all() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.grant(id);
    let told = hub.fleet.presence(&uid("eu-1")).told;
    assert_eq!(told, Some(hub.now));
    hub.after(5);
    let request = LeaseRequest {
        nonce: 8,
        unsaid: true,
    };
    hub.say(id, AgentMessage::LeaseRequest(request));
    let presence = hub.fleet.presence(&uid("eu-1"));
    assert_eq!((presence.last_heard, presence.told), (Some(hub.now), told));
    hub.grant(id);
    assert_eq!(hub.fleet.presence(&uid("eu-1")).told, Some(hub.now));
}
