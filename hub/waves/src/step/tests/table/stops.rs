//! What stops, ends or takes back a rollout, and who comes late or leaves.

use flagship_proto::model::RolloutId;

use super::*;
use crate::Action;

#[test]
fn s05_a_failure_in_the_soak_is_the_clusters_failure() {
    let plan = plan("soak: {for: 30s}", "", "");
    let mut world = World::new(plan, &[("p", "pilot"), ("a", "prod")]);
    world.settle();
    world.succeeds("p");
    world.settle();
    world.pass(10);
    world.settle();
    world.take("p");
    world.agents.get_mut(&uid("p")).unwrap().phase = Phase::Failed;
    world.report("p");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Retreating);
    assert_eq!(intent(&mut world, "p"), Some(Intent::Retreat));
}

#[test]
fn p27_time_that_nobody_saw_pass_does_not_count_as_soak() {
    let plan = plan("soak: {for: 30s}", "", "");
    let mut world = World::new(plan, &[("p", "pilot"), ("a", "prod")]);
    world.settle();
    world.succeeds("p");
    world.settle();
    world.pass(10);
    world.settle();
    world.pass(3_600);
    world.now.mono.run = 2;
    world.take("p");
    world.settle();
    assert_eq!(world.state.waves[0].soak.elapsed(), Duration::from_secs(10));
    assert_eq!(intent(&mut world, "a"), None);
}

#[test]
fn the_deadline_leaves_pauses_out_and_leads_to_on_failure() {
    let mut world = second_wave("deadline: 1m");
    world.ask(Wish::Pause);
    for _ in 0..20 {
        world.settle();
        world.pass(30);
    }
    assert_eq!(world.state.phase, RolloutPhase::Paused);
    world.ask(Wish::Resume);
    for _ in 0..3 {
        world.settle();
        world.pass(30);
    }
    assert_eq!(world.state.phase, RolloutPhase::Retreating);
    let cause = world.state.failed.as_ref().unwrap().to_string();
    assert_eq!(cause, "not finished within its deadline of 1m");
}

#[test]
fn p11_an_abort_takes_back_what_its_mode_says() {
    for (mode, done, flight) in [
        (AbortMode::Return, Intent::Hold, Intent::Retreat),
        (AbortMode::Hold, Intent::Hold, Intent::Hold),
        (AbortMode::RetreatDone, Intent::Retreat, Intent::Retreat),
    ] {
        let mut world = second_wave("");
        world.runs("a", 50);
        world.settle();
        world.abort("a-1", mode, None);
        world.settle();
        assert_eq!(world.state.phase, RolloutPhase::Aborted, "{mode}");
        assert_eq!(intent(&mut world, "p"), Some(done), "{mode}");
        assert_eq!(intent(&mut world, "a"), Some(flight), "{mode}");
        assert_eq!(intent(&mut world, "c"), None, "{mode}");
    }
}

/// A rollout that Succeeded everywhere.
#[test]
fn p11_an_abort_that_takes_back_the_done_takes_back_a_rollout_that_succeeded() {
    let mut world = succeeded();
    world.abort("a-1", AbortMode::Return, None);
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Succeeded, "Done stays");
    world.abort("a-2", AbortMode::RetreatDone, None);
    let decision = world.step();
    let rejected = |action: &Action| matches!(action, Action::Reject { .. });
    assert!(
        decision.actions.iter().any(rejected),
        "no longer the last good"
    );
    assert_eq!(world.state.phase, RolloutPhase::Retreating);
    for name in ["p", "a", "b", "c"] {
        assert_eq!(intent(&mut world, name), Some(Intent::Retreat), "{name}");
        world.take(name);
    }
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::RolledBack);
}

#[test]
fn p11_what_another_rollout_has_ordered_since_is_not_taken_back_for_the_older_one() {
    let mut world = succeeded();
    let newer: RolloutId = "checkout-2".parse().unwrap();
    for name in ["p", "a", "b"] {
        world.member(name).order.as_mut().unwrap().rollout = newer.clone();
    }
    world.abort("a-1", AbortMode::RetreatDone, None);
    world.settle();
    assert_eq!(intent(&mut world, "c"), Some(Intent::Retreat));
    assert_eq!(intent(&mut world, "p"), Some(Intent::Hold));
    world.take("c");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::RolledBack);
}

