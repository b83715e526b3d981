//! `start`: claims, rejected changes, standing aborts, superseding, the frozen plan, and replay.

use flagship_proto::{
    model::{AbortMode, Scope},
    words::moment,
};
use flagship_waves::{RolloutPhase, Wish};

use super::*;

#[test]
fn p16_a_start_claims_the_whole_scope_and_freezes_the_plan() {
    let hub = Hub::new();
    let started = hub.start("1.1.0").unwrap();
    assert_eq!(started.rollout.as_str(), "checkout-1");
    let places: Vec<(&str, &str)> = started
        .places
        .iter()
        .map(|place| (place.cluster.as_str(), place.wave.as_str()))
        .collect();
    assert_eq!(
        places,
        [("pilot-1", "pilot"), ("eu-1", "rest"), ("us-1", "rest")]
    );
    for cluster in ["pilot-1", "eu-1", "us-1"] {
        assert_eq!(hub.claim(cluster).unwrap().rollout, started.rollout);
    }
    hub.apply(&PLAN.replace("maxConcurrent: 2", "maxConcurrent: 1"))
        .unwrap();
    let row = hub.rollout("checkout-1");
    assert_eq!(row.plan, flagship_waves::parse_plan(PLAN).unwrap());
    assert_eq!(row.plan_digest, row.plan.digest());
    assert_eq!(hub.audited(), ["plan.apply", "rollout.start", "plan.apply"]);
}

#[test]
fn p16_a_second_rollout_is_refused_with_the_holders_name() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let error = refused(hub.start("1.2.0"), OpErrorKind::Refused, "claim.held");
    assert!(error.message.contains("shop/checkout-1"), "{error}");
    assert_eq!(
        error.remedy,
        "wait for its end, or:\n  \
         flagship retreat shop/checkout-1 --reason …   # takes every cluster back, Done ones too\n  \
         flagship start shop/checkout --to-version 1.2.0 --supersede --reason …   # takes over from it"
    );
    assert_eq!(hub.claim("eu-1").unwrap().rollout.as_str(), "checkout-1");
}

#[test]
fn what_is_aborted_does_not_end_by_itself_and_each_way_out_is_a_whole_command() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.alter("checkout-1", |row| row.state.phase = RolloutPhase::Aborted);
    let error = refused(hub.start("1.2.0"), OpErrorKind::Refused, "claim.held");
    assert_eq!(
        error.remedy,
        "it does not end by itself:\n  \
         flagship retreat shop/checkout-1 --reason …   # takes every cluster back, Done ones too\n  \
         flagship retry shop/checkout-1 --reason …   # begins again at step 0; Done clusters stay\n  \
         flagship accept shop/checkout-1 --reason …   # takes the mixed state as final\n  \
         flagship start shop/checkout --to-version 1.2.0 --supersede --reason …   # takes over from it"
    );
}

#[test]
fn what_waits_for_its_last_clusters_on_the_way_back_ends_when_they_are_back() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.alter("checkout-1", |row| {
        row.state.phase = RolloutPhase::Retreating;
        row.state.waiting = vec![flagship_waves::Waiting {
            since: Timestamp::UNIX_EPOCH,
            reason: flagship_waves::Reason::ReturnNotHeard {
                cluster: cluster("us-1"),
            },
        }];
    });
    let error = refused(hub.start("1.2.0"), OpErrorKind::Refused, "claim.held");
    let said = "it ends once all its clusters are heard and back, not yet: us-1; before that:\n";
    assert!(error.remedy.starts_with(said), "{}", error.remedy);
}

/// A moment as sentences have it.
fn whole_second(now: Tick) -> String {
    moment(now.wall)
}

#[test]
fn s09_a_supersede_takes_the_claims_and_tells_the_holder_in_one_transaction() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let before = hub.ops.store.position().seq;
    let started = hub
        .start_with("1.2.0", |args| args.supersede = true)
        .unwrap();
    assert_eq!(hub.ops.store.position().seq, before + 1);
    assert_eq!(started.rollout.as_str(), "checkout-2");
    assert_eq!(started.superseded[0].as_str(), "checkout-1");
    assert_eq!(hub.claim("us-1").unwrap().rollout, started.rollout);
    let holder = hub.rollout("checkout-1");
    let wish = &holder.open_requests().next().unwrap().wish;
    assert_eq!(
        *wish,
        Wish::Supersede {
            by: started.rollout
        }
    );
}

#[test]
fn what_has_ended_holds_nothing() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.alter("checkout-1", |row| {
        row.state.phase = RolloutPhase::Succeeded
    });
    let started = hub.start("1.2.0").unwrap();
    assert!(started.superseded.is_empty());
    assert_eq!(hub.claim("us-1").unwrap().rollout.as_str(), "checkout-2");
}

