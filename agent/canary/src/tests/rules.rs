//! The failure rules, as a table of rounds and what each of them comes to.

use std::time::Duration;

use flagship_proto::model::{Phase, canary::Analysis};
use serde_json::{Value, json};

use super::plant::{Plant, spec};
use crate::{ask::Closed, judge::Verdict, status::Tally, tally};

/// Rounds as letters: p, f, i. The code of the reason that ended it, and after how many rounds.
fn play(rules: Value, rounds: &str) -> Option<(&'static str, usize)> {
    let analysis: Analysis = serde_json::from_value(rules).unwrap();
    let mut counted = Tally::default();
    for (index, letter) in rounds.chars().enumerate() {
        let verdict = match letter {
            'p' => Verdict::Pass,
            'f' => Verdict::Fail,
            _ => Verdict::Inconclusive,
        };
        let closed = Closed {
            verdict,
            words: "w".to_owned(),
            name: "n".to_owned(),
        };
        let unjudged = Duration::from_secs(10) * counted.inconclusive_in_row;
        if let Some(end) = tally::round(&mut counted, &analysis, &closed, unjudged) {
            return Some((end.code(), index + 1));
        }
    }
    None
}

#[test]
fn failures_are_counted_by_every_rule() {
    let rows = [
        (json!({}), "f", Some(("ThresholdReached", 1))),
        (
            json!({"threshold": 3}),
            "fpfppf",
            Some(("ThresholdReached", 6)),
        ),
        (json!({"threshold": 3}), "fpfppp", None),
        (
            json!({"threshold": 9, "consecutiveFailures": 2}),
            "fpfpff",
            Some(("FailedInRow", 6)),
        ),
        (
            json!({"threshold": 9, "consecutiveFailures": 2}),
            "fiif",
            Some(("FailedInRow", 4)),
        ),
        (
            json!({"threshold": 9, "failuresOf": {"n": 2, "m": 3}}),
            "fppfppfpf",
            Some(("FailedOfLast", 9)),
        ),
        (
            json!({"threshold": 9, "failuresOf": {"n": 2, "m": 3}}),
            "fppfppfppf",
            None,
        ),
    ];
    for (rules, rounds, expected) in rows {
        assert_eq!(play(rules.clone(), rounds), expected, "{rules} {rounds}");
    }
}

#[test]
fn doubt_ends_a_canary_as_it_was_told() {
    let over = "InconclusiveTooLong";
    let hold = json!({"threshold": 2, "onInconclusive": {"then": "hold"}});
    let count = json!({"threshold": 2, "onInconclusive": {"then": "fail", "count": 4}});
    let after = json!({"threshold": 2, "onInconclusive": {"then": "fail", "after": "30s"}});
    let rows = [
        (json!({"threshold": 3}), "iipiii", Some((over, 6))),
        (json!({"threshold": 3}), "iipii", None),
        (json!({"threshold": 3}), "iifii", None),
        (hold, "iiiiiiiiii", None),
        (count, "iiii", Some((over, 4))),
        (after, "iiii", Some((over, 4))),
    ];
    for (rules, rounds, expected) in rows {
        assert_eq!(play(rules.clone(), rounds), expected, "{rules} {rounds}");
    }
}

#[test]
fn a_step_ends_only_after_its_passes() {
    let mut plant = Plant::serving(spec(json!({
        "interval": "5s", "threshold": 9, "successThreshold": 3, "stepWeights": [10, 20],
        "metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}}]
    })));
    plant.rates.insert("1.1.0".to_owned(), 100.0);
    plant.order("1.1.0", 1);
    plant.run_until(Duration::from_secs(60), |status| status.step == 1);
    plant.run_for(Duration::from_secs(14));
    assert_eq!((plant.status.step, plant.status.tally.passed), (1, 2));
    plant.run_until(Duration::from_secs(5), |status| status.step == 2);
    assert_eq!(plant.status.tally.passed, 0);
}

#[test]
fn zero_samples_never_pass() {
    let mut plant = Plant::serving(super::plant::usual());
    plant.rates.insert("1.1.0".to_owned(), 100.0);
    plant.requests = 0;
    plant.order("1.1.0", 1);
    plant.run_to(Phase::Failed);
    assert_eq!(plant.status.step, 1, "it never got further");
    assert_eq!(
        plant.status.ended.as_ref().unwrap().code(),
        "InconclusiveTooLong"
    );
}

