//! A fleet's life in the World: real engines, drivers, fleet and link; simulated wire, disk and traffic.

use std::time::Duration;

use flagship_proto::model::{AbortMode, ReturnTo, Scope, Weight};
use flagship_tests::world::{
    Way, World,
    cluster::Behaviour,
    script::{PLAN, slow_plan},
};
use flagship_waves::Wish;

const FLEET: &[(&str, &[(&str, &str)])] = &[
    ("pilot-1", &[("tier", "pilot"), ("region", "eu")]),
    ("eu-1", &[("region", "eu")]),
    ("us-1", &[("region", "us")]),
    ("us-2", &[("region", "us")]),
    ("ap-1", &[("region", "ap")]),
];

const MINUTES: Duration = Duration::from_secs(600);

fn fleet(seed: u64) -> World {
    let mut world = World::new(seed, FLEET);
    world.run(Duration::from_secs(3));
    world
}

fn served(world: &World, version: &str) -> Vec<String> {
    let all = world.agents.values();
    let with = all.filter(|agent| {
        agent
            .cluster
            .counts()
            .get(version)
            .is_some_and(|c| c.total > 0)
    });
    with.map(|agent| agent.name().to_owned()).collect()
}

fn failed(world: &World) -> u64 {
    world
        .agents
        .values()
        .flat_map(|agent| agent.cluster.counts().values())
        .map(|c| c.bad)
        .sum()
}

#[test]
fn a_good_release_goes_through_the_fleet_wave_by_wave_and_loses_no_request() {
    let mut world = fleet(1);
    let id = world.start(PLAN, "1.1.0");
    world.run_till(MINUTES, "the release succeeds", |w| {
        w.phase("checkout-1") == "Succeeded"
    });
    for agent in world.agents.values() {
        assert_eq!(agent.cluster.primary(), Some("1.1.0"), "{}", agent.name());
    }
    assert_eq!(failed(&world), 0);
    let started = |name: &str| {
        world
            .log
            .iter()
            .position(|l| l.contains(&format!("order {name}: Run")))
            .unwrap()
    };
    let done = |name: &str| {
        world
            .log
            .iter()
            .rposition(|l| l.contains(&format!("{name} Succeeded")))
            .unwrap()
    };
    assert!(
        done("pilot-1") < started("eu-1") && done("eu-1") < started("us-1"),
        "{id}"
    );
}

#[test]
fn a_bad_release_is_caught_in_the_pilot_and_no_other_cluster_ever_serves_it() {
    let mut world = fleet(2);
    for agent in world.agents.values_mut() {
        let bad = Behaviour {
            errors_per_mille: 100,
            ..Behaviour::default()
        };
        agent.cluster.behaviour.insert("1.2.0".into(), bad);
    }
    world.start(PLAN, "1.2.0");
    world.run_till(MINUTES, "the release goes back", |w| {
        w.phase("checkout-1") == "RolledBack"
    });
    assert_eq!(served(&world, "1.2.0"), ["pilot-1"]);
    assert_eq!(world.agent("pilot-1").cluster.primary(), Some("1.0.0"));
    assert_eq!(world.agent("pilot-1").cluster.share("1.2.0"), Weight::ZERO);
}

#[test]
fn a_crash_looping_release_takes_no_traffic_for_long() {
    let mut world = fleet(3);
    for agent in world.agents.values_mut() {
        let bad = Behaviour {
            crashes: true,
            ..Behaviour::default()
        };
        agent.cluster.behaviour.insert("1.2.0".into(), bad);
    }
    world.start(PLAN, "1.2.0");
    world.run_till(MINUTES, "the release goes back", |w| {
        w.phase("checkout-1") == "RolledBack"
    });
    assert!(served(&world, "1.2.0").is_empty());
}

#[test]
fn p08_p11_an_abort_of_the_fleet_returns_what_is_in_flight_and_a_lift_moves_nothing() {
    let mut world = fleet(4);
    world.start(PLAN, "1.3.0");
    world.run_till(MINUTES, "the second wave has traffic", |w| {
        w.agents["eu-1"].cluster.share("1.3.0") > Weight::ZERO
    });
    let abort = world.abort(Scope::Fleet, AbortMode::Return);
    world.run_till(Duration::from_secs(10), "all receipts are final", |w| {
        w.final_receipts(&abort).len() == 5
    });
    assert_eq!(world.agent("eu-1").cluster.share("1.3.0"), Weight::ZERO);
    assert_eq!(
        world.agent("pilot-1").cluster.primary(),
        Some("1.3.0"),
        "Done stays"
    );
    world.run(Duration::from_secs(60));
    assert_eq!(world.phase("checkout-1"), "Aborted");
    world.lift(&abort);
    world.run(Duration::from_secs(60));
    assert_eq!(world.phase("checkout-1"), "Aborted", "a lift moves nothing");
    assert_eq!(world.agent("eu-1").cluster.share("1.3.0"), Weight::ZERO);
    world
        .wish(
            "checkout-1",
            Wish::Retreat {
                to: ReturnTo::LastPromoted,
                now: false,
            },
        )
        .unwrap();
    world.run_till(MINUTES, "Done goes back too", |w| {
        w.phase("checkout-1") == "RolledBack"
    });
    assert_eq!(world.agent("pilot-1").cluster.primary(), Some("1.0.0"));
}

