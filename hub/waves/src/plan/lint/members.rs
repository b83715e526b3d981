//! A plan against the fleet's members (S19).

use flagship_proto::words::count;

use super::Finding;
use crate::{plan::Plan, schedule::Candidate};

/// Checks a plan against the fleet's members: a wave that no cluster matches, a cluster in no
/// wave, names that nobody has. Only clusters whose inventory lists the workload count. The
/// findings have no line; [`crate::plan::locate`] fills it in where the text is at hand.
pub fn lint_members(plan: &Plan, clusters: &[Candidate]) -> Vec<Finding> {
    let target = &plan.spec.workload;
    let workload = format!("{}/{}/{}", target.namespace, target.kind, target.name);
    let (with, without): (Vec<&Candidate>, Vec<&Candidate>) =
        clusters.iter().partition(|cluster| cluster.has_workload);
    if with.is_empty() {
        return vec![
            Finding::error("spec.workload", format!("no cluster has {workload}"))
                .remedy("enrol clusters whose agents are configured with it"),
        ];
    }
    let mut findings = Vec::new();
    names(plan, &with, &without, &workload, &mut findings);
    let mut taken = vec![0_usize; plan.spec.waves.len()];
    for cluster in &with {
        let matching: Vec<usize> = plan
            .spec
            .waves
            .iter()
            .enumerate()
            .filter(|(_, wave)| wave.clusters.matches(&cluster.name, &cluster.labels))
            .map(|(index, _)| index)
            .collect();
        let Some(first) = matching.first() else {
            findings.push(
                Finding::error(
                    "spec.waves",
                    format!("{} has {workload} and is in no wave", cluster.name),
                )
                .remedy("add it to a wave, or end with a wave of clusters: {}"),
            );
            continue;
        };
        if let Some(count) = taken.get_mut(*first) {
            *count += 1;
        }
        for later in matching.iter().skip(1) {
            let (Some(wave), Some(own)) =
                (plan.spec.waves.get(*later), plan.spec.waves.get(*first))
            else {
                continue;
            };
            if !wave.clusters.is_empty() {
                findings.push(Finding::note(
                    format!("spec.waves[{later}].clusters"),
                    format!(
                        "{} matches here too; it belongs to wave {}, the first that matches",
                        cluster.name, own.name
                    ),
                ));
            }
        }
    }
    for (index, wave) in plan.spec.waves.iter().enumerate() {
        if taken.get(index) != Some(&0) {
            continue;
        }
        let others = with
            .iter()
            .any(|cluster| wave.clusters.matches(&cluster.name, &cluster.labels));
        let why = if others {
            "all that it matches are in earlier waves"
        } else {
            "no cluster matches"
        };
        findings.push(
            Finding::error(
                format!("spec.waves[{index}].clusters"),
                format!("wave {} is empty: {why} ({})", wave.name, wave.clusters),
            )
            .remedy("correct its selector, or remove the wave"),
        );
    }
    let borne = usize::try_from(plan.spec.on_failure.max_failures).unwrap_or(usize::MAX);
    if borne >= with.len() {
        findings.push(
            Finding::warning(
                "spec.onFailure.maxFailures",
                format!(
                    "all of {} may fail without consequence",
                    count(with.len(), "cluster")
                ),
            )
            .remedy("lower it"),
        );
    }
    findings
}

fn names(
    plan: &Plan,
    with: &[&Candidate],
    without: &[&Candidate],
    workload: &str,
    findings: &mut Vec<Finding>,
) {
    for (index, wave) in plan.spec.waves.iter().enumerate() {
        for (place, name) in wave.clusters.names.iter().enumerate() {
            let field = format!("spec.waves[{index}].clusters.names[{place}]");
            if with.iter().any(|cluster| cluster.name == *name) {
                continue;
            }
            if without.iter().any(|cluster| cluster.name == *name) {
                findings.push(
                    Finding::warning(field, format!("{name} does not have {workload}"))
                        .remedy("it is left out until its agent lists it"),
                );
            } else {
                findings.push(
                    Finding::error(field, format!("there is no cluster {name}"))
                        .remedy("correct the name, or enrol it first"),
                );
            }
        }
    }
}
