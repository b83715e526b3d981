//! A page of metrics, as Prometheus reads it (OpenMetrics text): put together at each scrape from what
//! counts on and from what is true at the moment. Labels are from closed sets only.

mod host;

use std::fmt;

use prometheus_client::{
    collector::Collector,
    encoding::{DescriptorEncoder, MetricEncoder, text},
    metrics::MetricType,
    registry::{Metric, Registry},
};

/// Labels of one series: names and values.
pub type Labels = Vec<(&'static str, String)>;

/// The content type of a page.
pub const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Bounds of histograms of seconds, from half a millisecond to ten seconds.
pub const SECONDS: [f64; 14] = [
    0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0,
];

/// One page. What is added appears in this order, after what every process says of itself.
#[derive(Debug)]
pub struct Page {
    registry: Registry,
    prefix: &'static str,
    lines: Vec<Line>,
}

/// One metric with the values of this moment.
#[derive(Debug)]
struct Line {
    name: String,
    help: &'static str,
    kind: MetricType,
    series: Vec<(Labels, f64)>,
}

impl Page {
    /// A page of a program, whose name stands before every metric of its own.
    pub fn new(prefix: &'static str, version: &'static str) -> Self {
        let mut page = Self {
            registry: Registry::with_prefix(prefix),
            prefix,
            lines: host::lines(),
        };
        let labels = vec![("version", version.to_owned())];
        page.series(
            "build_info",
            "The version that runs; always 1.",
            MetricType::Gauge,
            [(labels, 1.0)],
        );
        page
    }

    /// A value that goes up and down.
    pub fn gauge(&mut self, name: &str, help: &'static str, value: f64) {
        self.series(name, help, MetricType::Gauge, [(Vec::new(), value)]);
    }

    /// Values by labels.
    pub fn gauges(
        &mut self,
        name: &str,
        help: &'static str,
        series: impl IntoIterator<Item = (Labels, f64)>,
    ) {
        self.series(name, help, MetricType::Gauge, series);
    }

    /// Counts by labels that only grow while the process runs; `_total` is added to the name.
    pub fn counters(
        &mut self,
        name: &str,
        help: &'static str,
        series: impl IntoIterator<Item = (Labels, u64)>,
    ) {
        let series = series.into_iter();
        let series = series.map(|(labels, value)| (labels, counted(value)));
        self.series(name, help, MetricType::Counter, series);
    }

    /// A count that only grows while the process runs.
    pub fn counter(&mut self, name: &str, help: &'static str, value: u64) {
        self.counters(name, help, [(Vec::new(), value)]);
    }

    /// Something that counts by itself: a clone of it is read when the page is written.
    pub fn live(&mut self, name: &str, help: &str, metric: impl Metric) {
        // The library ends the sentence.
        self.registry
            .register(name, help.trim_end_matches('.'), metric);
    }

    fn series(
        &mut self,
        name: &str,
        help: &'static str,
        kind: MetricType,
        series: impl IntoIterator<Item = (Labels, f64)>,
    ) {
        self.lines.push(Line {
            name: format!("{}_{name}", self.prefix),
            help,
            kind,
            series: series.into_iter().collect(),
        });
    }

    /// The text.
    pub fn text(self) -> String {
        let mut whole = Registry::default();
        whole.register_collector(Box::new(Lines(self.lines)));
        let mut page = String::new();
        // Writing to a text cannot fail.
        let _ = text::encode_registry(&mut page, &whole);
        let _ = text::encode_registry(&mut page, &self.registry);
        let _ = text::encode_eof(&mut page);
        page
    }
}

/// A count as a number of the text; exact up to 2^53.
#[expect(
    clippy::cast_precision_loss,
    reason = "counts of one process stay far below 2^53"
)]
pub fn counted(value: u64) -> f64 {
    value as f64
}

/// How many there are, as [`counted`].
pub fn size(number: usize) -> f64 {
    counted(u64::try_from(number).unwrap_or(u64::MAX))
}

/// 1 while it is so, else 0.
pub fn yes(is: bool) -> f64 {
    f64::from(u8::from(is))
}

#[derive(Debug)]
struct Lines(Vec<Line>);

impl Collector for Lines {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        for line in &self.0 {
            let mut metric = encoder.encode_descriptor(&line.name, line.help, None, line.kind)?;
            for (labels, value) in &line.series {
                if labels.is_empty() {
                    put(&mut metric, line.kind, *value)?;
                } else {
                    put(&mut metric.encode_family(labels)?, line.kind, *value)?;
                }
            }
        }
        Ok(())
    }
}

fn put(metric: &mut MetricEncoder<'_>, kind: MetricType, value: f64) -> fmt::Result {
    if matches!(kind, MetricType::Counter) {
        metric.encode_counter::<Labels, f64, f64>(&value, None)
    } else {
        metric.encode_gauge(&value)
    }
}

#[cfg(test)]
mod tests {
    use prometheus_client::metrics::histogram::Histogram;

    use super::*;

    #[test]
    fn a_page_holds_what_is_true_now_and_what_counts_on() {
        let seconds = Histogram::new(SECONDS);
        seconds.observe(0.02);
        let mut page = Page::new("flagship_test", "1.2.3");
        page.gauge("sessions", "Streams that are open.", 7.0);
        page.counters(
            "words",
            "By kind.",
            [(vec![("kind", "a\"b".to_owned())], 3)],
        );
        page.live("store_commit_seconds", "Commits.", seconds);
        let text = page.text();
        for line in [
            "flagship_test_build_info{version=\"1.2.3\"} 1.0",
            "# TYPE flagship_test_sessions gauge",
            "flagship_test_sessions 7.0",
            "flagship_test_words_total{kind=\"a\\\"b\"} 3.0",
            "flagship_test_store_commit_seconds_bucket{le=\"0.025\"} 1",
            "flagship_test_store_commit_seconds_count 1",
        ] {
            assert!(text.lines().any(|found| found == line), "{line}\n{text}");
        }
        for own in [
            "process_resident_memory_bytes",
            "process_open_fds",
            "process_cpu_seconds_total",
            "process_start_time_seconds",
        ] {
            let found = text.lines().find(|line| line.starts_with(own));
            let value = found.and_then(|line| line.rsplit_once(' ')).unwrap().1;
            assert!(value.parse::<f64>().unwrap() >= 0.0, "{own}");
        }
        assert!(text.ends_with("# EOF\n"));
        assert_eq!(text.matches("# EOF").count(), 1);
    }
}
