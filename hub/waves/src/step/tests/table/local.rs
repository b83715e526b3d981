//! What a rollout makes of local control: who is held waits, who was taken back has failed.

use flagship_proto::model::{LocalAct, LocalActor, LocalVerb};

use super::*;

impl World {
    /// A person on the spot tells the agent something, which obeys and reports it.
    fn on_the_spot(&mut self, name: &str, verb: LocalVerb) {
        let at = self.now.wall;
        let agent = self.agents.get_mut(&uid(name)).unwrap();
        let id = format!("l{}", agent.local.len()).parse().unwrap();
        agent.local.push(LocalAct {
            id,
            verb,
            by: LocalActor::Spot {
                user: "ana".to_owned(),
                uid: 1000,
            },
            at,
            reason: "errors here".to_owned(),
        });
        if verb == LocalVerb::Retreat && agent.version == NEW {
            agent.weight = 0;
            agent.phase = Phase::Failed;
            OLD.clone_into(&mut agent.primary);
        }
        self.report(name);
    }
}

fn codes(world: &World) -> Vec<&'static str> {
    let waiting = world.state.waiting.iter();
    waiting.map(|waiting| waiting.reason.code()).collect()
}

#[test]
fn a_held_cluster_stays_in_flight_keeps_its_slot_and_the_wave_waits_with_the_reason() {
    let mut world = second_wave("");
    world.runs("a", 50);
    world.on_the_spot("a", LocalVerb::Hold);
    world.succeeds("b");
    world.settle();
    world.succeeds("c");
    world.settle();
    assert!(world.phase("a").in_flight());
    assert_eq!(
        intent(&mut world, "a"),
        Some(Intent::Run),
        "the order stays"
    );
    assert_eq!(codes(&world), ["WaitingForLocalRelease"]);
    assert!(matches!(
        world.state.phase,
        RolloutPhase::Progressing { .. }
    ));
    let said = "a is under local control: local hold by ana (uid 1000): errors here";
    assert!(
        world.log.iter().any(|line| line.contains(said)),
        "{:#?}",
        world.log
    );

    world.on_the_spot("a", LocalVerb::Release);
    world.succeeds("a");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Succeeded);
}

#[test]
fn nothing_starts_under_local_control_and_others_take_the_slot() {
    for verb in [LocalVerb::Hold, LocalVerb::Retreat] {
        let mut world = three("");
        world.settle();
        world.on_the_spot("a", verb);
        world.succeeds("p");
        world.settle();
        assert_eq!(*world.phase("a"), ClusterPhase::Waiting, "{verb:?}");
        assert_eq!(intent(&mut world, "a"), None, "{verb:?}");
        assert_eq!(intent(&mut world, "b"), Some(Intent::Run));
        assert_eq!(intent(&mut world, "c"), Some(Intent::Run));
        assert_eq!(
            codes(&world),
            ["WaitingForLocalRelease", "WaitingForClusters"]
        );
        world.on_the_spot("a", LocalVerb::Release);
        world.succeeds("b");
        world.settle();
        assert_eq!(intent(&mut world, "a"), Some(Intent::Run), "{verb:?}");
    }
}

#[test]
fn s05_who_is_taken_back_on_the_spot_has_failed_in_flight_and_after_it_succeeded() {
    for before in [50, 100] {
        let plan = plan(
            "soak: {for: 30s}",
            "",
            "onFailure: {maxFailures: 0, then: halt}",
        );
        let mut world = World::new(plan, &[("p", "pilot"), ("a", "prod")]);
        world.settle();
        if before == 100 {
            world.succeeds("p");
        } else {
            world.runs("p", before);
        }
        world.settle();
        world.take("p");
        world.on_the_spot("p", LocalVerb::Retreat);
        world.settle();
        assert!(
            matches!(world.phase("p"), ClusterPhase::Failed { .. }),
            "{before}"
        );
        assert_eq!(world.state.phase, RolloutPhase::Failed, "{before}");
        assert_eq!(intent(&mut world, "p"), Some(Intent::Retreat));
        assert_eq!(intent(&mut world, "a"), None);

        world.ask(Wish::Retry);
        world.settle();
        world.pass(5);
        world.settle();
        assert_eq!(
            *world.phase("p"),
            ClusterPhase::Waiting,
            "not before its release"
        );
        world.on_the_spot("p", LocalVerb::Release);
        world.settle();
        assert_eq!(intent(&mut world, "p"), Some(Intent::Run));
    }
}

#[test]
fn the_deadline_leaves_waits_for_a_local_release_out() {
    let mut world = second_wave("deadline: 1m");
    world.runs("a", 50);
    for name in ["a", "b", "c"] {
        world.on_the_spot(name, LocalVerb::Hold);
    }
    for _ in 0..10 {
        world.settle();
        world.pass(30);
    }
    assert!(matches!(
        world.state.phase,
        RolloutPhase::Progressing { .. }
    ));
    let spent = world.state.times.of(crate::Activity::LocalControl);
    assert!(spent >= Duration::from_secs(200), "{spent:?}");
}

#[test]
fn an_abort_and_a_retreat_of_the_rollout_reach_a_held_cluster() {
    let mut world = second_wave("");
    world.runs("a", 50);
    world.on_the_spot("a", LocalVerb::Hold);
    world.settle();
    world.abort("a-1", AbortMode::Return, None);
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Retreat));

    let mut world = second_wave("");
    world.runs("a", 50);
    world.on_the_spot("a", LocalVerb::Hold);
    world.ask(World::retreat());
    world.settle();
    assert_eq!(intent(&mut world, "a"), Some(Intent::Retreat));
}

#[test]
fn p25_who_is_under_local_control_enters_no_catch_up_lane_of_a_rollout_that_is_over() {
    let mut world = succeeded();
    world.view.last_good = Some(LastGood {
        change: Change::Version(NEW.to_owned()),
        digest: None,
    });
    world.join("z", "prod");
    world.on_the_spot("z", LocalVerb::Hold);
    world.settle();
    assert_eq!(intent(&mut world, "z"), None);
    world.on_the_spot("z", LocalVerb::Release);
    world.settle();
    assert_eq!(intent(&mut world, "z"), Some(Intent::Run));
}
