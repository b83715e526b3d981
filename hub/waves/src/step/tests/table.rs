//! One decision a row: a situation, what is decided in it.

mod aborts;
mod back;
mod claims;
mod evidence;
mod freezes;
mod local;
mod stops;

use std::time::Duration;

use flagship_proto::model::{AbortMode, Change, Intent, Phase, ReturnTo, Weight};

use super::toy::{NEW, OLD, World, plan, uid};
use crate::plan::Amount;
use crate::{ClusterPhase, Commit, LastGood, RolloutPhase, Stage, Wish};

fn three(extra: &str) -> World {
    let plan = plan("", "maxConcurrent: 2", extra);
    World::new(
        plan,
        &[("p", "pilot"), ("a", "prod"), ("b", "prod"), ("c", "prod")],
    )
}

/// The pilot is done; `a` and `b` of the second wave have their orders.
fn second_wave(extra: &str) -> World {
    let mut world = three(extra);
    world.settle();
    world.succeeds("p");
    world.settle();
    assert_eq!(*world.phase("a"), ClusterPhase::Ordered);
    assert_eq!(*world.phase("c"), ClusterPhase::Waiting);
    world
}

fn succeeded() -> World {
    let mut world = second_wave("");
    for name in ["a", "b", "c"] {
        world.succeeds(name);
        world.settle();
    }
    assert_eq!(world.state.phase, RolloutPhase::Succeeded);
    world
}

fn intent(world: &mut World, name: &str) -> Option<Intent> {
    world.member(name).order.as_ref().map(|order| order.intent)
}

#[test]
fn a_wave_starts_only_when_the_one_before_is_done() {
    let mut world = three("");
    world.settle();
    assert_eq!(intent(&mut world, "p"), Some(Intent::Run));
    assert_eq!(intent(&mut world, "a"), None);
    assert_eq!(
        world.state.phase,
        RolloutPhase::Progressing {
            wave: "pilot".parse().unwrap(),
            stage: Stage::Running
        }
    );
    world.succeeds("p");
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Run));
    assert_eq!(intent(&mut world, "b"), Some(Intent::Run));
    assert_eq!(intent(&mut world, "c"), None, "maxConcurrent is 2");
}

#[test]
fn a_report_about_an_older_order_says_nothing_about_this_one() {
    let mut world = second_wave("");
    world.succeeds("a");
    world.seq += 1;
    let seq = world.seq;
    let order = world.member("a").order.as_mut().unwrap();
    order.fence.revision.seq = seq;
    world.settle();
    assert_eq!(*world.phase("a"), ClusterPhase::Ordered);
    world.take("a");
    world.settle();
    assert_eq!(*world.phase("a"), ClusterPhase::Soaking);
}

#[test]
fn a_lost_order_is_written_again_and_a_stored_one_is_not() {
    let mut world = second_wave("");
    let again = world.step();
    assert_eq!(again.commit, Commit::Nothing);
    assert!(again.actions.is_empty());
    world.member("a").order = None;
    let decision = world.step();
    assert_eq!(decision.actions.len(), 1, "{:?}", decision.actions);
}

#[test]
fn a_run_order_is_renewed_before_its_end() {
    let mut world = second_wave("deadline: 4h");
    world.pass(2 * 3_600);
    assert!(world.step().actions.is_empty());
    let wall = world.now.plus(Duration::from_secs(2 * 3_600)).wall;
    world.now.wall = wall;
    let decision = world.step();
    assert!(decision.starts());
    assert_eq!(
        world.state.clusters[&uid("a")].attempt,
        1,
        "not from step 0"
    );
}

#[test]
fn pause_holds_what_is_in_flight_and_starts_nothing() {
    let mut world = second_wave("");
    world.runs("a", 50);
    world.ask(Wish::Pause);
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Paused);
    assert_eq!(intent(&mut world, "a"), Some(Intent::Hold));
    assert_eq!(intent(&mut world, "b"), Some(Intent::Hold));
    world.take("b");
    world.runs("a", 100);
    world.settle();
    assert_eq!(intent(&mut world, "c"), None);
    world.ask(Wish::Resume);
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Run));
    assert_eq!(world.state.clusters[&uid("a")].attempt, 1, "it goes on");
    assert_eq!(world.agents[&uid("a")].weight, 50, "a hold moved nothing");
}

#[test]
fn a_failure_in_a_pause_still_takes_traffic_back() {
    let mut world = second_wave("");
    world.runs("a", 50);
    world.ask(Wish::Pause);
    world.settle();
    world.fails("a");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Retreating);
    assert_eq!(intent(&mut world, "p"), Some(Intent::Retreat), "Done too");
}

