//! How often one credential may stop something anew: never so seldom that an incident meets it.

use flagship_proto::model::{Scope, TokenId};

use super::*;
use crate::{
    auth::Via,
    ops::stops::{LIFTS, STOPS},
};

fn by(id: &str) -> Caller {
    let id: TokenId = id.parse().unwrap();
    Caller {
        via: Some(Via::Token(id)),
        ..caller()
    }
}

fn freeze(hub: &Hub, caller: &Caller) -> Result<(), OpError> {
    let order = FreezeOrder {
        scope: Scope::Project("shop".parse().unwrap()),
        end: FreezeUntil::Unfrozen,
    };
    ready(hub.ops.freeze(caller, order, hub.now())).map(|_| ())
}

#[test]
fn who_freezes_without_end_is_slowed_and_still_takes_back_and_aborts() {
    let mut hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let (one, other) = (by("aa"), by("bb"));
    for _ in 0..STOPS.burst {
        freeze(&hub, &one).unwrap();
    }
    refused(freeze(&hub, &one), OpErrorKind::TooOften, "stop.tooOften");
    freeze(&hub, &other).unwrap();
    let pause = ready(hub.ops.pause(&one, name("checkout-1"), hub.now()));
    refused(pause, OpErrorKind::TooOften, "stop.tooOften");
    let last = ReturnTo::LastPromoted;
    let retreat = || {
        ready(
            hub.ops
                .retreat(&one, name("checkout-1"), last.clone(), false, hub.now()),
        )
    };
    retreat().unwrap();
    refused(retreat(), OpErrorKind::TooOften, "stop.tooOften");
    let order = AbortOrder {
        scope: Scope::Fleet,
        mode: Default::default(),
    };
    ready(hub.ops.abort(&one, order, hub.now())).unwrap();
    hub.seconds += 2;
    freeze(&hub, &one).unwrap();
}

#[test]
fn a_script_that_stops_a_hundred_rollouts_in_one_loop_is_never_told_to_wait() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    for _ in 0..100 {
        freeze(&hub, &by("aa")).unwrap();
        ready(hub.ops.pause(&by("aa"), name("checkout-1"), hub.now())).unwrap();
    }
}

#[test]
fn who_aborts_and_lifts_in_turn_is_slowed_at_the_lift_alone_and_others_are_not() {
    let mut hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let (one, other) = (by("aa").because("again"), by("bb").because("mine"));
    let abort = |hub: &Hub| {
        let order = AbortOrder {
            scope: Scope::Project("shop".parse().unwrap()),
            mode: Default::default(),
        };
        let ordered = ready(hub.ops.abort(&one, order, hub.now()));
        ordered.expect("who stops is never told to wait").abort.id
    };
    let lift = |hub: &Hub, caller: &Caller, abort| {
        let except = Vec::new();
        let order = LiftOrder { abort, except };
        ready(hub.ops.lift(caller, order, hub.now())).map(|_| ())
    };
    for _ in 0..LIFTS.burst {
        let id = abort(&hub);
        lift(&hub, &one, id).unwrap();
    }
    let last = abort(&hub);
    let error = refused(
        lift(&hub, &one, last.clone()),
        OpErrorKind::TooOften,
        "lift.tooOften",
    );
    assert!(error.message.contains("stands on"), "{error}");
    abort(&hub);
    lift(&hub, &other, last).unwrap();
    let standing = standing_aborts(&hub.ops.store, hub.now().wall).unwrap();
    assert_eq!(standing.len(), 1, "those that were lifted are over");
    hub.seconds += 60 / u64::from(LIFTS.per_minute);
    lift(&hub, &one, standing[0].id().clone()).unwrap();
}
