//! What makes no sense in a plan, whatever the fleet looks like.

use std::{collections::BTreeMap, time::Duration};

use flagship_proto::model::{
    Bound,
    scope::Operator,
    text::{first_deceptive, no_letter},
};

use super::Finding;
use crate::plan::{OnUnreachable, Plan, Then, Wave, WhenDisconnected, source::Node};

/// More waves than any release has: each waits for all before it.
const MOST_WAVES: usize = 200;

const SHORTEST_LEASE: Duration = Duration::from_secs(1);
const LONGEST_LEASE: Duration = Duration::from_secs(600);

pub(super) fn check(plan: &Plan, node: &Node) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Err(invalid) = plan.workload() {
        findings.push(Finding::error("spec.workload", invalid.to_string()));
    }
    waves(plan, node, &mut findings);
    findings.extend(characters(plan));
    disconnect(plan, &mut findings);
    times(plan, &mut findings);
    let mut seen = BTreeMap::new();
    for (index, template) in plan.spec.metric_templates.iter().enumerate() {
        if let Some(first) = seen.insert(&template.name, index) {
            findings.push(
                Finding::error(
                    format!("spec.metricTemplates[{index}].name"),
                    format!("{} is also metricTemplates[{first}]", template.name),
                )
                .remedy("give each template a name of its own"),
            );
        }
    }
    findings
}

/// What is no letter has no place in a text that people read before they approve it.
fn characters(plan: &Plan) -> Option<Finding> {
    let document = serde_json::to_value(plan).ok()?;
    let (field, letter) = first_deceptive(&document, true)?;
    Some(Finding::error(field, no_letter(letter)).remedy("leave it out"))
}

fn waves(plan: &Plan, node: &Node, findings: &mut Vec<Finding>) {
    let waves = &plan.spec.waves;
    if waves.is_empty() && plan.spec.strategy.is_none() {
        findings.push(
            Finding::error("spec.waves", "there is no wave")
                .remedy("add one: - {name: all, clusters: {}}"),
        );
    }
    if waves.len() > MOST_WAVES {
        findings.push(
            Finding::error(
                "spec.waves",
                format!("{} waves are more than {MOST_WAVES}", waves.len()),
            )
            .remedy("select clusters by labels, so that one wave takes several; maxConcurrent says how many at once"),
        );
        return;
    }
    let mut names = BTreeMap::new();
    let mut clusters = BTreeMap::new();
    let mut rest: Option<&Wave> = None;
    for (index, wave) in waves.iter().enumerate() {
        let field = format!("spec.waves[{index}]");
        if let Some(first) = names.insert(&wave.name, index) {
            findings.push(
                Finding::error(
                    format!("{field}.name"),
                    format!("wave {} is also waves[{first}]", wave.name),
                )
                .remedy("give each wave a name of its own"),
            );
        }
        for list in ["names", "matchExpressions"] {
            if node.list_len(&format!("{field}.clusters.{list}")) == Some(0) {
                findings.push(
                    Finding::error(
                        format!("{field}.clusters.{list}"),
                        "an empty list would match every cluster",
                    )
                    .remedy("name clusters, or write clusters: {} for whatever is left"),
                );
            }
        }
        if let Some(rest) = rest {
            findings.push(
                Finding::error(
                    format!("{field}.clusters"),
                    format!(
                        "wave {} is empty: wave {} before it takes whatever is left",
                        wave.name, rest.name
                    ),
                )
                .remedy(format!("put wave {} last", rest.name)),
            );
        }
        for (place, name) in wave.clusters.names.iter().enumerate() {
            if let Some(first) = clusters.insert(name, &wave.name) {
                let twice = if *first == wave.name {
                    format!("{name} is named twice")
                } else {
                    format!("{name} is also named in wave {first}")
                };
                findings.push(
                    Finding::error(format!("{field}.clusters.names[{place}]"), twice)
                        .remedy("name each cluster once"),
                );
            }
        }
        expressions(wave, &field, findings);
        if wave.clusters.is_empty() {
            rest = Some(wave);
        }
    }
}

