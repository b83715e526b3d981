//! What is told of aborts that are in the way of a start or a retry.

use flagship_proto::{
    model::{AbortId, Scope},
    words::moment,
};

use super::{
    lift::{abort, lift},
    *,
};
use crate::auth::{Binding, Grants, Role};

#[test]
fn who_starts_or_retries_is_told_of_every_abort_in_the_way_and_lifts_none_that_is_lifted() {
    let hub = Hub::new();
    hub.start("1.0.1").unwrap();
    let running = Some(Phase::Progressing);
    hub.order("eu-1", "checkout-1", OnDisconnect::Hold, running);
    let first = abort(&hub, Scope::Fleet);
    let second = abort(&hub, Scope::Fleet);
    hub.alter("checkout-1", |row| {
        row.state.phase = flagship_waves::RolloutPhase::Aborted;
    });
    let retry = |caller: &Caller| {
        let asked = hub.ops.retry(caller, name("checkout-1"), hub.now());
        refused(ready(asked), OpErrorKind::Refused, "wish.notAllowed")
    };
    let start = || refused(hub.start("1.1.0"), OpErrorKind::Refused, "abort.stands");
    let lift_of = |id: &AbortId| format!("flagship lift {id} --reason …");
    for error in [start(), retry(&caller())] {
        for id in [&first, &second] {
            assert!(error.message.contains(id.as_str()), "{error}");
            assert!(error.remedy.contains(&lift_of(id)), "{error}");
        }
        assert!(error.remedy.starts_with("first lift them, then"), "{error}");
    }
    let end = moment(lift(&hub, &second, &[]).unwrap().effective);
    for error in [start(), retry(&caller())] {
        let ends = format!("abort {second} (fleet) of anna is lifted by anna and ends at {end}");
        assert!(error.message.contains(&ends), "{error}");
        assert!(error.remedy.contains(&lift_of(&first)), "{error}");
        assert!(!error.remedy.contains(&lift_of(&second)), "{error}");
    }
    lift(&hub, &first, &[]).unwrap();
    for (error, verb) in [(start(), "start"), (retry(&caller()), "retry")] {
        let head =
            format!("nothing more has to be lifted: from {end} on, {verb}:\n  flagship {verb}");
        assert!(error.remedy.starts_with(&head), "{error}");
        assert!(!error.remedy.contains("flagship lift"), "{error}");
    }
    let third = abort(&hub, Scope::Fleet);
    let operator = Caller {
        grants: Grants(vec![Binding::of(Role::Operator)]),
        ..caller()
    };
    let error = retry(&operator);
    assert!(error.message.contains(third.as_str()), "{error}");
    assert!(!error.remedy.contains(&lift_of(&third)), "{error}");
    let who = "flagship access list   # says who may lift";
    assert!(error.remedy.contains(who), "{error}");
}
