//! `lift`: its tombstone, when it takes effect, and the narrower aborts that go on standing.

use flagship_proto::model::{
    AbortId, AbortMode, Receipt, ReceiptState, Scope, Selector, SignedReceipt, WorkloadReceipt,
};

use super::{
    bounds::{large, not_in},
    *,
};
use crate::{
    ops::room::MOST_STANDING,
    records::{LiftRow, ReceiptRow},
};

pub(super) fn abort(hub: &Hub, scope: Scope) -> AbortId {
    abort_by(hub, &caller(), scope)
}

fn abort_by(hub: &Hub, caller: &Caller, scope: Scope) -> AbortId {
    let order = AbortOrder {
        scope,
        mode: AbortMode::Return,
    };
    let answer = ready(hub.ops.abort(caller, order, hub.now())).unwrap();
    answer.abort.id
}

pub(super) fn lift(hub: &Hub, id: &AbortId, except: &[Scope]) -> Result<LiftAnswer, OpError> {
    let order = LiftOrder {
        abort: id.clone(),
        except: except.to_vec(),
    };
    ready(hub.ops.lift(&with_reason(), order, hub.now()))
}

fn answered(hub: &Hub, id: &AbortId, name: &str) {
    let receipt = Receipt {
        abort: id.clone(),
        cluster: cluster(name),
        uid: uid(name),
        incarnation: Default::default(),
        seq: 1,
        at: hub.now().wall,
        durable: true,
        workloads: vec![WorkloadReceipt {
            workload: workload(),
            fence: Fence::default(),
            state: ReceiptState::Returned,
            read_back: Some(Weight::ZERO),
            proxies: 1,
            digest: None,
        }],
    };
    let signed = SignedReceipt {
        receipt,
        body: Vec::new(),
        signature: Vec::new(),
        serial: String::new(),
    };
    hub.put(&ReceiptRow::new(signed, Vec::new(), hub.now().wall));
}

#[test]
fn p08_a_lift_takes_effect_when_all_have_answered_or_after_the_bound() {
    let mut hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.order(
        "pilot-1",
        "checkout-1",
        OnDisconnect::Hold,
        Some(Phase::Progressing),
    );
    let id = abort(&hub, Scope::Fleet);
    hub.seconds += 1;
    let early = lift(&hub, &id, &[]).unwrap();
    assert_eq!(early.waits_for, [cluster("pilot-1")]);
    assert!(early.effective > hub.now().wall);
    assert_eq!(
        standing_aborts(&hub.ops.store, hub.now().wall)
            .unwrap()
            .len(),
        1
    );
    hub.seconds += 15;
    assert!(
        standing_aborts(&hub.ops.store, hub.now().wall)
            .unwrap()
            .is_empty()
    );

    let id = abort(&hub, Scope::Fleet);
    answered(&hub, &id, "pilot-1");
    let at_once = lift(&hub, &id, &[]).unwrap();
    assert_eq!(
        (at_once.effective, at_once.waits_for.len()),
        (hub.now().wall, 0)
    );
    assert!(
        standing_aborts(&hub.ops.store, hub.now().wall)
            .unwrap()
            .is_empty()
    );
}

#[test]
fn p07_a_lifted_id_stays_dead() {
    let hub = Hub::new();
    let id = abort(&hub, Scope::Fleet);
    lift(&hub, &id, &[]).unwrap();
    let error = refused(lift(&hub, &id, &[]), OpErrorKind::Conflict, "abort.lifted");
    assert!(error.message.contains("anna"), "{error}");
    let row: Stored<LiftRow> = hub.ops.store.read(&key::lift(&id)).unwrap().unwrap();
    assert!(row.position() > row_of(&hub, &id).created);
}

fn row_of(hub: &Hub, id: &AbortId) -> Stored<AbortRow> {
    hub.ops.store.read(&key::abort(id)).unwrap().unwrap()
}

#[test]
fn p09_two_aborts_need_two_lifts() {
    let hub = Hub::new();
    let first = abort(&hub, Scope::Fleet);
    let second = abort(&hub, Scope::Fleet);
    assert_ne!(first, second);
    lift(&hub, &first, &[]).unwrap();
    refused(hub.start("1.1.0"), OpErrorKind::Refused, "abort.stands");
    lift(&hub, &second, &[]).unwrap();
    hub.start("1.1.0").unwrap();
}

