//! Taking up orders: what starts, what starts again, what does not start.

use std::time::Duration;

use flagship_proto::model::{Intent, Phase, Weight};
use serde_json::json;

use super::plant::{Plant, revision, spec, usual};
use crate::{Reason, Scale, VersionSeen};

const MINUTE: Duration = Duration::from_secs(60);

#[test]
fn without_an_order_the_version_of_the_configuration_serves() {
    let mut plant = Plant::new(usual());
    plant.run_for(MINUTE);
    assert_eq!(plant.status.phase, Phase::Initialized);
    assert_eq!(plant.status.reason, Reason::NoOrder);
    assert_eq!(plant.live("1.0.0"), 100);
}

#[test]
fn no_route_names_a_version_before_it_is_told_to_run() {
    let mut plant = Plant::new(usual());
    plant.rates.insert("1.1.0".to_owned(), 100.0);
    // The plant refuses such a route.
    plant.run_until(MINUTE, |status| status.phase == Phase::Initialized);
    plant.order("1.1.0", 1);
    plant.look();
    assert!(plant.versions.contains_key("1.1.0"));
    let named = plant.told.clone().unwrap().canary;
    assert_eq!(named, None, "it runs, and gets nothing yet");
    plant.run_to(Phase::Succeeded);
    plant.settle();
    assert!(!plant.versions.contains_key("1.0.0"));
    plant.intent(Intent::Retreat, "a person said so");
    plant.look();
    let told = plant.told.clone().unwrap();
    assert_eq!((told.primary.as_str(), told.canary), ("1.1.0", None));
    plant.run_until(MINUTE, |status| {
        status
            .primary
            .as_ref()
            .is_some_and(|primary| primary.version == "1.0.0")
    });
    plant.settle();
    assert_eq!(plant.live("1.0.0"), 100);
}

#[test]
fn a_version_that_is_on_its_way_out_is_told_to_run_again() {
    let mut plant = Plant::serving(usual());
    let leaving = VersionSeen {
        scale: Scale::Canary,
        wanted: 0,
        ready: 1,
        crash_loop: None,
        not_startable: None,
        in_flight: None,
    };
    plant.versions.insert("1.1.0".to_owned(), leaving);
    plant.order("1.1.0", 1);
    plant.look();
    assert_eq!(plant.versions["1.1.0"].wanted, 1);
}

#[test]
fn a_change_that_is_the_primary_already_has_succeeded() {
    let mut plant = Plant::serving(usual());
    plant.order("1.0.0", 1);
    plant.look();
    assert_eq!(plant.status.phase, Phase::Succeeded);
    assert_eq!(plant.status.weight, Weight::FULL);
    assert_eq!(plant.status.reason.code(), "AlreadyThere");
}

#[test]
fn s07_a_retry_starts_again_from_step_zero() {
    let mut plant = Plant::serving(usual());
    plant.rates.insert("1.1.0".to_owned(), 100.0);
    plant.order("1.1.0", 1);
    plant.run_until(MINUTE, |status| status.step == 2);
    plant.order("1.1.0", 2);
    plant.look();
    assert_eq!(
        (plant.status.weight, plant.live("1.1.0")),
        (Weight::ZERO, 0)
    );
    plant.run_until(MINUTE, |status| {
        status.run.as_ref().is_some_and(|run| run.attempt == 2)
    });
    assert_eq!((plant.status.step, plant.status.weight.get()), (1, 20));
    plant.run_to(Phase::Succeeded);
}

#[test]
fn a_failed_run_stays_failed_until_a_new_attempt() {
    let mut plant = Plant::serving(usual());
    plant.rates.insert("1.1.0".to_owned(), 1.0);
    plant.order("1.1.0", 1);
    plant.run_to(Phase::Failed);
    plant.run_for(MINUTE);
    assert_eq!(
        (plant.status.phase, plant.live("1.1.0")),
        (Phase::Failed, 0)
    );
    plant.rates.insert("1.1.0".to_owned(), 100.0);
    plant.order("1.1.0", 2);
    plant.run_to(Phase::Succeeded);
}

#[test]
fn a_newer_change_sends_the_one_in_flight_back_first() {
    let mut plant = Plant::serving(usual());
    plant.rates.insert("1.1.0".to_owned(), 100.0);
    plant.rates.insert("1.2.0".to_owned(), 100.0);
    plant.order("1.1.0", 1);
    plant.run_until(MINUTE, |status| status.step == 2);
    plant.order("1.2.0", 2);
    plant.look();
    assert_eq!(plant.status.ended.as_ref().unwrap().code(), "Superseded");
    plant.run_to(Phase::Succeeded);
    plant.settle();
    assert_eq!(plant.live("1.2.0"), 100);
    assert_eq!(
        plant.status.promoted,
        [revision("1.2.0"), revision("1.0.0")]
    );
}