#[test]
fn what_follows_a_failure_is_what_the_plan_says() {
    for (then, phase, pilot, other) in [
        ("halt", "Failed", Intent::Hold, Intent::Hold),
        ("retreatWave", "Retreating", Intent::Hold, Intent::Retreat),
        ("retreatAll", "Retreating", Intent::Retreat, Intent::Retreat),
    ] {
        let mut world = second_wave(&format!("onFailure: {{then: {then}}}"));
        world.runs("b", 50);
        world.fails("a");
        world.settle();
        assert_eq!(world.state.phase.word(), phase, "{then}");
        assert_eq!(intent(&mut world, "p"), Some(pilot), "{then}");
        assert_eq!(intent(&mut world, "b"), Some(other), "{then}");
        assert_eq!(intent(&mut world, "a"), Some(Intent::Retreat), "{then}");
        assert_eq!(intent(&mut world, "c"), None, "{then}");
        for name in ["p", "a", "b"] {
            world.take(name);
        }
        world.settle();
        let ends = if then == "retreatAll" {
            "RolledBack"
        } else {
            "Failed"
        };
        assert_eq!(world.state.phase.word(), ends, "{then}");
        assert_eq!(world.state.is_over(), then == "retreatAll", "{then}");
    }
}

#[test]
fn a_failure_that_the_plan_bears_is_listed_as_skipped() {
    let mut world = second_wave("onFailure: {maxFailures: 1}");
    world.fails("a");
    world.settle();
    assert_eq!(
        intent(&mut world, "c"),
        Some(Intent::Run),
        "its slot is free"
    );
    world.succeeds("b");
    world.succeeds("c");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Succeeded);
    assert!(matches!(world.phase("a"), ClusterPhase::Skipped { .. }));
    assert_eq!(world.state.failures.len(), 1);
}

#[test]
fn a_failed_cluster_keeps_its_slot_until_its_traffic_is_back() {
    let mut world = second_wave("onFailure: {maxFailures: 3}");
    world.runs("a", 50);
    world.agents.get_mut(&uid("a")).unwrap().phase = Phase::Failed;
    world.report("a");
    world.settle();
    assert!(matches!(world.phase("a"), ClusterPhase::Failed { .. }));
    assert_eq!(intent(&mut world, "c"), None);
    world.take("a");
    world.settle();
    assert_eq!(intent(&mut world, "c"), Some(Intent::Run));
}

#[test]
fn p24_a_cluster_that_is_not_heard_is_skipped_only_with_a_hold_and_after_its_bound() {
    let mut world = second_wave("unreachable: {wait: 1m, then: skip}");
    world.runs("a", 50);
    world.settle();
    world.cut("a", false);
    for _ in 0..10 {
        world.pass(10);
        world.settle();
    }
    assert_eq!(
        *world.phase("a"),
        ClusterPhase::Running {
            phase: Phase::Progressing,
            weight: Weight::saturating(50)
        },
        "it may still advance under its lease"
    );
    assert_eq!(intent(&mut world, "c"), None, "its slot is not free");
    world.member("a").bound_passed = true;
    world.settle();
    assert!(matches!(world.phase("a"), ClusterPhase::Skipped { .. }));
    assert_eq!(intent(&mut world, "a"), Some(Intent::Hold));
    assert_eq!(intent(&mut world, "c"), Some(Intent::Run));
}

#[test]
fn p24_the_hold_and_the_freed_slot_are_one_decision() {
    let mut world = second_wave("unreachable: {wait: 10s, then: skip}");
    world.runs("a", 50);
    world.settle();
    world.cut("a", true);
    world.settle();
    assert_eq!(*world.phase("a"), ClusterPhase::Unreachable);
    world.pass(10);
    let decision = world.step();
    let words: Vec<String> = decision.actions.iter().map(ToString::to_string).collect();
    assert!(
        words.iter().any(|word| word.starts_with("order a: Hold")),
        "{words:?}"
    );
    assert!(
        words.iter().any(|word| word.starts_with("order c: Run")),
        "{words:?}"
    );
}

#[test]
fn a_cluster_that_is_not_heard_fails_where_the_plan_says_so() {
    let mut world = second_wave("unreachable: {wait: 30s, then: fail}");
    world.cut("c", true);
    world.succeeds("a");
    world.settle();
    assert_eq!(*world.phase("c"), ClusterPhase::Waiting);
    for _ in 0..4 {
        world.pass(10);
        world.settle();
    }
    assert!(matches!(world.phase("c"), ClusterPhase::Failed { .. }));
    assert_eq!(world.state.phase, RolloutPhase::Retreating);
}

