//! Clauses of the contract that need a whole fleet to be seen: each test is named after its clause.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use flagship_hub::{
    audit::verify,
    records::{OrderRow, key},
};
use flagship_proto::model::{AbortMode, Evidence, Intent, Position, ReturnTo, Scope, Weight};
use flagship_tests::world::{
    World,
    cluster::Behaviour,
    script::{PLAN, slow_plan},
};
use flagship_waves::{ClusterPhase, ClusterState, Wish};

const FLEET: &[(&str, &[(&str, &str)])] = &[
    ("pilot-1", &[("tier", "pilot"), ("region", "eu")]),
    ("eu-1", &[("region", "eu")]),
    ("us-1", &[("region", "us")]),
    ("us-2", &[("region", "us")]),
    ("us-3", &[("region", "us")]),
];

const MINUTES: Duration = Duration::from_secs(600);

fn fleet(seed: u64) -> World {
    let mut world = World::new(seed, FLEET);
    world.run(Duration::from_secs(3));
    world
}

fn failing() -> Behaviour {
    Behaviour {
        errors_per_mille: 100,
        ..Behaviour::default()
    }
}

fn has_traffic(world: &World, name: &str, version: &str) -> bool {
    world.agents[name].cluster.share(version) > Weight::ZERO
}

/// The latest within a key, and the sum over keys: what a gate would count.
fn merged(evidence: &[(String, Evidence)], above: Position) -> u64 {
    let mut latest: BTreeMap<String, u64> = BTreeMap::new();
    for (cluster, one) in evidence.iter().filter(|(_, one)| one.revision > above) {
        let key = format!(
            "{cluster} {} {} {} {} {}",
            one.digest, one.revision, one.step, one.incarnation.0, one.proxy_started
        );
        let before = latest.entry(key).or_default();
        assert!(one.canary.total >= *before, "it is cumulative");
        *before = one.canary.total;
    }
    latest.values().sum()
}

#[test]
fn p26_evidence_is_never_counted_twice_over_restarts_and_orders() {
    let mut world = fleet(1);
    world.start(&slow_plan(), "1.1.0");
    world.run_till(MINUTES, "the pilot has traffic", |w| {
        has_traffic(w, "pilot-1", "1.1.0")
    });
    for _ in 0..4 {
        world.run(Duration::from_secs(15));
        world.kill_agent("pilot-1");
        world.run(Duration::from_secs(3));
        world.start_agent("pilot-1");
        world.run(Duration::from_secs(5));
        // Each of these writes another order for the same attempt.
        world.wish("checkout-1", Wish::Pause).unwrap();
        world.run(Duration::from_secs(5));
        world.wish("checkout-1", Wish::Resume).unwrap();
    }
    world.run(Duration::from_secs(60));
    let mine = world.evidence.iter().filter(|(name, _)| name == "pilot-1");
    let incarnations: BTreeSet<u64> = mine.map(|(_, one)| one.incarnation.0).collect();
    assert!(incarnations.len() > 1, "{incarnations:?}");
    let told = merged(&world.evidence, Position::default());
    let served = world.agents["pilot-1"].cluster.counts()["1.1.0"].total;
    assert!(told > 0 && told <= served, "{told} of {served} requests");
}

#[test]
fn p26_evidence_from_before_an_abort_counts_for_nothing_after_its_lift() {
    let mut world = fleet(2);
    world.start(&slow_plan(), "1.1.0");
    world.run_till(MINUTES, "the pilot has traffic", |w| {
        has_traffic(w, "pilot-1", "1.1.0")
    });
    world.run(Duration::from_secs(40));
    assert!(merged(&world.evidence, Position::default()) > 0);
    let abort = world.abort(Scope::Fleet, AbortMode::Return);
    world.run(Duration::from_secs(20));
    let at = world.store().position();
    let before = world.agents["pilot-1"].cluster.counts()["1.1.0"].total;
    world.lift(&abort);
    world.run(Duration::from_secs(2));
    world.wish("checkout-1", Wish::Retry).unwrap();
    world.run(Duration::from_secs(60));
    let told = merged(&world.evidence, at);
    let since = world.agents["pilot-1"].cluster.counts()["1.1.0"].total - before;
    assert!(
        told > 0 && told <= since,
        "{told} of {since} requests since"
    );
}

#[test]
fn p29_a_percentage_gives_at_least_one_and_is_rounded_down() {
    let mut world = fleet(3);
    // Half of three clusters is one; a tenth is one too.
    world.start(&PLAN.replace("50%", "10%"), "1.1.0");
    let mut most = 0;
    let mut count = |w: &World| {
        let us = ["us-1", "us-2", "us-3"];
        let at_once = us.iter().filter(|name| {
            let share = w.agents[**name].cluster.share("1.1.0");
            share > Weight::ZERO && share < Weight::FULL
        });
        most = most.max(at_once.count());
        Ok(())
    };
    let over = |w: &World| w.phase("checkout-1") == "Succeeded";
    let done = world.run_till_watched(MINUTES, &over, &mut count);
    assert_eq!(done, Ok(true));
    assert_eq!(most, 1);
}

