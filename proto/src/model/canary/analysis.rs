//! `spec.analysis`: by which steps traffic moves, how often it is checked, and what ends it.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Alert, GoDuration, Metric, Webhook, is_false};
use crate::model::Weight;

/// Ours: n failed rounds of the last m end the canary.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct FailuresOf {
    /// Failures that end it.
    pub n: u32,
    /// Among this many last rounds.
    pub m: u32,
}

/// What follows rounds that could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InconclusiveThen {
    /// The weight stays; the step's deadline ends it.
    Hold,
    /// They end the canary, after a count in a row or after a time.
    Fail,
}

/// Ours: what follows rounds that could not be judged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct OnInconclusive {
    /// Hold or fail.
    pub then: InconclusiveThen,
    /// Fail after this many in a row; as many as `threshold` where neither this nor `after` is said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Fail after this long without a round that could be judged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<GoDuration>,
}

/// Ours: how long each stage may take. Time on hold does not count.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Deadlines {
    /// A closed confirm-rollout or confirm-promotion gate; 24 h where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gate: Option<GoDuration>,
    /// One step of the analysis; 1 h where absent, and never less than its checks need.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step: Option<GoDuration>,
    /// The promotion once its gate is open; the progress deadline and its steps where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promotion: Option<GoDuration>,
}

/// Cookies that keep a user on one version.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SessionAffinity {
    /// The canary's cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cookie_name: Option<String>,
    /// The primary's cookie.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_cookie_name: Option<String>,
    /// Domain attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// HttpOnly attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub http_only: Option<bool>,
    /// Max-Age attribute in seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_age: Option<i64>,
    /// Partitioned attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub partitioned: Option<bool>,
    /// Path attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub path: Option<String>,
    /// SameSite attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub same_site: Option<String>,
    /// Secure attribute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secure: Option<bool>,
}

/// How traffic is moved and what is checked.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Analysis {
    /// Time from one round to the next; 60 s where absent, at least 1 s.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<GoDuration>,
    /// Failed rounds over the whole run that end it; 1 where absent or not positive.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub threshold: Option<i64>,
    /// Blue/green, or A/B with `match`: rounds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iterations: Option<u32>,
    /// Promote when this weight was analysed; 100 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_weight: Option<u32>,
    /// Each step is this much more.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_weight: Option<u32>,
    /// The steps one by one; the last is the greatest weight.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub step_weights: Vec<u32>,
    /// Each step of the promotion is this much; 0 or absent: all at once.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub step_weight_promotion: Option<u32>,
    /// Copy requests to the canary before it gets its own.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mirror: bool,
    /// Share of requests that is copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror_weight: Option<u32>,
    /// A/B: requests that go to the canary.
    #[serde(default, rename = "match", skip_serializing_if = "Vec::is_empty")]
    pub matches: Vec<Value>,
    /// Share of the primary's replicas that must be ready, in per cent; 100 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary_ready_threshold: Option<u32>,
    /// Share of the canary's replicas that must be ready, in per cent; 100 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary_ready_threshold: Option<u32>,
    /// Keep a user on one version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session_affinity: Option<SessionAffinity>,
    /// What is measured.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metrics: Vec<Metric>,
    /// Whom it asks and tells.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub webhooks: Vec<Webhook>,
    /// Channels that are told.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub alerts: Vec<Alert>,
    /// Ours: this many failed rounds in a row end it, besides `threshold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub consecutive_failures: Option<u32>,
    /// Ours: n failed rounds of the last m end it, besides `threshold`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub failures_of: Option<FailuresOf>,
    /// Ours: rounds that must pass before a step ends; 1 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub success_threshold: Option<u32>,
    /// Ours: what follows rounds that could not be judged; unless told, as many in a row as
    /// `threshold` end it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_inconclusive: Option<OnInconclusive>,
    /// Ours: `minRequests` of every metric that says nothing itself; 1 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_requests: Option<u64>,
    /// Ours: how long each stage may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadlines: Option<Deadlines>,
}

impl Analysis {
    /// Time from one round to the next. Flagger clamps to 10 s; we to 1 s.
    pub fn interval(&self) -> Duration {
        let given = self
            .interval
            .map_or(Duration::from_secs(60), |given| given.0);
        given.max(Duration::from_secs(1))
    }

    /// Failed rounds that end the canary, at least 1.
    pub fn threshold(&self) -> u32 {
        self.threshold
            .and_then(|given| u32::try_from(given).ok())
            .unwrap_or(1)
            .max(1)
    }

    /// Rounds that must pass before a step ends, at least 1.
    pub fn success_threshold(&self) -> u32 {
        self.success_threshold.unwrap_or(1).max(1)
    }

    /// The weights of the canary's steps, ascending. Other than Flagger's, the last step of a
    /// `stepWeight` is cut to `maxWeight`.
    pub fn steps(&self) -> Vec<Weight> {
        let most = self.max_weight.unwrap_or(100).clamp(1, 100);
        match self.step_weight {
            Some(step) if step > 0 => {
                let mut weights = Vec::new();
                let mut weight = 0u32;
                while weight < most {
                    weight = weight.saturating_add(step).min(most);
                    weights.push(Weight::saturating(weight));
                }
                weights
            }
            Some(_) | None => self
                .step_weights
                .iter()
                .map(|&weight| Weight::saturating(weight))
                .collect(),
        }
    }

    /// Requests of the canary that a metric needs before it is judged.
    pub fn min_requests(&self, metric: &Metric) -> u64 {
        metric
            .min_requests
            .or(self.min_requests)
            .unwrap_or(1)
            .max(1)
    }
}
