//! What is promised: nothing advances without permission, nothing early, nothing unseen.

use std::time::Duration;

use flagship_proto::model::{Intent, Phase, Weight};
use serde_json::json;

use super::plant::{Plant, spec, usual};
use crate::{Action, Answer, Decision, Direction, Route, step};

const MINUTE: Duration = Duration::from_secs(60);

fn good(spec: flagship_proto::model::CanarySpec) -> Plant {
    let mut plant = Plant::serving(spec);
    plant.rates.insert("1.1.0".to_owned(), 100.0);
    plant.order("1.1.0", 1);
    plant
}

fn route(decision: &Decision) -> Option<(u8, Direction)> {
    decision.actions.iter().find_map(|action| match action {
        Action::SetRoute { route, direction } => Some((route.weight.get(), *direction)),
        Action::EnsureVersion { .. }
        | Action::StopVersion { .. }
        | Action::RunHook { .. }
        | Action::Query { .. }
        | Action::Event { .. } => None,
    })
}

#[test]
fn p04_without_a_lease_the_weight_stays_and_checks_go_on() {
    let mut plant = good(usual());
    plant.run_until(MINUTE, |status| status.step == 1);
    plant.permission.may_advance = false;
    plant.permission.why = "the lease ended 3 s ago".to_owned();
    let asked = plant.asked.len();
    plant.run_for(MINUTE);
    assert_eq!((plant.status.step, plant.live("1.1.0")), (1, 20));
    assert!(plant.asked.len() > asked + 3, "checks go on");
    assert_eq!(
        plant.status.reason.to_string(),
        "waiting for permission to advance: the lease ended 3 s ago"
    );
    plant.rates.insert("1.1.0".to_owned(), 0.0);
    plant.run_until(MINUTE, |status| status.phase == Phase::Failed);
    plant.settle();
    assert_eq!(plant.live("1.1.0"), 0, "failures still retreat");
}

#[test]
fn p17_drift_is_repaired_to_the_recorded_weight_only_with_a_lease() {
    let mut plant = good(usual());
    plant.run_until(MINUTE, |status| status.step == 2);
    plant.look();
    assert_eq!(plant.live("1.1.0"), 50);
    plant.proxies[0].1.weight = Weight::saturating(10);
    plant.permission.may_advance = false;
    plant.look();
    plant.look();
    assert_eq!((plant.live("1.1.0"), plant.status.weight.get()), (10, 50));
    plant.permit();
    let repair = plant.look();
    assert_eq!(route(&repair), Some((50, Direction::Advance)));
    plant.proxies[0].1.weight = Weight::saturating(90);
    plant.permission.may_advance = false;
    let lower = plant.look();
    assert_eq!(
        route(&lower),
        Some((50, Direction::Retreat)),
        "too much is lowered without one"
    );
}

#[test]
fn p19_an_advance_in_flight_is_taken_back_when_the_lease_ends() {
    let mut plant = good(usual());
    plant.run_until(MINUTE, |status| status.step == 2);
    // Told 50, and no proxy has taken it yet.
    plant.proxies[0].1.weight = Weight::saturating(20);
    plant.permission.may_advance = false;
    let back = plant.look();
    assert_eq!(route(&back), Some((20, Direction::Retreat)));
    // The proxy takes the older snapshot after all: nobody goes back up to it.
    plant.proxies[0].1.weight = Weight::saturating(50);
    let again = plant.look();
    assert_eq!(route(&again), Some((20, Direction::Retreat)));
}

#[test]
fn s04_a_restarted_agent_serves_no_more_than_was_observed() {
    let mut plant = good(usual());
    plant.run_until(MINUTE, |status| status.step == 2);
    plant.proxies[0].1.weight = Weight::saturating(20);
    plant.restart();
    plant.permission.may_advance = false;
    let first = plant.look();
    assert_eq!(route(&first), Some((20, Direction::Retreat)));
    assert_eq!(plant.status.weight.get(), 50, "what is recorded stays");
}