#[test]
fn a_lift_except_leaves_narrower_aborts_in_the_same_transaction() {
    let hub = Hub::new();
    let id = abort(&hub, Scope::Fleet);
    let us = Scope::Selector(Selector {
        names: vec![cluster("us-1")],
        ..Selector::default()
    });
    let before = hub.ops.store.position().seq;
    let plan = Scope::Plan("shop/checkout".parse().unwrap());
    let answer = lift(&hub, &id, &[us, plan]).unwrap();
    assert_eq!(hub.ops.store.position().seq, before + 1);
    let standing = standing_aborts(&hub.ops.store, hub.now().wall).unwrap();
    assert_eq!(standing.len(), 2);
    let rest = row_of(&hub, &answer.narrowed_to[0]);
    assert_eq!(rest.matched, Some([uid("us-1")].into()));
    assert_eq!(rest.narrowed_from, Some(id.clone()));
    assert_eq!(row_of(&hub, &answer.narrowed_to[1]).matched, None);
    let again = refused(lift(&hub, &id, &[]), OpErrorKind::Conflict, "abort.lifted");
    assert!(
        again.remedy.contains(answer.narrowed_to[0].as_str()),
        "{}",
        again.remedy
    );
}

#[test]
fn a_lift_leaves_no_more_aborts_and_no_longer_ones_than_one_hello_shows() {
    let hub = Hub::new();
    let id = abort(&hub, Scope::Fleet);
    let part = |number: usize| {
        Scope::Selector(Selector {
            names: vec![cluster("us-1"), cluster(&format!("us-{number}"))],
            ..Selector::default()
        })
    };
    let many: Vec<Scope> = (0..70).map(part).collect();
    let error = refused(
        lift(&hub, &id, &many),
        OpErrorKind::Refused,
        "abort.tooMany",
    );
    assert!(error.message.contains("nothing was lifted"), "{error}");
    let twice = lift(&hub, &id, &[part(2), part(3), part(2)]);
    refused(twice, OpErrorKind::BadInput, "except.twice");
    let order = LiftOrder {
        abort: id,
        except: vec![part(2), part(3)],
    };
    let long = caller().because(&"y".repeat(2_000));
    let answer = ready(hub.ops.lift(&long, order, hub.now())).unwrap();
    for rest in &answer.narrowed_to {
        assert!(row_of(&hub, rest).unplaced().reason.len() <= 512);
    }
}

#[test]
fn a_lift_leaves_no_more_bytes_of_aborts_than_all_share() {
    let hub = Hub::new();
    let id = abort(&hub, Scope::Fleet);
    let part = |number: usize| large(&format!("part{number}"), 90);
    let parts: Vec<Scope> = (0..60).map(part).collect();
    let error = refused(
        lift(&hub, &id, &parts),
        OpErrorKind::Refused,
        "abort.tooMany",
    );
    assert!(error.message.contains("too many bytes"), "{error}");
    lift(&hub, &id, &parts[..50]).unwrap();
}

/// As many aborts as may stand, of two people, and a cluster that answers none of them: what is lifted
/// stands on until its bound has passed.
fn full_of_aborts(hub: &Hub) -> Vec<AbortId> {
    hub.start("1.1.0").unwrap();
    let phase = Some(Phase::Progressing);
    hub.order("pilot-1", "checkout-1", OnDisconnect::Hold, phase);
    let people = [Caller::new("anna"), Caller::new("ben")];
    let numbered = people.iter().cycle().zip(0..MOST_STANDING);
    numbered
        .map(|(who, number)| abort_by(hub, who, not_in(&format!("r{number}"))))
        .collect()
}

#[test]
fn an_abort_is_narrowed_to_one_part_also_where_no_other_finds_room_but_not_without_end() {
    let mut hub = Hub::new();
    let standing = |hub: &Hub| standing_aborts(&hub.ops.store, hub.now().wall).unwrap();
    let part = || [Scope::Plan("shop/checkout".parse().unwrap())];
    let mut whole = full_of_aborts(&hub).into_iter();
    for ends in 1..=MOST_STANDING / 4 + 1 {
        let answer = lift(&hub, &whole.next().unwrap(), &part()).unwrap();
        assert!(answer.effective > hub.now().wall, "it waits for pilot-1");
        assert_eq!(answer.narrowed_to.len(), 1);
        assert_eq!(standing(&hub).len(), MOST_STANDING + ends);
    }
    let next = whole.next().unwrap();
    let error = refused(
        lift(&hub, &next, &part()),
        OpErrorKind::Refused,
        "abort.tooMany",
    );
    assert!(error.message.contains("nothing was lifted"), "{error}");
    lift(&hub, &next, &[]).unwrap();
    hub.seconds += 60;
    lift(&hub, &whole.next().unwrap(), &part()).unwrap();
}

#[test]
fn an_abort_that_stands_beyond_the_limit_is_narrowed_to_one_part_and_to_no_more_than_fit() {
    let hub = Hub::new();
    let whole = full_of_aborts(&hub);
    // Each of these people finds room, so that more stand than one and a quarter of the limit.
    for number in 0..MOST_STANDING / 2 {
        let who = Caller::new(&format!("third-{number}"));
        abort_by(&hub, &who, not_in(&format!("t{number}")));
    }
    let plan = || Scope::Plan("shop/checkout".parse().unwrap());
    let error = refused(
        lift(&hub, &whole[0], &[plan(), not_in("eu")]),
        OpErrorKind::Refused,
        "abort.tooMany",
    );
    assert!(error.message.contains("96 aborts stand"), "{error}");
    lift(&hub, &whole[0], &[plan()]).unwrap();
}

