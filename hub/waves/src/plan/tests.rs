//! Tests of the plan document: what is read, what is refused, where and with what remedy.

mod refused;

use flagship_proto::model::{Change, OnDisconnect};

use super::*;
use crate::schedule::Candidate;

const FULL: &str = r#"apiVersion: flagship.dev/v1
kind: Plan
metadata:
  project: shop
  name: checkout
  labels: {team: payments}
  owners: [payments-leads]
spec:
  workload: {namespace: shop, kind: Deployment, name: checkout}
  change:
    version: {}
  canary:
    analysis:
      interval: 2s
      threshold: 2
      stepWeights: [5, 50, 100]
      metrics:
        - {name: request-success-rate, thresholdRange: {min: 99}, interval: 2s}
        - {name: request-duration, thresholdRange: {max: 500}, interval: 2s}
  waves:
    - name: pilot
      clusters: {names: [pilot-1]}
      soak: {for: 30m}
    - name: europe
      clusters: {matchLabels: {region: eu}}
      maxConcurrent: 25%
      soak: {for: 2h}
    - name: rest
      clusters: {}
      maxConcurrent: 50%
  onFailure: {maxFailures: 0, then: retreatAll}
  onDisconnect: {lease: 30s, then: retreat, after: 10m}
  unreachable: {wait: 10m, then: skip}
  deadline: 12h
"#;

/// The full plan with one piece of text replaced.
fn with(old: &str, new: &str) -> String {
    assert!(FULL.contains(old), "{old}");
    FULL.replacen(old, new, 1)
}

