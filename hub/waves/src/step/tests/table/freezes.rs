//! What a freeze binds (starts, and Run in flight) and what it never does (a retreat).

use super::*;
use crate::Activity;

fn codes(world: &World) -> Vec<&'static str> {
    let waiting = world.state.waiting.iter();
    waiting.map(|waiting| waiting.reason.code()).collect()
}

fn late(world: &mut World, name: &str) {
    world.view.last_good = Some(LastGood {
        change: Change::Version("1.0.9".to_owned()),
        digest: None,
    });
    world.join(name, "pilot");
}

#[test]
fn p28_freezes_bind_starts_and_turn_run_in_flight_to_hold() {
    let mut world = second_wave("");
    world.runs("a", 50);
    world.freeze("f-1", None);
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Hold));
    assert_eq!(intent(&mut world, "b"), Some(Intent::Hold));
    assert_eq!(codes(&world), ["WaitingForUnfreeze"]);
    world.runs("a", 100);
    world.take("b");
    world.settle();
    assert_eq!(world.agents[&uid("a")].weight, 50, "the weight stays");
    assert_eq!(intent(&mut world, "c"), None, "nothing starts");
    world.view.freezes.clear();
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Run));
    assert_eq!(world.state.clusters[&uid("a")].attempt, 1, "it goes on");
    let told = world.log.join("\n");
    assert!(told.contains("frozen by f-1 of cleo") && told.contains("freeze f-1 has ended"));
}

#[test]
fn p28_a_plans_deadline_leaves_out_the_time_in_which_only_a_freeze_is_waited_for() {
    for (frozen, open) in [
        (None, true),
        (Some(&["a", "b"][..]), true),
        (Some(&["a"][..]), false),
    ] {
        let mut world = second_wave("deadline: 10m");
        world.freeze("f-1", frozen);
        world.settle();
        for _ in 0..60 {
            world.pass(20);
            world.settle();
        }
        assert_eq!(
            world.state.failed.is_none(),
            open,
            "{frozen:?}: b is in flight"
        );
        let spent = world.state.times.of(Activity::Frozen) > Duration::from_secs(1_100);
        assert_eq!(spent, open, "{frozen:?}");
    }
}

#[test]
fn a_freeze_of_some_clusters_lets_the_others_go_on() {
    let mut world = second_wave("");
    world.freeze("f-1", Some(&["a", "c"]));
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Hold));
    assert_eq!(intent(&mut world, "b"), Some(Intent::Run));
    world.succeeds("b");
    world.settle();
    assert_eq!(
        intent(&mut world, "c"),
        None,
        "its slot is free, it is frozen"
    );
    assert_eq!(codes(&world), ["ClustersFrozen"]);
    let why = world.state.waiting[0].reason.to_string();
    assert_eq!(
        why,
        "a, c frozen by f-1 until somebody ends it: black friday"
    );
    world.view.freezes.clear();
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Run));
    assert_eq!(intent(&mut world, "c"), Some(Intent::Run));
}

#[test]
fn of_two_freezes_both_must_end() {
    let mut world = second_wave("");
    world.freeze("f-1", None);
    world.freeze("f-2", Some(&["a"]));
    world.settle();
    world.view.freezes.remove(0);
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Hold));
    assert_eq!(intent(&mut world, "b"), Some(Intent::Run));
}

#[test]
fn rule_4_a_freeze_delays_no_retreat() {
    let mut world = second_wave("");
    world.runs("a", 50);
    world.freeze("f-1", None);
    world.settle();
    world.fails("a");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Retreating, "checks go on");
    assert_eq!(intent(&mut world, "p"), Some(Intent::Retreat));
    let mut world = second_wave("");
    world.freeze("f-1", None);
    world.settle();
    world.ask(World::retreat());
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Retreat));
    let mut world = second_wave("");
    world.freeze("f-1", None);
    world.abort("a-1", AbortMode::Return, None);
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Retreat));
}

#[test]
fn p24_the_catch_up_lane_is_bound_by_freezes() {
    let mut world = second_wave("");
    world.freeze("f-1", Some(&["z"]));
    late(&mut world, "z");
    world.settle();
    assert_eq!(intent(&mut world, "z"), None, "nobody enters");
    world.view.freezes.clear();
    world.settle();
    assert_eq!(intent(&mut world, "z"), Some(Intent::Run));
    for frozen in [None, Some(&["z"][..])] {
        world.freeze("f-2", frozen);
        world.settle();
        assert_eq!(intent(&mut world, "z"), Some(Intent::Hold), "{frozen:?}");
        world.view.freezes.clear();
        world.settle();
        assert_eq!(intent(&mut world, "z"), Some(Intent::Run), "{frozen:?}");
    }
}

#[test]
fn rule_4_a_freeze_keeps_nobody_in_the_lane_when_its_rollout_goes_back() {
    let mut world = second_wave("onFailure: {then: retreatWave}");
    late(&mut world, "z");
    world.settle();
    assert_eq!(intent(&mut world, "z"), Some(Intent::Run));
    world.freeze("f-1", None);
    world.settle();
    world.fails("a");
    world.settle();
    assert_eq!(world.state.phase.word(), "Retreating");
    assert_eq!(intent(&mut world, "z"), Some(Intent::Retreat));
}

#[test]
fn a_frozen_cluster_that_is_not_heard_is_not_given_up() {
    let mut world = second_wave("unreachable: {wait: 8s, then: skip}");
    world.freeze("f-1", Some(&["a"]));
    world.settle();
    world.cut("a", true);
    world.cut("b", true);
    for _ in 0..10 {
        world.pass(2);
        world.settle();
    }
    assert_eq!(*world.phase("a"), ClusterPhase::Unreachable);
    assert!(matches!(world.phase("b"), ClusterPhase::Skipped { .. }));
}

#[test]
fn a_frozen_rollout_says_so_in_its_description() {
    let mut world = second_wave("");
    world.freeze("f-1", None);
    world.settle();
    let lines = crate::describe(&world.plan, &world.state, world.now);
    let line = "frozen by f-1 of cleo until somebody ends it: black friday";
    assert!(lines.iter().any(|l| l == line), "{lines:#?}");
}
