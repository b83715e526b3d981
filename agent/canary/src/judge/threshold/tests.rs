//! The judge as a table.

use flagship_proto::model::canary::Metric;
use proptest::prelude::*;
use serde_json::json;

use super::*;

fn metric(value: serde_json::Value) -> Metric {
    serde_json::from_value(value).unwrap()
}

fn answer(canary: impl Into<Option<f64>>, requests: impl Into<Option<u64>>) -> Measurement {
    Measurement {
        canary: canary.into(),
        requests: requests.into(),
        ..Measurement::default()
    }
}

fn both(canary: f64, primary: f64) -> Measurement {
    Measurement {
        canary: Some(canary),
        primary: Some(primary),
        requests: Some(50),
        primary_requests: Some(500),
        error: None,
    }
}

#[test]
fn a_value_is_held_against_its_range_with_both_ends_in_it() {
    let rate = metric(json!({"name": "request-success-rate", "thresholdRange": {"min": 99}}));
    let slow = metric(json!({"name": "request-duration", "thresholdRange": {"max": 500}}));
    let old = metric(json!({"name": "request-success-rate", "threshold": 99}));
    let rows = [
        (
            &rate,
            answer(99.0, 10),
            Verdict::Pass,
            "request-success-rate: 99 >= 99 (10 requests)",
        ),
        (
            &rate,
            answer(98.999, 10),
            Verdict::Fail,
            "request-success-rate: 98.999 < 99 (10 requests)",
        ),
        (
            &slow,
            answer(500.0, None),
            Verdict::Pass,
            "request-duration: 500 <= 500",
        ),
        (
            &slow,
            answer(500.5, None),
            Verdict::Fail,
            "request-duration: 500.5 > 500",
        ),
        (
            &old,
            answer(98.0, 10),
            Verdict::Fail,
            "request-success-rate: 98 < 99 (10 requests)",
        ),
    ];
    for (metric, measured, verdict, words) in rows {
        let judged = judge(metric, 1, &measured);
        assert_eq!(
            (judged.verdict, judged.to_string().as_str()),
            (verdict, words)
        );
    }
}

#[test]
fn what_is_missing_is_inconclusive() {
    let rate = metric(json!({"name": "request-success-rate", "thresholdRange": {"min": 99}}));
    let picky =
        metric(json!({"name": "m", "query": "q", "thresholdRange": {"max": 1}, "minRequests": 5}));
    let failed = Measurement {
        error: Some("timed out".to_owned()),
        ..answer(100.0, 10)
    };
    let rows = [
        (
            &rate,
            answer(None, 10),
            "request-success-rate: no values found for the canary (10 requests)",
        ),
        (
            &rate,
            answer(f64::NAN, 10),
            "request-success-rate: no values found for the canary (10 requests)",
        ),
        (
            &rate,
            answer(0.0, 3),
            "request-success-rate: the canary had 3 requests, at least 4 are needed (3 requests)",
        ),
        (
            &rate,
            failed,
            "request-success-rate: no answer: timed out (10 requests)",
        ),
        (
            &picky,
            answer(0.5, None),
            "m: the number of requests is not known, and 4 are needed",
        ),
    ];
    for (metric, measured, words) in rows {
        let judged = judge(metric, 4, &measured);
        assert_eq!(
            (judged.verdict, judged.to_string().as_str()),
            (Verdict::Inconclusive, words)
        );
    }
}

#[test]
fn a_value_is_held_against_the_primary() {
    let ratio =
        metric(json!({"name": "request-duration", "compareTo": "primary", "maxRatio": 1.5}));
    let delta =
        metric(json!({"name": "request-success-rate", "compareTo": "primary", "maxDelta": 1}));
    let lower = metric(
        json!({"name": "sales", "query": "q", "direction": "decrease", "compareTo": "primary", "maxRatio": 2}),
    );
    let rows = [
        (&ratio, both(150.0, 100.0), Verdict::Pass),
        (&ratio, both(151.0, 100.0), Verdict::Fail),
        (&ratio, both(0.0, 0.0), Verdict::Pass),
        (&ratio, both(1.0, 0.0), Verdict::Fail),
        (&delta, both(99.0, 100.0), Verdict::Pass),
        (&delta, both(98.5, 100.0), Verdict::Fail),
        (&delta, both(100.0, 50.0), Verdict::Pass),
        (&lower, both(50.0, 100.0), Verdict::Pass),
        (&lower, both(49.0, 100.0), Verdict::Fail),
        (
            &ratio,
            Measurement {
                primary: None,
                ..both(1.0, 0.0)
            },
            Verdict::Inconclusive,
        ),
        (
            &ratio,
            Measurement {
                primary_requests: Some(0),
                ..both(1.0, 1.0)
            },
            Verdict::Inconclusive,
        ),
    ];
    for (metric, measured, verdict) in rows {
        let judged = judge(metric, 1, &measured);
        assert_eq!(judged.verdict, verdict, "{judged}");
    }
    assert_eq!(
        judge(&delta, 1, &both(98.5, 100.0)).to_string(),
        "request-success-rate: 98.5 against the primary's 100: worse by 1.5, at most 1 (50 requests)"
    );
}

proptest! {
    #[test]
    fn zero_samples_never_pass(value in proptest::option::of(any::<f64>()), primary in proptest::option::of(any::<f64>()), least in 0u64..5) {
        let compared = metric(json!({"name": "request-success-rate", "thresholdRange": {"min": 1}, "compareTo": "primary", "maxRatio": 2}));
        let measured = Measurement { canary: value, primary, requests: Some(0), primary_requests: Some(10), error: None };
        prop_assert_eq!(judge(&compared, least, &measured).verdict, Verdict::Inconclusive);
        let nothing = Measurement::default();
        prop_assert_eq!(judge(&compared, least, &nothing).verdict, Verdict::Inconclusive);
    }
}