#[test]
fn a_delayed_metric_is_not_asked_before_its_data_can_be_there() {
    let mut plant = Plant::serving(spec(json!({
        "interval": "5s", "stepWeights": [10],
        "metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}, "delay": "20s"}]
    })));
    plant.rates.insert("1.1.0".to_owned(), 100.0);
    plant.order("1.1.0", 1);
    plant.run_until(Duration::from_secs(60), |status| status.step == 1);
    plant.run_for(Duration::from_secs(25));
    assert!(plant.asked.is_empty());
    plant.run_for(Duration::from_secs(2));
    assert_eq!(plant.asked.len(), 1);
}

#[test]
fn pre_rollout_failures_count_towards_the_threshold_before_any_traffic() {
    let mut plant = Plant::serving(spec(json!({
        "interval": "5s", "threshold": 2, "stepWeights": [10],
        "webhooks": [{"name": "smoke", "type": "pre-rollout", "url": "http://h/"}]
    })));
    plant.closed.insert("smoke".to_owned());
    plant.order("1.1.0", 1);
    plant.run_to(Phase::Failed);
    assert_eq!(plant.asked, ["pre-rollout smoke", "pre-rollout smoke"]);
    assert_eq!(plant.status.step, 0, "no traffic ever moved");
}

#[test]
fn w09_a_rollback_hook_is_asked_in_every_phase_of_a_run() {
    for (phase, gate) in [
        (Phase::Waiting, Some("confirm-rollout")),
        (Phase::Progressing, None),
        (Phase::WaitingPromotion, Some("confirm-promotion")),
    ] {
        let mut plant = Plant::serving(spec(json!({
            "interval": "5s", "stepWeights": [10],
            "webhooks": [
                {"name": "back", "type": "rollback", "url": "http://h/"},
                {"name": "gate", "type": gate.unwrap_or("confirm-rollout"), "url": "http://h/"}
            ]
        })));
        if gate.is_some() {
            plant.closed.insert("gate".to_owned());
        }
        plant.order("1.1.0", 1);
        plant.run_to(phase);
        plant.closed.insert("back".to_owned());
        plant.run_until(Duration::from_secs(7), |status| {
            status.phase == Phase::Failed
        });
        assert_eq!(
            plant.status.ended.as_ref().unwrap().to_string(),
            "rollback hook back asked for it"
        );
    }
}

#[test]
fn a_gate_before_each_step_is_asked_again_for_each() {
    let mut plant = Plant::serving(spec(json!({
        "interval": "5s", "stepWeights": [10, 20],
        "webhooks": [{"name": "more", "type": "confirm-traffic-increase", "url": "http://h/"}]
    })));
    plant.order("1.1.0", 1);
    plant.run_to(Phase::Promoting);
    assert_eq!(plant.asked.len(), 2);
}

#[test]
fn s05_checks_go_on_after_succeeded_and_a_failure_leaves_traffic_where_it_is() {
    let mut plant = Plant::serving(spec(json!({
        "interval": "5s", "threshold": 2, "stepWeights": [10],
        "metrics": [
            {"name": "request-success-rate", "thresholdRange": {"min": 99}},
            {"name": "request-duration", "compareTo": "primary", "maxRatio": 2}
        ]
    })));
    plant.rates.insert("1.0.0".to_owned(), 100.0);
    plant.rates.insert("1.1.0".to_owned(), 100.0);
    plant.order("1.1.0", 1);
    plant.run_to(Phase::Succeeded);
    plant.asked.clear();
    plant.run_for(Duration::from_secs(20));
    assert!(plant.asked.len() >= 3);
    assert!(
        plant
            .asked
            .iter()
            .all(|asked| asked == "request-success-rate")
    );
    plant.rates.remove("1.1.0");
    plant.run_for(Duration::from_secs(60));
    assert_eq!(
        plant.status.phase,
        Phase::Succeeded,
        "silence is no failure"
    );
    plant.rates.insert("1.1.0".to_owned(), 10.0);
    plant.run_to(Phase::Failed);
    plant.run_for(Duration::from_secs(20));
    assert_eq!((plant.status.weight.get(), plant.live("1.1.0")), (100, 100));
    assert_eq!(plant.status.reason.code(), "ThresholdReached");
    plant.intent(flagship_proto::model::Intent::Retreat, "retreat the wave");
    plant.settle();
    assert_eq!(plant.live("1.0.0"), 100);
}

#[test]
fn s05_checks_after_succeeded_end_by_themselves() {
    let mut plant = Plant::serving(super::plant::usual());
    plant.rates.insert("1.1.0".to_owned(), 100.0);
    plant.order("1.1.0", 1);
    plant.run_to(Phase::Succeeded);
    plant.run_for(Duration::from_secs(1900));
    let asked = plant.asked.len();
    let last = plant.look();
    assert_eq!(
        last.wake_after,
        Duration::from_secs(30),
        "an idle agent rests"
    );
    plant.run_for(Duration::from_secs(60));
    assert_eq!(plant.asked.len(), asked);
}
