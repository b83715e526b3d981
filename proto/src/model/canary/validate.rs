//! What makes no sense in a canary spec: checked by the hub when a plan is applied and by the agent
//! when an order arrives.

use std::{collections::BTreeSet, time::Duration};

use super::{Analysis, CanarySpec, Metric, MetricTemplateSpec, Problem, Webhook};

pub(super) fn spec(spec: &CanarySpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if spec.progress_deadline_seconds == Some(0) {
        problems.push(Problem::new(
            "progressDeadlineSeconds",
            "no version can be ready in no time",
            "give at least 1, or leave it out for 600",
        ));
    }
    if let Some(server) = &spec.metrics_server {
        problems.extend(url("metricsServer", server));
    }
    if let Some(analysis) = &spec.analysis {
        let found = check_analysis(analysis, spec.skip_analysis);
        problems.extend(Problem::under("analysis", found));
    }
    problems
}

fn check_analysis(analysis: &Analysis, skipped: bool) -> Vec<Problem> {
    let mut problems = Vec::new();
    if analysis
        .interval
        .is_some_and(|given| given.0 < Duration::from_secs(1))
    {
        problems.push(Problem::new(
            "interval",
            "shorter than one second",
            "give at least 1s",
        ));
    }
    problems.extend(strategy(analysis, skipped));
    for (field, value) in [
        ("maxWeight", analysis.max_weight),
        ("mirrorWeight", analysis.mirror_weight),
        ("stepWeight", analysis.step_weight),
        ("stepWeightPromotion", analysis.step_weight_promotion),
        ("primaryReadyThreshold", analysis.primary_ready_threshold),
        ("canaryReadyThreshold", analysis.canary_ready_threshold),
    ] {
        if value.is_some_and(|given| given > 100) {
            problems.push(Problem::new(field, "above 100 per cent", "give 0 to 100"));
        }
    }
    problems.extend(counters(analysis));
    let mut names = BTreeSet::new();
    for (index, metric) in analysis.metrics.iter().enumerate() {
        let field = format!("metrics[{index}]");
        problems.extend(Problem::under(&field, check_metric(metric)));
        if !names.insert(metric.name.as_str()) {
            problems.push(Problem::new(
                format!("{field}.name"),
                format!("metric {:?} is there twice", metric.name),
                "give each metric a name of its own",
            ));
        }
    }
    for (index, hook) in analysis.webhooks.iter().enumerate() {
        let field = format!("webhooks[{index}]");
        problems.extend(Problem::under(&field, check_hook(hook)));
    }
    problems
}

fn strategy(analysis: &Analysis, skipped: bool) -> Vec<Problem> {
    let stepped = analysis.step_weight.is_some_and(|step| step > 0);
    let listed = !analysis.step_weights.is_empty();
    let iterated = analysis.iterations.is_some_and(|count| count > 0);
    let said = usize::from(stepped) + usize::from(listed) + usize::from(iterated);
    let mut problems = Vec::new();
    if said > 1 {
        problems.push(Problem::new(
            "stepWeight",
            "more than one of stepWeight, stepWeights and iterations is set",
            "keep the one that is meant",
        ));
    }
    if said == 0 && !skipped {
        problems.push(Problem::new(
            "stepWeight",
            "none of stepWeight, stepWeights and iterations is set, so no traffic would ever move",
            "set stepWeight (such as 10) or stepWeights (such as [5, 25, 50])",
        ));
    }
    if analysis.max_weight == Some(0) {
        problems.push(Problem::new(
            "maxWeight",
            "zero, so no traffic would ever move",
            "give 1 to 100",
        ));
    }
    let mut last = 0;
    for (index, &weight) in analysis.step_weights.iter().enumerate() {
        if weight <= last || weight > 100 {
            problems.push(Problem::new(
                format!("stepWeights[{index}]"),
                format!("{weight} does not follow {last}"),
                "give weights from 1 to 100 that grow",
            ));
        }
        last = weight;
    }
    problems
}

