//! A way back that leads nowhere: a person sends it elsewhere, or a new order mends what it cannot.

use std::time::Duration;

use flagship_proto::model::{Intent, Phase, ReturnTo, Weight};

use super::plant::{Plant, revision, usual};

const MOMENT: Duration = Duration::from_secs(5);

/// 1.1.0 has all traffic and is ordered back to 1.0.0, which crashes.
fn barred() -> Plant {
    let mut plant = Plant::serving(usual());
    for version in ["0.9.0", "1.0.0", "1.1.0", "1.2.0"] {
        plant.rates.insert(version.to_owned(), 100.0);
    }
    plant.order("1.1.0", 1);
    plant.run_to(Phase::Succeeded);
    plant.settle();
    plant.intent(Intent::Retreat, "errors");
    plant.look();
    crash(&mut plant, "1.0.0");
    plant.run_for(MOMENT);
    assert_eq!(plant.status.reason.code(), "CannotReturn");
    assert_eq!(plant.live("1.1.0"), 100);
    plant
}

fn crash(plant: &mut Plant, version: &str) {
    let seen = plant.versions.get_mut(version).unwrap();
    seen.ready = 0;
    seen.crash_loop = Some("crashed 3 times".to_owned());
}

fn name(plant: &mut Plant, to: ReturnTo) {
    plant.target.as_mut().unwrap().return_to = to;
    plant.intent(Intent::Retreat, "elsewhere");
}

#[test]
fn a_return_that_leads_nowhere_goes_where_a_later_order_says() {
    let mut plant = barred();
    name(&mut plant, ReturnTo::Version("0.9.0".to_owned()));
    plant.look();
    assert_eq!(plant.live("1.1.0"), 100, "it does not run yet");
    assert_eq!(plant.status.reason.code(), "Returning");
    let said = plant.status.reason.to_string();
    assert!(said.contains("0.9.0"), "{said}");
    plant.settle();
    assert_eq!(plant.live("0.9.0"), 100);
    assert_eq!(plant.status.primary.as_ref().unwrap().version, "0.9.0");
    assert_eq!(plant.status.phase, Phase::Failed);
    let ended = plant.status.reason.to_string();
    assert_eq!(ended, "ordered back: elsewhere");
    let running: Vec<&str> = plant.versions.keys().map(String::as_str).collect();
    assert_eq!(running, ["0.9.0"], "nothing else is left running");
}

#[test]
fn a_canary_whose_primary_crashes_goes_where_an_order_says() {
    let mut plant = Plant::serving(usual());
    plant.rates.insert("1.1.0".to_owned(), 100.0);
    plant.order("1.1.0", 1);
    plant.run_until(Duration::from_secs(60), |status| status.step == 1);
    plant.look();
    crash(&mut plant, "1.0.0");
    plant.intent(Intent::Retreat, "errors");
    plant.run_for(MOMENT);
    assert_eq!(plant.status.reason.code(), "CannotReturn");
    name(&mut plant, ReturnTo::Version("0.9.0".to_owned()));
    plant.settle();
    assert_eq!(plant.live("0.9.0"), 100);
    let running: Vec<&str> = plant.versions.keys().map(String::as_str).collect();
    assert_eq!(running, ["0.9.0"]);
}

#[test]
fn what_cannot_serve_elsewhere_either_is_said_and_a_third_way_leaves_nothing_of_it() {
    let mut plant = barred();
    plant.stuck.insert("0.9.0".to_owned());
    name(&mut plant, ReturnTo::Version("0.9.0".to_owned()));
    plant.look();
    plant.look();
    crash(&mut plant, "0.9.0");
    plant.run_for(MOMENT);
    let said = plant.status.reason.to_string();
    assert_eq!(said, "cannot return to 0.9.0: crashed 3 times");
    assert_eq!(plant.live("1.1.0"), 100, "users keep what works");
    name(&mut plant, ReturnTo::Version("0.8.0".to_owned()));
    plant.settle();
    assert_eq!(plant.live("0.8.0"), 100);
    let running: Vec<&str> = plant.versions.keys().map(String::as_str).collect();
    assert_eq!(running, ["0.8.0"]);
}

