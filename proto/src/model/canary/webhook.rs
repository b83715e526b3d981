//! `analysis.webhooks[]` and `analysis.alerts[]`: whom a canary asks and tells.

use std::{collections::BTreeMap, fmt, time::Duration};

use serde::{Deserialize, Serialize};

use super::{GoDuration, ObjectRef, is_false};

/// When a hook is asked, by Flagger's names.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(rename_all = "kebab-case")]
pub enum WebhookType {
    /// Before a change is started: a gate.
    ConfirmRollout,
    /// Before the first traffic: a check.
    PreRollout,
    /// In every round of the analysis: a check.
    #[default]
    #[serde(alias = "")]
    Rollout,
    /// Before each step: a gate.
    ConfirmTrafficIncrease,
    /// Before the promotion: a gate.
    ConfirmPromotion,
    /// After the end, good or bad: told only.
    PostRollout,
    /// In every round: a success takes the change back.
    Rollback,
    /// On every event: told only.
    Event,
}

impl fmt::Display for WebhookType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::ConfirmRollout => "confirm-rollout",
            Self::PreRollout => "pre-rollout",
            Self::Rollout => "rollout",
            Self::ConfirmTrafficIncrease => "confirm-traffic-increase",
            Self::ConfirmPromotion => "confirm-promotion",
            Self::PostRollout => "post-rollout",
            Self::Rollback => "rollback",
            Self::Event => "event",
        })
    }
}

/// An HTTP endpoint that is asked or told.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Webhook {
    /// When; `rollout` where absent.
    #[serde(default, rename = "type")]
    pub kind: WebhookType,
    /// Its name; events and reasons use it.
    pub name: String,
    /// Where; http or https.
    pub url: String,
    /// Time for one try; 10 s where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Tries after the first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<u32>,
    /// Goes into the payload as it is.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub metadata: BTreeMap<String, String>,
    /// No alert while this gate is closed.
    #[serde(default, skip_serializing_if = "is_false")]
    pub mute_alert: bool,
    /// The server's certificate is not verified.
    #[serde(default, rename = "disableTLS", skip_serializing_if = "is_false")]
    pub disable_tls: bool,
}

impl Webhook {
    /// Time for one try.
    pub fn timeout(&self) -> Duration {
        self.timeout
            .map_or(Duration::from_secs(10), |given| given.0)
    }
}

/// From which severity on an alert is sent.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum AlertSeverity {
    /// All of them.
    #[default]
    #[serde(alias = "")]
    Info,
    /// Warnings and errors.
    Warn,
    /// Errors only.
    Error,
}

/// A channel that is told of a canary's life.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Alert {
    /// Its name.
    pub name: String,
    /// From which severity on.
    #[serde(default)]
    pub severity: AlertSeverity,
    /// The AlertProvider.
    pub provider_ref: ObjectRef,
}
