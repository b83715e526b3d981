//! The files under deploy/ are what the product reads without a finding.

use flagship_proto::model::canary::CanaryDocument;
use flagship_waves::plan::{has_errors, lint_offline, parse_plan};

#[test]
fn the_example_plan_has_no_error_and_its_canary_neither() {
    let text = include_str!("../../deploy/example/plan.yaml");
    let findings = lint_offline(text);
    assert!(!has_errors(&findings), "{findings:#?}");
    let plan = parse_plan(text).unwrap();
    let canary = CanaryDocument {
        spec: plan.spec.canary,
        ..CanaryDocument::default()
    };
    assert_eq!(canary.validate(), []);
    assert_eq!(canary.unsupported(), []);
}

#[test]
fn the_example_notifications_are_what_the_hub_reads() {
    let text = include_str!("../../deploy/example/notifications.yaml");
    let settings = flagship_notify::Settings::parse(text).unwrap();
    assert_eq!(settings.channels.len(), 4);
}
