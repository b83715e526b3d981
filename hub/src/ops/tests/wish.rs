//! What people wish of a rollout: stored with a number, refused where it cannot be granted.

use flagship_proto::model::{AbortMode, Scope};
use flagship_waves::{ClusterState as Place, RolloutPhase, Wish};

use super::*;

#[test]
fn a_wish_is_stored_with_the_next_number_and_audited() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let first = ready(hub.ops.pause(&caller(), name("checkout-1"), hub.now())).unwrap();
    assert_eq!((first.request, first.verb.as_str()), (1, "pause"));
    hub.alter("checkout-1", |row| {
        row.state.handled = 1;
        row.requests.clear();
        row.state.phase = RolloutPhase::Paused;
    });
    let second = ready(hub.ops.resume(&caller(), name("checkout-1"), hub.now())).unwrap();
    assert_eq!(
        second.request, 2,
        "numbers go on after the engine took the first"
    );
    assert_eq!(
        hub.audited(),
        [
            "plan.apply",
            "rollout.start",
            "rollout.pause",
            "rollout.resume"
        ]
    );
}

#[test]
fn a_wish_that_cannot_be_granted_is_refused_in_words() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let error = refused(
        ready(hub.ops.resume(&caller(), name("checkout-1"), hub.now())),
        OpErrorKind::Refused,
        "wish.notAllowed",
    );
    assert!(error.message.contains("it is not paused"), "{error}");
    refused(
        ready(hub.ops.accept(&caller(), name("checkout-1"), hub.now())),
        OpErrorKind::BadInput,
        "reason.missing",
    );
    let error = refused(
        ready(hub.ops.pause(&caller(), name("checkout-9"), hub.now())),
        OpErrorKind::NotFound,
        "rollout.notFound",
    );
    assert!(error.remedy.contains("checkout-1"), "{}", error.remedy);
}

#[test]
fn s08_a_retry_clears_the_rejection_with_a_reason() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.reject("1.1.0");
    hub.alter("checkout-1", |row| row.state.phase = RolloutPhase::Failed);
    let silent = ready(hub.ops.retry(&caller(), name("checkout-1"), hub.now()));
    refused(silent, OpErrorKind::BadInput, "reason.missing");
    ready(hub.ops.retry(&with_reason(), name("checkout-1"), hub.now())).unwrap();
    assert!(hub.ops.store.list(key::REJECTED).unwrap().rows.is_empty());
}

#[test]
fn a_retry_under_a_standing_abort_names_the_lift() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.alter("checkout-1", |row| row.state.phase = RolloutPhase::Aborted);
    let order = AbortOrder {
        scope: Scope::Fleet,
        mode: AbortMode::Return,
    };
    let abort = ready(hub.ops.abort(&caller(), order, hub.now())).unwrap();
    let error = refused(
        ready(hub.ops.retry(&with_reason(), name("checkout-1"), hub.now())),
        OpErrorKind::Refused,
        "wish.notAllowed",
    );
    assert!(
        error.remedy.contains(abort.abort.id.as_str()),
        "{}",
        error.remedy
    );
}

#[test]
fn a_retreat_takes_the_claims_again_and_never_anothers() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.alter("checkout-1", |row| {
        row.state.phase = RolloutPhase::Succeeded;
        for each in ["eu-1", "us-1"] {
            let mut place = Place::waiting(cluster(each), 1, Timestamp::UNIX_EPOCH);
            place.touched = true;
            row.state.clusters.insert(uid(each), place);
        }
    });
    for each in ["pilot-1", "eu-1", "us-1"] {
        hub.delete(key::claim(&workload(), &uid(each)));
    }
    let retreat = || {
        let to = ReturnTo::LastPromoted;
        ready(
            hub.ops
                .retreat(&caller(), name("checkout-1"), to, false, hub.now()),
        )
    };
    retreat().unwrap();
    assert_eq!(hub.claim("us-1").unwrap().rollout.as_str(), "checkout-1");
    assert!(hub.claim("pilot-1").is_none(), "it never took part");
    let mut other = hub.claim("us-1").unwrap().into_value();
    other.rollout = "checkout-2".parse().unwrap();
    hub.put(&other);
    let error = refused(retreat(), OpErrorKind::Refused, "claim.held");
    assert!(error.message.contains("checkout-2"), "{error}");
    let instead = "wait for its end, or take it back: flagship retreat shop/checkout-2 --reason …";
    assert_eq!(error.remedy, instead);
}

