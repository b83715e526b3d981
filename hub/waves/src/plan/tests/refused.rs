//! Plans that are refused: one bad or not yet supported part a row.

use super::{printed, with};
use crate::plan::parse_plan;

/// One bad plan a row: what is replaced, by what, the findings.
const BAD: &[(&str, &str, &str)] = &[
    (
        "payments-leads",
        "\"pay\\u202estnem\"",
        "7:12: error: metadata.owners[0]: U+202E is no letter: it moves or hides others (leave it out)",
    ),
    (
        "soak: {for: 30m}",
        "soaks: {for: 30m}",
        "23:7: error: spec.waves[0].soaks: unknown field `soaks` (use one of name, clusters, maxConcurrent, gates, soak)",
    ),
    (
        "threshold: 2\n",
        "treshold: 2\n",
        "15:7: error: spec.canary.analysis.treshold: unknown field",
    ),
    (
        "maxConcurrent: 25%",
        "maxConcurrent: 0",
        "26:7: error: spec.waves[1].maxConcurrent: use a number from 1 or a percentage from 1% to 100%",
    ),
    (
        "maxConcurrent: 25%",
        "maxConcurrent: [1]",
        "26:7: error: spec.waves[1].maxConcurrent: wrong type: a list (write a number from 1 or a percentage such as 25%)",
    ),
    (
        "for: 30m",
        "for: soon",
        "23:14: error: spec.waves[0].soak.for: not a length of time: write it as 30s, 10m, 1h30m or 2d, at most 365d",
    ),
    (
        "then: retreatAll",
        "then: panic",
        "31:31: error: spec.onFailure.then: unknown variant `panic` (use one of halt, retreatWave, retreatAll)",
    ),
    (
        "  name: checkout\n",
        "  name: Check_Out\n",
        "5:3: error: metadata.name: plan name \"Check_Out\" is not valid",
    ),
    (
        "kind: Plan",
        "kind: Plant",
        "2:1: error: kind: unknown variant `Plant`",
    ),
    (
        "  waves:\n",
        "  wavs:\n",
        "20:3: error: spec.wavs: unknown field `wavs` (use one of workload, change, canary,",
    ),
    (
        "clusters: {names: [pilot-1]}",
        "clusters: {names: []}",
        "22:18: error: spec.waves[0].clusters.names: an empty list would match every cluster",
    ),
    (
        "clusters: {matchLabels: {region: eu}}",
        "clusters: {names: [eu-1, pilot-1]}",
        "25:32: error: spec.waves[1].clusters.names[1]: pilot-1 is also named in wave pilot (name each cluster once)",
    ),
    (
        "clusters: {matchLabels: {region: eu}}",
        "clusters: {}",
        "29:7: error: spec.waves[2].clusters: wave rest is empty: wave europe before it takes whatever is left",
    ),
    (
        "name: europe",
        "name: pilot",
        "24:7: error: spec.waves[1].name: wave pilot is also waves[0]",
    ),
    (
        "deadline: 12h",
        "deadline: 2h",
        "34:3: error: spec.deadline: 2h can never be met: the soaks alone take 2h30m",
    ),
    (
        "then: retreat, after: 10m",
        "then: hold, after: 10m",
        "32:42: error: spec.onDisconnect.after: only retreat has a time",
    ),
    (
        "kind: Deployment",
        "kind: deployment",
        "9:3: error: spec.workload: workload kind \"deployment\" is not valid",
    ),
    (
        "labels: {team: payments}",
        "labels: {team: 7}",
        "6:12: error: metadata.labels.team: wrong type: integer `7` (write a string)",
    ),
];

#[test]
fn what_is_wrong_is_told_with_line_column_field_and_remedy() {
    for (old, new, wanted) in BAD {
        let text = with(old, new);
        let found = printed(&text);
        assert!(
            found.lines().any(|line| line.starts_with(wanted)),
            "{new}\nwanted {wanted}\nfound  {found}"
        );
        assert!(parse_plan(&text).is_err(), "{new}");
    }
}

#[test]
fn all_unknown_fields_are_told_at_once() {
    let text = with("owners:", "owner:").replacen("deadline:", "deadlin:", 1);
    let found = printed(&text);
    assert!(
        found.contains("7:3: error: metadata.owner: unknown"),
        "{found}"
    );
    assert!(
        found.contains("34:3: error: spec.deadlin: unknown"),
        "{found}"
    );
}

