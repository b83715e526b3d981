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
