//! Ways back: from a step, from a promotion, from Done; where there is room, and where there is none.

use std::time::Duration;

use flagship_proto::model::{Intent, Phase, ReturnTo, Weight};

use super::plant::{Plant, revision, usual};
use crate::status::CanaryStatus;

const MINUTE: Duration = Duration::from_secs(60);

fn good() -> Plant {
    let mut plant = Plant::serving(usual());
    for version in ["1.0.0", "1.1.0", "1.2.0"] {
        plant.rates.insert(version.to_owned(), 100.0);
    }
    plant.order("1.1.0", 1);
    plant
}

fn done() -> Plant {
    let mut plant = good();
    plant.run_to(Phase::Succeeded);
    plant.settle();
    plant
}

#[test]
fn a_retreat_acts_at_the_next_look_in_every_phase() {
    let stages: [fn(&CanaryStatus) -> bool; 6] = [
        |status| status.phase == Phase::Waiting || status.phase == Phase::Progressing,
        |status| status.step == 1,
        |status| status.step == 2,
        |status| status.phase == Phase::Promoting,
        |status| status.weight == Weight::FULL,
        |status| status.phase == Phase::Finalising,
    ];
    for (index, stage) in stages.into_iter().enumerate() {
        let mut plant = good();
        plant.run_until(MINUTE, stage);
        plant.intent(Intent::Retreat, "abort a-1");
        plant.look();
        assert_eq!(plant.live("1.1.0"), 0, "stage {index}");
        plant.settle();
        assert_eq!(plant.status.phase, Phase::Failed);
        assert_eq!(plant.status.primary, Some(revision("1.0.0")));
        assert_eq!(plant.status.reason.to_string(), "ordered back: abort a-1");
        assert!(
            !plant.versions.contains_key("1.1.0"),
            "stage {index}: it was stopped"
        );
    }
}

#[test]
fn a_retreat_after_done_goes_back_without_analysis_as_far_as_ready_instances_carry() {
    let mut plant = done();
    assert!(!plant.versions.contains_key("1.0.0"));
    plant.stuck.insert("1.0.0".to_owned());
    plant.intent(Intent::Retreat, "retreat");
    let asked = plant.asked.len();
    plant.run_for(Duration::from_secs(3));
    assert_eq!(plant.live("1.1.0"), 100, "nothing of 1.0.0 is ready");
    plant.versions.get_mut("1.0.0").unwrap().ready = 1;
    plant.look();
    assert_eq!(plant.live("1.1.0"), 50, "one of two instances carries half");
    assert!(
        plant
            .status
            .reason
            .to_string()
            .contains("1.0.0 has 1 of 2 instances ready")
    );
    plant.versions.get_mut("1.0.0").unwrap().ready = 2;
    plant.settle();
    assert_eq!(plant.live("1.0.0"), 100);
    assert_eq!(plant.status.primary, Some(revision("1.0.0")));
    assert_eq!(plant.status.promoted, [revision("1.0.0")]);
    assert_eq!(plant.status.phase, Phase::Failed);
    assert_eq!(plant.asked.len(), asked, "nothing was analysed");
    assert!(!plant.versions.contains_key("1.1.0"));
}

#[test]
fn now_does_not_wait_for_full_capacity() {
    let mut plant = done();
    plant.stuck.insert("1.0.0".to_owned());
    plant.intent(Intent::Retreat, "retreat --now");
    plant.target.as_mut().unwrap().now = true;
    plant.run_for(Duration::from_secs(3));
    assert_eq!(
        plant.live("1.1.0"),
        100,
        "but it never moves to what is not ready at all"
    );
    plant.versions.get_mut("1.0.0").unwrap().ready = 1;
    plant.look();
    assert_eq!(plant.live("1.1.0"), 0);
}

#[test]
fn a_return_right_after_done_finds_the_old_version_still_there() {
    let mut plant = good();
    plant.run_to(Phase::Succeeded);
    plant.intent(Intent::Retreat, "retreat");
    plant.look();
    assert_eq!(plant.live("1.1.0"), 0);
    plant.settle();
    assert_eq!(plant.status.primary, Some(revision("1.0.0")));
}