#[test]
fn p29_a_cluster_holds_its_slot_from_its_order_on_before_it_has_traffic() {
    let mut world = fleet(4);
    world.start(PLAN, "1.1.0");
    world.run_till(MINUTES, "the last wave starts", |w| {
        w.log.iter().any(|line| line.contains("order us-1: Run"))
    });
    // It never becomes ready: still it is the one that half of three allows.
    world.kill_agent("us-1");
    world.run(Duration::from_secs(20));
    let orders = world.store().read_all::<OrderRow>(key::ORDERS).unwrap();
    let running = orders.iter().map(|row| row.unplaced());
    let running = running.filter(|order| order.intent == Intent::Run);
    let names: Vec<String> = running.map(|order| order.cluster.to_string()).collect();
    assert_eq!(names, ["us-1"]);
}

#[test]
fn p30_every_change_has_its_entry_in_one_chain_that_verifies() {
    let mut world = fleet(5);
    world.start(PLAN, "1.1.0");
    world.run_till(MINUTES, "the second wave has traffic", |w| {
        has_traffic(w, "eu-1", "1.1.0")
    });
    let abort = world.abort(Scope::Fleet, AbortMode::Return);
    world.run(Duration::from_secs(20));
    world.kill_hub();
    world.start_hub();
    world.lift(&abort);
    let wish = Wish::Retreat {
        to: ReturnTo::LastPromoted,
        now: true,
    };
    world.wish("checkout-1", wish).unwrap();
    world.run_till(MINUTES, "it goes back", |w| {
        w.phase("checkout-1") == "RolledBack"
    });
    let export = world.store().audit_export().unwrap();
    let verified = verify(&export.to_text(), None).unwrap();
    assert_eq!(verified.head, world.store().audit_head().head);
    let text = export.to_text();
    for action in [
        "fleet.init",
        "term.take",
        "plan.apply",
        "rollout.start",
        "rollout.decide",
        "abort.create",
        "abort.lift",
        "rollout.retreat",
    ] {
        assert!(text.contains(action), "{action} is not in the audit log");
    }
    // Orders, aborts and rollouts that stand now were each written in a transaction with an entry.
    let audited: Vec<Position> = (0..export.stated.count)
        .map(|index| world.store().audit_entry(index).unwrap().unwrap().position)
        .collect();
    for row in world.store().read_all::<OrderRow>(key::ORDERS).unwrap() {
        let order = row.unplaced();
        assert!(
            audited.contains(&row.modified),
            "{} has no entry",
            order.cluster
        );
    }
}

#[test]
fn p30_an_abort_is_stored_while_the_leader_decides_at_the_same_moment() {
    let mut world = fleet(6);
    world.start(PLAN, "1.1.0");
    // Its transaction compares nothing that the engine writes: it never loses against a step.
    for _ in 0..40 {
        world.run(Duration::from_millis(700));
        let abort = world.try_abort(Scope::Fleet, AbortMode::Return);
        let abort = abort.expect("an abort is never refused");
        world.run(Duration::from_millis(300));
        world.lift(&abort);
    }
    let export = world.store().audit_export().unwrap();
    assert!(verify(&export.to_text(), None).is_ok());
}

#[test]
fn p14_nothing_is_removed_because_it_is_absent() {
    let mut world = fleet(7);
    world.start(PLAN, "1.1.0");
    world.run_till(MINUTES, "the release succeeds", |w| {
        w.phase("checkout-1") == "Succeeded"
    });
    // A hub that lost its orders sends none: what serves goes on serving, and nothing else starts.
    let keys = world.store().list(key::ORDERS).unwrap().rows;
    for (row, _) in keys {
        world.delete_row(row);
    }
    world.kill_hub();
    world.start_hub();
    for (name, _) in FLEET {
        world.kill_agent(name);
        world.start_agent(name);
    }
    world.run(Duration::from_secs(60));
    for agent in world.agents.values() {
        assert_eq!(agent.cluster.primary(), Some("1.1.0"), "{}", agent.name());
        assert_eq!(agent.cluster.share("1.1.0"), Weight::FULL);
    }
}

/// The first release is everywhere, the second is on its way, and a cluster that joins meanwhile is
/// taken by the first one's catch-up lane.
fn joined_between_two_releases(seed: u64) -> World {
    let mut world = fleet(seed);
    world.start(PLAN, "1.1.0");
    world.run_till(MINUTES, "the first release succeeds", |w| {
        w.phase("checkout-1") == "Succeeded"
    });
    world.start(PLAN, "1.2.0");
    world.run(Duration::from_secs(1));
    world.enrol("eu-3", &[("region", "eu")]);
    world.run_till(MINUTES, "eu-3 catches up", |w| {
        w.log.iter().any(|line| line.contains("eu-3 catches up"))
    });
    world
}

#[test]
fn rule_4_a_cluster_that_another_rollout_holds_and_that_still_waits_delays_no_retreat() {
    let mut world = joined_between_two_releases(8);
    let wish = Wish::Retreat {
        to: ReturnTo::LastPromoted,
        now: true,
    };
    let asked = world.wish("checkout-2", wish);
    assert_eq!(asked, Ok(()));
    world.run_till(MINUTES, "it goes back", |w| {
        w.phase("checkout-2") == "RolledBack"
    });
}