#[test]
fn an_abort_of_some_clusters_returns_those_and_holds_the_others() {
    let mut world = second_wave("");
    world.abort("a-1", AbortMode::Return, Some(&["a"]));
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Retreat));
    assert_eq!(intent(&mut world, "b"), Some(Intent::Hold));
    let mut world = second_wave("");
    world.abort("a-1", AbortMode::Return, Some(&["elsewhere"]));
    world.settle();
    assert_eq!(
        intent(&mut world, "a"),
        Some(Intent::Run),
        "not in its scope"
    );
}

#[test]
fn two_aborts_need_two_lifts() {
    let mut world = second_wave("");
    world.abort("a-1", AbortMode::Return, None);
    world.settle();
    world.pass(1);
    world.abort("a-2", AbortMode::Hold, None);
    world.settle();
    world.view.aborts.remove(0);
    world.ask(Wish::Retry);
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Aborted);
    assert!(!world.log.iter().any(|line| line.contains("Lifted")));
    world.lift_all();
    world.settle();
    assert_eq!(
        world.state.phase,
        RolloutPhase::Aborted,
        "a lift moves nothing"
    );
    world.ask(Wish::Retry);
    world.settle();
    assert!(world.state.phase.to_string().starts_with("Progressing"));
}

#[test]
fn a_retreat_goes_on_under_an_abort() {
    let mut world = second_wave("");
    world.abort("a-1", AbortMode::Return, None);
    world.settle();
    world.ask(Wish::Retreat {
        to: ReturnTo::Version("0.9.0".to_owned()),
        now: true,
    });
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Retreating);
    let order = world.member("p").order.clone().unwrap();
    assert_eq!(
        (order.intent, order.now, order.return_to),
        (Intent::Retreat, true, ReturnTo::Version("0.9.0".to_owned()))
    );
}

#[test]
fn accept_ends_a_halted_rollout_as_it_is() {
    let mut world = second_wave("onFailure: {then: halt}");
    world.runs("b", 50);
    world.fails("a");
    world.settle();
    world.ask(Wish::Accept);
    let decision = world.step();
    assert!(world.state.is_over());
    assert!(decision.actions.contains(&crate::Action::ReleaseClaims));
    assert_eq!(intent(&mut world, "b"), Some(Intent::Hold));
    world.member("b").order = None;
    world.settle();
    assert_eq!(intent(&mut world, "b"), None, "it writes no more orders");
}

#[test]
fn s09_supersede_takes_back_what_is_in_flight_and_writes_no_more() {
    let mut world = second_wave("");
    world.ask(Wish::Supersede {
        by: "checkout-2".parse().unwrap(),
    });
    let decision = world.step();
    assert_eq!(world.state.phase, RolloutPhase::Superseded);
    assert!(decision.actions.contains(&crate::Action::ReleaseClaims));
    assert_eq!(intent(&mut world, "a"), Some(Intent::Retreat));
    assert_eq!(intent(&mut world, "p"), Some(Intent::Hold), "Done stays");
    world.member("a").order = None;
    world.settle();
    assert_eq!(intent(&mut world, "a"), None);
}

#[test]
fn a_succeeded_rollout_can_be_taken_back() {
    let mut world = second_wave("");
    for name in ["a", "b", "c"] {
        world.succeeds(name);
        world.settle();
        world.succeeds(name);
        world.settle();
    }
    assert_eq!(world.state.phase, RolloutPhase::Succeeded);
    world.ask(World::retreat());
    world.settle();
    assert_eq!(intent(&mut world, "c"), Some(Intent::Retreat));
    for name in ["p", "a", "b", "c"] {
        world.take(name);
    }
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::RolledBack);
}

#[test]
fn p25_who_joins_late_goes_to_the_last_good_version_by_its_own_canary() {
    let mut world = second_wave("");
    world.view.last_good = Some(LastGood {
        change: Change::Version("1.0.9".to_owned()),
        digest: None,
    });
    world.join("z", "pilot");
    world.settle();
    assert!(world.state.clusters[&uid("z")].late);
    let order = world.member("z").order.clone().unwrap();
    assert_eq!(order.change, Change::Version("1.0.9".to_owned()));
    world.succeeds("z");
    world.settle();
    assert!(world.state.catch_up.is_none());
    for name in ["a", "b", "c"] {
        world.succeeds(name);
        world.settle();
        world.succeeds(name);
        world.settle();
    }
    assert_eq!(world.state.phase, RolloutPhase::Succeeded);
    let order = world.member("z").order.clone().unwrap();
    assert_eq!(
        order.change,
        Change::Version(NEW.to_owned()),
        "now that is good"
    );
    world.succeeds("z");
    world.settle();
    assert_eq!(*world.phase("z"), ClusterPhase::Done);
}

