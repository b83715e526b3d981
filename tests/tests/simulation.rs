//! Random histories of the World under faults, with the design's rules asked after every event. A
//! failing seed prints its history and replays exactly: `FLAGSHIP_SEED=<n> cargo test --test simulation`.

use std::{panic, time::Duration};

use flagship_proto::model::{AbortMode, ReturnTo, Scope};
use flagship_tests::{
    invariant,
    world::{
        World,
        cluster::Behaviour,
        script::{PLAN, slow_plan},
    },
};
use flagship_waves::Wish;

const FLEET: &[(&str, &[(&str, &str)])] = &[
    ("pilot-1", &[("tier", "pilot"), ("region", "eu")]),
    ("eu-1", &[("region", "eu")]),
    ("eu-2", &[("region", "eu")]),
    ("us-1", &[("region", "us")]),
];

/// Histories in the normal run; `FLAGSHIP_SEEDS` sets another number.
const SEEDS: u64 = 60;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self
            .0
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % sides
    }
}

fn live(seed: u64) -> Result<(), String> {
    let mut dice = Dice(seed);
    let mut world = World::new(seed, FLEET);
    let mut rules = invariant::all();
    if dice.roll(3) == 0 {
        for agent in world.agents.values_mut() {
            let bad = Behaviour {
                errors_per_mille: 100,
                ..Behaviour::default()
            };
            agent.cluster.behaviour.insert("1.1.0".into(), bad);
        }
    }
    world.run(Duration::from_secs(3));
    // Half of the canaries are in flight for longer than a lease lasts.
    let plan = if dice.roll(2) == 0 {
        PLAN.to_owned()
    } else {
        slow_plan()
    };
    world.start(&plan, 1, "1.1.0");
    let mut standing: Option<String> = None;
    let mut aborts = 0;
    for _ in 0..25 {
        let name = FLEET[usize::try_from(dice.roll(4)).unwrap_or(0)].0;
        let mut seconds = dice.roll(8);
        match dice.roll(12) {
            0 => world.cut(name),
            1 | 2 => world.mend(name),
            3 if world.agent(name).status().is_some() => world.kill_agent(name),
            4 if world.agent(name).status().is_none() => world.start_agent(name),
            5 if world.hub.is_some() => world.kill_hub(),
            6 | 7 if world.hub.is_none() => world.start_hub(),
            8 if standing.is_none() => {
                aborts += 1;
                let id = format!("a-{aborts}");
                // The case of rule 3: an abort that somebody does not hear, and time past the bound.
                if dice.roll(2) == 0 {
                    world.cut(name);
                    seconds += 70;
                }
                world.abort(&id, Scope::Fleet, AbortMode::Return);
                standing = Some(id);
            }
            9 => {
                if let Some(id) = standing.take() {
                    world.lift(&id);
                }
            }
            10 => world.wish("checkout-1", Wish::Pause),
            11 => world.wish("checkout-1", Wish::Resume),
            _ => {}
        }
        for _ in 0..=seconds {
            world.run(Duration::from_secs(1));
            for rule in &mut rules {
                let name = rule.rule();
                rule.check(&world).map_err(|what| {
                    format!("rule {name} is broken: {what}\n{}", world.log.join("\n"))
                })?;
            }
        }
    }
    settle(&mut world, standing)
}

/// Everything is mended and a person takes the release back: the fleet must agree on the old version.
fn settle(world: &mut World, standing: Option<String>) -> Result<(), String> {
    if world.hub.is_none() {
        world.start_hub();
    }
    for (name, _) in FLEET {
        world.mend(name);
        if world.agent(name).status().is_none() {
            world.start_agent(name);
        }
    }
    if let Some(id) = standing {
        world.lift(&id);
    }
    world.run(Duration::from_secs(5));
    if !matches!(world.phase("checkout-1"), "RolledBack") {
        world.wish(
            "checkout-1",
            Wish::Retreat {
                to: ReturnTo::LastPromoted,
                now: true,
            },
        );
    }
    world.run(Duration::from_secs(120));
    let back = world
        .agents
        .values()
        .all(|agent| agent.cluster.primary() == Some("1.0.0"));
    if back && world.phase("checkout-1") == "RolledBack" {
        return Ok(());
    }
    let primaries: Vec<_> = world
        .agents
        .values()
        .map(|a| (a.name(), a.cluster.primary()))
        .collect();
    Err(format!(
        "not settled: {} {primaries:?}\n{}",
        world.phase("checkout-1"),
        world.log.join("\n")
    ))
}

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok()?.parse().ok()
}

#[test]
fn the_rules_hold_in_random_histories_under_faults() {
    let seeds = match number("FLAGSHIP_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("FLAGSHIP_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let outcome =
            panic::catch_unwind(|| live(seed)).unwrap_or_else(|_| Err("it panicked".into()));
        if let Err(words) = outcome {
            panic!("seed {seed}: {words}\nreplay it with FLAGSHIP_SEED={seed}");
        }
    }
}