fn printed(text: &str) -> String {
    let lines: Vec<String> = lint_offline(text).iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn a_sound_plan_has_no_findings_and_its_defaults_are_filled_in() {
    assert_eq!(printed(FULL), "");
    let plan = parse_plan(FULL).unwrap();
    assert_eq!(plan.id().to_string(), "shop/checkout");
    assert_eq!(
        plan.workload().unwrap().to_string(),
        "shop/Deployment/checkout"
    );
    assert_eq!(plan.spec.waves[1].max_concurrent, Amount::Percent(25));
    assert_eq!(plan.spec.waves[0].max_concurrent, Amount::Count(1));
    assert_eq!(
        plan.on_disconnect(),
        OnDisconnect::Retreat { after_ms: 600_000 }
    );
    assert!(plan.spec.reversible);
    assert!(
        plan.spec
            .change
            .accepts(&Change::Version("1.9.0".to_owned()))
    );
}

#[test]
fn a_plan_survives_json_and_keeps_its_digest() {
    let plan = parse_plan(FULL).unwrap();
    let json = serde_json::to_string(&plan).unwrap();
    let stored: Plan = serde_json::from_str(&json).unwrap();
    assert_eq!(stored, plan);
    assert_eq!(stored.digest(), plan.digest());
    let as_text = parse_plan(&json).unwrap();
    assert_eq!(
        as_text.digest(),
        plan.digest(),
        "JSON is read as a plan too"
    );
    let other = parse_plan(&with("for: 30m", "for: 31m")).unwrap();
    assert_ne!(other.digest(), plan.digest());
    let same = parse_plan(&with("for: 30m", "for: 1800s")).unwrap();
    assert_eq!(
        same.digest(),
        plan.digest(),
        "one length of time, one digest"
    );
}

#[test]
fn a_canary_that_exists_already_is_not_yet_supported() {
    let start = FULL.find("    analysis:").unwrap();
    let end = FULL.find("  waves:").unwrap();
    let text = format!("{}    existing: {{}}\n{}", &FULL[..start], &FULL[end..]);
    let found = printed(&text);
    assert!(
        found.contains("13:5: error: spec.canary.existing: the Canary already in the cluster: not yet supported"),
        "{found}"
    );
}

#[test]
fn what_is_doubtful_is_a_warning_and_is_stored_all_the_same() {
    for (old, new, wanted) in [
        (
            "stepWeights: [5, 50, 100]",
            "stepWeights: [20, 50, 100]",
            "16:7: warning: spec.canary.analysis.stepWeights: the first step gives 20% of the traffic",
        ),
        (
            "        - {name: request-duration, thresholdRange: {max: 500}, interval: 2s}\n",
            "",
            "17:7: warning: spec.canary.analysis.metrics: one metric only",
        ),
        (
            "thresholdRange: {max: 500}, interval: 2s",
            "thresholdRange: {max: 500}, interval: 2s, delay: 30s",
            "19:11: warning: spec.canary.analysis.metrics[1]: its window of 2s is shorter than its data's delay of 30s",
        ),
        (
            "      soak: {for: 30m}\n",
            "",
            "21:7: warning: spec.waves[0]: wave pilot does not soak before the next starts",
        ),
        (
            "then: retreat, after: 10m",
            "then: continue",
            "32:30: warning: spec.onDisconnect.then: clusters that are cut off go on",
        ),
    ] {
        let text = with(old, new);
        let (plan, findings) = check_plan(&text);
        let found: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(
            found.iter().any(|line| line.starts_with(wanted)),
            "wanted {wanted}\nfound  {found:#?}"
        );
        assert!(plan.is_some());
    }
}

#[test]
fn a_text_that_is_no_plan_is_refused_in_one_line() {
    for (text, wanted) in [
        ("", "error: the file is empty"),
        ("a: [1", "error: "),
        ("- 1\n- 2\n", "1:1: error: a plan is fields"),
        ("a: 1\na: 2\n", "2:1: error: "),
        ("a: 1\n---\nb: 2\n", "error: "),
        ("\u{0}", "error: "),
    ] {
        let found = printed(text);
        assert!(found.contains(wanted), "{text:?} -> {found}");
        assert_eq!(found.lines().count(), 1, "{found}");
    }
    let long = "#".repeat(MAX_PLAN_BYTES + 1);
    assert!(printed(&long).contains("too long"));
}

#[test]
fn a_short_text_cannot_make_long_work() {
    let mut bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for level in 1..20 {
        let below = format!("*a{}, ", level - 1).repeat(10);
        bomb.push_str(&format!(
            "a{level}: &a{level} [{}]\n",
            below.trim_end_matches(", ")
        ));
    }
    let deep = "[".repeat(10_000);
    for text in [bomb, deep] {
        let started = std::time::Instant::now();
        assert!(has_errors(&lint_offline(&text)));
        assert!(started.elapsed() < std::time::Duration::from_secs(5));
    }
}

fn cluster(name: &str, region: &str, has_workload: bool) -> Candidate {
    Candidate {
        uid: format!("uid-{name}").parse().unwrap(),
        name: name.parse().unwrap(),
        labels: [("region".to_owned(), region.to_owned())].into(),
        has_workload,
    }
}

fn against(text: &str, clusters: &[Candidate]) -> String {
    let plan = parse_plan(text).unwrap();
    let mut findings = lint_members(&plan, clusters);
    locate(text, &mut findings);
    let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
    lines.join("\n")
}

#[test]
fn each_cluster_that_has_the_workload_is_in_one_wave_and_each_wave_has_one() {
    let fleet = [
        cluster("pilot-1", "eu", true),
        cluster("eu-1", "eu", true),
        cluster("us-1", "us", true),
        cluster("idle", "eu", false),
    ];
    assert_eq!(
        against(FULL, &fleet),
        "25:7: note: spec.waves[1].clusters: pilot-1 matches here too; it belongs to wave pilot, the first that matches"
    );
    let narrow = with("clusters: {}", "clusters: {matchLabels: {region: ap}}");
    let found = against(&narrow, &fleet);
    assert!(
        found.contains(
            "20:3: error: spec.waves: us-1 has shop/Deployment/checkout and is in no wave"
        ),
        "{found}"
    );
    assert!(found.contains("29:7: error: spec.waves[2].clusters: wave rest is empty: no cluster matches (region=ap)"), "{found}");
    let found = against(FULL, &fleet[1..]);
    assert!(
        found
            .contains("22:26: error: spec.waves[0].clusters.names[0]: there is no cluster pilot-1"),
        "{found}"
    );
    let found = against(FULL, &fleet[3..]);
    assert!(
        found.contains("9:3: error: spec.workload: no cluster has shop/Deployment/checkout"),
        "{found}"
    );
    let members = crate::members(&parse_plan(FULL).unwrap(), &fleet);
    let names: Vec<(usize, &str)> = members.iter().map(|m| (m.wave, m.name.as_str())).collect();
    assert_eq!(names, [(0, "pilot-1"), (1, "eu-1"), (2, "us-1")]);
}

#[test]
fn a_percentage_is_rounded_down_and_gives_at_least_one() {
    for (text, members, limit) in [
        ("25%", 3, 1),
        ("25%", 4, 1),
        ("25%", 8, 2),
        ("50%", 5, 2),
        ("100%", 5, 5),
        ("3", 2, 3),
        ("1%", 0, 1),
    ] {
        assert_eq!(
            text.parse::<Amount>().unwrap().limit(members),
            limit,
            "{text} of {members}"
        );
    }
}
