//! What each intent asks of a canary (P14).

use std::time::Duration;

use flagship_proto::model::{Intent, Phase};
use serde_json::json;

use super::plant::{Plant, revision, spec, usual};

const MINUTE: Duration = Duration::from_secs(60);

fn good() -> Plant {
    let mut plant = Plant::serving(usual());
    for version in ["1.0.0", "1.1.0"] {
        plant.rates.insert(version.to_owned(), 100.0);
    }
    plant.order("1.1.0", 1);
    plant
}

#[test]
fn p14_hold_keeps_the_weight_while_checks_go_on_and_failures_still_retreat() {
    let mut plant = good();
    plant.run_until(MINUTE, |status| status.step == 1);
    plant.look();
    plant.intent(Intent::Hold, "paused");
    let asked = plant.asked.len();
    plant.run_for(MINUTE);
    assert_eq!((plant.status.step, plant.live("1.1.0")), (1, 20));
    assert!(plant.asked.len() > asked + 3, "checks go on");
    plant.rates.insert("1.1.0".to_owned(), 90.0);
    plant.run_until(MINUTE, |status| status.phase == Phase::Failed);
    plant.settle();
    assert_eq!(plant.live("1.1.0"), 0);
    assert_eq!(plant.status.primary, Some(revision("1.0.0")));
}

/// After history went back a rollout may have the name of one that was lost.
#[test]
fn p22_a_run_of_another_version_is_another_run_though_it_has_the_same_name() {
    for (until, back) in [(Phase::Succeeded, false), (Phase::Progressing, true)] {
        let mut plant = good();
        plant.run_to(until);
        plant.rates.insert("1.2.0".to_owned(), 100.0);
        plant.order("1.2.0", 1);
        plant.run_until(MINUTE, |status| {
            status.change == Some(revision("1.2.0")) && status.phase.is_active()
        });
        let primary = if back { "1.0.0" } else { "1.1.0" };
        assert_eq!(plant.status.primary, Some(revision(primary)), "{until:?}");
        plant.run_to(Phase::Succeeded);
        assert_eq!(plant.status.primary, Some(revision("1.2.0")));
        // A status that was kept by an agent from before knows no version.
        let run = plant.status.run.as_mut().unwrap();
        run.version = None;
        plant.run_for(MINUTE);
        assert_eq!(plant.status.phase, Phase::Succeeded);
    }
}

#[test]
fn p14_hold_stops_the_progress_deadlines() {
    let mut spec = spec(json!({"interval": "5s", "stepWeight": 50, "maxWeight": 50}));
    spec.progress_deadline_seconds = Some(20);
    let mut plant = Plant::serving(spec);
    plant.stuck.insert("1.1.0".to_owned());
    plant.order("1.1.0", 1);
    plant.run_for(Duration::from_secs(10));
    plant.intent(Intent::Hold, "paused");
    plant.run_for(Duration::from_secs(300));
    assert_eq!(plant.status.phase, Phase::Progressing, "time stands still");
    plant.permit();
    plant.run_until(MINUTE, |status| status.phase == Phase::Failed);
    assert_eq!(plant.status.reason.code(), "NotReadyInTime");
}

#[test]
fn p14_a_retreat_after_done_goes_to_what_it_names_without_analysis() {
    let mut plant = good();
    plant.run_to(Phase::Succeeded);
    plant.settle();
    let asked = plant.asked.len();
    plant.intent(Intent::Retreat, "retreat");
    plant.settle();
    assert_eq!((plant.live("1.0.0"), plant.asked.len()), (100, asked));
}

#[test]
fn p14_remove_settles_what_is_in_flight_and_forgets_the_order() {
    let mut plant = good();
    plant.run_until(MINUTE, |status| status.step == 1);
    plant.intent(Intent::Remove, "the cluster leaves");
    plant.settle();
    assert_eq!((plant.live("1.0.0"), plant.status.run.clone()), (100, None));
    let mut plant = good();
    plant.run_to(Phase::Succeeded);
    plant.settle();
    plant.intent(Intent::Remove, "the cluster leaves");
    plant.settle();
    let left = (plant.live("1.1.0"), plant.status.run.clone());
    assert_eq!(left, (100, None), "what serves stays");
}
