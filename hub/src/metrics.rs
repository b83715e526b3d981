//! What the hub counts while it runs. It is cheap, and shared by those who count and by who shows it;
//! labels come from closed sets, so that the number of series is bounded whatever happens.

use std::sync::Arc;

use flagship_proto::process::metrics::SECONDS;
use prometheus_client::metrics::{counter::Counter, family::Family, histogram::Histogram};

/// One label from a closed set.
pub type Label = [(&'static str, &'static str); 1];
/// Method, route as the router knows it, and status of a request that was answered.
pub type Answered = [(&'static str, String); 3];

/// Counters and histograms; clones share them.
#[derive(Debug, Clone)]
pub struct Counters(Arc<Counting>);

/// See [`Counters`].
#[derive(Debug)]
pub struct Counting {
    /// Requests of people that were answered.
    pub answered: Family<Answered, Counter>,
    /// How long answers to people took, event streams up to their beginning.
    pub answer_seconds: Histogram,
    /// Decisions about rollouts, by their reason's word.
    pub decisions: Family<Label, Counter>,
    /// Decisions that were made again because another wrote in between.
    pub conflicts: Counter,
    /// How long one pass over all open rollouts took.
    pub pass_seconds: Histogram,
}

impl Default for Counters {
    fn default() -> Self {
        Self(Arc::new(Counting {
            answered: Family::default(),
            answer_seconds: seconds(),
            decisions: Family::default(),
            conflicts: Counter::default(),
            pass_seconds: seconds(),
        }))
    }
}

impl std::ops::Deref for Counters {
    type Target = Counting;

    fn deref(&self) -> &Counting {
        &self.0
    }
}

impl Counting {
    /// A decision was made, for a reason with this word.
    pub fn decided(&self, code: &'static str) {
        self.decisions.get_or_create(&[("code", code)]).inc();
    }

    /// A request was answered.
    pub fn answered(&self, method: &str, route: &str, status: u16, after: f64) {
        let labels = [
            ("method", method.to_owned()),
            ("route", route.to_owned()),
            ("status", status.to_string()),
        ];
        self.answered.get_or_create(&labels).inc();
        self.answer_seconds.observe(after);
    }
}

/// A histogram of seconds.
pub fn seconds() -> Histogram {
    Histogram::new(SECONDS)
}