#[test]
fn s08_a_rejected_change_starts_again_only_by_a_persons_word_with_a_reason() {
    let hub = Hub::new();
    hub.reject("1.2.0");
    let error = refused(hub.start("1.2.0"), OpErrorKind::Refused, "change.rejected");
    assert!(error.message.contains("error rate 10%"), "{error}");
    assert!(error.message.contains(&whole_second(hub.now())), "{error}");
    assert_eq!(
        error.remedy,
        "if it is to be tried all the same: flagship start shop/checkout --to-version 1.2.0 --again --reason …"
    );
    let again = hub.start_with("1.2.0", |args| args.again = true);
    refused(again, OpErrorKind::BadInput, "reason.missing");
    let args = StartRollout {
        plan: "shop/checkout".parse().unwrap(),
        change: Change::Version("1.2.0".to_owned()),
        again: true,
        supersede: false,
    };
    ready(hub.ops.start(&with_reason(), args, hub.now())).unwrap();
    let left = hub.ops.store.list(key::REJECTED).unwrap().rows;
    assert!(left.is_empty(), "cleared in the same transaction");
}

#[test]
fn a_standing_abort_in_scope_refuses_a_start_with_its_id_and_the_remedy() {
    let hub = Hub::new();
    let order = |scope| AbortOrder {
        scope,
        mode: AbortMode::Return,
    };
    let elsewhere = Scope::Selector(flagship_proto::model::Selector {
        names: vec![cluster("us-1")],
        ..Default::default()
    });
    let abort = ready(hub.ops.abort(&caller(), order(elsewhere), hub.now())).unwrap();
    let error = refused(hub.start("1.1.0"), OpErrorKind::Refused, "abort.stands");
    let id = abort.abort.id.as_str();
    assert!(
        error.message.contains(id) && error.remedy.contains(id),
        "{error}"
    );
    let first_this = format!(
        "first lift it, then start:\n  flagship lift {id} --reason …   # moves nothing by itself\n  \
         flagship start shop/checkout --to-version 1.1.0 --reason …"
    );
    assert_eq!(error.remedy, first_this, "a lift starts nothing");
    assert!(error.message.contains(&whole_second(hub.now())), "{error}");
}

#[test]
fn bad_input_is_refused_by_field() {
    let hub = Hub::new();
    for version in ["", "-1", "a b", "../x", "1.0;rm", &"9".repeat(129)] {
        let error = refused(hub.start(version), OpErrorKind::BadInput, "change.version");
        assert_eq!(error.field.as_deref(), Some("toVersion"));
    }
    let image = Change::Image {
        container: "app".to_owned(),
        image: "x".to_owned(),
    };
    let other = hub.start_with("", |args| args.change = image);
    refused(other, OpErrorKind::BadInput, "change.kind");
    let unknown = hub.start_with("1.0.0", |args| args.plan = "shop/search".parse().unwrap());
    let error = refused(unknown, OpErrorKind::NotFound, "plan.notFound");
    assert!(error.remedy.contains("shop/checkout"), "{}", error.remedy);
}

#[test]
fn the_same_idempotency_key_gets_the_first_answer_and_another_request_a_conflict() {
    let hub = Hub::new();
    let caller = Caller {
        idempotency_key: Some("k-1".to_owned()),
        ..caller()
    };
    let args = |version: &str| StartRollout {
        plan: "shop/checkout".parse().unwrap(),
        change: Change::Version(version.to_owned()),
        again: false,
        supersede: false,
    };
    let first = ready(hub.ops.start(&caller, args("1.1.0"), hub.now())).unwrap();
    let second = ready(hub.ops.start(&caller, args("1.1.0"), hub.now())).unwrap();
    assert_eq!(first, second);
    assert_eq!(hub.ops.store.list(key::ROLLOUTS).unwrap().rows.len(), 1);
    let other = ready(hub.ops.start(&caller, args("1.2.0"), hub.now()));
    refused(other, OpErrorKind::Conflict, "idempotencyKey.used");
    let someone_else = Caller {
        actor: "otto".to_owned(),
        ..caller
    };
    let held = ready(hub.ops.start(&someone_else, args("1.1.0"), hub.now()));
    refused(held, OpErrorKind::Refused, "claim.held");
}

#[test]
fn an_idempotency_key_is_forgotten_after_a_day() {
    let mut hub = Hub::new();
    let keyed = |key: &str| Caller {
        idempotency_key: Some(key.to_owned()),
        ..caller()
    };
    hub.start("1.1.0").unwrap();
    ready(hub.ops.pause(&keyed("a"), name("checkout-1"), hub.now())).unwrap();
    hub.seconds += 25 * 3600;
    ready(hub.ops.pause(&keyed("b"), name("checkout-1"), hub.now())).unwrap();
    assert_eq!(hub.ops.store.list(key::IDEMPOTENCY).unwrap().rows.len(), 1);
}