#[test]
fn on_a_nearly_full_disk_pause_and_retreat_go_through_and_resume_does_not() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.memory.set_disk_low(true);
    let to = ReturnTo::LastPromoted;
    ready(hub.ops.pause(&caller(), name("checkout-1"), hub.now())).unwrap();
    ready(
        hub.ops
            .retreat(&caller(), name("checkout-1"), to, true, hub.now()),
    )
    .unwrap();
    let row = hub.rollout("checkout-1");
    assert!(matches!(
        row.requests[1].wish,
        Wish::Retreat { now: true, .. }
    ));
    hub.memory.set_disk_low(false);
    hub.alter("checkout-1", |row| row.state.phase = RolloutPhase::Paused);
    hub.memory.set_disk_low(true);
    let resumed = ready(hub.ops.resume(&caller(), name("checkout-1"), hub.now()));
    refused(resumed, OpErrorKind::Unavailable, "store.diskLow");
}

#[test]
fn a_rollout_that_went_back_is_not_offered_to_be_taken_back() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.alter("checkout-1", |row| {
        row.state.phase = RolloutPhase::RolledBack;
    });
    let order = AbortOrder {
        scope: Scope::Rollout {
            project: "shop".parse().unwrap(),
            id: "checkout-1".parse().unwrap(),
        },
        mode: AbortMode::Return,
    };
    let stop = || ready(hub.ops.abort(&caller(), order.clone(), hub.now()));
    let error = refused(stop(), OpErrorKind::NotFound, "scope.nothing");
    assert!(
        !error.remedy.contains("flagship retreat"),
        "{}",
        error.remedy
    );
    hub.alter("checkout-1", |row| {
        row.state.phase = RolloutPhase::Succeeded
    });
    let error = refused(stop(), OpErrorKind::NotFound, "scope.nothing");
    assert!(
        error.remedy.contains("flagship retreat"),
        "{}",
        error.remedy
    );
}

#[test]
fn a_way_back_to_what_was_taken_back_says_by_whom() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.alter("checkout-1", |row| {
        row.state.phase = RolloutPhase::RolledBack;
        row.state.retreat = Some(flagship_waves::Retreat {
            scope: flagship_waves::RetreatScope::All,
            to: ReturnTo::LastPromoted,
            now: false,
            actor: Some("ann".to_owned()),
            reason: "wrong prices".to_owned(),
            abort: None,
        });
    });
    hub.start("1.2.0").unwrap();
    let to = ReturnTo::Version("1.1.0".to_owned());
    let back = ready(
        hub.ops
            .retreat(&caller(), name("checkout-2"), to, false, hub.now()),
    );
    let error = refused(back, OpErrorKind::Refused, "retreat.to");
    let said = "was taken back by ann: wrong prices (rollout shop/checkout-1)";
    assert!(error.message.contains(said), "{error}");
}

#[test]
fn who_would_take_back_what_was_accepted_is_told_the_abort_that_does() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.alter("checkout-1", |row| {
        row.state.accepted = Some(flagship_waves::Accepted {
            actor: "anna".to_owned(),
            reason: "good enough".to_owned(),
            at: Timestamp::UNIX_EPOCH,
        });
    });
    let (who, to) = (caller(), ReturnTo::LastPromoted);
    let retreat = hub
        .ops
        .retreat(&who, name("checkout-1"), to, false, hub.now());
    let error = refused(ready(retreat), OpErrorKind::Refused, "wish.notAllowed");
    let abort = "flagship abort --plan shop/checkout --retreat --reason …";
    assert!(error.remedy.starts_with(abort), "{}", error.remedy);
}
