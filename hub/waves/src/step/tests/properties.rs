//! The rules of DESIGN §5 as properties: random actions on a toy fleet, and what must hold after each.

use std::collections::BTreeMap;

use flagship_proto::model::{AbortMode, ClusterUid, Intent, Phase};
use proptest::prelude::*;

use super::toy::{NEW, World, plan, uid};
use crate::{ClusterPhase, RolloutPhase, Wish};

const NAMES: [&str; 5] = ["p", "a", "b", "c", "d"];

/// Something that happens to a fleet; the number picks the cluster.
#[derive(Debug, Clone, Copy)]
enum Act {
    Runs(usize, u8),
    Succeeds(usize),
    Fails(usize),
    /// What had succeeded fails a check of its soak.
    Sours(usize),
    Cut(usize, bool),
    Heal(usize),
    Leave(usize),
    Pass(u64),
    Pause,
    Resume,
    Abort,
    LiftAll,
    Freeze(Option<usize>),
    Thaw,
    Retreat,
    Retry,
    Claimed(usize, bool),
}

fn act() -> impl Strategy<Value = Act> {
    let name = 0..NAMES.len();
    prop_oneof![
        6 => (name.clone(), 1..90_u8).prop_map(|(n, w)| Act::Runs(n, w)),
        8 => name.clone().prop_map(Act::Succeeds),
        2 => name.clone().prop_map(Act::Fails),
        1 => name.clone().prop_map(Act::Sours),
        2 => (name.clone(), any::<bool>()).prop_map(|(n, b)| Act::Cut(n, b)),
        3 => name.clone().prop_map(Act::Heal),
        1 => name.clone().prop_map(Act::Leave),
        5 => (1..9_u64).prop_map(Act::Pass),
        1 => Just(Act::Pause),
        2 => Just(Act::Resume),
        1 => Just(Act::Abort),
        2 => Just(Act::LiftAll),
        1 => proptest::option::of(name.clone()).prop_map(Act::Freeze),
        2 => Just(Act::Thaw),
        1 => Just(Act::Retreat),
        1 => Just(Act::Retry),
        1 => (name, any::<bool>()).prop_map(|(n, b)| Act::Claimed(n, b)),
    ]
}

fn fleet() -> World {
    let extra =
        "onFailure: {maxFailures: 1, then: retreatAll}\n  unreachable: {wait: 8s, then: skip}";
    let plan = plan("soak: {for: 4s}", "maxConcurrent: 2", extra);
    let tier = |name: &'static str| (name, if name == "p" { "pilot" } else { "prod" });
    World::new(plan, &NAMES.map(tier))
}

fn happen(world: &mut World, act: Act) {
    let here = |world: &World, n: usize| world.view.members.contains_key(&uid(NAMES[n]));
    match act {
        Act::Runs(n, weight) if here(world, n) => world.runs(NAMES[n], weight),
        Act::Succeeds(n) if here(world, n) => world.succeeds(NAMES[n]),
        Act::Fails(n) if here(world, n) && world.member(NAMES[n]).order.is_some() => {
            world.fails(NAMES[n]);
        }
        Act::Sours(n)
            if here(world, n) && world.agents[&uid(NAMES[n])].phase == Phase::Succeeded =>
        {
            world.take(NAMES[n]);
            let agent = world.agents.get_mut(&uid(NAMES[n])).unwrap();
            agent.phase = Phase::Failed;
            world.report(NAMES[n]);
        }
        Act::Cut(n, bound) if here(world, n) => world.cut(NAMES[n], bound),
        Act::Heal(n) if here(world, n) => world.heal(NAMES[n]),
        Act::Leave(n) if here(world, n) => world.leave(NAMES[n]),
        // A claim is taken in a transaction: nobody can take one that this rollout holds.
        Act::Claimed(n, by_another) if here(world, n) => {
            let member = world.member(NAMES[n]);
            member.claimed_by_another = by_another && member.order.is_none();
        }
        Act::Pass(seconds) => world.pass(seconds),
        Act::Pause => world.ask(Wish::Pause),
        Act::Resume => world.ask(Wish::Resume),
        Act::Retreat => world.ask(World::retreat()),
        Act::Retry => world.ask(Wish::Retry),
        Act::Abort => {
            let id = format!("a-{}", world.seq);
            world.abort(&id, AbortMode::Return, None);
        }
        Act::LiftAll => world.lift_all(),
        Act::Freeze(which) => {
            let id = format!("f-{}", world.seq);
            let one = which.map(|n| [NAMES[n]]);
            world.freeze(&id, one.as_ref().map(<[&str; 1]>::as_slice));
        }
        Act::Thaw => world.view.freezes.clear(),
        Act::Runs(..)
        | Act::Succeeds(_)
        | Act::Fails(_)
        | Act::Sours(_)
        | Act::Cut(..)
        | Act::Heal(_)
        | Act::Leave(_)
        | Act::Claimed(..) => {}
    }
}