#[test]
fn after_the_lift_a_retry_goes_on_from_step_0_where_it_was_not_done() {
    let mut world = fleet(5);
    world.start(PLAN, "1.3.0");
    world.run_till(MINUTES, "the second wave has traffic", |w| {
        w.agents["eu-1"].cluster.share("1.3.0") > Weight::ZERO
    });
    let abort = world.abort(Scope::Fleet, AbortMode::Return);
    world.run(Duration::from_secs(10));
    world.lift(&abort);
    world.run(Duration::from_secs(2));
    world.wish("checkout-1", Wish::Retry).unwrap();
    world.run_till(MINUTES, "the retry succeeds", |w| {
        w.phase("checkout-1") == "Succeeded"
    });
    assert!(
        world
            .agents
            .values()
            .all(|agent| agent.cluster.primary() == Some("1.3.0"))
    );
}

#[test]
fn p05_a_cluster_that_is_cut_off_in_mid_canary_advances_no_further_than_the_bound() {
    let mut world = fleet(6);
    world.start(&slow_plan(), "1.3.0");
    world.run_till(MINUTES, "the pilot has traffic", |w| {
        w.agents["pilot-1"].cluster.share("1.3.0") > Weight::ZERO
    });
    let before = world.agent("pilot-1").cluster.share("1.3.0");
    world.cut("pilot-1");
    let abort = world.abort(Scope::Fleet, AbortMode::Return);
    world.run(Duration::from_millis(35_300));
    let frozen = world.agent("pilot-1").cluster.share("1.3.0");
    assert!(
        frozen > before && frozen < Weight::saturating(50),
        "its lease let it go on: {frozen}"
    );
    world.run(Duration::from_secs(180));
    assert_eq!(world.agent("pilot-1").cluster.share("1.3.0"), frozen);
    world.mend("pilot-1");
    world.run_till(MINUTES, "it comes back, as its order was void", |w| {
        w.agents["pilot-1"].cluster.share("1.3.0") == Weight::ZERO
    });
    world.run_till(MINUTES, "it says so", |w| {
        w.final_receipts(&abort).len() == 5
    });
}

#[test]
fn p05_whichever_way_of_the_link_is_cut_nothing_advances_after_the_bound() {
    for way in [Way::Up, Way::Down] {
        let mut world = fleet(11);
        world.start(&slow_plan(), "1.3.0");
        world.run_till(MINUTES, "the pilot has traffic", |w| {
            w.agents["pilot-1"].cluster.share("1.3.0") > Weight::ZERO
        });
        world.cut_way("pilot-1", way);
        world.abort(Scope::Fleet, AbortMode::Return);
        world.run(Duration::from_millis(35_300));
        let mut last = world.agent("pilot-1").cluster.share("1.3.0");
        let hears = way == Way::Up;
        assert_eq!(last == Weight::ZERO, hears, "who hears the abort goes back");
        let mut never_grows = |w: &World| {
            let now = w.agents["pilot-1"].cluster.share("1.3.0");
            let grew = now > last;
            last = now;
            if grew {
                Err(format!("to {now}"))
            } else {
                Ok(())
            }
        };
        let time = Duration::from_secs(180);
        assert_eq!(world.run_watched(time, &mut never_grows), Ok(()), "{way:?}");
    }
}

