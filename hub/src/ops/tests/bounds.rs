//! What a right does not reach: stops that would shut the fleet out, a way back that is a release, the
//! workload of another project, clusters beyond a label.

use flagship_proto::{
    digest::canonical,
    model::{
        AbortMode, Scope, Selector,
        scope::{Expression, Operator},
    },
};

use super::*;
use crate::{
    auth::{Binding, Grants, Role},
    ops::room::{ASSURED, ASSURED_BYTES, MOST_BYTES, MOST_OF_AUTHOR},
    records::{GoodVersion, LastGoodRow},
};

pub(super) fn bound(role: Role, project: Option<&str>, region: Option<&str>) -> Caller {
    let selector = region.map(|region| Selector {
        match_labels: [("region".to_owned(), region.to_owned())].into(),
        ..Selector::default()
    });
    let projects = project.into_iter().map(|name| name.parse().unwrap());
    Caller {
        grants: Grants(vec![Binding {
            projects: projects.collect(),
            selector,
            ..Binding::of(role)
        }]),
        ..Caller::new("ola")
    }
}

pub(super) fn not_in(value: &str) -> Scope {
    Scope::Selector(Selector {
        match_expressions: vec![Expression {
            key: "region".to_owned(),
            operator: Operator::NotIn,
            values: vec![value.to_owned()],
        }],
        ..Selector::default()
    })
}

fn abort(hub: &Hub, scope: Scope, mode: AbortMode) -> Result<AbortAnswer, OpError> {
    abort_by(hub, "anna", scope, mode)
}

fn abort_by(hub: &Hub, who: &str, scope: Scope, mode: AbortMode) -> Result<AbortAnswer, OpError> {
    let order = AbortOrder { scope, mode };
    let by = Caller::new(who).because(&"ä".repeat(1_000));
    ready(hub.ops.abort(&by, order, hub.now()))
}

#[test]
fn an_abort_that_no_message_holds_is_refused_before_it_is_stored() {
    let hub = Hub::new();
    // Each is two bytes where it is stored.
    let mut escaped = not_in("x");
    let Scope::Selector(selector) = &mut escaped else {
        panic!("it is a selector");
    };
    selector.match_expressions[0].values = vec!["\\".repeat(230); 10];
    for scope in [
        not_in(&"A".repeat(900_000)),
        not_in(&"A".repeat(300)),
        not_in("two\nlines"),
        escaped,
    ] {
        let error = refused(
            abort(&hub, scope, AbortMode::Return),
            OpErrorKind::BadInput,
            "scope.selector",
        );
        assert!(error.message.contains("nothing was stopped"), "{error}");
    }
    assert!(hub.ops.store.list(key::ABORTS).unwrap().rows.is_empty());
}

#[test]
fn so_many_aborts_stand_as_one_hello_shows_and_a_whole_project_is_stopped_all_the_same() {
    let hub = Hub::new();
    let mut stored = 0;
    let last = loop {
        let who = ["anna", "ben", "cleo"][stored % 3];
        match abort_by(&hub, who, not_in(&format!("r{stored}")), AbortMode::Return) {
            Ok(answer) => {
                assert!(answer.abort.reason.len() <= 512);
                stored += 1;
            }
            Err(error) => break error,
        }
        assert!(stored <= 64);
    };
    assert_eq!((stored, last.code), (64, "abort.tooMany"));
    assert!(last.remedy.contains("--fleet"), "{}", last.remedy);
    let project = || Scope::Project("shop".parse().unwrap());
    for mode in [AbortMode::Hold, AbortMode::Return, AbortMode::Return] {
        abort(&hub, project(), mode).unwrap();
    }
    let standing = || standing_aborts(&hub.ops.store, hub.now().wall).unwrap();
    let (before, written) = (standing().len(), hub.ops.store.audit_head().count);
    let again = abort_by(&hub, "dora", project(), AbortMode::Return).unwrap();
    assert!(again.stood && !abort(&hub, Scope::Fleet, AbortMode::Hold).unwrap().stood);
    let before = before + 1;
    let written = written + 1;
    let stands = |row: &Stored<AbortRow>| row.abort() == again.abort;
    assert!(standing().iter().any(stands), "it is one that stands");
    assert_eq!(standing().len(), before, "a third lift is not needed");
    assert_eq!(hub.ops.store.audit_head().count, written + 1);
    abort(&hub, Scope::Fleet, AbortMode::Return).unwrap();
}

