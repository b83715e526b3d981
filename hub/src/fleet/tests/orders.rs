//! What orders a session is sent: S3, P8, P12.

use flagship_proto::model::*;

use super::fixture::*;

#[test]
fn s03_nothing_is_sent_again_where_term_and_revision_are_equal() {
    let mut hub = Fixture::new(&["eu-1"]);
    let at = hub.order("eu-1", Intent::Run);
    let id = hub.open("eu-1");
    hub.hello(id, |hello| {
        hello.held = vec![HeldWorkload {
            workload: workload(),
            fence: at,
            proof: None,
        }];
    });
    assert_eq!(hub.orders(id), []);
    let fresh = hub.open("eu-1");
    hub.hello(fresh, |_| {});
    assert_eq!(hub.orders(fresh).len(), 1);
    hub.order("eu-1", Intent::Hold);
    assert_eq!(hub.orders(fresh)[0].intent, Intent::Hold);
    assert_eq!(hub.orders(fresh), [], "once");
}

#[test]
fn p12_of_two_orders_that_wait_the_latest_is_sent_as_its_row_says() {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    hub.order("eu-1", Intent::Run);
    let at = hub.order("eu-1", Intent::Hold);
    let sent = hub.orders(id);
    assert_eq!(sent.len(), 1);
    assert_eq!((sent[0].intent, sent[0].fence), (Intent::Hold, at));
}

#[test]
fn an_order_is_for_its_own_cluster_only() {
    let mut hub = Fixture::new(&["eu-1", "us-1"]);
    let other = hub.join("us-1");
    hub.order("eu-1", Intent::Run);
    assert_eq!(hub.orders(other), []);
}

fn voided(mode: AbortMode, phase: Phase) -> Order {
    let mut hub = Fixture::new(&["eu-1"]);
    let id = hub.join("eu-1");
    let at = hub.order("eu-1", Intent::Run);
    hub.drain(id);
    let report = Report {
        incarnation: Incarnation(1),
        seq: 1,
        at: hub.now.wall,
        workloads: vec![status(at, phase, 50)],
        evidence: vec![],
    };
    hub.say(id, AgentMessage::Report(report));
    hub.commit();
    hub.drain(id);
    hub.fleet.closed(id);

    // Cut off during abort and lift.
    let aborted = hub.abort("a-1", Scope::Fleet, mode);
    hub.lift("a-1");
    hub.after(36);

    let back = hub.open("eu-1");
    hub.hello(back, |hello| {
        hello.held = vec![HeldWorkload {
            workload: workload(),
            fence: at,
            proof: None,
        }];
    });
    let sent = hub.orders(back);
    assert_eq!(sent.len(), 1);
    assert_eq!(
        sent[0].fence.revision, aborted,
        "above the Run that the agent holds"
    );
    sent[0].clone()
}

#[test]
fn p08_a_voided_run_reaches_who_was_cut_off_during_abort_and_lift_as_a_retreat() {
    let sent = voided(AbortMode::Return, Phase::Progressing);
    assert_eq!(
        (sent.intent, sent.return_to),
        (Intent::Retreat, ReturnTo::LastPromoted)
    );
}

#[test]
fn p08_a_voided_run_is_held_only_if_the_abort_said_hold() {
    assert_eq!(
        voided(AbortMode::Hold, Phase::Progressing).intent,
        Intent::Hold
    );
}

#[test]
fn p11_who_was_done_stays_as_it_is_unless_the_abort_takes_it_back() {
    assert_eq!(
        voided(AbortMode::Return, Phase::Succeeded).intent,
        Intent::Hold
    );
    assert_eq!(
        voided(AbortMode::RetreatDone, Phase::Succeeded).intent,
        Intent::Retreat
    );
}

#[test]
fn p08_an_order_written_after_the_abort_is_not_void() {
    let mut hub = Fixture::new(&["eu-1"]);
    hub.order("eu-1", Intent::Run);
    hub.abort("a-1", Scope::Fleet, AbortMode::Return);
    hub.lift("a-1");
    hub.after(36);
    let at = hub.order("eu-1", Intent::Run);
    let id = hub.open("eu-1");
    hub.hello(id, |_| {});
    let sent = hub.orders(id);
    assert_eq!((sent[0].intent, sent[0].fence), (Intent::Run, at));
}

#[test]
fn p08_an_abort_of_another_plan_leaves_the_order_alone() {
    let mut hub = Fixture::new(&["eu-1"]);
    hub.order("eu-1", Intent::Run);
    hub.abort(
        "a-1",
        Scope::Plan("shop/cart".parse().unwrap()),
        AbortMode::Return,
    );
    let id = hub.open("eu-1");
    hub.hello(id, |_| {});
    assert_eq!(hub.orders(id)[0].intent, Intent::Run);
}
