//! The decision logs of whole runs.

use std::time::Duration;

use flagship_proto::model::{Intent, Phase};
use serde_json::json;

use super::plant::{Plant, spec, usual};

#[test]
fn a_good_version_is_promoted_step_by_step() {
    let mut plant = Plant::new(usual());
    plant.rates.insert("1.1.0".to_owned(), 100.0);
    plant.run_to(Phase::Initialized);
    plant.order("1.1.0", 1);
    plant.run_to(Phase::Succeeded);
    plant.settle();
    insta::assert_snapshot!(plant.log.join("\n"));
    assert_eq!(plant.live("1.1.0"), 100);
    assert!(
        !plant.versions.contains_key("1.0.0"),
        "the old version was stopped"
    );
}

#[test]
fn a_failed_analysis_returns_all_traffic_to_the_primary() {
    let mut plant = Plant::new(usual());
    plant.rates.insert("1.2.0".to_owned(), 90.0);
    plant.run_to(Phase::Initialized);
    plant.order("1.2.0", 1);
    plant.run_to(Phase::Failed);
    plant.settle();
    insta::assert_snapshot!(plant.log.join("\n"));
    assert_eq!((plant.live("1.0.0"), plant.live("1.2.0")), (100, 0));
    assert!(
        !plant.versions.contains_key("1.2.0"),
        "the bad version was stopped"
    );
}

#[test]
fn a_run_with_gates_holds_and_a_retreat_after_done() {
    let mut plant = Plant::new(spec(json!({
        "interval": "5s", "threshold": 3, "stepWeight": 50, "maxWeight": 50, "stepWeightPromotion": 25,
        "metrics": [{"name": "request-success-rate", "compareTo": "primary", "maxDelta": 1}],
        "webhooks": [
            {"name": "go", "type": "confirm-rollout", "url": "http://gate/"},
            {"name": "smoke", "type": "pre-rollout", "url": "http://gate/"},
            {"name": "load", "url": "http://gate/"},
            {"name": "ship", "type": "confirm-promotion", "url": "http://gate/"},
            {"name": "done", "type": "post-rollout", "url": "http://gate/"}
        ]
    })));
    plant.rates.insert("1.0.0".to_owned(), 99.0);
    plant.rates.insert("1.1.0".to_owned(), 99.5);
    plant.closed.extend(["go".to_owned(), "ship".to_owned()]);
    plant.run_to(Phase::Initialized);
    plant.order("1.1.0", 1);
    plant.run_for(Duration::from_secs(12));
    assert_eq!(plant.status.phase, Phase::Waiting);
    plant.closed.remove("go");
    plant.run_to(Phase::WaitingPromotion);
    plant.run_for(Duration::from_secs(11));
    plant.intent(Intent::Hold, "paused by ann");
    plant.run_for(Duration::from_secs(11));
    plant.permit();
    plant.closed.remove("ship");
    plant.run_to(Phase::Succeeded);
    plant.settle();
    plant.intent(Intent::Retreat, "retreat by ann");
    plant.settle();
    insta::assert_snapshot!(plant.log.join("\n"));
    insta::assert_snapshot!("asked", plant.asked.join("\n"));
    assert_eq!(plant.live("1.0.0"), 100);
}