#[test]
fn s12_a_returner_takes_an_ordinary_slot_from_step_0_while_its_wave_runs() {
    let mut world = second_wave("unreachable: {wait: 10s, then: skip}");
    world.runs("a", 50);
    world.settle();
    world.cut("a", true);
    world.pass(5);
    world.settle();
    world.pass(10);
    world.settle();
    assert!(matches!(world.phase("a"), ClusterPhase::Skipped { .. }));
    world.heal("a");
    world.settle();
    assert_eq!(
        *world.phase("a"),
        ClusterPhase::Waiting,
        "both slots are taken"
    );
    world.succeeds("b");
    world.settle();
    assert_eq!(*world.phase("a"), ClusterPhase::Ordered);
    assert_eq!(world.state.clusters[&uid("a")].attempt, 2);
}

#[test]
fn rule_5_a_wave_without_clusters_or_without_a_success_proves_nothing() {
    let plan = plan("", "", "unreachable: {wait: 10s, then: skip}");
    let mut world = World::new(plan, &[("a", "prod")]);
    world.settle();
    assert_eq!(world.state.waiting[0].reason.code(), "WaveEmpty");
    assert_eq!(intent(&mut world, "a"), None);
    world.join("p", "pilot");
    world.cut("p", true);
    for _ in 0..4 {
        world.pass(10);
        world.settle();
    }
    assert!(matches!(world.phase("p"), ClusterPhase::Skipped { .. }));
    assert_eq!(world.state.waiting[0].reason.code(), "WaveProvedNothing");
    assert_eq!(intent(&mut world, "a"), None);
    world.heal("p");
    world.settle();
    world.succeeds("p");
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Run));
}

#[test]
fn s18_a_wave_waits_for_its_quorum_which_is_rounded_up_and_who_comes_back_fills_it() {
    assert_eq!(Amount::Percent(70).quorum(3), 3);
    assert_eq!(Amount::Percent(66).quorum(3), 2);
    assert_eq!(Amount::Count(9).quorum(3), 3);
    for (quorum, goes_on) in [("66%", true), ("67%", false), ("3", false)] {
        let policy = format!("unreachable: {{wait: 10s, then: skip, quorum: {quorum}}}");
        let plan = plan("maxConcurrent: 3", "", &policy);
        let pilots = [
            ("p", "pilot"),
            ("q", "pilot"),
            ("r", "pilot"),
            ("a", "prod"),
        ];
        let mut world = World::new(plan, &pilots);
        world.settle();
        world.succeeds("p");
        world.succeeds("q");
        world.cut("r", true);
        for _ in 0..4 {
            world.pass(10);
            world.take("p");
            world.take("q");
            world.settle();
        }
        assert!(matches!(world.phase("r"), ClusterPhase::Skipped { .. }));
        let started = intent(&mut world, "a").is_some();
        assert_eq!(started, goes_on, "{quorum}: {:#?}", world.log);
        if goes_on {
            continue;
        }
        let waiting = &world.state.waiting[0].reason;
        assert_eq!(waiting.code(), "WaitingForQuorum");
        assert!(waiting.to_string().contains("reached 2 of 3"), "{waiting}");
        world.heal("r");
        world.settle();
        world.succeeds("r");
        world.settle();
        assert_eq!(
            intent(&mut world, "a"),
            Some(Intent::Run),
            "{:#?}",
            world.log
        );
    }
}

#[test]
fn p31_success_needs_a_report_from_after_the_soak() {
    let plan = plan("soak: {for: 30s}", "", "");
    let mut world = World::new(plan, &[("p", "pilot"), ("a", "prod")]);
    world.settle();
    world.succeeds("p");
    world.settle();
    world.take("p");
    for _ in 0..4 {
        world.pass(10);
        world.settle();
    }
    assert_eq!(
        world.state.waiting[0].reason.code(),
        "WaitingForConfirmation"
    );
    assert_eq!(intent(&mut world, "a"), None);
    world.take("p");
    world.settle();
    assert_eq!(*world.phase("p"), ClusterPhase::Done);
    assert_eq!(intent(&mut world, "a"), Some(Intent::Run));
}

#[test]
fn describe_says_in_words_what_is_waited_for_and_since_when() {
    let plan = plan("soak: {for: 30m}", "", "");
    let mut world = World::new(plan, &[("p", "pilot"), ("a", "prod")]);
    world.settle();
    world.pass(40);
    world.succeeds("p");
    world.settle();
    world.pass(20);
    world.settle();
    let lines = crate::describe(&world.plan, &world.state, world.now);
    insta::assert_snapshot!(lines.join("\n"));
}