#[test]
fn nobody_is_refused_a_stop_because_others_have_stopped() {
    let hub = Hub::new();
    let stop = |who: &str, number: usize| {
        let scope = not_in(&format!("{who}-{number}"));
        abort_by(&hub, who, scope, AbortMode::Return)
    };
    for who in ["reg", "rex"] {
        let stored = (0..).take_while(|number| stop(who, *number).is_ok());
        assert_eq!(stored.count(), MOST_OF_AUTHOR, "{who}");
    }
    for number in 0..50 {
        let who = format!("third{number}");
        for number in 0..ASSURED {
            stop(&who, number).unwrap();
        }
        let error = refused(stop(&who, ASSURED), OpErrorKind::Refused, "abort.tooMany");
        assert!(
            error.message.contains(&format!("4 of them of {who}")),
            "{error}"
        );
    }
    // They are no longer than one message holds, whoever stops.
    let long = |who: usize| {
        let who = format!("long{who}");
        abort_by(&hub, &who, large(&who, 90), AbortMode::Return)
    };
    let stored = (0..200).take_while(|who| long(*who).is_ok()).count();
    assert!(stored > 50 && stored < 200, "{stored}");
    let standing = standing_aborts(&hub.ops.store, hub.now().wall).unwrap();
    let bodies = standing
        .iter()
        .map(|row| canonical(&row.abort()).unwrap().len());
    assert!(bodies.sum::<usize>() < MOST_BYTES * 11 / 10);
    abort_by(&hub, "last", Scope::Fleet, AbortMode::Return).unwrap();
}

/// Clusters that have none of so many values, which take 43 bytes each.
pub(super) fn large(who: &str, values: usize) -> Scope {
    let mut scope = not_in(who);
    let Scope::Selector(selector) = &mut scope else {
        panic!("it is a selector");
    };
    let values = (0..values).map(|number| format!("{number:0>40}"));
    selector.match_expressions[0].values.extend(values);
    scope
}

/// Responders with long selectors stop until none of theirs fits any more; says how many each.
fn fill(hub: &Hub, authors: usize) -> Vec<usize> {
    let stop = |who: &str, number: usize| {
        let scope = large(&format!("{who}-{number}"), 90);
        abort_by(hub, who, scope, AbortMode::Hold)
    };
    let one = |who: usize| {
        let who = format!("big{who}");
        let stored = (0..99).take_while(|number| stop(&who, *number).is_ok());
        stored.count()
    };
    (0..authors).map(one).collect()
}

#[test]
fn nobody_is_refused_a_stop_because_others_stopped_with_long_selectors() {
    let hub = Hub::new();
    let stored = fill(&hub, 9);
    let own = stored[0];
    assert!(own > ASSURED && own < 20, "bytes end it: {stored:?}");
    assert_eq!(stored[..3], [own; 3], "nobody takes more: {stored:?}");
    assert_eq!(stored[8], 1, "what all share is taken: {stored:?}");
    for mode in [AbortMode::Return, AbortMode::Hold, AbortMode::RetreatDone] {
        for _ in 0..2 {
            abort_by(&hub, "wide", Scope::Fleet, mode).unwrap();
        }
    }
    let plan = Scope::Plan("shop/checkout".parse().unwrap());
    hub.apply(PLAN).unwrap();
    for who in ["admin", "olga", "ben"] {
        for scope in [
            Scope::Workload(workload()),
            plan.clone(),
            not_in(who),
            not_in(&format!("{who}-2")),
        ] {
            let by = Caller::new(who).because("errors");
            let order = AbortOrder {
                scope,
                mode: AbortMode::Return,
            };
            ready(hub.ops.abort(&by, order, hub.now())).unwrap();
        }
    }
}

#[test]
fn the_largest_abort_that_there_can_be_finds_the_bytes_of_its_author() {
    let hub = Hub::new();
    fill(&hub, 9);
    let region = |name: String| Selector {
        match_labels: [("region".to_owned(), name)].into(),
        ..Selector::default()
    };
    let mut scope = large("x", 92);
    let Scope::Selector(selector) = &mut scope else {
        panic!("it is a selector");
    };
    selector.match_labels = region("eu".to_owned()).match_labels;
    while selector.check().is_ok() {
        selector.match_expressions[0].values[0].push('y');
    }
    selector.match_expressions[0].values[0].pop();
    let reach = ["eu".to_owned()]
        .into_iter()
        .chain((0..33).map(|number| format!("{number:0>28}")));
    let bindings = reach.map(|name| Binding {
        selector: Some(region(name)),
        ..Binding::of(Role::Responder)
    });
    let by = Caller {
        grants: Grants(bindings.collect()),
        ..Caller::new(&"\u{1f680}".repeat(63)).because(&"\"".repeat(1_000))
    };
    let order = AbortOrder {
        scope,
        mode: AbortMode::RetreatDone,
    };
    let answer = ready(hub.ops.abort(&by, order, hub.now())).unwrap();
    let size = canonical(&answer.abort).unwrap().len();
    assert!(size > 7_000 && size < ASSURED_BYTES, "{size}");
    assert!(answer.abort.reach.unwrap().carried().is_some());
}

