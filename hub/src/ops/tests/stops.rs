//! How often one credential may stop something anew: never so seldom that an incident meets it.

use flagship_proto::model::{Scope, TokenId};

use super::*;
use crate::{auth::Via, ops::stops::STOPS};

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
