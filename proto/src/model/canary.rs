//! The Canary and MetricTemplate specs: Flagger's `.spec`, field by field, and what we add to it.
//!
//! Every field that Flagger 1.44 accepts parses (see `flagger.app/v1beta1`); unknown fields are
//! errors. What parses is not yet what can be done: [`CanarySpec::validate`] says what makes no
//! sense, [`CanarySpec::unsupported`] what is not yet supported. Nothing is silently ignored.

mod analysis;
mod duration;
mod metric;
mod problem;
mod refs;
mod service;
#[cfg(test)]
mod tests;
mod unsupported;
mod validate;
mod webhook;

use std::{collections::BTreeMap, time::Duration};

use serde::{Deserialize, Serialize};

pub use analysis::{
    Analysis, Deadlines, FailuresOf, InconclusiveThen, OnInconclusive, SessionAffinity,
};
pub use duration::{GoDuration, InvalidDuration};
pub use metric::{
    CompareTo, Direction, Metric, MetricProvider, MetricSource, MetricTemplateSpec, TemplateRef,
    ThresholdRange,
};
pub use problem::Problem;
pub use refs::{AutoscalerRef, ObjectRef, ScalerReplicas};
pub use service::Service;
pub use webhook::{Alert, AlertSeverity, Webhook, WebhookType};

/// Serde helper: false is left out of documents.
fn is_false(value: &bool) -> bool {
    !*value
}

/// Flagger's Canary `.spec`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CanarySpec {
    /// What sets the weights; the agent's own setting where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Where the built-in metrics and inline queries are asked; the agent's own setting where
    /// absent, and where that is absent too, the statistics of the proxies themselves.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub metrics_server: Option<String>,
    /// The workload. A plan names it itself, so it may be absent here.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_ref: Option<ObjectRef>,
    /// The scaler that is cloned for the primary.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub autoscaler_ref: Option<AutoscalerRef>,
    /// NGINX, Skipper: the Ingress.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ingress_ref: Option<ObjectRef>,
    /// APISIX: the ApisixRoute.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub route_ref: Option<ObjectRef>,
    /// Gloo: the Upstream whose settings are copied.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upstream_ref: Option<ObjectRef>,
    /// The services and routes made for the workload.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<Service>,
    /// How traffic is moved and what is checked.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub analysis: Option<Analysis>,
    /// How long a version may take to become ready; 600 where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress_deadline_seconds: Option<u32>,
    /// Promote without analysis; also so where `analysis` is absent.
    #[serde(default, skip_serializing_if = "is_false")]
    pub skip_analysis: bool,
    /// Give the objects back as they were when the Canary is deleted.
    #[serde(default, skip_serializing_if = "is_false")]
    pub revert_on_deletion: bool,
    /// Nothing advances; failures still retreat.
    #[serde(default, skip_serializing_if = "is_false")]
    pub suspend: bool,
}

impl CanarySpec {
    /// How long a version may take to become ready.
    pub fn progress_deadline(&self) -> Duration {
        Duration::from_secs(u64::from(self.progress_deadline_seconds.unwrap_or(600)))
    }

    /// Whether a change is promoted without analysis.
    pub fn skips_analysis(&self) -> bool {
        self.skip_analysis || self.analysis.is_none()
    }

    /// What makes no sense in this spec; empty if all is well.
    pub fn validate(&self) -> Vec<Problem> {
        validate::spec(self)
    }

    /// What makes sense and is not yet supported; empty if all of it can be done.
    pub fn unsupported(&self) -> Vec<Problem> {
        unsupported::spec(self)
    }
}

/// What an order carries of a canary: the spec and the metric templates it refers to, by name or
/// by `namespace/name`.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct CanaryDocument {
    /// The canary.
    pub spec: CanarySpec,
    /// Templates that travel with it; an agent's own configuration may hold more.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub templates: BTreeMap<String, MetricTemplateSpec>,
}

impl CanaryDocument {
    /// The template that a metric refers to, if it travels with the document.
    pub fn template(&self, wanted: &TemplateRef) -> Option<&MetricTemplateSpec> {
        let by_namespace = wanted
            .namespace
            .as_ref()
            .and_then(|namespace| self.templates.get(&format!("{namespace}/{}", wanted.name)));
        by_namespace.or_else(|| self.templates.get(&wanted.name))
    }

    /// What makes no sense, in the spec and in the templates.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = Problem::under("spec", self.spec.validate());
        for (name, template) in &self.templates {
            let field = format!("templates.{name}");
            problems.extend(Problem::under(&field, template.validate()));
        }
        problems
    }

    /// What is not yet supported, in the spec and in the templates.
    pub fn unsupported(&self) -> Vec<Problem> {
        let mut problems = Problem::under("spec", self.spec.unsupported());
        for (name, template) in &self.templates {
            let field = format!("templates.{name}");
            problems.extend(Problem::under(&field, template.unsupported()));
        }
        problems
    }
}
