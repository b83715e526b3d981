//! `apply`: what is stored, what is only said, what is refused by line and column.

use super::*;
use crate::records::PlanRow;

#[test]
fn a_plan_is_created_then_unchanged_then_changed() {
    let hub = Hub::new();
    assert_eq!(hub.audited(), ["plan.apply"]);
    let again = hub.apply(PLAN).unwrap();
    assert_eq!(again.outcome, ApplyOutcome::Unchanged);
    assert_eq!(
        hub.audited(),
        ["plan.apply"],
        "nothing changed, so nothing is audited"
    );
    let other = hub
        .apply(&PLAN.replace("maxConcurrent: 2", "maxConcurrent: 1"))
        .unwrap();
    assert_eq!(other.outcome, ApplyOutcome::Changed);
    assert_ne!(other.digest, again.digest);
    let row: Stored<PlanRow> = hub
        .ops
        .store
        .read(&key::plan(&other.plan))
        .unwrap()
        .unwrap();
    assert_eq!(
        (row.digest, row.applied_by.as_str()),
        (other.digest, "anna")
    );
}

#[test]
fn a_dry_run_says_all_and_stores_nothing() {
    let hub = Hub::empty();
    hub.join("pilot-1", &[("tier", "pilot")]);
    hub.join("eu-1", &[]);
    let args = ApplyPlan {
        source: PLAN.to_owned(),
        dry_run: true,
    };
    let applied = ready(hub.ops.apply_plan(&caller(), args, hub.now())).unwrap();
    assert!(applied.dry_run);
    assert_eq!(applied.outcome, ApplyOutcome::Created);
    assert_eq!(hub.ops.store.list(key::PLANS).unwrap().rows.len(), 0);
    assert!(hub.audited().is_empty());
}

#[test]
fn a_bad_plan_is_refused_with_its_findings_and_nothing_is_stored() {
    let hub = Hub::empty();
    hub.join("pilot-1", &[("tier", "pilot")]);
    for (bad, word) in [
        (
            PLAN.replace("maxConcurrent: 2", "maxConcurent: 2"),
            "maxConcurent",
        ),
        (PLAN.replace("kind: Plan", "kind: Canary"), "Canary"),
        ("{".to_owned(), ""),
        (String::new(), ""),
        ("\u{0}\u{ffff}".to_owned(), ""),
    ] {
        let error = refused(hub.apply(&bad), OpErrorKind::BadInput, "plan.invalid");
        assert!(!error.findings.is_empty(), "{bad}");
        let text = format!("{} {:?}", error.message, error.findings);
        assert!(text.contains(word), "{text}");
    }
    assert_eq!(hub.ops.store.list(key::PLANS).unwrap().rows.len(), 0);
    assert_eq!(hub.ops.store.list(key::PROJECTS).unwrap().rows.len(), 0);
}

#[test]
fn a_plan_is_held_against_the_members_that_have_the_workload() {
    let hub = Hub::empty();
    hub.join("eu-1", &[("region", "eu")]);
    let error = refused(hub.apply(PLAN), OpErrorKind::BadInput, "plan.invalid");
    assert!(
        error
            .findings
            .iter()
            .any(|finding| finding.message.contains("pilot")),
        "a wave that no cluster matches: {:?}",
        error.findings
    );
}

#[test]
fn on_a_nearly_full_disk_a_plan_is_refused_early() {
    let hub = Hub::new();
    hub.memory.set_disk_low(true);
    let changed = PLAN.replace("maxConcurrent: 2", "maxConcurrent: 1");
    let error = refused(
        hub.apply(&changed),
        OpErrorKind::Unavailable,
        "store.diskLow",
    );
    assert!(error.remedy.contains("an abort still goes through"));
}

#[test]
fn a_removed_plan_is_gone_and_its_rollouts_numbers_are_not_given_again() {
    let hub = Hub::new();
    let plan = hub.apply(PLAN).unwrap().plan;
    let remove = || ready(hub.ops.remove_plan(&caller(), plan.clone(), hub.now()));
    let first = hub.start("1.1.0").unwrap();
    let error = refused(remove(), OpErrorKind::Conflict, "plan.running");
    assert!(error.message.contains(first.rollout.as_str()), "{error}");

    hub.alter(first.rollout.as_str(), |row| {
        row.state.phase = flagship_waves::RolloutPhase::Succeeded;
    });
    for cluster in ["pilot-1", "eu-1", "us-1"] {
        hub.delete(hub.claim(cluster).unwrap().value.key());
    }
    let removed = remove().unwrap();
    assert_eq!(removed.plan, plan);
    assert_eq!(hub.audited().last().unwrap(), "plan.remove");
    refused(remove(), OpErrorKind::NotFound, "plan.notFound");

    hub.apply(PLAN).unwrap();
    let second = hub.start("1.2.0").unwrap();
    assert_ne!(second.rollout, first.rollout);
}
