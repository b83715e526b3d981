//! Queries and answers; the answers are those that a real Prometheus 2.42 gives.

use std::time::Duration;

use flagship_canary::{Measurement, Sample, Totals};
use flagship_proto::model::{Counts, Latency, Mono};
use jiff::Timestamp;
use proptest::prelude::*;

use super::{prometheus::read, *};

fn answer(result: &str) -> Result<Answer, QueryError> {
    read(
        200,
        format!(r#"{{"status":"success","data":{result}}}"#).as_bytes(),
    )
}

#[test]
fn one_series_is_a_number_and_none_is_no_data() {
    let vector =
        |series: &str| answer(&format!(r#"{{"resultType":"vector","result":[{series}]}}"#));
    assert_eq!(
        vector(r#"{"metric":{"a":"b"},"value":[1700000000.1,"99.5"]}"#).unwrap(),
        Answer::Value(99.5)
    );
    assert_eq!(
        answer(r#"{"resultType":"scalar","result":[1700000000.1,"1"]}"#).unwrap(),
        Answer::Value(1.0)
    );
    assert!(matches!(vector("").unwrap(), Answer::NoData(_)));
    for not_finite in ["NaN", "+Inf", "-Inf"] {
        let series = format!(r#"{{"metric":{{}},"value":[1,"{not_finite}"]}}"#);
        assert!(
            matches!(vector(&series).unwrap(), Answer::NoData(_)),
            "{not_finite}"
        );
    }
}

#[test]
fn w18_several_series_are_an_error_and_not_the_last_one() {
    let one = r#"{"metric":{},"value":[1,"1"]}"#;
    let two = answer(&format!(
        r#"{{"resultType":"vector","result":[{one},{one}]}}"#
    ));
    assert!(two.unwrap_err().to_string().contains("2 series"));
}

#[test]
fn a_refusal_is_told_in_the_servers_words() {
    let body =
        br#"{"status":"error","errorType":"bad_data","error":"parse error: unexpected end"}"#;
    let error = read(400, body).unwrap_err();
    assert_eq!(
        error.to_string(),
        "prometheus answered 400: parse error: unexpected end"
    );
    assert!(
        read(502, b"<html>")
            .unwrap_err()
            .to_string()
            .contains("502")
    );
    assert!(answer(r#"{"resultType":"matrix","result":[]}"#).is_err());
}

#[test]
fn a_template_is_filled_and_an_unknown_name_is_an_error() {
    let given = Variables {
        namespace: "shop".into(),
        target: "checkout".into(),
        interval: Duration::from_secs(90),
        variables: [("code".to_owned(), "5..".to_owned())].into(),
        ..Variables::default()
    };
    let query = r#"sum(rate(m{ns="{{ namespace }}",app="{{target}}",code=~"{{ variables.code }}"}[{{ interval }}]))"#;
    let filled = render("errors", query, &given).unwrap();
    assert_eq!(
        filled,
        r#"sum(rate(m{ns="shop",app="checkout",code=~"5.."}[90s]))"#
    );
    let error = render("errors", "{{ nonsense }}", &given).unwrap_err();
    assert!(
        error.to_string().contains("metric template errors"),
        "{error}"
    );
    assert!(render("errors", "{{ variables.absent }}", &given).is_err());
}

#[test]
fn trap_13_failures_are_counted_against_completed_requests_of_one_version() {
    let query = envoy_query(
        Builtin::SuccessRate,
        "checkout@0a1b",
        Duration::from_secs(10),
    );
    assert!(
        query.contains(r#"upstream_rq_completed{envoy_cluster_name="checkout@0a1b"}[10000ms]"#)
    );
    assert!(!query.contains("upstream_rq_total"));
    let hostile = envoy_query(
        Builtin::Duration,
        "a\"} or vector(1",
        Duration::from_secs(1),
    );
    assert!(
        hostile.contains(r#"envoy_cluster_name="a\"} or vector(1""#),
        "{hostile}"
    );
}

fn totals(started: i64, total: u64, bad: u64) -> Totals {
    let sample = Sample {
        counts: Counts { total, bad },
        latency: Latency {
            buckets: vec![(10.0, total / 2), (100.0, total), (f64::INFINITY, total)],
        },
    };
    Totals {
        proxy_started: Timestamp::from_second(started).unwrap(),
        at: Timestamp::UNIX_EPOCH,
        versions: [("1.1.0".to_owned(), sample)].into(),
    }
}

fn at(millis: u64) -> Mono {
    Mono { run: 1, millis }
}

fn measure(samples: &Samples, builtin: Builtin, window: u64, now: u64) -> Measurement {
    let window = (Duration::from_millis(window), Duration::ZERO);
    samples.measure(builtin, ("1.1.0", Some("1.0.0")), window, at(now))
}

#[test]
fn a_rate_is_of_the_window_only_and_says_of_how_many_requests() {
    let mut samples = Samples::default();
    samples.add(at(0), totals(1, 100, 50));
    samples.add(at(2_000), totals(1, 200, 50));
    samples.add(at(4_000), totals(1, 300, 60));
    let last = measure(&samples, Builtin::SuccessRate, 2_000, 4_000);
    assert_eq!((last.canary, last.requests), (Some(90.0), Some(100)));
    let both = measure(&samples, Builtin::SuccessRate, 4_000, 4_000);
    assert_eq!((both.canary, both.requests), (Some(95.0), Some(200)));
    let slow = measure(&samples, Builtin::Duration, 4_000, 4_000)
        .canary
        .unwrap();
    assert!((98.0..=99.0).contains(&slow), "{slow}");
    let primary = measure(&samples, Builtin::SuccessRate, 4_000, 4_000);
    assert_eq!(
        (primary.primary, primary.primary_requests),
        (None, Some(0)),
        "zero samples are no rate"
    );
}

#[test]
fn trap_15_a_counter_that_went_back_and_a_new_proxy_are_no_data() {
    let mut samples = Samples::default();
    samples.add(at(0), totals(1, 100, 0));
    assert!(
        measure(&samples, Builtin::SuccessRate, 5_000, 1_000)
            .error
            .is_some(),
        "one sample"
    );
    samples.add(at(2_000), totals(1, 50, 0));
    assert!(
        measure(&samples, Builtin::SuccessRate, 5_000, 2_000)
            .error
            .is_some(),
        "went back"
    );
    samples.add(at(4_000), totals(2, 500, 0));
    assert!(
        measure(&samples, Builtin::SuccessRate, 5_000, 4_000)
            .error
            .is_some(),
        "new proxy"
    );
}

proptest! {
    #[test]
    fn no_answer_makes_the_reader_panic(status in any::<u16>(), body in proptest::collection::vec(any::<u8>(), 0..300)) {
        let _ = read(status, &body);
    }

    #[test]
    fn no_template_makes_the_renderer_panic(query in ".{0,80}") {
        let _ = render("t", &query, &Variables::default());
    }
}
