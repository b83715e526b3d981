//! What a canary spec accepts, refuses and means.

use std::time::Duration;

use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::model::Weight;

fn spec(value: serde_json::Value) -> CanarySpec {
    serde_json::from_value(value).unwrap()
}

fn fields(problems: &[Problem]) -> Vec<&str> {
    problems
        .iter()
        .map(|problem| problem.field.as_str())
        .collect()
}

#[test]
fn a_flagger_canary_parses_and_is_supported() {
    let spec = spec(json!({
        "targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "podinfo"},
        "progressDeadlineSeconds": 60,
        "service": {"port": 9898, "targetPort": "http", "portName": "http"},
        "analysis": {
            "interval": "1m", "threshold": 5, "maxWeight": 50, "stepWeight": 20,
            "metrics": [
                {"name": "request-success-rate", "thresholdRange": {"min": 99}, "interval": "1m"},
                {"name": "latency", "templateRef": {"name": "latency", "namespace": "istio-system"},
                 "templateVariables": {"direction": "inbound"}, "thresholdRange": {"max": 500}}
            ],
            "webhooks": [
                {"name": "load", "url": "http://tester/", "timeout": "5s", "metadata": {"cmd": "hey"}},
                {"name": "gate", "type": "confirm-promotion", "url": "http://tester/gate/check", "muteAlert": true},
                {"name": "old", "type": "", "url": "http://tester/"}
            ]
        }
    }));
    assert_eq!(spec.validate(), []);
    assert_eq!(spec.unsupported(), []);
    let analysis = spec.analysis.unwrap();
    let steps: Vec<u8> = analysis.steps().into_iter().map(Weight::get).collect();
    assert_eq!(steps, [20, 40, 50]);
    assert_eq!(analysis.webhooks[2].kind, WebhookType::Rollout);
    assert_eq!(analysis.metrics[0].worsens(), Direction::Decrease);
}

#[test]
fn what_is_not_yet_supported_is_refused_by_field() {
    let spec = spec(json!({
        "provider": "istio",
        "autoscalerRef": {"kind": "HorizontalPodAutoscaler", "name": "podinfo"},
        "service": {"port": 80, "timeout": "15s", "gatewayRefs": [{"name": "g"}]},
        "analysis": {
            "interval": "30s", "threshold": 2, "iterations": 10, "mirror": true,
            "match": [{"headers": {"x-canary": {"exact": "insider"}}}],
            "sessionAffinity": {"cookieName": "c", "maxAge": 21600},
            "alerts": [{"name": "a", "severity": "", "providerRef": {"name": "slack"}}]
        }
    }));
    assert_eq!(spec.validate(), []);
    let problems = spec.unsupported();
    assert_eq!(
        fields(&problems),
        [
            "provider",
            "autoscalerRef",
            "service.timeout",
            "service.gatewayRefs",
            "analysis.match",
            "analysis.iterations",
            "analysis.mirror",
            "analysis.sessionAffinity",
            "analysis.alerts",
        ]
    );
    assert!(
        problems
            .iter()
            .all(|problem| problem.message.ends_with("not yet supported"))
    );
}

#[test]
fn an_unknown_field_is_an_error_that_names_it() {
    let error = serde_json::from_value::<CanarySpec>(json!({"analysis": {"stepWieght": 5}}))
        .unwrap_err()
        .to_string();
    assert!(error.contains("unknown field `stepWieght`"), "{error}");
    assert!(error.contains("`stepWeight`"), "{error}");
}

