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
