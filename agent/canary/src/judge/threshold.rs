//! Judge `threshold`: a value in its range (Flagger's), and a value held against the primary's.

use flagship_proto::{
    model::canary::{Direction, Metric},
    words::count,
};

use super::{Judgement, Verdict};
use crate::observation::Measurement;

/// Judges one answer. Missing values, errors and too few requests are Inconclusive, never a pass.
pub fn judge(metric: &Metric, min_requests: u64, measured: &Measurement) -> Judgement {
    let (verdict, rule) = decide(metric, min_requests, measured);
    Judgement {
        metric: metric.name.clone(),
        verdict,
        canary: measured.canary,
        primary: measured.primary,
        requests: measured.requests,
        rule,
    }
}

fn decide(metric: &Metric, min_requests: u64, measured: &Measurement) -> (Verdict, String) {
    let unclear = |words: String| (Verdict::Inconclusive, words);
    if let Some(error) = &measured.error {
        return unclear(format!("no answer: {error}"));
    }
    if let Some(few) = too_few("the canary", measured.requests, min_requests) {
        return unclear(few);
    }
    if measured.requests.is_none() && metric.min_requests.is_some() {
        return unclear(format!(
            "the number of requests is not known, and {min_requests} are needed"
        ));
    }
    let Some(value) = measured.canary.filter(|value| value.is_finite()) else {
        return unclear("no values found for the canary".to_owned());
    };
    let range = metric.range();
    if let Some(min) = range.min.filter(|&min| value < min) {
        return (
            Verdict::Fail,
            format!("{} < {}", number(value), number(min)),
        );
    }
    if let Some(max) = range.max.filter(|&max| value > max) {
        return (
            Verdict::Fail,
            format!("{} > {}", number(value), number(max)),
        );
    }
    if metric.compare_to.is_some() {
        return compare(metric, min_requests, measured, value);
    }
    (Verdict::Pass, in_range(value, range.min, range.max))
}

fn compare(
    metric: &Metric,
    min_requests: u64,
    measured: &Measurement,
    value: f64,
) -> (Verdict, String) {
    if let Some(few) = too_few("the primary", measured.primary_requests, min_requests) {
        return (Verdict::Inconclusive, few);
    }
    let Some(base) = measured.primary.filter(|value| value.is_finite()) else {
        return (
            Verdict::Inconclusive,
            "no values found for the primary".to_owned(),
        );
    };
    let (worse, better) = match metric.worsens() {
        Direction::Increase => (value, base),
        Direction::Decrease => (base, value),
    };
    let both = format!("{} against the primary's {}", number(value), number(base));
    if let Some(most) = metric.max_delta.filter(|&most| worse - better > most) {
        let delta = number(worse - better);
        return (
            Verdict::Fail,
            format!("{both}: worse by {delta}, at most {}", number(most)),
        );
    }
    // Multiplied, not divided: a primary at zero is then held to zero, and 0 against 0 is equal.
    if let Some(most) = metric.max_ratio.filter(|&most| worse > better * most) {
        return (
            Verdict::Fail,
            format!("{both}: more than {} times worse", number(most)),
        );
    }
    (Verdict::Pass, both)
}

fn too_few(who: &str, requests: Option<u64>, least: u64) -> Option<String> {
    let seen = requests?;
    let had = || count(seen, "request");
    (seen < least.max(1)).then(|| format!("{who} had {}, at least {least} are needed", had()))
}

fn in_range(value: f64, min: Option<f64>, max: Option<f64>) -> String {
    match (min, max) {
        (Some(min), Some(max)) => {
            format!(
                "{} is from {} to {}",
                number(value),
                number(min),
                number(max)
            )
        }
        (Some(min), None) => format!("{} >= {}", number(value), number(min)),
        (None, Some(max)) => format!("{} <= {}", number(value), number(max)),
        (None, None) => number(value),
    }
}

/// A number with at most three places after the point.
fn number(value: f64) -> String {
    let text = format!("{value:.3}");
    if text.contains('.') {
        return text.trim_end_matches('0').trim_end_matches('.').to_owned();
    }
    text
}

#[cfg(test)]
mod tests;
