//! Gates and soaks of a wave: conditions that must hold before it starts or ends.

use serde::{Deserialize, Serialize};

use super::Period;

/// The gates of a wave.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Gates {
    /// Before the wave starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub before: Vec<Gate>,
    /// Before the wave ends.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub after: Vec<Gate>,
}

impl Gates {
    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.before.is_empty() && self.after.is_empty()
    }
}

/// One condition.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub enum Gate {
    /// People say yes.
    Approval(ApprovalGate),
    /// A time of the week.
    Window(WindowGate),
    /// A query's answer is in range.
    Metric(MetricGate),
    /// Another system says yes.
    Webhook(WebhookGate),
    /// An expression holds.
    Cel(CelGate),
}

/// People say yes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ApprovalGate {
    /// Who may approve.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub groups: Vec<String>,
    /// How many must; 1 if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// Whether who started it may not approve it.
    #[serde(default)]
    pub not_author: bool,
    /// How long an approval is good for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires: Option<Period>,
}

/// A time of the week.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WindowGate {
    /// When it opens (RFC 5545).
    pub rrule: String,
    /// How long it stays open.
    pub duration: Period,
    /// The IANA time zone that `rrule` is read in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timezone: Option<String>,
}

/// A query's answer is in range.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct MetricGate {
    /// The hub's metric provider, by name.
    pub provider: String,
    /// The query.
    pub query: String,
    /// The smallest answer that opens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min: Option<f64>,
    /// The largest answer that opens it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max: Option<f64>,
}

/// Another system says yes.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WebhookGate {
    /// Who is asked.
    pub url: String,
    /// How long an answer may take.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<Period>,
}

/// An expression over the rollout and the fleet holds.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CelGate {
    /// The expression.
    pub expression: String,
}

/// How long a wave must have run well, by the clock and by evidence (S5).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Soak {
    /// By the clock, from the wave's last success.
    #[serde(default, rename = "for")]
    pub time: Period,
    /// By evidence: requests that the new version answered in this wave.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub min_requests: Option<u64>,
}

impl Soak {
    /// Whether nothing is asked for.
    pub fn is_none(&self) -> bool {
        self.time.is_zero() && self.min_requests.is_none()
    }
}