#[test]
fn the_catch_up_lane_is_bound_by_aborts_and_takes_one_at_a_time() {
    let mut world = second_wave("");
    world.view.last_good = Some(LastGood {
        change: Change::Version("1.0.9".to_owned()),
        digest: None,
    });
    world.join("y", "pilot");
    world.join("z", "pilot");
    world.settle();
    assert_eq!(intent(&mut world, "y"), Some(Intent::Run));
    assert_eq!(intent(&mut world, "z"), None);
    world.abort("a-1", AbortMode::Return, None);
    world.settle();
    assert_eq!(intent(&mut world, "y"), Some(Intent::Retreat));
    assert_eq!(intent(&mut world, "z"), None);
}

#[test]
fn where_nothing_ever_succeeded_a_late_cluster_keeps_what_it_has() {
    let mut world = second_wave("");
    world.view.last_good = None;
    world.join("z", "pilot");
    world.settle();
    assert_eq!(intent(&mut world, "z"), None);
    let codes: Vec<&str> = world
        .state
        .waiting
        .iter()
        .map(|w| w.reason.code())
        .collect();
    assert!(codes.contains(&"NothingGood"), "{codes:?}");
    assert_eq!(world.agents[&uid("z")].version, OLD);
}

#[test]
fn a_leaver_is_marked_and_does_not_end_the_run() {
    let mut world = second_wave("");
    world.leave("a");
    world.settle();
    assert_eq!(*world.phase("a"), ClusterPhase::Left);
    world.leave("c");
    world.settle();
    world.succeeds("b");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Succeeded);
}

#[test]
fn s18_a_percentage_is_of_the_frozen_members_less_leavers() {
    let plan = plan("", "maxConcurrent: 50%", "");
    let names = ["a", "b", "c", "d", "e", "f"];
    let mut fleet = vec![("p", "pilot")];
    fleet.extend(names.map(|name| (name, "prod")));
    let mut world = World::new(plan, &fleet);
    world.settle();
    world.succeeds("p");
    world.settle();
    let running = |world: &World| {
        let in_flight = |name: &&&str| world.phase(name).in_flight();
        names.iter().filter(in_flight).count()
    };
    assert_eq!(running(&world), 3);
    world.leave("f");
    world.leave("e");
    world.settle();
    world.succeeds("a");
    world.settle();
    assert_eq!(running(&world), 2, "half of the four that are left");
}

#[test]
fn another_digest_than_the_first_clusters_fails_that_cluster() {
    use flagship_proto::digest::Digest;
    let mut world = second_wave("");
    world.state.digest = Some(Digest::of(b"first"));
    world.runs("a", 10);
    world.member("a").status.as_mut().unwrap().digest = Some(Digest::of(b"other"));
    world.settle();
    let failures = &world.state.failures;
    assert!(
        failures.len() == 1 && failures[0].uid == uid("a"),
        "{failures:?}"
    );
    assert!(failures[0].reason.contains("digest"), "{failures:?}");
}

#[test]
fn p11_an_abort_that_stood_when_a_person_accepted_does_not_undo_it_and_a_later_one_does() {
    let mut world = second_wave("");
    world.abort("a-1", AbortMode::RetreatDone, None);
    world.settle();
    world.pass(1);
    world.ask(Wish::Accept);
    world.step();
    world.settle();
    assert!(world.state.accepted.is_some(), "{:?}", world.state.phase);
    assert!(world.state.is_over());
    world.pass(1);
    world.abort("a-2", AbortMode::RetreatDone, None);
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Retreating);
}

#[test]
fn why_a_cluster_failed_does_not_go_on_saying_how_far_its_way_back_once_was() {
    let mut world = second_wave("");
    world.runs("a", 50);
    world.fails("a");
    let status = world.member("a").status.as_mut().unwrap();
    status.message += "; returning traffic to 1.0.0 (50% is still on the change)";
    world.settle();
    let told = format!("{:?}", world.state);
    assert!(told.contains("success rate 90% < 99%"), "{told}");
    assert!(!told.contains("still on the change"), "{told}");
}
