//! The built-in metrics from the proxies' own counters: rates over a window of samples that were
//! read while this process ran. A counter that went back, or a proxy that was started again inside
//! the window, is no data (traps 14, 15, 17).

use std::{collections::VecDeque, time::Duration};

use flagship_canary::{Measurement, Sample, Totals};
use flagship_proto::model::{Counts, Latency, Mono};

use super::Builtin;

/// How long samples are kept; windows longer than this are cut to it.
const KEPT: Duration = Duration::from_secs(600);

/// Least time between two samples that are kept.
const SPACING: Duration = Duration::from_millis(400);

/// Samples of the counters of one workload's versions, oldest first.
#[derive(Debug, Default)]
pub struct Samples(VecDeque<(Mono, Totals)>);

impl Samples {
    /// Adds what was read at `now`.
    pub fn add(&mut self, now: Mono, totals: Totals) {
        let close = |(at, kept): &(Mono, Totals)| {
            kept.proxy_started == totals.proxy_started
                && now.since(*at).is_some_and(|gap| gap < SPACING)
        };
        if self.0.len() > 1 && self.0.back().is_some_and(close) {
            return;
        }
        self.0.push_back((now, totals));
        while let Some((oldest, _)) = self.0.front() {
            if now.since(*oldest).is_some_and(|age| age <= KEPT) {
                break;
            }
            self.0.pop_front();
        }
    }

    /// Whether the last sample is older than `age`, so that another should be read.
    pub fn is_older_than(&self, now: Mono, age: Duration) -> bool {
        self.0
            .back()
            .and_then(|(at, _)| now.since(*at))
            .is_none_or(|gap| gap >= age)
    }

    /// What a metric was for two versions over the window that ended `delay` ago.
    pub fn measure(
        &self,
        builtin: Builtin,
        (canary, primary): (&str, Option<&str>),
        (window, delay): (Duration, Duration),
        now: Mono,
    ) -> Measurement {
        let Some((from, to)) = self.ends(window, delay, now) else {
            return no_data("the proxies' counters were not read twice in the window yet");
        };
        if from.proxy_started != to.proxy_started {
            return no_data("a proxy was started again in the window");
        }
        let canary = difference(from, to, canary);
        let primary = primary.map(|version| difference(from, to, version));
        let Some(canary) = canary else {
            return no_data("a counter went back in the window");
        };
        let primary = primary.flatten();
        Measurement {
            canary: value(builtin, &canary),
            primary: primary.as_ref().and_then(|sample| value(builtin, sample)),
            requests: Some(canary.counts.total),
            primary_requests: primary.map(|sample| sample.counts.total),
            error: None,
        }
    }

    /// The first sample inside the window and the last one that is not newer than its end.
    fn ends(&self, window: Duration, delay: Duration, now: Mono) -> Option<(&Totals, &Totals)> {
        let age = |at: &Mono| now.since(*at).unwrap_or(Duration::MAX);
        // The sample that began the window may lie a moment before it: samples have their spacing.
        let oldest = window.saturating_add(delay).saturating_add(SPACING / 2);
        let inside = |(at, _): &&(Mono, Totals)| age(at) <= oldest && age(at) >= delay;
        let (first_at, first) = self.0.iter().find(inside)?;
        let (last_at, last) = self.0.iter().rev().find(inside)?;
        (first_at != last_at).then_some((first, last))
    }
}

fn no_data(why: &str) -> Measurement {
    Measurement {
        error: Some(why.to_owned()),
        ..Measurement::default()
    }
}

/// What was added between two samples; none if a counter went back.
pub fn difference(from: &Totals, to: &Totals, version: &str) -> Option<Sample> {
    let nothing = Sample::default();
    let from = from.versions.get(version).unwrap_or(&nothing);
    let to = to.versions.get(version).unwrap_or(&nothing);
    let counts = Counts {
        total: to.counts.total.checked_sub(from.counts.total)?,
        bad: to.counts.bad.checked_sub(from.counts.bad)?,
    };
    let before = |bound: f64| {
        let same = |(upper, _): &&(f64, u64)| upper.total_cmp(&bound).is_eq();
        from.latency
            .buckets
            .iter()
            .find(same)
            .map_or(0, |(_, count)| *count)
    };
    let buckets = to
        .latency
        .buckets
        .iter()
        .map(|(upper, count)| {
            count
                .checked_sub(before(*upper))
                .map(|added| (*upper, added))
        })
        .collect::<Option<Vec<_>>>()?;
    Some(Sample {
        counts,
        latency: Latency { buckets },
    })
}

#[expect(
    clippy::cast_precision_loss,
    reason = "counts of requests stay far below 2^52"
)]
fn value(builtin: Builtin, sample: &Sample) -> Option<f64> {
    match builtin {
        Builtin::SuccessRate => {
            let Counts { total, bad } = sample.counts;
            (total > 0).then(|| 100.0 * (total.saturating_sub(bad)) as f64 / total as f64)
        }
        Builtin::Duration => quantile(0.99, &sample.latency),
    }
}

/// A quantile of a histogram in milliseconds, straight between the bounds of a bucket, as
/// Prometheus does it; above the last finite bound it is that bound.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of requests stay far below 2^52"
)]
pub fn quantile(q: f64, latency: &Latency) -> Option<f64> {
    let total = latency.buckets.last().map(|(_, count)| *count)?;
    if total == 0 {
        return None;
    }
    let rank = q * total as f64;
    let mut lower = (0.0, 0_u64);
    for (upper, count) in &latency.buckets {
        if *count as f64 >= rank {
            if upper.is_infinite() {
                return Some(lower.0);
            }
            let inside = count.saturating_sub(lower.1) as f64;
            let share = if inside > 0.0 {
                (rank - lower.1 as f64) / inside
            } else {
                1.0
            };
            return Some(lower.0 + (upper - lower.0) * share);
        }
        lower = (*upper, *count);
    }
    Some(lower.0)
}