/// One part a row that is read and refused.
const LATER: &[(&str, &str, &str)] = &[
    (
        "version: {}",
        "image: {container: app}",
        "11:5: error: spec.change.image: a change by image: not yet supported",
    ),
    (
        "version: {}",
        "patch: {spec: {replicas: 3}}",
        "11:5: error: spec.change.patch: a change by patch: not yet supported",
    ),
    (
        "version: {}",
        "delivered: {revisionFrom: app.kubernetes.io/version}",
        "11:5: error: spec.change.delivered: a change by delivered: not yet supported",
    ),
    (
        "  deadline: 12h",
        "  strategy: standard",
        "34:3: error: spec.strategy: strategies: not yet supported",
    ),
    (
        "  deadline: 12h",
        "  budget: {traffic: 5%, perLabel: {key: region-pair, max: 1}}",
        "34:3: error: spec.budget: a budget of traffic at risk: not yet supported",
    ),
    (
        "  deadline: 12h",
        "  reversible: false",
        "34:3: error: spec.reversible: a change that cannot go back: not yet supported",
    ),
    (
        "then: skip}",
        "then: fail, quorum: 80%}",
        "33:40: error: spec.unreachable.quorum: only skip leaves a cluster out",
    ),
    (
        "then: skip}",
        "then: skip, quorum: 101%}",
        "33:40: error: spec.unreachable.quorum: use a number from 1 or a percentage from 1% to 100%",
    ),
    (
        "  deadline: 12h",
        "  overrides: [{clusters: {matchLabels: {mesh: linkerd}}, canary: {provider: \"gatewayapi:v1\"}}]",
        "34:3: error: spec.overrides: overrides by cluster: not yet supported",
    ),
    (
        "soak: {for: 30m}",
        "soak: {for: 30m, minRequests: 100000}",
        "23:24: error: spec.waves[0].soak.minRequests: a soak by evidence: not yet supported",
    ),
    (
        "soak: {for: 30m}",
        "gates: {before: [{approval: {groups: [leads], count: 2, notAuthor: true, expires: 4h}}]}",
        "23:25: error: spec.waves[0].gates.before[0].approval: an approval gate: not yet supported",
    ),
    (
        "soak: {for: 30m}",
        "gates: {before: [{window: {rrule: \"FREQ=WEEKLY\", duration: 8h, timezone: Europe/Berlin}}]}",
        "23:25: error: spec.waves[0].gates.before[0].window: a window gate: not yet supported",
    ),
    (
        "soak: {for: 30m}",
        "gates: {after: [{metric: {provider: global, query: q, max: 0.01}}]}",
        "23:24: error: spec.waves[0].gates.after[0].metric: a metric gate: not yet supported",
    ),
    (
        "soak: {for: 30m}",
        "gates: {after: [{webhook: {url: 'http://x'}}, {cel: {expression: 'true'}}]}",
        "23:24: error: spec.waves[0].gates.after[0].webhook: a webhook gate: not yet supported",
    ),
];

#[test]
fn what_comes_later_is_refused_and_never_ignored() {
    for (old, new, wanted) in LATER {
        let text = with(old, new);
        let found = printed(&text);
        assert!(
            found.lines().any(|line| line.starts_with(wanted)),
            "{new}\nwanted {wanted}\nfound  {found}"
        );
        assert!(parse_plan(&text).is_err(), "{new}");
    }
}

#[test]
fn more_waves_than_any_release_has_are_refused_in_one_line_that_says_what_to_do() {
    let plan = |count: usize| {
        let wave =
            |number| format!("    - {{name: w{number}, clusters: {{names: [c{number}]}}}}\n");
        let more: String = (3..count).map(wave).collect();
        with("    - name: pilot\n", &format!("{more}    - name: pilot\n"))
    };
    assert!(parse_plan(&plan(200)).is_ok(), "{}", printed(&plan(200)));
    let found = printed(&plan(2_500));
    let errors: Vec<&str> = found
        .lines()
        .filter(|line| line.contains("error: "))
        .collect();
    assert_eq!(
        errors,
        [
            "20:3: error: spec.waves: 2500 waves are more than 200 (select clusters by labels, so that one wave takes several; maxConcurrent says how many at once)"
        ]
    );
}

#[test]
fn a_field_whose_name_has_lines_of_its_own_is_told_on_one() {
    let plan =
        "apiVersion: flagship.dev/v1\nkind: Plan\n\"zz\\nSTOPPED  the whole fleet\\e[2J\": 1\n";
    let (_, findings) = crate::plan::check_plan(plan);
    assert!(!findings.is_empty());
    for finding in findings {
        let said = format!("{}{}", finding.field, finding.message);
        assert!(!said.contains(['\n', '\u{1b}']), "{said:?}");
    }
}