fn counters(analysis: &Analysis) -> Vec<Problem> {
    let mut problems = Vec::new();
    let zero = |field: &str| Problem::new(field, "zero", "give at least 1, or leave it out");
    if analysis.consecutive_failures == Some(0) {
        problems.push(zero("consecutiveFailures"));
    }
    if analysis.success_threshold == Some(0) {
        problems.push(zero("successThreshold"));
    }
    if let Some(window) = analysis.failures_of
        && (window.n == 0 || window.m == 0 || window.n > window.m || window.m > 1000)
    {
        problems.push(Problem::new(
            "failuresOf",
            format!(
                "{} failures of the last {} rounds cannot be",
                window.n, window.m
            ),
            "give n from 1 to m, and m of at most 1000",
        ));
    }
    if let Some(rule) = analysis.on_inconclusive {
        if rule.count == Some(0) {
            problems.push(zero("onInconclusive.count"));
        }
        let hold = rule.then == super::InconclusiveThen::Hold;
        if hold && (rule.count.is_some() || rule.after.is_some()) {
            problems.push(Problem::new(
                "onInconclusive",
                "hold with a count or a time",
                "write then: fail, or leave count and after out",
            ));
        }
    }
    problems
}

fn check_metric(metric: &Metric) -> Vec<Problem> {
    let mut problems = Vec::new();
    if metric.name.is_empty() {
        problems.push(Problem::new("name", "empty", "give the metric a name"));
    }
    if metric.source().is_none() {
        problems.push(Problem::new(
            "name",
            format!(
                "{:?} is not built in and has neither templateRef nor query",
                metric.name
            ),
            "use request-success-rate or request-duration, or add a templateRef",
        ));
    }
    if metric.template_ref.is_some() && metric.query.is_some() {
        problems.push(Problem::new(
            "query",
            "there is a templateRef too",
            "keep one of the two",
        ));
    }
    let range = metric.range();
    let numbers = [range.min, range.max, metric.max_ratio, metric.max_delta];
    if numbers.iter().flatten().any(|number| !number.is_finite()) {
        problems.push(Problem::new(
            "thresholdRange",
            "a bound is not a number",
            "give finite numbers",
        ));
    }
    if let (Some(min), Some(max)) = (range.min, range.max)
        && min > max
    {
        problems.push(Problem::new(
            "thresholdRange",
            format!("no answer is at least {min} and at most {max}"),
            "swap min and max",
        ));
    }
    let compared = metric.max_ratio.is_some() || metric.max_delta.is_some();
    if compared != metric.compare_to.is_some() {
        problems.push(Problem::new(
            "compareTo",
            "compareTo and maxRatio or maxDelta go together",
            "write compareTo: primary with maxRatio or maxDelta",
        ));
    }
    if metric.max_ratio.is_some_and(|ratio| ratio <= 0.0) {
        problems.push(Problem::new(
            "maxRatio",
            "not above zero",
            "give a number above 0",
        ));
    }
    if metric.max_delta.is_some_and(|delta| delta < 0.0) {
        problems.push(Problem::new("maxDelta", "below zero", "give 0 or more"));
    }
    if range.min.is_none() && range.max.is_none() && metric.compare_to.is_none() {
        problems.push(Problem::new(
            "thresholdRange",
            "nothing says what a good answer is",
            "add thresholdRange with min or max, or compareTo: primary",
        ));
    }
    if metric.interval.is_some_and(|given| given.0.is_zero()) {
        problems.push(Problem::new("interval", "zero", "give a window such as 1m"));
    }
    problems
}

fn check_hook(hook: &Webhook) -> Vec<Problem> {
    let mut problems = Vec::new();
    if hook.name.is_empty() {
        problems.push(Problem::new("name", "empty", "give the hook a name"));
    }
    problems.extend(url("url", &hook.url));
    if hook.timeout.is_some_and(|given| given.0.is_zero()) {
        problems.push(Problem::new("timeout", "zero", "give a time such as 10s"));
    }
    if hook.retries.is_some_and(|retries| retries > 20) {
        problems.push(Problem::new("retries", "above 20", "give 0 to 20"));
    }
    problems
}

fn url(field: &str, text: &str) -> Option<Problem> {
    let rest = text
        .strip_prefix("http://")
        .or_else(|| text.strip_prefix("https://"));
    let valid = rest.is_some_and(|rest| !rest.is_empty() && !rest.starts_with('/'))
        && !text.contains(char::is_whitespace);
    (!valid).then(|| {
        Problem::new(
            field,
            format!("{text:?} is not an HTTP address"),
            "write http://HOST:PORT/PATH or https://…",
        )
    })
}

pub(super) fn template(template: &MetricTemplateSpec) -> Vec<Problem> {
    let mut problems = Vec::new();
    if template.query.trim().is_empty() {
        problems.push(Problem::new("query", "empty", "write the query"));
    }
    if let Some(address) = &template.provider.address {
        problems.extend(url("provider.address", address));
    }
    problems
}
