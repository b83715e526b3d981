//! What a canary spec may say and no platform of ours does yet. It is refused, never ignored.

use super::{Analysis, CanarySpec, MetricTemplateSpec, Problem};

pub(super) fn spec(spec: &CanarySpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if let Some(provider) = &spec.provider
        && provider != "envoy"
    {
        problems.push(Problem::not_yet(
            "provider",
            &format!("provider {provider:?}"),
            "use envoy, or leave it out",
        ));
    }
    for (field, present) in [
        ("autoscalerRef", spec.autoscaler_ref.is_some()),
        ("ingressRef", spec.ingress_ref.is_some()),
        ("routeRef", spec.route_ref.is_some()),
        ("upstreamRef", spec.upstream_ref.is_some()),
        ("revertOnDeletion", spec.revert_on_deletion),
    ] {
        if present {
            problems.push(Problem::not_yet(field, field, "leave it out"));
        }
    }
    if let Some(service) = &spec.service {
        for name in service.mesh_fields() {
            problems.push(Problem::not_yet(
                format!("service.{name}"),
                name,
                "leave it out; listener and routes are in the agent's configuration",
            ));
        }
    }
    if let Some(found) = &spec.analysis {
        problems.extend(Problem::under("analysis", analysis(found)));
    }
    problems
}

fn analysis(analysis: &Analysis) -> Vec<Problem> {
    let mut problems = Vec::new();
    let mut refuse = |present: bool, field: &str, what: &str| {
        if present {
            let remedy = "leave it out and use stepWeight or stepWeights";
            problems.push(Problem::not_yet(field, what, remedy));
        }
    };
    refuse(!analysis.matches.is_empty(), "match", "A/B testing");
    refuse(
        analysis.iterations.is_some_and(|count| count > 0),
        "iterations",
        "blue/green",
    );
    refuse(
        analysis.mirror || analysis.mirror_weight.is_some(),
        "mirror",
        "mirroring",
    );
    refuse(
        analysis.session_affinity.is_some(),
        "sessionAffinity",
        "session affinity",
    );
    if !analysis.alerts.is_empty() {
        problems.push(Problem::not_yet(
            "alerts",
            "alerts",
            "leave it out; a webhook of type event is told the same",
        ));
    }
    problems
}

pub(super) fn template(template: &MetricTemplateSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if template.provider.kind != "prometheus" {
        problems.push(Problem::not_yet(
            "provider.type",
            &format!("provider {:?}", template.provider.kind),
            "use prometheus",
        ));
    }
    if template.provider.secret_ref.is_some() {
        problems.push(Problem::not_yet(
            "provider.secretRef",
            "secrets",
            "use headers in a template of the agent's configuration",
        ));
    }
    problems
}

impl MetricTemplateSpec {
    /// What makes no sense in this template; empty if all is well.
    pub fn validate(&self) -> Vec<Problem> {
        super::validate::template(self)
    }

    /// What is not yet supported; empty if all of it can be done.
    pub fn unsupported(&self) -> Vec<Problem> {
        template(self)
    }
}
