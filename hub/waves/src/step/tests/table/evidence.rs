//! What counts as seen: a weight that was read back, never one that was only asked for.

use super::*;

/// What was read back of a cluster's proxies, whatever its agent wants.
fn read_back(world: &mut World, name: &str, observed: Option<Weight>) {
    let status = world.member(name).status.as_mut().unwrap();
    status.observed = observed;
}

#[test]
fn p31_a_weight_that_could_not_be_read_back_is_no_success() {
    let mut world = second_wave("");
    world.succeeds("a");
    read_back(&mut world, "a", None);
    world.settle();
    assert_eq!(world.phase("a").word(), "Running");
    read_back(&mut world, "a", Some(Weight::FULL));
    world.settle();
    assert!(world.phase("a").succeeded());
}

#[test]
fn p18_a_cluster_whose_proxies_cannot_be_read_has_not_gone_back() {
    let mut world = second_wave("");
    world.runs("a", 50);
    world.settle();
    world.ask(World::retreat());
    world.settle();
    for name in ["p", "a", "b"] {
        world.take(name);
    }
    read_back(&mut world, "a", None);
    world.settle();
    assert_eq!(world.phase("a").word(), "Retreating");
    assert_eq!(world.state.phase, RolloutPhase::Retreating);
    read_back(&mut world, "a", Some(Weight::ZERO));
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::RolledBack);
}

#[test]
fn rule_1_a_retry_starts_no_later_wave_before_a_reopened_one_is_done() {
    let mut world = second_wave("onFailure: {maxFailures: 0, then: halt}");
    world.runs("a", 50);
    world.settle();
    world.take("p");
    let pilot = world.agents.get_mut(&uid("p")).unwrap();
    pilot.phase = Phase::Failed;
    pilot.weight = 0;
    world.report("p");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Failed);
    world.take("p");
    world.settle();
    world.ask(Wish::Retry);
    world.settle();
    assert_eq!(intent(&mut world, "p"), Some(Intent::Run));
    assert_eq!(
        intent(&mut world, "a"),
        Some(Intent::Retreat),
        "the pilot wave is open again, so the second one is not in flight: {:#?}",
        world.log
    );
    world.take("a");
    world.settle();
    world.succeeds("p");
    world.settle();
    world.pass(60);
    world.take("p");
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Run));
}

#[test]
fn rule_9_a_done_cluster_that_fails_later_goes_back_and_is_listed_before_success() {
    let mut world = second_wave("onFailure: {maxFailures: 1, then: halt}");
    world.take("p");
    world.agents.get_mut(&uid("p")).unwrap().phase = Phase::Failed;
    world.report("p");
    world.settle();
    assert_eq!(intent(&mut world, "p"), Some(Intent::Retreat));
    for name in ["a", "b", "c"] {
        world.succeeds(name);
        world.settle();
    }
    assert_ne!(
        world.state.phase,
        RolloutPhase::Succeeded,
        "p still serves it: {:#?}",
        world.log
    );
    world.take("p");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Succeeded);
    assert_eq!(world.phase("p").word(), "Skipped");
}

#[test]
fn rule_9_who_forgot_that_it_succeeded_starts_again_and_the_soak_with_it() {
    let forgets = |world: &mut World, name: &str| {
        world.take(name);
        let agent = world.agents.get_mut(&uid(name)).unwrap();
        agent.phase = Phase::Waiting;
        agent.weight = 0;
        OLD.clone_into(&mut agent.primary);
        world.report(name);
    };
    let plan = plan(
        "soak: {for: 30s}",
        "",
        "onFailure: {maxFailures: 0, then: halt}",
    );
    let mut world = World::new(plan, &[("p", "pilot"), ("a", "prod")]);
    world.settle();
    world.succeeds("p");
    world.settle();
    assert_eq!(*world.phase("p"), ClusterPhase::Soaking);
    forgets(&mut world, "p");
    world.settle();
    assert!(world.phase("p").in_flight(), "{:?}", world.phase("p"));
    assert_eq!(intent(&mut world, "p"), Some(Intent::Run));
    assert_eq!(world.state.clusters[&uid("p")].attempt, 2);
    world.succeeds("p");
    world.settle();
    for _ in 0..5 {
        world.pass(10);
        world.take("p");
        world.settle();
    }
    assert_eq!(
        intent(&mut world, "a"),
        Some(Intent::Run),
        "after a soak of its own"
    );
    forgets(&mut world, "p");
    world.settle();
    let skipped = matches!(world.phase("p"), ClusterPhase::Skipped { .. });
    assert!(skipped, "its wave is over: the catch-up lane has it");
}
