//! Clusters that another rollout holds: what waits for them says so, and nobody writes over the holder.

use flagship_proto::model::RolloutId;

use super::*;
use crate::Action;

#[test]
fn p16_a_cluster_that_another_rollout_holds_is_waited_for_with_the_reason() {
    let mut world = three("");
    world.member("p").claimed_by_another = true;
    world.settle();
    assert_eq!(intent(&mut world, "p"), None);
    let waiting: Vec<&str> = world
        .state
        .waiting
        .iter()
        .map(|waiting| waiting.reason.code())
        .collect();
    assert_eq!(waiting, ["WaitingForClaim"]);
    world.member("p").claimed_by_another = false;
    world.settle();
    assert_eq!(intent(&mut world, "p"), Some(Intent::Run));
}

#[test]
fn s09_what_a_superseded_rollout_writes_last_spares_what_its_successor_wrote() {
    let mut world = second_wave("");
    let successor: RolloutId = "checkout-2".parse().unwrap();
    world.ask(Wish::Supersede {
        by: successor.clone(),
    });
    for name in ["p", "a", "b"] {
        world.member(name).claimed_by_another = true;
    }
    world.member("a").order.as_mut().unwrap().rollout = successor;
    let decision = world.step();
    let written: Vec<String> = decision
        .actions
        .iter()
        .filter_map(|action| match action {
            Action::Order(order) => Some(format!("{}: {}", order.cluster, order.intent)),
            Action::RecordGood { .. } | Action::Reject { .. } | Action::ReleaseClaims => None,
        })
        .collect();
    assert_eq!(written, ["b: Retreat"], "a runs for its successor already");
}

#[test]
fn rule_4_what_an_abort_takes_back_of_an_ended_rollout_goes_back_though_a_later_one_holds_it() {
    let mut world = succeeded();
    for name in ["p", "a", "b", "c"] {
        world.member(name).claimed_by_another = true;
    }
    world.abort("a-1", AbortMode::RetreatDone, None);
    world.settle();
    for name in ["p", "a", "b", "c"] {
        assert_eq!(intent(&mut world, name), Some(Intent::Retreat), "{name}");
        world.take(name);
    }
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::RolledBack);
    assert_eq!(world.state.but_left_behind(), "");
}

#[test]
fn p11_who_is_left_behind_is_named_and_goes_back_when_a_person_says_so() {
    let mut world = succeeded();
    let later: RolloutId = "checkout-2".parse().unwrap();
    world.member("p").claimed_by_another = true;
    world.member("p").order.as_mut().unwrap().rollout = later.clone();
    world.abort("a-1", AbortMode::RetreatDone, None);
    world.settle();
    assert!(
        world.log.iter().any(|line| line.contains("LeftBehind: p ")),
        "{:#?}",
        world.log
    );
    world.member("p").claimed_by_another = false;
    world.settle();
    for name in ["a", "b", "c"] {
        world.take(name);
    }
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::RolledBack);
    let order = world.member("p").order.clone().unwrap();
    assert_eq!(order.rollout, later, "the later one's word stays");
    let said = world.state.but_left_behind();
    assert_eq!(
        said,
        "; not p, where another rollout had been ordered since"
    );
    world.ask(World::retreat());
    world.settle();
    assert_eq!(intent(&mut world, "p"), Some(Intent::Retreat));
    world.take("p");
    world.settle();
    assert_eq!(world.state.phase, RolloutPhase::RolledBack);
    assert_eq!(world.state.but_left_behind(), "");
}
