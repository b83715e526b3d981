//! A history replays exactly, and one that breaks something is made short.

use super::{History, Plans, Step, live, live::text, shrink};
use crate::{invariant::Broken, world::World};

#[test]
fn a_release_can_start_by_each_plan_of_the_histories() {
    let mut world = World::new(
        1,
        &[
            ("pilot-1", &[("tier", "pilot")]),
            ("eu-1", &[("region", "eu")]),
            ("us-1", &[]),
        ],
    );
    for plan in [Plans::Quick, Plans::Slow, Plans::Patient, Plans::Nervous] {
        let started = world.try_start(&text(plan), "1.1.0", true, true);
        assert!(started.is_ok(), "{plan:?}: {started:?}");
    }
}

#[test]
fn a_seed_draws_the_same_history_and_the_history_replays_exactly() {
    for seed in [3, 17] {
        let history = History::draw(seed);
        assert_eq!(history, History::draw(seed));
        assert_eq!(live(&history).world.log, live(&history).world.log);
    }
}

#[test]
fn seeds_draw_different_histories() {
    assert_ne!(History::draw(1).steps, History::draw(2).steps);
}

#[test]
fn a_history_that_breaks_a_rule_is_shrunk_to_what_breaks_it() {
    let steps = |history: &History, wanted: fn(&Step) -> bool| {
        let mut all = history.steps.iter();
        all.position(|(step, seconds)| wanted(step) && *seconds >= 3)
    };
    // What breaks: a cut that lasts, and later an abort.
    let play = |history: &History| {
        let cut = steps(history, |step| matches!(step, Step::Cut(_)))?;
        let abort = history.steps[cut..]
            .iter()
            .any(|(step, _)| matches!(step, Step::Abort(..)));
        let broken = Broken {
            rule: "3".to_owned(),
            what: "it grew".to_owned(),
        };
        abort.then(|| (broken, vec!["a line".to_owned()]))
    };
    let failing = (0..200)
        .map(History::draw)
        .find(|drawn| play(drawn).is_some());
    let failing = failing.expect("some history has both");
    let failure = shrink(&failing, play).expect("it breaks");
    assert_eq!(failure.history.steps.len(), 2, "{}", failure.history);
    assert_eq!(failure.history.steps[1].1, 0, "no time is needed after it");
    let text = failure.to_string();
    let seed = failing.seed;
    assert!(text.contains("the history, 2 of ") && text.contains("a line"));
    assert!(text.ends_with(&format!("FLAGSHIP_SEED={seed}")), "{text}");
    assert!(shrink(&failing, |_| None).is_none());
}
