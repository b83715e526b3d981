//! A rollout's life as a script, its decision log as a snapshot.

use flagship_proto::model::AbortMode;

use super::toy::{World, plan};
use crate::{RolloutPhase, Wish};

const FLEET: [(&str, &str); 4] = [
    ("pilot-1", "pilot"),
    ("eu-1", "prod"),
    ("us-1", "prod"),
    ("us-2", "prod"),
];

fn standard() -> World {
    World::new(plan("soak: {for: 10s}", "maxConcurrent: 2", ""), &FLEET)
}

/// Steps with agents that answer at once, every second.
fn soak(world: &mut World, seconds: u64) {
    for _ in 0..seconds {
        world.pass(1);
        for (name, _) in FLEET {
            if world.view.members.contains_key(&super::toy::uid(name)) {
                world.take(name);
            }
        }
        world.settle();
    }
}

fn through_the_pilot() -> World {
    let mut world = standard();
    world.settle();
    world.runs("pilot-1", 50);
    world.settle();
    world.pass(20);
    world.succeeds("pilot-1");
    world.settle();
    soak(&mut world, 12);
    world
}

#[test]
fn a_good_release_goes_through_all_waves() {
    let mut world = through_the_pilot();
    for name in ["eu-1", "us-1"] {
        world.runs(name, 50);
    }
    world.settle();
    world.pass(5);
    world.succeeds("us-1");
    world.settle();
    world.succeeds("eu-1");
    world.runs("us-2", 10);
    world.settle();
    world.succeeds("us-2");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Succeeded);
    insta::assert_snapshot!(world.log.join("\n"));
}

#[test]
fn a_bad_release_is_caught_in_the_pilot_wave_and_taken_back() {
    let mut world = standard();
    world.settle();
    world.runs("pilot-1", 10);
    world.settle();
    world.pass(4);
    world.fails("pilot-1");
    world.settle();
    world.take("pilot-1");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::RolledBack);
    insta::assert_snapshot!(world.log.join("\n"));
}

#[test]
fn an_abort_in_the_second_wave_then_lift_then_retreat() {
    let mut world = through_the_pilot();
    world.runs("eu-1", 50);
    world.settle();
    world.abort("a-1", AbortMode::Return, None);
    world.settle();
    world.take("eu-1");
    world.take("us-1");
    world.settle();
    world.pass(60);
    world.lift_all();
    world.settle();
    world.pass(60);
    world.settle();
    world.ask(World::retreat());
    world.settle();
    world.take("pilot-1");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::RolledBack);
    insta::assert_snapshot!(world.log.join("\n"));
}

#[test]
fn of_an_abort_that_is_lifted_its_end_is_waited_for_and_no_lift() {
    let mut world = through_the_pilot();
    world.runs("eu-1", 50);
    world.settle();
    world.abort("a-1", AbortMode::Return, None);
    world.abort("a-2", AbortMode::Return, None);
    world.settle();
    let waits = |world: &World| -> Vec<&'static str> {
        let waiting = world.state.waiting.iter();
        waiting.map(|waiting| waiting.reason.code()).collect()
    };
    assert_eq!(waits(&world), ["WaitingForLift", "AlsoStands"]);
    let since = world.state.waiting[0].since;
    world.lift_later();
    world.settle();
    assert_eq!(waits(&world), ["WaitingForLiftsEnd", "WaitingForLiftsEnd"]);
    assert_eq!(world.state.waiting[0].since, since, "since the abort");
    let said = world.state.waiting[0].reason.to_string();
    assert!(said.contains("is lifted by dan and ends at "), "{said}");
    for id in ["a-3", "a-4", "a-5", "a-6", "a-7"] {
        world.abort(id, AbortMode::Return, None);
    }
    world.settle();
    assert_eq!(waits(&world).len(), 4, "{:?}", world.state.waiting);
    let more = world.state.waiting[3].reason.to_string();
    assert_eq!(more, "2 more aborts stand and have to be lifted as well");
    assert_eq!(
        waits(&world)[1],
        "AlsoStands",
        "who has to be lifted comes first"
    );
    world.lift_later();
    world.settle();
    assert_eq!(waits(&world), ["WaitingForLiftsEnd"; 3]);
    world.lift_all();
    world.settle();
    assert_eq!(waits(&world), ["WaitingForPerson"]);
}

#[test]
fn after_the_lift_a_retry_starts_again_from_step_0_where_it_is_not_done() {
    let mut world = through_the_pilot();
    world.runs("eu-1", 50);
    world.settle();
    world.abort("a-1", AbortMode::Return, None);
    world.settle();
    world.take("eu-1");
    world.settle();
    world.ask(Wish::Retry);
    world.settle();
    world.lift_all();
    world.ask(Wish::Retry);
    world.settle();
    world.take("us-1");
    world.settle();
    insta::assert_snapshot!(world.log.join("\n"));
}
