//! Parts of a plan that are understood and not yet supported: refused, never ignored.

use serde_json::{Map, Value};

use super::Finding;
use crate::plan::{ChangeSpec, Gate, Plan, source::Node};

/// `canary: {existing: {}}` is not a Canary spec, so it is told before the types are read.
pub(super) fn before_types(node: &Node, value: &mut Value) -> Vec<Finding> {
    if !node.has("spec.canary.existing") {
        return Vec::new();
    }
    if let Some(canary) = value.pointer_mut("/spec/canary") {
        *canary = Value::Object(Map::new());
    }
    vec![not_yet(
        "spec.canary.existing",
        "the Canary already in the cluster",
        "write the Canary's spec here",
    )]
}

/// Every such part of a typed plan.
pub(super) fn check(plan: &Plan) -> Vec<Finding> {
    let spec = &plan.spec;
    let mut findings = Vec::new();
    match &spec.change {
        ChangeSpec::Version {} => {}
        ChangeSpec::Image { .. } => findings.push(change("image")),
        ChangeSpec::Patch(_) => findings.push(change("patch")),
        ChangeSpec::Delivered { .. } => findings.push(change("delivered")),
    }
    if spec.strategy.is_some() {
        findings.push(not_yet(
            "spec.strategy",
            "strategies",
            "write waves and policies into the plan",
        ));
    }
    if !spec.overrides.is_empty() {
        findings.push(not_yet(
            "spec.overrides",
            "overrides by cluster",
            "remove them; all clusters get the same canary",
        ));
    }
    if spec.budget.is_some() {
        findings.push(not_yet(
            "spec.budget",
            "a budget of traffic at risk",
            "limit it with waves and maxConcurrent",
        ));
    }
    if !spec.reversible {
        findings.push(not_yet(
            "spec.reversible",
            "a change that cannot go back",
            "leave it out, or true",
        ));
    }
    for (index, wave) in spec.waves.iter().enumerate() {
        let field = format!("spec.waves[{index}]");
        for (side, gates) in [("before", &wave.gates.before), ("after", &wave.gates.after)] {
            for (place, gate) in gates.iter().enumerate() {
                let (word, what) = gate_words(gate);
                findings.push(not_yet(
                    &format!("{field}.gates.{side}[{place}].{word}"),
                    what,
                    "remove it; pause the rollout where a person must decide",
                ));
            }
        }
        if wave.soak.min_requests.is_some() {
            findings.push(not_yet(
                &format!("{field}.soak.minRequests"),
                "a soak by evidence",
                "use soak.for",
            ));
        }
    }
    findings
}

fn gate_words(gate: &Gate) -> (&'static str, &'static str) {
    match gate {
        Gate::Approval(_) => ("approval", "an approval gate"),
        Gate::Window(_) => ("window", "a window gate"),
        Gate::Metric(_) => ("metric", "a metric gate"),
        Gate::Webhook(_) => ("webhook", "a webhook gate"),
        Gate::Cel(_) => ("cel", "a CEL gate"),
    }
}

fn change(kind: &str) -> Finding {
    not_yet(
        &format!("spec.change.{kind}"),
        &format!("a change by {kind}"),
        "use change: {version: {}} (Envoy platform)",
    )
}

fn not_yet(field: &str, what: &str, remedy: &str) -> Finding {
    Finding::error(field, format!("{what}: not yet supported")).remedy(remedy)
}