#[test]
fn what_makes_no_sense_is_named_with_a_remedy() {
    let rows = [
        (json!({"analysis": {}}), "analysis.stepWeight"),
        (
            json!({"analysis": {"stepWeight": 5, "stepWeights": [5]}}),
            "analysis.stepWeight",
        ),
        (
            json!({"analysis": {"stepWeights": [10, 5]}}),
            "analysis.stepWeights[1]",
        ),
        (
            json!({"analysis": {"stepWeights": [10, 101]}}),
            "analysis.stepWeights[1]",
        ),
        (
            json!({"analysis": {"stepWeight": 5, "maxWeight": 500}}),
            "analysis.maxWeight",
        ),
        (
            json!({"analysis": {"stepWeight": 5, "interval": "500ms"}}),
            "analysis.interval",
        ),
        (
            json!({"analysis": {"stepWeight": 5, "successThreshold": 0}}),
            "analysis.successThreshold",
        ),
        (
            json!({"analysis": {"stepWeight": 5, "failuresOf": {"n": 4, "m": 3}}}),
            "analysis.failuresOf",
        ),
        (
            json!({"analysis": {"stepWeight": 5, "onInconclusive": {"then": "hold", "count": 3}}}),
            "analysis.onInconclusive",
        ),
        (
            json!({"analysis": {"stepWeight": 5, "metrics": [{"name": "x", "thresholdRange": {"max": 1}}]}}),
            "analysis.metrics[0].name",
        ),
        (
            json!({"analysis": {"stepWeight": 5, "metrics": [{"name": "request-duration"}]}}),
            "analysis.metrics[0].thresholdRange",
        ),
        (
            json!({"analysis": {"stepWeight": 5, "metrics": [{"name": "request-duration", "compareTo": "primary"}]}}),
            "analysis.metrics[0].compareTo",
        ),
        (
            json!({"analysis": {"stepWeight": 5, "webhooks": [{"name": "h", "url": "tester:80"}]}}),
            "analysis.webhooks[0].url",
        ),
        (
            json!({"progressDeadlineSeconds": 0}),
            "progressDeadlineSeconds",
        ),
    ];
    for (value, field) in rows {
        let problems = spec(value.clone()).validate();
        assert!(fields(&problems).contains(&field), "{value}: {problems:?}");
        assert!(problems.iter().all(|problem| !problem.remedy.is_empty()));
    }
}

#[test]
fn a_document_finds_its_templates_by_name_space_first() {
    let template = |query: &str| MetricTemplateSpec {
        query: query.to_owned(),
        ..MetricTemplateSpec::default()
    };
    let document = CanaryDocument {
        templates: [
            ("latency".to_owned(), template("ours")),
            ("istio/latency".to_owned(), template("theirs")),
        ]
        .into(),
        ..CanaryDocument::default()
    };
    let wanted = |namespace: Option<&str>| TemplateRef {
        name: "latency".to_owned(),
        namespace: namespace.map(str::to_owned),
    };
    assert_eq!(
        document.template(&wanted(Some("istio"))).unwrap().query,
        "theirs"
    );
    assert_eq!(
        document.template(&wanted(Some("else"))).unwrap().query,
        "ours"
    );
    assert_eq!(document.template(&wanted(None)).unwrap().query, "ours");
    assert_eq!(fields(&document.unsupported()).len(), 2);
}

#[test]
fn durations_read_and_print_as_go_does() {
    for (text, millis, printed) in [
        ("30s", 30_000, "30s"),
        ("1m", 60_000, "1m"),
        ("1h30m", 5_400_000, "1h30m"),
        ("1.5s", 1_500, "1s500ms"),
        ("500ms", 500, "500ms"),
        ("90s", 90_000, "1m30s"),
        ("0", 0, "0s"),
    ] {
        let parsed: GoDuration = text.parse().unwrap();
        assert_eq!(parsed.0, Duration::from_millis(millis), "{text}");
        assert_eq!(parsed.to_string(), printed);
    }
    for text in [
        "",
        "s",
        "10",
        "1x",
        "1..5s",
        "-1s",
        "99999999999999999999h",
        "1m ",
    ] {
        assert!(text.parse::<GoDuration>().is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn any_text_is_a_duration_or_an_error(text in "\\PC{0,24}") {
        let _: Result<GoDuration, _> = text.parse();
    }

    #[test]
    fn a_duration_survives_printing(millis in 0u64..10_000_000_000) {
        let duration = GoDuration(Duration::from_millis(millis));
        prop_assert_eq!(duration.to_string().parse(), Ok(duration));
    }

    #[test]
    fn steps_grow_and_end_at_the_greatest_weight(step in 1u32..=100, most in 1u32..=100) {
        let analysis = Analysis { step_weight: Some(step), max_weight: Some(most), ..Analysis::default() };
        let steps = analysis.steps();
        prop_assert!(steps.windows(2).all(|pair| pair[0] < pair[1]));
        prop_assert_eq!(steps.last().map(|weight| u32::from(weight.get())), Some(most));
    }
}