#[test]
fn s04_an_unknown_weight_counts_as_zero_after_a_restart_and_never_jumps_up() {
    let mut plant = good(usual());
    plant.run_until(MINUTE, |status| status.step == 2);
    plant.look();
    plant.restart();
    plant.proxies[0].0 = false;
    let first = plant.look();
    assert_eq!(route(&first), Some((0, Direction::Retreat)));
    plant.proxies[0].0 = true;
    let second = plant.look();
    assert_eq!(route(&second), Some((0, Direction::Retreat)));
    plant.permit();
    let third = plant.look();
    assert_eq!(route(&third), Some((50, Direction::Advance)));
}

#[test]
fn s04_nothing_is_set_while_neither_the_weight_nor_the_primary_is_known() {
    let mut plant = good(usual());
    plant.run_until(MINUTE, |status| status.step == 2);
    plant.look();
    plant.restart();
    plant.proxies[0].0 = false;
    plant.stuck.insert("1.0.0".to_owned());
    plant.versions.get_mut("1.0.0").unwrap().ready = 0;
    let first = plant.look();
    assert_eq!(route(&first), None);
    plant.versions.get_mut("1.0.0").unwrap().ready = 1;
    let second = plant.look();
    assert_eq!(route(&second), Some((0, Direction::Retreat)));
}

#[test]
fn a_proxy_that_goes_away_stops_the_advance_and_moves_no_weight() {
    let mut plant = good(usual());
    plant.run_until(MINUTE, |status| status.step == 1);
    plant.look();
    let other: Route = plant.proxies[0].1.clone();
    plant.proxies.push((false, other));
    plant.run_for(MINUTE);
    assert_eq!((plant.status.step, plant.live("1.1.0")), (1, 20));
    assert_eq!(
        plant.status.reason.to_string(),
        "weight 20% is set and not read back from every proxy yet: a proxy is not connected"
    );
    plant.proxies.pop();
    plant.run_until(MINUTE, |status| status.step == 2);
}

#[test]
fn trap_10_a_restart_advances_nothing_early() {
    let mut plant = good(usual());
    plant.run_until(MINUTE, |status| status.step == 1);
    plant.run_for(Duration::from_secs(8));
    for _ in 0..20 {
        plant.restart();
        plant.permit();
        plant.look();
        plant.now = plant.now.plus(Duration::from_secs(3600));
        plant.look();
    }
    assert_eq!(
        plant.status.step, 1,
        "neither restarts nor gaps count as time"
    );
    plant.run_until(Duration::from_secs(15), |status| status.step == 2);
}

#[test]
fn trap_19_time_counts_from_the_weight_that_was_read_back() {
    let mut plant = good(usual());
    plant.run_until(MINUTE, |status| status.step == 1);
    plant.look();
    plant.proxies[0].0 = false;
    plant.run_for(MINUTE);
    plant.proxies[0].0 = true;
    plant.run_for(Duration::from_secs(8));
    assert_eq!(plant.status.step, 1);
    let query = |decision: &Decision| {
        decision.actions.iter().find_map(|action| match action {
            Action::Query { window, .. } => Some(*window),
            Action::SetRoute { .. }
            | Action::EnsureVersion { .. }
            | Action::StopVersion { .. }
            | Action::RunHook { .. }
            | Action::Event { .. } => None,
        })
    };
    let window = loop {
        if let Some(window) = query(&plant.look()) {
            break window;
        }
    };
    assert!(
        window <= Duration::from_secs(11),
        "{window:?} reaches into the time before"
    );
}

#[test]
fn trap_38_a_late_answer_to_another_question_is_dropped() {
    let mut plant = good(usual());
    plant.run_until(MINUTE, |status| status.step == 1);
    plant.look();
    let mut seen = plant.observe();
    let late = Answer::Measured(crate::Measurement {
        canary: Some(0.0),
        requests: Some(9),
        ..Default::default()
    });
    seen.answers = [("an id of an earlier step".to_owned(), late)].into();
    let decision = step(&plant.spec, &plant.status, &seen, plant.now);
    assert_eq!(decision.next.tally, plant.status.tally);
}