/// Run orders in force, by uid. A row below a standing abort is void: it goes out as Retreat (P8).
fn running(world: &World) -> BTreeMap<ClusterUid, u32> {
    let members = world.view.members.iter();
    members
        .filter_map(|(uid, member)| {
            let order = member.order.as_ref()?;
            let mut aborts = world.view.aborts.iter();
            let void = aborts.any(|standing| standing.abort.voids(order.fence));
            (order.intent == Intent::Run && !void).then(|| (uid.clone(), order.attempt))
        })
        .collect()
}

/// Rules 1, 3, 4 and 6: what a single step may add.
fn check_step(world: &World, before: &BTreeMap<ClusterUid, u32>) {
    let after = running(world);
    let is_new = |uid: &ClusterUid| after.get(uid) != before.get(uid);
    let started: Vec<&ClusterUid> = after.keys().filter(|uid| is_new(uid)).collect();
    let catching_up = world.state.catch_up.as_ref().map(|lane| &lane.uid);
    for uid in &started {
        let cluster = &world.state.clusters[*uid];
        let earlier = &world.state.waves[..cluster.wave];
        assert!(
            earlier.iter().all(|wave| wave.finished.is_some()),
            "rule 1: {} started while an earlier wave is not done",
            cluster.name
        );
        assert!(
            world.view.aborts.is_empty(),
            "rule 3: {} started under an abort",
            cluster.name
        );
        assert!(
            !world.view.members[*uid].claimed_by_another,
            "rule 6: {} started under another's claim",
            cluster.name
        );
    }
    if !world.view.aborts.is_empty() {
        assert!(
            after.is_empty(),
            "rule 3: Run orders stand under an abort: {after:?}"
        );
    }
    for uid in after.keys() {
        assert!(
            !world.view.freezes.iter().any(|freeze| freeze.covers(uid)),
            "P28: {uid} has a Run order under a freeze"
        );
    }
    if !started.is_empty() {
        for (index, wave) in world.state.waves.iter().enumerate() {
            let of_wave = world.state.clusters.iter().filter(|(uid, cluster)| {
                cluster.wave == index && catching_up != Some(*uid) && cluster.phase.in_flight()
            });
            let flying = of_wave.count();
            assert!(
                flying <= 2,
                "rule 1: {flying} at once in wave {}",
                wave.name
            );
        }
    }
}

/// Rules 5, 7 and 9: what success may rest on.
fn check_success(world: &World) {
    if world.state.phase != RolloutPhase::Succeeded {
        return;
    }
    let done = |phase: &ClusterPhase| matches!(phase, ClusterPhase::Done);
    let mut successes = 0;
    for (uid, cluster) in &world.state.clusters {
        let accounted = matches!(
            cluster.phase,
            ClusterPhase::Done | ClusterPhase::Skipped { .. } | ClusterPhase::Left
        ) || cluster.late
            || cluster.barred
            || world
                .state
                .catch_up
                .as_ref()
                .is_some_and(|lane| lane.uid == *uid);
        assert!(
            accounted,
            "rule 9: {} is {} in a success",
            cluster.name, cluster.phase
        );
        successes += usize::from(done(&cluster.phase));
        if done(&cluster.phase)
            && let Some(agent) = world.agents.get(uid)
        {
            assert_eq!(agent.version, NEW, "rule 9: {} never had it", cluster.name);
        }
    }
    assert!(
        successes > 0,
        "rule 5: a success without one cluster that succeeded"
    );
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 192, ..ProptestConfig::default() })]

    #[test]
    fn rules_1_3_5_6_7_9_hold_whatever_happens(acts in proptest::collection::vec(act(), 1..70)) {
        let mut world = fleet();
        world.settle();
        for act in acts {
            happen(&mut world, act);
            for _ in 0..4 {
                let before = running(&world);
                world.step();
                check_step(&world, &before);
                check_success(&world);
            }
        }
    }

    /// Rule 4: whatever came before, one step after a person's retreat no cluster that ever had a Run
    /// order of this rollout still has one.
    #[test]
    fn rule_4_nothing_delays_a_retreat(acts in proptest::collection::vec(act(), 1..40)) {
        let mut world = fleet();
        world.settle();
        for act in acts {
            happen(&mut world, act);
            world.step();
        }
        let can = crate::allowed(&world.state, &World::retreat(), !world.view.aborts.is_empty());
        if can.is_ok() && !world.state.is_over() {
            world.ask(World::retreat());
            world.step();
            prop_assert!(running(&world).is_empty(), "{:?}", running(&world));
        }
    }
}
