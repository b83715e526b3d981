//! How a retreat ends: never as gone back where no traffic was seen to be.

use flagship_proto::model::{Fence, WorkloadStatus};

use super::*;

const IN: [&str; 3] = ["p", "a", "b"];

/// The pilot is done, `a` and `b` run, and a person takes all of it back.
fn going_back(to: ReturnTo) -> World {
    let mut world = second_wave("");
    world.runs("a", 50);
    world.runs("b", 50);
    world.settle();
    world.ask(Wish::Retreat { to, now: false });
    world.settle();
    world
}

/// Each cluster answers its order, with what `says` makes of its status.
fn all_say(world: &mut World, says: impl Fn(&mut WorkloadStatus)) {
    for name in IN {
        world.take(name);
        says(world.member(name).status.as_mut().unwrap());
    }
    world.settle();
}

fn in_the_way(world: &World) -> Vec<String> {
    let waits = world.state.waiting.iter();
    waits
        .filter(|wait| {
            ["CannotReturn", "ReturnUnread", "ReturnNotHeard"].contains(&wait.reason.code())
        })
        .map(|wait| wait.reason.to_string())
        .collect()
}

fn cannot(status: &mut WorkloadStatus) {
    status.weight = Weight::FULL;
    status.observed = Some(Weight::FULL);
    status.reason = "CannotReturn".to_owned();
    status.message = "cannot return to 1.0.0: no such file".to_owned();
}

fn says_nothing(status: &mut WorkloadStatus) {
    status.version = None;
    status.observed = None;
    status.primary_version = None;
}

fn unread(status: &mut WorkloadStatus) {
    status.observed = None;
}

/// It would wait for ever: nothing is claimed, and what stands in the way is said of each.
#[test]
fn p18_where_no_cluster_is_seen_to_be_back_a_retreat_waits_and_says_why_of_each() {
    type Says = fn(&mut WorkloadStatus);
    let rows: [(Says, &str); 3] = [
        (
            cannot,
            "not back: its agent says that it cannot return to 1.0.0: no such file",
        ),
        (
            says_nothing,
            "not back: its agent does not say which version serves there",
        ),
        (
            unread,
            "not known to be back: not every proxy there can be read",
        ),
    ];
    for (says, why) in rows {
        let mut world = going_back(ReturnTo::LastPromoted);
        all_say(&mut world, says);
        for _ in 0..3 {
            world.pass(3_600);
            world.settle();
        }
        assert_eq!(world.state.phase, RolloutPhase::Retreating, "{why}");
        assert!(!world.state.is_over(), "{why}");
        let said = in_the_way(&world);
        for (name, said) in ["a", "b", "p"].iter().zip(&said) {
            assert_eq!(world.phase(name).word(), "Retreating", "{name}: {why}");
            assert!(said.starts_with(&format!("{name} is {why}")));
            assert!(said.contains("accept it as it is"), "{said}");
        }
        assert_eq!(said.len(), 3, "{said:?}");

        // What is mended goes on by itself.
        all_say(&mut world, |_| {});
        assert_eq!(world.state.phase, RolloutPhase::RolledBack, "{why}");
    }
}

#[test]
fn a_retreat_that_cannot_end_is_ended_by_accepting_and_claims_nothing() {
    let mut world = going_back(ReturnTo::LastPromoted);
    all_say(&mut world, cannot);
    world.ask(Wish::Accept);
    world.settle();
    assert!(world.state.is_over() && world.state.accepted.is_some());
    assert_eq!(world.state.phase, RolloutPhase::Retreating);
    assert_eq!(world.phase("a").word(), "Retreating");
}

#[test]
fn who_accepts_is_told_which_clusters_still_go_back() {
    let mut world = going_back(ReturnTo::LastPromoted);
    for name in ["p", "b"] {
        world.take(name);
    }
    world.cut("a", true);
    world.settle();
    world.ask(Wish::Accept);
    let said = format!("{:?}", world.step());
    assert!(
        said.contains("StillGoBack") && said.contains("\"a\""),
        "{said}"
    );
}

#[test]
fn who_is_not_heard_on_the_way_back_is_told_where_it_can_be_taken_back() {
    let mut world = going_back(ReturnTo::LastPromoted);
    for name in ["p", "b"] {
        world.take(name);
    }
    world.cut("a", true);
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Retreating);
    let said = in_the_way(&world);
    assert!(
        said.len() == 1 && said[0].contains("ctl retreat"),
        "{said:?}"
    );
    world.heal("a");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::RolledBack);
}

#[test]
fn who_cannot_go_back_from_an_earlier_rollout_is_said_to_be_in_the_way() {
    let mut world = going_back(ReturnTo::LastPromoted);
    for name in ["p", "b"] {
        world.take(name);
    }
    let status = world.member("a").status.as_mut().unwrap();
    cannot(status);
    status.rollout = Some("checkout-0".parse().unwrap());
    status.fence = Fence::default();
    world.settle();
    let said = in_the_way(&world);
    assert!(
        said.len() == 1 && said[0].contains("no such file"),
        "{said:?}"
    );
}

#[test]
fn who_failed_and_shows_no_version_has_not_gone_back() {
    let mut world = second_wave("onFailure: {then: halt}");
    world.fails("a");
    says_nothing(world.member("a").status.as_mut().unwrap());
    world.settle();
    world.take("a");
    says_nothing(world.member("a").status.as_mut().unwrap());
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::Failed);
    assert!(!world.state.clusters[&uid("a")].returned);
    assert_eq!(in_the_way(&world).len(), 1, "{:?}", world.state.waiting);
    world.take("a");
    world.settle();
    assert!(world.state.clusters[&uid("a")].returned);
}

/// Traffic that left the change and did not reach what a person chose has not gone there.
#[test]
fn a_retreat_to_a_version_of_a_persons_choice_is_over_when_that_serves() {
    let mut world = going_back(ReturnTo::Version("0.9.0".to_owned()));
    all_say(&mut world, |_| {});
    assert_eq!(world.state.phase, RolloutPhase::Retreating);
    all_say(&mut world, |status| {
        status.primary_version = Some("0.9.0".to_owned());
    });
    assert_eq!(world.state.phase, RolloutPhase::RolledBack);
}
