//! `analysis.metrics[]` and MetricTemplate: what is measured, and what a good answer is.

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

use super::{GoDuration, ObjectRef, is_false};

/// The range of a good answer, both ends in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ThresholdRange {
    /// At least.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// At most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// What an answer is held against, besides a range.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum CompareTo {
    /// The primary, measured in the same window.
    Primary,
}

/// Which way a metric gets worse.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Direction {
    /// A higher answer is worse (errors, latency).
    Increase,
    /// A lower answer is worse (success rate, sales).
    Decrease,
}

/// A MetricTemplate by name.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TemplateRef {
    /// Its name.
    pub name: String,
    /// Its name space; the Canary's own where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub namespace: Option<String>,
}

/// What answers a metric.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum MetricSource<'a> {
    /// Built in: share of requests without a server's failure, in per cent.
    SuccessRate,
    /// Built in: 99th percentile of the requests' duration, in milliseconds.
    Duration,
    /// The PromQL text in the metric itself.
    Query(&'a str),
    /// A template.
    Template(&'a TemplateRef),
}

/// One thing that is checked in each round of the analysis.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metric {
    /// `request-success-rate`, `request-duration`, or a name of one's own.
    pub name: String,
    /// The window of the query; 1 m where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<GoDuration>,
    /// Deprecated by Flagger: least success rate, or most of anything else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<f64>,
    /// The range of a good answer.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold_range: Option<ThresholdRange>,
    /// Deprecated by Flagger: PromQL in place of a template.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub query: Option<String>,
    /// The template that holds the query.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template_ref: Option<TemplateRef>,
    /// What the template's `variables` are.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub template_variables: BTreeMap<String, String>,
    /// Ours: hold the answer against the primary's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub compare_to: Option<CompareTo>,
    /// Ours: how many times worse than the primary's answer it may be: canary to primary where it
    /// gets worse by increase, primary to canary where by decrease.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_ratio: Option<f64>,
    /// Ours: the canary's answer may be worse than the primary's by at most this much.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_delta: Option<f64>,
    /// Ours: which way it gets worse; known for the built-in ones, `increase` where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub direction: Option<Direction>,
    /// Ours: with fewer requests of the canary in the window the answer is inconclusive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_requests: Option<u64>,
    /// Ours: how late the data arrives. A step is not judged before its own window can have arrived.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delay: Option<GoDuration>,
}

impl Metric {
    /// Name of the built-in success rate.
    pub const SUCCESS_RATE: &'static str = "request-success-rate";
    /// Name of the built-in duration.
    pub const DURATION: &'static str = "request-duration";

    /// What answers it; none if it is neither built in nor has a template or a query.
    pub fn source(&self) -> Option<MetricSource<'_>> {
        if let Some(template) = &self.template_ref {
            return Some(MetricSource::Template(template));
        }
        if let Some(query) = &self.query {
            return Some(MetricSource::Query(query));
        }
        match self.name.as_str() {
            Self::SUCCESS_RATE => Some(MetricSource::SuccessRate),
            Self::DURATION => Some(MetricSource::Duration),
            _ => None,
        }
    }

    /// The window of the query.
    pub fn window(&self) -> Duration {
        self.interval
            .map_or(Duration::from_secs(60), |given| given.0)
    }

    /// How late its data arrives.
    pub fn delay(&self) -> Duration {
        self.delay.map_or(Duration::ZERO, |given| given.0)
    }

    /// The range of a good answer, the deprecated form included.
    pub fn range(&self) -> ThresholdRange {
        let old = match (self.threshold, self.source()) {
            (Some(least), Some(MetricSource::SuccessRate)) => ThresholdRange {
                min: Some(least),
                max: None,
            },
            (Some(most), _) => ThresholdRange {
                min: None,
                max: Some(most),
            },
            (None, _) => ThresholdRange::default(),
        };
        self.threshold_range.unwrap_or(old)
    }

    /// Which way it gets worse.
    pub fn worsens(&self) -> Direction {
        let known = match self.source() {
            Some(MetricSource::SuccessRate) => Direction::Decrease,
            Some(MetricSource::Duration | MetricSource::Query(_) | MetricSource::Template(_))
            | None => Direction::Increase,
        };
        self.direction.unwrap_or(known)
    }
}

/// Where a template's query goes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricProvider {
    /// `prometheus` and others of Flagger's list.
    #[serde(rename = "type")]
    pub kind: String,
    /// Its address; the agent's metrics server where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// Headers of each request.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Vec<String>>,
    /// The secret with the credentials.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret_ref: Option<ObjectRef>,
    /// CloudWatch: the region.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub region: Option<String>,
    /// The server's certificate is not verified.
    #[serde(default, skip_serializing_if = "is_false")]
    pub insecure_skip_verify: bool,
}

/// Flagger's MetricTemplate `.spec`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricTemplateSpec {
    /// Where the query goes.
    pub provider: MetricProvider,
    /// The query; `{{ namespace }}`, `{{ target }}`, `{{ interval }}` and the like are filled in.
    pub query: String,
}
