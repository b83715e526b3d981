//! What is said of several aborts over one rollout, and of the lift of one of them.

use super::*;

fn waits(world: &World) -> Vec<String> {
    let waits = world.state.waiting.iter();
    waits.map(|wait| wait.reason.to_string()).collect()
}

fn told(world: &World, code: &str) -> Vec<String> {
    let lines = world.log.iter().filter(|line| line.contains(code));
    lines.cloned().collect()
}

/// Whichever of the two is lifted.
#[test]
fn of_two_aborts_each_is_told_once_and_the_lift_of_one_says_that_the_other_stands() {
    for (lifted, left) in [(0, "a-2"), (1, "a-1")] {
        let mut world = second_wave("");
        world.abort("a-1", AbortMode::Return, None);
        world.pass(1);
        world.abort("a-2", AbortMode::Return, None);
        world.settle();
        assert_eq!(told(&world, " Aborted: ").len(), 2, "{:#?}", world.log);
        let both = waits(&world);
        assert!(both.iter().any(|wait| wait.starts_with("abort a-2 stands")));
        let other = "abort a-1 of bob stands too and has to be lifted as well: errors";
        assert!(both.iter().any(|wait| wait == other), "{both:?}");

        world.view.aborts.remove(lifted);
        world.settle();
        assert_eq!(told(&world, " Aborted: ").len(), 2, "{:#?}", world.log);
        let rest = waits(&world);
        let still = format!("abort {left} stands; lift it");
        assert!(rest[0].starts_with(&still), "{rest:?}");
        assert!(rest.iter().all(|wait| !wait.contains("too")), "{rest:?}");
        let said = told(&world, " StillAborted: ");
        if lifted == 1 {
            let words = "abort a-2 is lifted, and abort a-1 of bob still stands: errors";
            assert!(said.len() == 1 && said[0].ends_with(words), "{said:?}");
        }
        world.lift_all();
        world.settle();
        assert_eq!(told(&world, " Lifted: ").len(), 1, "{:#?}", world.log);
    }
}

/// The lift and the new stop came between two looks.
#[test]
fn a_lift_and_a_later_abort_are_both_told() {
    let mut world = second_wave("");
    world.abort("a-1", AbortMode::Return, None);
    world.settle();
    world.lift_all();
    world.pass(1);
    world.abort("a-2", AbortMode::Return, None);
    world.settle();
    assert_eq!(told(&world, " Aborted: ").len(), 2, "{:#?}", world.log);
    let said = told(&world, " StillAborted: ");
    assert!(said[0].contains("a-1 is lifted, and abort a-2"), "{said:?}");
}

#[test]
fn what_holds_says_what_holds_it_now_and_not_what_held_it_first() {
    let mut world = second_wave("");
    world.runs("a", 50);
    world.ask(Wish::Pause);
    world.settle();
    let reason = |world: &mut World| world.member("a").order.clone().unwrap().reason;
    assert_eq!(reason(&mut world), "the rollout is paused");
    world.abort("a-1", AbortMode::Hold, None);
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Hold));
    assert_eq!(reason(&mut world), "the rollout is aborted");
    world.ask(Wish::Accept);
    world.settle();
    assert_eq!(reason(&mut world), "accepted as it is by ann");
}

#[test]
fn each_abort_that_has_to_be_lifted_is_waited_for_since_it_came() {
    let mut world = second_wave("");
    let mut came = Vec::new();
    for id in ["a-1", "a-2", "a-3"] {
        came.push((id, world.now.wall));
        world.abort(id, AbortMode::Hold, None);
        world.settle();
        world.pass(60);
    }
    world.settle();
    let waits = world.state.waiting.iter();
    let waits: Vec<_> = waits
        .map(|wait| (wait.reason.to_string(), wait.since))
        .collect();
    for (id, at) in came {
        let text = format!("abort {id} ");
        let (_, since) = waits
            .iter()
            .find(|(said, _)| said.starts_with(&text))
            .unwrap();
        assert_eq!(*since, at, "{id}");
    }
}

#[test]
fn whose_turn_had_not_come_at_the_end_waits_for_nothing_any_more() {
    let mut world = second_wave("");
    let word = |world: &World| world.state.word_of(&world.state.clusters[&uid("c")]);
    assert_eq!(word(&world), "Waiting");
    world.ask(World::retreat());
    world.settle();
    for name in ["p", "a", "b"] {
        world.take(name);
    }
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::RolledBack);
    assert_eq!(word(&world), "NotBegun");
    let lines = crate::describe(&world.plan, &world.state, world.now).join("\n");
    assert!(lines.contains("1 NotBegun (c)"), "{lines}");
}