#[test]
fn a_retreat_may_name_a_version_or_a_digest() {
    let mut plant = done();
    plant.target.as_mut().unwrap().return_to = ReturnTo::Version("0.9.0".to_owned());
    plant.intent(Intent::Retreat, "retreat --to 0.9.0");
    plant.settle();
    assert_eq!(plant.live("0.9.0"), 100);
    let mut plant = done();
    let digest = revision("1.0.0").digest.unwrap();
    plant.target.as_mut().unwrap().return_to = ReturnTo::Digest(digest);
    plant.intent(Intent::Retreat, "retreat --to DIGEST");
    plant.settle();
    assert_eq!(plant.live("1.0.0"), 100);
}

#[test]
fn what_cannot_be_returned_to_is_said_and_nothing_moves() {
    let mut plant = done();
    let unknown = flagship_proto::digest::Digest::of(b"unknown");
    plant.target.as_mut().unwrap().return_to = ReturnTo::Digest(unknown);
    plant.intent(Intent::Retreat, "retreat --to DIGEST");
    plant.run_for(MINUTE);
    assert_eq!(plant.status.reason.code(), "CannotReturn");
    assert_eq!(plant.live("1.1.0"), 100);

    let mut plant = done();
    plant.intent(Intent::Retreat, "retreat");
    plant.look();
    plant.stuck.insert("1.0.0".to_owned());
    let old = plant.versions.get_mut("1.0.0").unwrap();
    old.ready = 0;
    old.not_startable = Some("no such file".to_owned());
    plant.run_for(Duration::from_secs(3));
    assert_eq!(
        plant.status.reason.to_string(),
        "cannot return to 1.0.0: no such file"
    );
    assert_eq!(plant.live("1.1.0"), 100, "users keep what works");
}

#[test]
fn a_retreat_of_what_never_started_is_over_at_once() {
    let mut plant = good();
    plant.intent(Intent::Retreat, "abort");
    plant.look();
    assert_eq!(plant.status.phase, Phase::Failed);
    assert_eq!(plant.status.weight, Weight::ZERO);
    assert_eq!(plant.live("1.0.0"), 100);
}

#[test]
fn a_retreat_is_not_done_before_every_proxy_shows_it() {
    let mut plant = good();
    plant.run_until(MINUTE, |status| status.step == 1);
    plant.look();
    let has = plant.proxies[0].1.clone();
    plant.proxies.push((true, has));
    plant.proxies[1].0 = false;
    plant.intent(Intent::Retreat, "abort");
    plant.run_for(MINUTE);
    assert!(plant.status.returning.is_some());
    assert!(
        plant.versions.contains_key("1.1.0"),
        "it still serves through the other proxy"
    );
    assert!(
        plant
            .status
            .reason
            .to_string()
            .contains("a proxy is not connected")
    );
    plant.proxies[1].0 = true;
    plant.settle();
    assert_eq!(plant.live("1.1.0"), 0);
}

#[test]
fn a_return_goes_on_after_a_restart_without_any_order() {
    let mut plant = done();
    plant.intent(Intent::Retreat, "retreat");
    plant.look();
    plant.restart();
    plant.target = None;
    plant.intent(Intent::Hold, "no hub");
    plant.settle();
    assert_eq!(plant.live("1.0.0"), 100);
}

#[test]
fn the_next_release_starts_from_what_was_returned_to() {
    let mut plant = done();
    plant.intent(Intent::Retreat, "retreat");
    plant.settle();
    plant.order("1.2.0", 2);
    plant.run_to(Phase::Succeeded);
    plant.settle();
    assert_eq!(
        plant.status.promoted,
        [revision("1.2.0"), revision("1.0.0")]
    );
    plant.intent(Intent::Retreat, "retreat");
    plant.settle();
    assert_eq!(plant.live("1.0.0"), 100);
}

/// A weight that was read before the proxy took an advance says nothing about after it (S11).
#[test]
fn s11_a_return_is_not_done_while_an_advance_may_still_be_on_its_way_to_a_proxy() {
    let mut plant = good();
    plant.run_until(MINUTE, |status| status.step == 1);
    let advanced = plant.told.clone();
    assert_eq!(plant.live("1.1.0"), 20);
    // The proxy has not taken it yet: it still reads as before.
    let before = plant.proxies[0].1.clone();
    plant.proxies[0].1 = crate::Route {
        weight: Weight::ZERO,
        ..before
    };
    plant.intent(Intent::Retreat, "abort a-1");
    let decision = plant.look();
    assert!(
        decision.next.returning.is_some(),
        "the proxy was told {advanced:?} and may take it at any moment"
    );
    plant.settle();
    assert!(plant.status.returning.is_none());
}