#[test]
fn p18_an_abort_in_mid_promotion_takes_all_back_and_proves_nothing_before_it_is_read_back() {
    let mut world = fleet(12);
    let plan = PLAN.replace(
        "maxWeight: 50",
        "maxWeight: 50\n      stepWeightPromotion: 10",
    );
    world.start(&plan, "1.3.0");
    world.run_till(MINUTES, "the pilot is being promoted", |w| {
        w.agents["pilot-1"].cluster.share("1.3.0") > Weight::saturating(60)
    });
    world.connect_proxy("pilot-1", false);
    let abort = world.abort(Scope::Fleet, AbortMode::Return);
    world.run(Duration::from_secs(30));
    let share = world.agent("pilot-1").cluster.share("1.3.0");
    assert!(share > Weight::ZERO, "its proxy hears nobody");
    let said = world.final_receipts(&abort);
    assert!(!said.contains(&"pilot-1".to_owned()), "{said:?}");
    world.connect_proxy("pilot-1", true);
    world.run_till(Duration::from_secs(10), "it is back and says so", |w| {
        w.final_receipts(&abort).contains(&"pilot-1".to_owned())
    });
    let pilot = &world.agent("pilot-1").cluster;
    assert_eq!(pilot.share("1.3.0"), Weight::ZERO);
    assert_eq!(pilot.primary(), Some("1.0.0"));
    assert_eq!(
        failed(&world),
        0,
        "the old version stood ready all the time"
    );
}

#[test]
fn p08_a_cluster_that_finished_while_it_was_cut_off_comes_back_from_a_void_order() {
    let mut world = fleet(10);
    world.start(PLAN, "1.3.0");
    world.run_till(MINUTES, "the pilot has traffic", |w| {
        w.agents["pilot-1"].cluster.share("1.3.0") > Weight::ZERO
    });
    world.cut("pilot-1");
    world.abort(Scope::Fleet, AbortMode::Return);
    world.run(Duration::from_secs(30));
    assert_eq!(
        world.agent("pilot-1").cluster.primary(),
        Some("1.3.0"),
        "within its lease"
    );
    world.mend("pilot-1");
    world.run_till(MINUTES, "it is back", |w| {
        w.agents["pilot-1"].cluster.primary() == Some("1.0.0")
            && w.agents["pilot-1"].cluster.share("1.3.0") == Weight::ZERO
    });
}

#[test]
fn s03_a_hub_that_is_killed_in_mid_wave_goes_on_where_it_was() {
    let mut world = fleet(7);
    world.start(PLAN, "1.1.0");
    world.run_till(MINUTES, "the second wave has traffic", |w| {
        w.agents["eu-1"].cluster.share("1.1.0") > Weight::ZERO
    });
    world.kill_hub();
    world.run(Duration::from_secs(5));
    world.start_hub();
    world.run_till(MINUTES, "the release succeeds", |w| {
        w.phase("checkout-1") == "Succeeded"
    });
    assert_eq!(failed(&world), 0);
}

#[test]
fn s04_an_agent_that_is_killed_in_mid_canary_goes_on_without_advancing_early() {
    let mut world = fleet(8);
    world.start(PLAN, "1.1.0");
    world.run_till(MINUTES, "the pilot has traffic", |w| {
        w.agents["pilot-1"].cluster.share("1.1.0") > Weight::ZERO
    });
    let before = world.agent("pilot-1").cluster.share("1.1.0");
    world.kill_agent("pilot-1");
    world.run(Duration::from_secs(5));
    assert_eq!(
        world.agent("pilot-1").cluster.share("1.1.0"),
        before,
        "the proxy goes on serving"
    );
    world.start_agent("pilot-1");
    world.run(Duration::from_millis(100));
    assert!(world.agent("pilot-1").cluster.share("1.1.0") <= before);
    world.run_till(MINUTES, "the release succeeds", |w| {
        w.phase("checkout-1") == "Succeeded"
    });
    assert_eq!(failed(&world), 0);
}

#[test]
fn a_seed_replays_exactly() {
    let life = || {
        let mut world = fleet(9);
        world.start(PLAN, "1.1.0");
        world.run(Duration::from_secs(40));
        world.log
    };
    assert_eq!(life(), life());
}

#[test]
fn p25_a_version_that_was_taken_back_is_not_what_a_joiner_goes_to() {
    let mut world = fleet(13);
    for (id, version) in [("checkout-1", "1.1.0"), ("checkout-2", "1.2.0")] {
        world.start(PLAN, version);
        world.run_till(MINUTES, "it succeeds", |w| w.phase(id) == "Succeeded");
    }
    let wish = Wish::Retreat {
        to: ReturnTo::LastPromoted,
        now: true,
    };
    world.wish("checkout-2", wish).unwrap();
    world.run_till(MINUTES, "it goes back", |w| {
        w.phase("checkout-2") == "RolledBack"
    });
    world.enrol("eu-3", &[("region", "eu")]);
    world.run_till(MINUTES, "the joiner has caught up", |w| {
        w.agents["eu-3"].cluster.primary() == Some("1.1.0")
    });
    let counts = world.agents["eu-3"].cluster.counts();
    assert!(!counts.contains_key("1.2.0"), "{counts:?}");
}