#[test]
fn trap_38_a_question_keeps_its_id_over_a_restart() {
    let mut plant = good(usual());
    plant.run_until(MINUTE, |status| !status.asking.is_empty());
    let before = plant.status.asking.clone();
    plant.restart();
    plant.permit();
    let seen = plant.observe();
    let again = step(&plant.spec, &plant.status, &seen, plant.now);
    let ids = |asking: &std::collections::BTreeMap<_, crate::ask::Asking>| -> Vec<String> {
        asking
            .values()
            .flat_map(|set| set.asks.iter().map(|ask| ask.id.clone()))
            .collect()
    };
    assert_eq!(ids(&again.next.asking), ids(&before));
    assert!(
        again
            .actions
            .iter()
            .any(|action| matches!(action, Action::Query { id, .. } if *id == ids(&before)[0]))
    );
}

#[test]
fn a_crash_loop_returns_traffic_at_once() {
    let mut plant = good(spec(
        json!({"interval": "10m", "threshold": 5, "stepWeight": 20}),
    ));
    plant.run_until(MINUTE, |status| status.step == 1);
    plant.look();
    let version = plant.versions.get_mut("1.1.0").unwrap();
    version.crash_loop = Some("exit status 1, 3 times in 10 s".to_owned());
    version.ready = 0;
    plant.look();
    assert_eq!(
        (plant.live("1.1.0"), plant.status.phase),
        (0, Phase::Failed)
    );
    plant.settle();
    assert_eq!(
        plant.status.reason.to_string(),
        "1.1.0 crashes again and again: exit status 1, 3 times in 10 s"
    );
}

#[test]
fn trap_22_a_canary_without_a_ready_instance_loses_its_traffic_at_once() {
    let mut plant = good(usual());
    plant.run_until(MINUTE, |status| status.step == 1);
    plant.look();
    plant.look();
    plant.stuck.insert("1.1.0".to_owned());
    plant.versions.get_mut("1.1.0").unwrap().ready = 0;
    plant.look();
    assert_eq!(plant.live("1.1.0"), 0);
    assert_eq!(plant.status.ended.as_ref().unwrap().code(), "CanaryDown");
}

#[test]
fn a_canary_that_a_restarted_agent_has_not_checked_yet_is_not_down() {
    let mut plant = good(usual());
    plant.run_until(MINUTE, |status| status.step == 1);
    plant.run_for(Duration::from_secs(2));
    plant.restart();
    plant.permit();
    plant.versions.get_mut("1.1.0").unwrap().ready = 0;
    plant.look();
    assert_eq!(plant.status.phase, Phase::Progressing);
    plant.run_until(MINUTE, |status| status.step == 2);
}

#[test]
fn p18_hold_pauses_a_promotion_and_the_old_version_stays_ready_until_succeeded() {
    let mut plant = good(spec(json!({
        "interval": "5s", "stepWeight": 50, "maxWeight": 50, "stepWeightPromotion": 10
    })));
    plant.run_until(MINUTE, |status| status.weight.get() == 70);
    plant.intent(Intent::Hold, "paused");
    plant.run_for(MINUTE);
    assert_eq!(
        (plant.status.phase, plant.live("1.1.0")),
        (Phase::Promoting, 70)
    );
    plant.permit();
    plant.run_to(Phase::Finalising);
    plant.intent(Intent::Hold, "paused");
    plant.run_for(MINUTE);
    assert_eq!(plant.status.phase, Phase::Finalising);
    let old = &plant.versions["1.0.0"];
    assert_eq!(old.ready, 2, "a return would be immediate");
    plant.intent(Intent::Retreat, "aborted");
    plant.look();
    assert_eq!(plant.live("1.1.0"), 0, "and is");
}