#[test]
fn p16_a_catch_up_that_is_done_releases_its_claim_for_the_next_rollout() {
    let mut world = joined_between_two_releases(9);
    world.run_till(MINUTES, "the second release succeeds", |w| {
        w.phase("checkout-2") == "Succeeded"
    });
    assert_eq!(world.agents["eu-3"].cluster.primary(), Some("1.2.0"));
}

#[test]
fn p16_a_halted_rollout_holds_its_claims_until_a_person_takes_it_as_final() {
    let mut world = fleet(10);
    world.set_behaviour("1.2.0", failing());
    let plan = PLAN.replace("waves:", "onFailure: {then: halt}\n  waves:");
    world.start(&plan, "1.2.0");
    world.run_till(MINUTES, "it is halted", |w| {
        w.phase("checkout-1") == "Failed"
    });
    world.run(Duration::from_secs(60));
    let refused = world.try_start(PLAN, "1.3.0", false, false).unwrap_err();
    assert!(refused.contains("checkout-1"), "{refused}");
    world.wish("checkout-1", Wish::Accept).unwrap();
    world.run(Duration::from_secs(2));
    world.start(PLAN, "1.3.0");
    world.run_till(MINUTES, "the next one succeeds", |w| {
        w.phase("checkout-2") == "Succeeded"
    });
}

#[test]
fn p24_who_falls_silent_is_skipped_with_a_hold_after_its_bound_and_comes_back_by_the_lane() {
    let mut world = fleet(11);
    let policy = "unreachable: {wait: 5s, then: skip}\n  waves:";
    world.start(&PLAN.replace("waves:", policy), "1.1.0");
    world.run_till(MINUTES, "us-1 has traffic", |w| {
        has_traffic(w, "us-1", "1.1.0")
    });
    world.cut("us-1");
    let bound = world.millis() + 30_000;
    let mut watch = |w: &World| {
        let rollout = w.rollout("checkout-1");
        let us = rollout.state.clusters.values();
        let skipped = |c: &ClusterState| matches!(c.phase, ClusterPhase::Skipped { .. });
        if !us.clone().any(|c| c.name.as_str() == "us-1" && skipped(c)) {
            return Ok(());
        }
        let orders = w.store().read_all::<OrderRow>(key::ORDERS).unwrap();
        let mine = orders.iter().map(|row| row.unplaced());
        let mut mine = mine.filter(|order| order.cluster.as_str() == "us-1");
        match mine.next().map(|order| order.intent) {
            Some(Intent::Hold) if w.millis() > bound => Ok(()),
            other => Err(format!("skipped with {other:?} at {} ms", w.millis())),
        }
    };
    let skipped = |w: &World| w.log.iter().any(|line| line.contains("us-1 is skipped"));
    let over = |w: &World| w.phase("checkout-1") == "Succeeded";
    let done = world.run_till_watched(MINUTES, &over, &mut watch);
    assert_eq!(done, Ok(true), "{}", world.log.join("\n"));
    assert!(skipped(&world), "{}", world.log.join("\n"));
    world.mend("us-1");
    world.run_till(MINUTES, "it catches up", |w| {
        w.agents["us-1"].cluster.primary() == Some("1.1.0")
    });
}

#[test]
fn p22_a_copy_that_is_put_back_stops_the_hub_until_recover_goes_above_all_that_was_seen() {
    let mut world = fleet(13);
    world.start(&slow_plan(), "1.1.0");
    world.run_till(MINUTES, "the pilot has traffic", |w| {
        has_traffic(w, "pilot-1", "1.1.0")
    });
    world.copy_store();
    world.wish("checkout-1", Wish::Pause).unwrap();
    world.run(Duration::from_secs(2));
    world.wish("checkout-1", Wish::Resume).unwrap();
    world.run(Duration::from_secs(2));
    world.put_store_back();
    // What was granted before stays good to its end (S3).
    world.run(Duration::from_secs(36));
    let mut last = world.agents["pilot-1"].cluster.share("1.1.0");
    assert!(last > Weight::ZERO && last < Weight::FULL, "{last}");
    let mut stands = |w: &World| {
        let now = w.agents["pilot-1"].cluster.share("1.1.0");
        let grew = now > last;
        last = now;
        if grew {
            Err(format!("to {now}"))
        } else {
            Ok(())
        }
    };
    let watched = world.run_watched(Duration::from_secs(180), &mut stands);
    assert_eq!(watched, Ok(()));
    assert!(world.is_behind());

    world.recover();
    world.run(Duration::from_secs(90));
    assert!(!world.is_behind());
    assert_eq!(world.phase("checkout-1"), "Paused");
    world.wish("checkout-1", Wish::Resume).unwrap();
    world.run_till(MINUTES * 3, "it goes on to its end", |w| {
        w.phase("checkout-1") == "Succeeded"
    });
}
