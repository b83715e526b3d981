//! The canary inside a plan: the contract's own checks, and what is probably not meant.

use flagship_proto::model::{Problem, canary::Metric};

use super::Finding;
use crate::plan::{Period, Plan};

/// A first step above this is warned of, in per cent.
const FIRST_STEP: u8 = 5;

pub(super) fn check(plan: &Plan) -> Vec<Finding> {
    let document = plan.canary_document();
    let mut findings: Vec<Finding> = document
        .validate()
        .into_iter()
        .chain(document.unsupported())
        .map(|problem| finding(plan, problem))
        .collect();
    if let Some(target) = &plan.spec.canary.target_ref
        && (target.name != plan.spec.workload.name
            || target
                .kind
                .as_ref()
                .is_some_and(|kind| *kind != plan.spec.workload.kind))
    {
        findings.push(
            Finding::error(
                "spec.canary.targetRef",
                format!(
                    "it names {}, the plan releases {} {}",
                    target.name, plan.spec.workload.kind, plan.spec.workload.name
                ),
            )
            .remedy("leave targetRef out"),
        );
    }
    doubts(plan, &mut findings);
    findings
}

/// The document's `spec` is the plan's `canary`, its `templates` are `metricTemplates`.
fn finding(plan: &Plan, problem: Problem) -> Finding {
    let field = if let Some(rest) = problem.field.strip_prefix("spec") {
        format!("spec.canary{rest}")
    } else if let Some(rest) = problem.field.strip_prefix("templates.") {
        let place = plan
            .spec
            .metric_templates
            .iter()
            .enumerate()
            .filter_map(|(index, template)| {
                let rest = rest.strip_prefix(template.name.as_str())?;
                Some((
                    rest.len(),
                    format!("spec.metricTemplates[{index}].spec{rest}"),
                ))
            })
            .min();
        place.map_or_else(|| "spec.metricTemplates".to_owned(), |(_, field)| field)
    } else {
        format!("spec.canary.{}", problem.field)
    };
    Finding::error(field, problem.message).remedy(problem.remedy)
}

fn doubts(plan: &Plan, findings: &mut Vec<Finding>) {
    let canary = &plan.spec.canary;
    let Some(analysis) = canary
        .analysis
        .as_ref()
        .filter(|_| !canary.skips_analysis())
    else {
        findings.push(
            Finding::warning(
                "spec.canary",
                "nothing is analysed: the change is promoted at once",
            )
            .remedy("add analysis with metrics"),
        );
        return;
    };
    let field = "spec.canary.analysis";
    if analysis.metrics.len() < 2 {
        let count = match analysis.metrics.len() {
            0 => "no metric",
            _ => "one metric only",
        };
        findings.push(
            Finding::warning(format!("{field}.metrics"), count).remedy(format!(
                "add {} and {}",
                Metric::SUCCESS_RATE,
                Metric::DURATION
            )),
        );
    }
    if let Some(first) = analysis.steps().first()
        && first.get() > FIRST_STEP
    {
        let given = if analysis.step_weights.is_empty() {
            "stepWeight"
        } else {
            "stepWeights"
        };
        findings.push(
            Finding::warning(
                format!("{field}.{given}"),
                format!("the first step gives {first} of the traffic to a version nobody has seen"),
            )
            .remedy(format!("begin with at most {FIRST_STEP}%")),
        );
    }
    for (index, metric) in analysis.metrics.iter().enumerate() {
        if metric.delay() > metric.window() {
            findings.push(
                Finding::warning(
                    format!("{field}.metrics[{index}]"),
                    format!(
                        "its window of {} is shorter than its data's delay of {}",
                        Period::from(metric.window()),
                        Period::from(metric.delay())
                    ),
                )
                .remedy("lengthen interval"),
            );
        }
    }
}