#[test]
fn an_abort_is_narrowed_to_several_parts_as_far_as_they_find_room() {
    let hub = Hub::new();
    let whole = full_of_aborts(&hub);
    for id in &whole[..4] {
        answered(&hub, id, "pilot-1");
        lift(&hub, id, &[]).unwrap();
    }
    let parts = |count: usize| -> Vec<Scope> {
        let part = |number| not_in(&format!("part{number}"));
        (0..count).map(part).collect()
    };
    // One of them takes the place of what is lifted, four take those that are free.
    let error = refused(
        lift(&hub, &whole[4], &parts(6)),
        OpErrorKind::Refused,
        "abort.tooMany",
    );
    assert!(error.message.contains("60 aborts stand"), "{error}");
    let answer = lift(&hub, &whole[4], &parts(5)).unwrap();
    assert_eq!(answer.narrowed_to.len(), 5);
}

#[test]
fn only_a_part_of_the_scope_can_be_excepted() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let plan = || Scope::Plan("shop/checkout".parse().unwrap());
    let id = abort(&hub, plan());
    for outside in [
        Scope::Fleet,
        plan(),
        Scope::Project("shop".parse().unwrap()),
    ] {
        let error = refused(
            lift(&hub, &id, &[outside]),
            OpErrorKind::BadInput,
            "except.outside",
        );
        assert_eq!(error.field.as_deref(), Some("except"));
    }
    let unknown = Scope::Plan("shop/nothing".parse().unwrap());
    let error = refused(
        lift(&hub, &id, &[unknown]),
        OpErrorKind::NotFound,
        "plan.notFound",
    );
    assert!(error.message.contains("nothing was lifted"), "{error}");
    let inside = Scope::Rollout {
        project: "shop".parse().unwrap(),
        id: "checkout-1".parse().unwrap(),
    };
    lift(&hub, &id, &[inside]).unwrap();
}

#[test]
fn a_lift_needs_a_reason_and_an_abort_that_is_there() {
    let hub = Hub::new();
    let id = abort(&hub, Scope::Fleet);
    let order = LiftOrder {
        abort: id.clone(),
        except: Vec::new(),
    };
    let silent = ready(hub.ops.lift(&caller(), order, hub.now()));
    refused(silent, OpErrorKind::BadInput, "reason.missing");
    let unknown = lift(&hub, &"a-0".parse().unwrap(), &[]);
    let error = refused(unknown, OpErrorKind::NotFound, "abort.notFound");
    assert!(error.remedy.contains(id.as_str()), "{}", error.remedy);
}

#[test]
fn p07_a_lift_stays_in_force_when_the_clock_goes_back_and_waits_no_longer_when_it_was_ahead() {
    let mut hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let phase = Some(Phase::Progressing);
    hub.order("pilot-1", "checkout-1", OnDisconnect::Hold, phase);
    hub.seconds += 3_600;
    let id = abort(&hub, Scope::Fleet);
    answered(&hub, &id, "pilot-1");
    lift(&hub, &id, &[]).unwrap();
    let unanswered = abort(&hub, Scope::Fleet);
    hub.seconds -= 3_600;
    let standing = standing_aborts(&hub.ops.store, hub.now().wall).unwrap();
    let standing: Vec<_> = standing.iter().map(|row| row.id().clone()).collect();
    assert_eq!(standing, std::slice::from_ref(&unanswered));
    let waits = lift(&hub, &unanswered, &[]).unwrap();
    let wait = waits.effective.duration_since(hub.now().wall);
    assert!(wait.as_secs() <= 36, "{wait:?}");
}

/// Who stops and lifts again and again must not keep others from stopping the same.
#[test]
fn lifts_that_wait_are_bounded_and_what_they_end_is_stopped_by_everybody_meanwhile() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let phase = Some(Phase::Progressing);
    hub.order("pilot-1", "checkout-1", OnDisconnect::Hold, phase);
    let project = Scope::Project("shop".parse().unwrap());
    let mut ends = (0..100).map(|_| lift(&hub, &abort(&hub, project.clone()), &[]));
    let refused = ends.find_map(Result::err).expect("not without end");
    assert_eq!(refused.code, "lift.tooOften");
    assert!(refused.message.contains("wait for the last answers"));
    let other = Caller::new("bert").because("errors");
    for mode in [AbortMode::Return, AbortMode::Hold] {
        let scope = project.clone();
        let order = AbortOrder { scope, mode };
        ready(hub.ops.abort(&other, order, hub.now())).unwrap();
    }
    let own = abort(&hub, project.clone());
    let lifted = hub.ops.store.get(&key::lift(&own)).unwrap();
    assert!(lifted.is_none(), "the author stops it too");
}