#[test]
fn an_order_that_never_may_run_starts_nothing() {
    let mut plant = Plant::serving(usual());
    plant.order("1.1.0", 1);
    plant.intent(Intent::Hold, "frozen");
    plant.run_for(MINUTE);
    assert_eq!(plant.status.phase, Phase::Waiting);
    assert_eq!(plant.status.reason.to_string(), "on hold: frozen");
    assert!(!plant.versions.contains_key("1.1.0"));
}

#[test]
fn a_version_that_cannot_be_started_fails_at_once() {
    let mut plant = Plant::serving(usual());
    plant.order("9.9.9", 1);
    plant.look();
    let broken = plant.versions.get_mut("9.9.9").unwrap();
    broken.not_startable = Some("no such file: /opt/checkout-9.9.9".to_owned());
    plant.run_to(Phase::Failed);
    plant.settle();
    assert_eq!(
        plant.status.reason.to_string(),
        "9.9.9 cannot be started: no such file: /opt/checkout-9.9.9"
    );
}

#[test]
fn a_version_that_is_never_ready_fails_at_the_progress_deadline() {
    let mut spec = usual();
    spec.progress_deadline_seconds = Some(20);
    let mut plant = Plant::serving(spec);
    plant.stuck.insert("1.1.0".to_owned());
    plant.order("1.1.0", 1);
    plant.run_for(Duration::from_secs(18));
    assert_eq!(plant.status.phase, Phase::Progressing);
    plant.run_until(Duration::from_secs(5), |status| {
        status.phase == Phase::Failed
    });
    plant.settle();
    assert_eq!(
        plant.status.reason.to_string(),
        "not ready within 20 s: 1.1.0 has 0 of 1 instances ready"
    );
}

#[test]
fn every_gate_has_a_deadline_and_time_on_hold_does_not_count() {
    let mut plant = Plant::serving(spec(json!({
        "interval": "5s", "stepWeight": 50, "deadlines": {"gate": "30s"},
        "webhooks": [{"name": "go", "type": "confirm-rollout", "url": "http://gate/"}]
    })));
    plant.closed.insert("go".to_owned());
    plant.order("1.1.0", 1);
    plant.run_for(Duration::from_secs(20));
    plant.intent(Intent::Hold, "paused");
    plant.run_for(MINUTE);
    assert_eq!(plant.status.phase, Phase::Waiting);
    plant.permit();
    plant.run_until(Duration::from_secs(15), |status| {
        status.phase == Phase::Failed
    });
    assert_eq!(
        plant.status.reason.to_string(),
        "the confirm-rollout gate took longer than 30 s"
    );
}

#[test]
fn w03_a_crashing_primary_does_not_keep_its_repair_out() {
    let mut plant = Plant::serving(usual());
    plant.versions.get_mut("1.0.0").unwrap().crash_loop = Some("exit 1".to_owned());
    plant.versions.get_mut("1.0.0").unwrap().ready = 0;
    plant.rates.insert("1.1.0".to_owned(), 100.0);
    plant.order("1.1.0", 1);
    plant.run_to(Phase::Succeeded);
    assert_eq!(plant.live("1.1.0"), 100);
}

#[test]
fn skip_analysis_promotes_when_the_version_is_ready() {
    let mut spec = usual();
    spec.skip_analysis = true;
    let mut plant = Plant::serving(spec);
    plant.order("1.1.0", 1);
    plant.run_until(Duration::from_secs(10), |status| {
        status.phase == Phase::Succeeded
    });
    assert!(plant.asked.is_empty());
    let mut spec = usual();
    spec.skip_analysis = true;
    let mut plant = Plant::serving(spec);
    plant.stuck.insert("1.1.0".to_owned());
    plant.order("1.1.0", 1);
    plant.run_for(MINUTE);
    assert_eq!(
        plant.live("1.1.0"),
        0,
        "w11: it waits until the version is ready"
    );
}

#[test]
fn a_suspended_canary_starts_nothing() {
    let mut spec = usual();
    spec.suspend = true;
    let mut plant = Plant::serving(spec);
    plant.order("1.1.0", 1);
    plant.run_for(MINUTE);
    assert_eq!(plant.status.reason, Reason::Suspended);
}
