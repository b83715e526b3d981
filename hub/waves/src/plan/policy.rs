//! What a plan says about failure, lost clusters, traffic at risk and differences between clusters.

use flagship_proto::model::{OnDisconnect, Selector};
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Amount, Period};

/// What differs for some clusters (S17).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Override {
    /// For whom.
    pub clusters: Selector,
    /// Merged over the plan's canary.
    pub canary: Value,
}

/// How much may be at risk at once.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Budget {
    /// Share of the fleet's traffic on a version that has not soaked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Amount>,
    /// Clusters per value of a label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub per_label: Option<PerLabel>,
}

/// At most so many clusters that share a value of a label.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PerLabel {
    /// The label.
    pub key: String,
    /// How many.
    pub max: u32,
}

/// When clusters fail.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct OnFailure {
    /// So many failed clusters are borne; they are listed as skipped.
    #[serde(default)]
    pub max_failures: u32,
    /// What follows when there are more.
    #[serde(default)]
    pub then: Then,
}

/// What follows when too many clusters failed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Then {
    /// Clusters in flight hold; a person decides (S7).
    Halt,
    /// The clusters of this wave go back; earlier waves stay.
    RetreatWave,
    /// All clusters of the rollout go back.
    #[default]
    RetreatAll,
}

/// What an agent does when its lease ends, as people write it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct DisconnectPolicy {
    /// How long a lease lasts; the hub's own length if left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lease: Option<Period>,
    /// What follows.
    #[serde(default)]
    pub then: WhenDisconnected,
    /// With `retreat`: after how long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Period>,
}

/// The three choices for a lease that ends.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum WhenDisconnected {
    /// The weight stays.
    #[default]
    Hold,
    /// Unfinished canaries go back after a time.
    Retreat,
    /// Goes on until the order ends (P6).
    Continue,
}

impl DisconnectPolicy {
    /// As orders say it.
    pub fn to_model(self) -> OnDisconnect {
        match self.then {
            WhenDisconnected::Hold => OnDisconnect::Hold,
            WhenDisconnected::Retreat => OnDisconnect::Retreat {
                after_ms: u64::try_from(self.after.unwrap_or_default().get().as_millis())
                    .unwrap_or(u64::MAX),
            },
            WhenDisconnected::Continue => OnDisconnect::Continue,
        }
    }
}

/// When a cluster is not heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Unreachable {
    /// How long it is waited for.
    #[serde(default = "ten_minutes")]
    pub wait: Period,
    /// What follows.
    #[serde(default)]
    pub then: OnUnreachable,
    /// How many of a wave must be reached.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub quorum: Option<Amount>,
}

/// What follows when a cluster was waited for in vain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnUnreachable {
    /// It counts as failed.
    #[default]
    Fail,
    /// It is left out, listed, and catches up later.
    Skip,
}

fn ten_minutes() -> Period {
    Period::from_secs(600)
}

impl Default for Unreachable {
    fn default() -> Self {
        Self {
            wait: ten_minutes(),
            then: OnUnreachable::default(),
            quorum: None,
        }
    }
}