fn expressions(wave: &Wave, field: &str, findings: &mut Vec<Finding>) {
    for (place, expression) in wave.clusters.match_expressions.iter().enumerate() {
        let wants = match expression.operator {
            Operator::In | Operator::NotIn => true,
            Operator::Exists | Operator::DoesNotExist => false,
        };
        if wants == expression.values.is_empty() {
            let (message, remedy) = if wants {
                ("has no values to compare with", "add values")
            } else {
                ("compares with no values", "remove values")
            };
            findings.push(
                Finding::error(
                    format!("{field}.clusters.matchExpressions[{place}]"),
                    format!("{:?} {message}", expression.operator),
                )
                .remedy(remedy),
            );
        }
    }
}

fn disconnect(plan: &Plan, findings: &mut Vec<Finding>) {
    let policy = plan.spec.on_disconnect;
    if let Some(lease) = policy.lease
        && !(SHORTEST_LEASE..=LONGEST_LEASE).contains(&lease.get())
    {
        findings.push(
            Finding::error("spec.onDisconnect.lease", format!("{lease} is no lease"))
                .remedy("use 1s to 10m"),
        );
    }
    match (policy.then, policy.after) {
        (WhenDisconnected::Retreat, None) => findings.push(
            Finding::error("spec.onDisconnect", "retreat needs a time")
                .remedy("add after, such as after: 10m"),
        ),
        (WhenDisconnected::Hold | WhenDisconnected::Continue, Some(_)) => findings.push(
            Finding::error("spec.onDisconnect.after", "only retreat has a time")
                .remedy("remove it, or write then: retreat"),
        ),
        (WhenDisconnected::Continue, None) => findings.push(
            Finding::warning(
                "spec.onDisconnect.then",
                "clusters that are cut off go on until their order ends; an abort does not bound them",
            )
            .remedy("use hold unless that is meant"),
        ),
        (WhenDisconnected::Hold, None) | (WhenDisconnected::Retreat, Some(_)) => {}
    }
}

fn times(plan: &Plan, findings: &mut Vec<Finding>) {
    let soak: Duration = plan
        .spec
        .waves
        .iter()
        .map(|wave| wave.soak.time.get())
        .sum();
    if let Some(deadline) = plan.spec.deadline
        && deadline.get() <= soak
    {
        findings.push(
            Finding::error(
                "spec.deadline",
                format!(
                    "{deadline} can never be met: the soaks alone take {}",
                    crate::plan::Period::from(soak)
                ),
            )
            .remedy("raise it, or shorten the soaks"),
        );
    }
    let bound = Bound {
        lease: plan.lease(),
    }
    .length();
    if plan.spec.unreachable.quorum.is_some() && plan.spec.unreachable.then == OnUnreachable::Fail {
        findings.push(
            Finding::error("spec.unreachable.quorum", "only skip leaves a cluster out")
                .remedy("write then: skip, or remove quorum"),
        );
    }
    if plan.spec.unreachable.wait.get() < bound {
        findings.push(
            Finding::note(
                "spec.unreachable.wait",
                format!(
                    "a cluster is given up only {} after its last lease, when nothing can advance there",
                    crate::plan::Period::from(bound)
                ),
            )
            .remedy("a longer wait says what happens"),
        );
    }
    let several = plan.spec.waves.len() > 1;
    if let Some(first) = plan.spec.waves.first()
        && several
        && first.soak.is_none()
    {
        findings.push(
            Finding::warning(
                "spec.waves[0]",
                format!("wave {} does not soak before the next starts", first.name),
            )
            .remedy("add soak: {for: 30m}"),
        );
    }
    if plan.spec.on_failure.then == Then::Halt && plan.spec.on_failure.max_failures > 0 {
        findings.push(Finding::note(
            "spec.onFailure",
            "failed clusters go back by themselves; the others hold where they are when it halts",
        ));
    }
}