#[test]
fn what_is_repaired_first_serves_first_and_then_what_was_named() {
    let mut plant = barred();
    plant.stuck.insert("0.9.0".to_owned());
    name(&mut plant, ReturnTo::Version("0.9.0".to_owned()));
    plant.run_for(MOMENT);
    plant.versions.get_mut("1.0.0").unwrap().crash_loop = None;
    plant.run_until(Duration::from_secs(60), |status| {
        status.primary == Some(revision("1.0.0"))
    });
    assert_eq!(plant.live("1.1.0"), 0);
    plant.stuck.clear();
    plant.run_until(Duration::from_secs(60), |status| {
        let primary = status.primary.as_ref();
        primary.is_some_and(|primary| primary.version == "0.9.0")
    });
    plant.settle();
    let running: Vec<&str> = plant.versions.keys().map(String::as_str).collect();
    assert_eq!(running, ["0.9.0"]);
}

#[test]
fn a_return_on_its_way_is_not_turned_and_never_to_what_it_leaves() {
    let mut plant = barred();
    name(&mut plant, ReturnTo::Version("1.1.0".to_owned()));
    plant.run_for(MOMENT);
    assert_eq!(plant.status.reason.code(), "CannotReturn");
    assert_eq!(
        plant.status.returning.as_ref().unwrap().to,
        revision("1.0.0")
    );

    let mut plant = barred();
    let old = plant.versions.get_mut("1.0.0").unwrap();
    (old.crash_loop, old.ready) = (None, 1);
    plant.stuck.insert("1.0.0".to_owned());
    plant.run_for(MOMENT);
    assert_eq!(plant.live("1.1.0"), 50, "half of it is back");
    name(&mut plant, ReturnTo::Version("0.9.0".to_owned()));
    plant.run_for(MOMENT);
    assert_eq!(
        plant.live("1.0.0"),
        50,
        "what carries traffic goes on doing so"
    );
    assert!(!plant.versions.contains_key("0.9.0"));
}

#[test]
fn half_back_and_crashed_waits_for_nothing_but_one_instance_elsewhere() {
    let mut plant = barred();
    let old = plant.versions.get_mut("1.0.0").unwrap();
    (old.crash_loop, old.ready) = (None, 1);
    plant.stuck.insert("1.0.0".to_owned());
    plant.run_for(MOMENT);
    crash(&mut plant, "1.0.0");
    plant.stuck.insert("0.9.0".to_owned());
    name(&mut plant, ReturnTo::Version("0.9.0".to_owned()));
    plant.look();
    plant.versions.get_mut("0.9.0").unwrap().ready = 1;
    plant.look();
    assert_eq!((plant.live("0.9.0"), plant.live("1.1.0")), (50, 50));
}

#[test]
fn a_new_release_is_not_kept_out_by_a_return_that_leads_nowhere() {
    let mut plant = barred();
    plant.order("1.2.0", 2);
    plant.permission.may_advance = false;
    plant.run_for(MOMENT);
    assert!(plant.status.returning.is_some(), "it may not begin yet");
    plant.permit();
    plant.run_to(Phase::Succeeded);
    plant.settle();
    assert_eq!(plant.live("1.2.0"), 100);
    let running: Vec<&str> = plant.versions.keys().map(String::as_str).collect();
    assert_eq!(running, ["1.2.0"]);
}

#[test]
fn a_new_release_waits_for_a_return_that_has_moved_traffic_or_may_yet() {
    let mut plant = barred();
    plant.versions.get_mut("1.0.0").unwrap().crash_loop = None;
    plant.order("1.2.0", 2);
    plant.look();
    plant.run_until(Duration::from_secs(60), |status| {
        status.primary == Some(revision("1.0.0")) && status.returning.is_none()
    });
    assert_eq!(plant.live("1.2.0"), 0, "first it was back");
    assert!(plant.status.weight < Weight::FULL);
}
