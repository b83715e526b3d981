//! The Plan document (`flagship apply -f`): how a workload is released over the fleet.
//!
//! These types are the schema: field names, what is required, what may be left out. What is
//! well-formed but makes no sense, or is not supported yet, is said by [`lint_offline`] and
//! [`lint_members`]; a plan that reached the store has passed both.

mod amount;
mod change;
mod gate;
mod lint;
mod parse;
mod period;
mod policy;
mod source;

#[cfg(test)]
mod tests;

use std::time::Duration;

use flagship_proto::{
    digest::Digest,
    model::{
        CanaryDocument, CanarySpec, Labels, MetricTemplateSpec, PlanName, PlanRef, ProjectName,
        Selector, WaveName, WorkloadRef, lease, order::OnDisconnect,
    },
};
use serde::{Deserialize, Serialize};

pub use amount::Amount;
pub use change::ChangeSpec;
pub use gate::{ApprovalGate, CelGate, Gate, Gates, MetricGate, Soak, WebhookGate, WindowGate};
pub use lint::{Finding, Severity, has_errors, lint_members, lint_offline};
pub use parse::{MAX_PLAN_BYTES, check_plan, locate, parse_plan};
pub use period::{InvalidPeriod, Period};
pub use policy::{
    Budget, DisconnectPolicy, OnFailure, OnUnreachable, Override, PerLabel, Then, Unreachable,
    WhenDisconnected,
};

/// A plan as people write it, with every default filled in.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Plan {
    /// The schema's name and version.
    pub api_version: ApiVersion,
    /// Always `Plan`.
    pub kind: Kind,
    /// Whose it is and what it is called.
    pub metadata: Metadata,
    /// What it does.
    pub spec: PlanSpec,
}

/// The only version of the schema so far.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum ApiVersion {
    /// `flagship.dev/v1`.
    #[default]
    #[serde(rename = "flagship.dev/v1")]
    V1,
}

/// The kind of document.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Kind {
    /// A plan.
    #[default]
    Plan,
}

/// Whose plan it is and what it is called.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Metadata {
    /// The owner's name space on the hub.
    pub project: ProjectName,
    /// The plan's name inside its project.
    pub name: PlanName,
    /// For people and policies.
    #[serde(default, skip_serializing_if = "Labels::is_empty")]
    pub labels: Labels,
    /// Groups that own it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub owners: Vec<String>,
    /// How much it matters, in the owner's words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tier: Option<String>,
    /// What on-call reads when it goes wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub runbook: Option<String>,
}

/// What a plan does.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct PlanSpec {
    /// What is released.
    pub workload: Target,
    /// What about it changes.
    pub change: ChangeSpec,
    /// A Flagger Canary spec.
    pub canary: CanarySpec,
    /// Metric templates that the canary's metrics name; they travel with it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub metric_templates: Vec<NamedTemplate>,
    /// The name of a Strategy that fills what this plan leaves out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub strategy: Option<String>,
    /// What differs by cluster.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub overrides: Vec<Override>,
    /// Clusters in order; each wave waits for the one before.
    #[serde(default)]
    pub waves: Vec<Wave>,
    /// How much of the fleet's traffic may be at risk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// What follows when clusters fail.
    #[serde(default)]
    pub on_failure: OnFailure,
    /// False for a one-way migration.
    #[serde(default = "yes")]
    pub reversible: bool,
    /// What an agent does when its lease ends.
    #[serde(default)]
    pub on_disconnect: DisconnectPolicy,
    /// What the hub does about a cluster that it does not hear.
    #[serde(default)]
    pub unreachable: Unreachable,
    /// How long the rollout may take; pauses and freezes are left out (P28).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Period>,
}

/// The workload, in three fields.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Target {
    /// The name space that it is in.
    pub namespace: String,
    /// Its kind, as Kubernetes writes it.
    pub kind: String,
    /// Its name.
    pub name: String,
}

/// A metric template under the name that the canary's metrics use.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NamedTemplate {
    /// The name.
    pub name: String,
    /// Flagger's MetricTemplate spec.
    pub spec: MetricTemplateSpec,
}

/// Some clusters, and how they are gone through.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wave {
    /// Its name, unique in the plan.
    pub name: WaveName,
    /// Which clusters; of those that no earlier wave has. `{}` is whatever is left.
    pub clusters: Selector,
    /// How many at once: a number or a percentage of the wave, rounded down, at least 1 (S18).
    #[serde(default)]
    pub max_concurrent: Amount,
    /// What must hold before it starts and before it ends.
    #[serde(default, skip_serializing_if = "Gates::is_empty")]
    pub gates: Gates,
    /// How long it must have run well before the next wave starts.
    #[serde(default, skip_serializing_if = "Soak::is_none")]
    pub soak: Soak,
}

/// How long a Run order is good for when the plan has no deadline (P13).
const ORDER_LIFETIME: Duration = Duration::from_secs(24 * 60 * 60);

fn yes() -> bool {
    true
}

impl Plan {
    /// The plan by project and name.
    pub fn id(&self) -> PlanRef {
        PlanRef {
            project: self.metadata.project.clone(),
            name: self.metadata.name.clone(),
        }
    }

    /// The workload; lint has checked its three parts.
    pub fn workload(&self) -> Result<WorkloadRef, flagship_proto::model::InvalidId> {
        let Target {
            namespace,
            kind,
            name,
        } = &self.spec.workload;
        WorkloadRef::new(namespace, kind, name)
    }

    /// The canary as orders carry it: the spec and the templates that travel with it.
    pub fn canary_document(&self) -> CanaryDocument {
        CanaryDocument {
            spec: self.spec.canary.clone(),
            templates: self
                .spec
                .metric_templates
                .iter()
                .map(|template| (template.name.clone(), template.spec.clone()))
                .collect(),
        }
    }

    /// SHA-256 of the plan in canonical JSON, defaults written out.
    pub fn digest(&self) -> Digest {
        Digest::of_document(self).expect("a plan is maps, lists, texts and finite numbers")
    }

    /// The lease length that each order names (S10).
    pub fn lease(&self) -> Duration {
        self.spec
            .on_disconnect
            .lease
            .map_or(lease::DEFAULT_LEASE, |lease| lease.get())
    }

    /// What each order says about a lease that ends.
    pub fn on_disconnect(&self) -> OnDisconnect {
        self.spec.on_disconnect.to_model()
    }

    /// How long a Run order is good for; the engine writes it again before that.
    pub fn order_lifetime(&self) -> Duration {
        self.spec
            .deadline
            .map_or(ORDER_LIFETIME, |deadline| deadline.get())
    }
}
