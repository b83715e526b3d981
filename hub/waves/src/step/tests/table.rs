//! One decision a row: a situation, what is decided in it.

use std::time::Duration;

use flagship_proto::model::{AbortMode, Change, Intent, Phase, ReturnTo, Weight};

use super::toy::{NEW, OLD, World, plan, uid};
use crate::{ClusterPhase, Commit, Freeze, LastGood, RolloutPhase, Stage, Wish};

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
fn a_freeze_holds_like_a_pause_and_ends_by_itself() {
    let mut world = second_wave("deadline: 10m");
    world.view.freezes.push(Freeze {
        id: "f-1".to_owned(),
        reason: "black friday".to_owned(),
    });
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Hold));
    for _ in 0..60 {
        world.pass(20);
        world.settle();
    }
    assert!(world.state.failed.is_none(), "the deadline leaves it out");
    world.view.freezes.clear();
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Run));
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
fn a_cluster_that_is_not_heard_is_skipped_only_with_a_hold_and_after_its_bound() {
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
    let ClusterPhase::Failed { reason } = world.phase("a") else {
        panic!("{:?}", world.phase("a"));
    };
    assert!(reason.contains("digest"), "{reason}");
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