#[test]
fn whoever_stops_without_end_leaves_the_room_in_which_others_stop() {
    let hub = Hub::new();
    let mut stored = 0;
    let error = loop {
        let scope = not_in(&format!("r{stored}"));
        match abort_by(&hub, "reg", scope, AbortMode::Return) {
            Ok(_) => stored += 1,
            Err(error) => break error,
        }
        assert!(stored <= MOST_OF_AUTHOR);
    };
    assert_eq!((stored, error.code), (MOST_OF_AUTHOR, "abort.tooMany"));
    assert!(error.message.contains("of reg"), "{error}");
    abort_by(&hub, "usa", not_in("eu"), AbortMode::Return).unwrap();
    abort_by(&hub, "reg", Scope::Fleet, AbortMode::Return).unwrap();
}

#[test]
fn an_abort_is_stored_where_all_that_stand_like_it_are_about_to_end() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let phase = Some(Phase::Progressing);
    hub.order("pilot-1", "checkout-1", OnDisconnect::Hold, phase);
    let project = || Scope::Project("shop".parse().unwrap());
    for _ in 0..2 {
        let abort = abort(&hub, project(), AbortMode::Return).unwrap().abort.id;
        let except = Vec::new();
        let lift = LiftOrder { abort, except };
        let lifted = ready(hub.ops.lift(&with_reason(), lift, hub.now())).unwrap();
        assert!(lifted.effective > hub.now().wall, "it waits for pilot-1");
    }
    abort(&hub, project(), AbortMode::Return).unwrap();
}

#[test]
fn a_retreat_leads_to_what_was_promoted_and_never_to_what_is_being_released() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    // The pilot has promoted it already; that makes it nobody else's old version.
    let released = Digest::of(b"1.1.0");
    hub.order(
        "pilot-1",
        "checkout-1",
        OnDisconnect::Hold,
        Some(Phase::Succeeded),
    );
    let reports: Vec<Stored<ReportRow>> = hub.ops.store.read_all(key::REPORTS).unwrap();
    let mut report = reports[0].to_value();
    report.status.primary_version = Some("1.1.0".to_owned());
    report.status.primary_digest = Some(released);
    report.status.can_return_to = vec![released, Digest::of(b"1.0.0")];
    hub.put(&report);
    let responder = bound(Role::Responder, Some("shop"), None);
    let back = |to: ReturnTo| {
        let rollout = name("checkout-1");
        ready(hub.ops.retreat(&responder, rollout, to, true, hub.now()))
    };
    let retreat = |version: &str| back(ReturnTo::Version(version.to_owned()));
    for version in ["9.9.9", "1.1.0", "../../etc/x --port 1"] {
        let error = refused(retreat(version), OpErrorKind::Refused, "retreat.to");
        assert!(error.remedy.contains("1.0.0"), "{}", error.remedy);
    }
    let to_released = back(ReturnTo::Digest(released));
    refused(to_released, OpErrorKind::Refused, "retreat.to");
    back(ReturnTo::Digest(Digest::of(b"1.0.0"))).unwrap();
    hub.put(&LastGoodRow {
        workload: workload(),
        good: GoodVersion {
            change: Change::Version("0.9.0".to_owned()),
            digest: None,
            project: "shop".parse().unwrap(),
            rollout: "checkout-0".parse().unwrap(),
        },
        at: hub.now().wall,
        before: Vec::new(),
    });
    retreat("0.9.0").unwrap();
}

#[test]
fn a_workload_that_another_project_releases_is_not_come_to_by_writing_a_plan() {
    let hub = Hub::new();
    let plan = PLAN.replace(
        "project: shop, name: checkout",
        "project: pay, name: steal, labels: {region: eu}",
    );
    let apply = |caller: &Caller| {
        let args = ApplyPlan {
            source: plan.clone(),
            dry_run: false,
        };
        ready(hub.ops.apply_plan(caller, args, hub.now()))
    };
    for (project, region) in [(Some("pay"), None), (None, Some("eu"))] {
        let operator = bound(Role::Operator, project, region);
        let error = refused(apply(&operator), OpErrorKind::Forbidden, "auth.forbidden");
        assert!(error.message.contains("workload"), "{error}");
    }
    apply(&caller()).unwrap();
}

#[test]
fn a_stop_of_a_rollout_that_has_ended_is_refused_and_names_the_one_under_way() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.alter("checkout-1", |row| {
        row.state.phase = flagship_waves::RolloutPhase::Succeeded;
    });
    hub.start("1.2.0").unwrap();
    let scope = |id: &str| Scope::Rollout {
        project: "shop".parse().unwrap(),
        id: id.parse().unwrap(),
    };
    let error = refused(
        abort(&hub, scope("checkout-1"), AbortMode::Return),
        OpErrorKind::NotFound,
        "scope.nothing",
    );
    assert!(error.message.contains("has ended"), "{error}");
    assert!(error.remedy.contains("shop/checkout-2"), "{}", error.remedy);
    abort(&hub, scope("checkout-2"), AbortMode::Return).unwrap();
}
