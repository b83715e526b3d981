//! What somebody who is bound to labels or projects stops, now and later, and what he is told of the rest:
//! what he may not see is answered like what is not there.

use flagship_proto::model::{AbortMode, FreezeId, Labels, Reach, Scope, Selector};

use super::{
    bounds::{bound, not_in},
    *,
};
use crate::{
    auth::{Grants, Role, is_joined_by},
    fleet::Unstored,
    ops::joins,
    records::FreezeRow,
};

fn stop(hub: &Hub, caller: &Caller, scope: Scope) -> Result<AbortAnswer, OpError> {
    let mode = AbortMode::Return;
    let order = AbortOrder { scope, mode };
    ready(hub.ops.abort(caller, order, hub.now()))
}

fn freeze(hub: &Hub, caller: &Caller, scope: Scope) -> Result<FreezeId, OpError> {
    let end = FreezeUntil::Unfrozen;
    let order = FreezeOrder { scope, end };
    ready(hub.ops.freeze(caller, order, hub.now())).map(|row| row.id)
}

fn preview(hub: &Hub, caller: &Caller, scope: Scope) -> Result<AbortPreview, OpError> {
    let mode = AbortMode::Return;
    let order = AbortOrder { scope, mode };
    hub.ops.preview_abort(&caller.grants, &order, hub.now())
}

fn region(region: &str) -> Scope {
    Scope::Selector(Selector {
        match_labels: [("region".to_owned(), region.to_owned())].into(),
        ..Selector::default()
    })
}

/// A cluster comes as one does that was approved.
fn enrol(hub: &Hub, name: &str, region: &str) {
    hub.join(name, &[("region", region)]);
    let known = hub.ops.cluster(&Grants::everything(), &cluster(name));
    let mut row = known.unwrap().into_value();
    row.state = ClusterState::Pending;
    hub.put(&row);
    ready(hub.ops.approve_cluster(&caller(), cluster(name), hub.now())).unwrap();
}

fn aborted(hub: &Hub, answer: &AbortAnswer, name: &str) -> bool {
    let row: Option<Stored<AbortRow>> = hub.ops.store.read(&key::abort(&answer.abort.id)).unwrap();
    row.unwrap().concerns(&uid(name))
}

fn frozen(hub: &Hub, id: &FreezeId, name: &str) -> bool {
    let row: Stored<FreezeRow> = hub.ops.store.read(&key::freeze(id)).unwrap().unwrap();
    let known = hub.ops.cluster(&Grants::everything(), &cluster(name));
    row.concerns(&known.unwrap())
}

/// A hub with a rollout of one plan, and a second plan over the same workload for who ships in eu.
fn with_theirs() -> Hub {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let theirs = PLAN.replace(
        "name: checkout}\nspec",
        "name: theirs, labels: {region: eu}}\nspec",
    );
    hub.apply(&theirs).unwrap();
    hub
}

#[test]
fn p09_a_stop_by_labels_is_joined_later_only_where_its_author_could_stop() {
    let hub = Hub::new();
    let responder = bound(Role::Responder, None, Some("eu"));
    let bounded = stop(&hub, &responder, not_in("mars")).unwrap();
    let whole = stop(&hub, &caller(), not_in("venus")).unwrap();
    let held = freeze(&hub, &responder, not_in("mars")).unwrap();
    let held_whole = freeze(&hub, &caller(), not_in("mars")).unwrap();
    enrol(&hub, "eu-2", "eu");
    enrol(&hub, "ap-1", "ap");
    for (name, is_theirs) in [
        ("eu-1", true),
        ("eu-2", true),
        ("us-1", false),
        ("ap-1", false),
    ] {
        assert_eq!(aborted(&hub, &bounded, name), is_theirs, "{name}");
        assert_eq!(frozen(&hub, &held, name), is_theirs, "{name}");
        assert!(aborted(&hub, &whole, name), "{name}");
        assert!(frozen(&hub, &held_whole, name), "{name}");
    }
    let said = preview(&hub, &responder, not_in("mars")).unwrap().joins;
    assert!(said.unwrap().contains("those labelled region=eu"));
    let nobody = joins(&not_in("mars"), Some(&Reach::new(Vec::new()))).unwrap();
    assert!(nobody.ends_with("join later are not in it"), "{nobody}");
    let said = preview(&hub, &caller(), not_in("mars")).unwrap().joins;
    assert!(
        said.unwrap()
            .contains("that match and join later are in it")
    );
}

#[test]
fn what_is_left_of_a_stop_is_joined_by_nobody_who_would_not_have_joined_the_whole() {
    let hub = Hub::new();
    let whole = stop(&hub, &caller(), region("eu")).unwrap();
    let order = LiftOrder {
        abort: whole.abort.id,
        except: vec![not_in("mars")],
    };
    let lifted = ready(hub.ops.lift(&with_reason(), order, hub.now())).unwrap();
    enrol(&hub, "eu-2", "eu");
    enrol(&hub, "ap-1", "ap");
    let rest: Stored<AbortRow> = hub
        .ops
        .store
        .read(&key::abort(&lifted.narrowed_to[0]))
        .unwrap()
        .unwrap();
    assert!(rest.concerns(&uid("eu-2")));
    assert!(!rest.concerns(&uid("ap-1")) && !rest.concerns(&uid("us-1")));
}

#[test]
fn p09_what_is_left_of_a_stop_by_labels_in_a_project_is_joined_by_who_matches_them() {
    let hub = Hub::new();
    let whole = stop(&hub, &caller(), region("eu")).unwrap();
    let order = LiftOrder {
        abort: whole.abort.id,
        except: vec![Scope::Project("shop".parse().unwrap())],
    };
    let lifted = ready(hub.ops.lift(&with_reason(), order, hub.now())).unwrap();
    enrol(&hub, "eu-2", "eu");
    enrol(&hub, "ap-1", "ap");
    let key = key::abort(&lifted.narrowed_to[0]);
    let rest: Stored<AbortRow> = hub.ops.store.read(&key).unwrap().unwrap();
    assert!(rest.concerns(&uid("eu-1")) && rest.concerns(&uid("eu-2")));
    assert!(!rest.concerns(&uid("ap-1")) && !rest.concerns(&uid("us-1")));
}

#[test]
fn a_stop_that_is_stored_late_reaches_no_further_than_its_author() {
    let hub = Hub::new();
    let responder = bound(Role::Responder, None, Some("eu"));
    hub.memory.set_broken(true);
    let answer = stop(&hub, &responder, not_in("mars")).unwrap();
    assert!(!answer.durable);
    let late = Unstored {
        abort: answer.abort,
        matched: answer.matched,
        lease: Duration::from_secs(30),
    };
    let labels = |region: &str| Labels::from([("region".to_owned(), region.to_owned())]);
    let is_joined = |region: &str| {
        let row = late.row();
        is_joined_by([row.over()], &cluster("x"), &labels(region))
    };
    assert!(is_joined("eu") && !is_joined("ap"));
}

#[test]
fn clusters_that_are_not_seen_are_answered_like_those_that_are_not_there() {
    let hub = Hub::new();
    let responder = bound(Role::Responder, None, Some("eu"));
    let masked = |error: OpError| {
        (
            error.code,
            error.message.replace("mars", "us"),
            error.remedy,
        )
    };
    for ask in [
        |hub: &Hub, who: &Caller, scope| preview(hub, who, scope).unwrap_err(),
        |hub: &Hub, who: &Caller, scope| stop(hub, who, scope).unwrap_err(),
        |hub: &Hub, who: &Caller, scope| freeze(hub, who, scope).unwrap_err(),
    ] {
        let hidden = masked(ask(&hub, &responder, region("us")));
        assert_eq!(hidden, masked(ask(&hub, &responder, region("mars"))));
    }
    // An abort of the rest is none of his business, either.
    let other = stop(&hub, &caller(), region("us")).unwrap();
    let theirs = stop(&hub, &caller(), region("eu")).unwrap();
    let lift = |id: &str| {
        let order = LiftOrder {
            abort: id.parse().unwrap(),
            except: Vec::new(),
        };
        let lifter = responder.clone().because("a test");
        ready(hub.ops.lift(&lifter, order, hub.now())).unwrap_err()
    };
    let id = other.abort.id.to_string();
    let hidden = lift(&id);
    assert_eq!(
        hidden.message,
        lift("a-none").message.replace("a-none", &id)
    );
    assert!(
        hidden.remedy.contains(theirs.abort.id.as_str()),
        "{}",
        hidden.remedy
    );
    assert!(!hidden.remedy.contains(&id), "{}", hidden.remedy);
}

#[test]
fn a_preview_counts_in_a_shared_cluster_nothing_of_another_project() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let viewer = bound(Role::Viewer, Some("pay"), None);
    let before = preview(&hub, &viewer, Scope::Fleet).unwrap();
    let phase = Some(Phase::Progressing);
    hub.order("eu-1", "checkout-1", OnDisconnect::Continue, phase);
    let seen = preview(&hub, &viewer, Scope::Fleet).unwrap();
    assert_eq!((&seen.stops, &seen.rollouts), (&Vec::new(), &Vec::new()));
    assert_eq!((seen.idle, seen.bound_ms), (before.idle, before.bound_ms));
    let scope = |name: &str| Scope::Workload(format!("shop/Deployment/{name}").parse().unwrap());
    let hidden = preview(&hub, &viewer, scope("checkout")).unwrap_err();
    let none = preview(&hub, &viewer, scope("checkmate")).unwrap_err();
    let masked = hidden.message.replace("checkout", "checkmate");
    assert_eq!((hidden.code, masked), (none.code, none.message));
}

#[test]
fn who_may_stop_a_cluster_sees_what_stops_there_and_not_whose_it_is() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    for name in ["eu-1", "us-1"] {
        let phase = Some(Phase::Progressing);
        hub.order(name, "checkout-1", OnDisconnect::Hold, phase);
    }
    let responder = bound(Role::Responder, None, Some("eu"));
    let seen = preview(&hub, &responder, Scope::Fleet).unwrap();
    let stops: Vec<&ClusterName> = seen.stops.iter().map(|found| &found.cluster).collect();
    assert_eq!(stops, [&cluster("eu-1")]);
    assert_eq!(seen.idle, [cluster("pilot-1")]);
    assert!(seen.rollouts.is_empty());
    let stopped = stop(&hub, &responder, region("eu")).unwrap();
    let foretold = preview(&hub, &responder, region("eu")).unwrap();
    assert_eq!(
        stopped.nothing_advances_after, foretold.nothing_advances_after,
        "P5: the same before and after"
    );
}

#[test]
fn who_holds_a_claim_or_rejected_a_change_is_named_to_those_who_see_it() {
    let hub = with_theirs();
    hub.reject("1.2.0");
    let operator = bound(Role::Operator, None, Some("eu"));
    let start = |caller: &Caller, version: &str, supersede: bool| {
        let args = StartRollout {
            plan: "shop/theirs".parse().unwrap(),
            change: Change::Version(version.to_owned()),
            again: false,
            supersede,
        };
        ready(hub.ops.start(caller, args, hub.now())).unwrap_err()
    };
    for supersede in [false, true] {
        let error = start(&operator, "2.0.0", supersede);
        assert_eq!(error.code, "claim.held");
        let said = format!("{} {}", error.message, error.remedy);
        for secret in ["checkout-1", "1.1.0", "Progressing"] {
            assert!(!said.contains(secret), "{said}");
        }
    }
    assert!(
        start(&caller(), "2.0.0", false)
            .message
            .contains("shop/checkout-1")
    );
    let error = start(&operator, "1.2.0", false);
    assert_eq!(error.code, "change.rejected");
    assert!(!error.message.contains("checkout-1"), "{error}");
    assert!(!error.message.contains("error rate"), "{error}");
    assert!(
        start(&caller(), "1.2.0", false)
            .message
            .contains("error rate")
    );
}

#[test]
fn what_keeps_a_cluster_or_a_plan_is_named_to_those_who_see_it() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    let running = Some(Phase::Progressing);
    hub.order("eu-1", "checkout-1", OnDisconnect::Hold, running);
    // The plan was given to who ships in eu after its rollout had begun.
    let theirs = PLAN.replace(
        "name: checkout}\nspec",
        "name: checkout, labels: {team: eu}}\nspec",
    );
    let remove = |caller: &Caller| {
        let args = RemoveCluster {
            name: cluster("eu-1"),
            force: false,
        };
        let refusal = ready(hub.ops.remove_cluster(caller, args, hub.now()));
        refused(refusal, OpErrorKind::Refused, "cluster.unsettled").message
    };
    let admin = bound(Role::Admin, None, Some("eu"));
    let (hidden, shown) = (remove(&admin), remove(&caller()));
    for secret in ["checkout", "shop"] {
        assert!(!hidden.contains(secret), "{hidden}");
        assert!(shown.contains(secret), "{shown}");
    }
    let part = "a workload of others is Progressing at 20%";
    assert!(hidden.contains(part), "{hidden}");

    hub.apply(&theirs).unwrap();
    let mut operator = bound(Role::Operator, None, Some("eu"));
    let selector = operator.grants.0[0].selector.as_mut().unwrap();
    selector.match_labels = [("team".to_owned(), "eu".to_owned())].into();
    let remove = |caller: &Caller| {
        let plan = "shop/checkout".parse().unwrap();
        let refusal = ready(hub.ops.remove_plan(caller, plan, hub.now()));
        refused(refusal, OpErrorKind::Conflict, "plan.running").message
    };
    let hidden = remove(&operator);
    assert!(!hidden.contains("checkout-1"), "{hidden}");
    assert!(hidden.contains("a rollout of others"), "{hidden}");
    let shown = remove(&caller());
    assert!(shown.contains("rollout shop/checkout-1"), "{shown}");
}

#[test]
fn a_rollout_is_taken_over_only_by_who_may_ship_what_it_ships() {
    let hub = with_theirs();
    let mut caller = bound(Role::Operator, None, Some("eu"));
    caller
        .grants
        .0
        .extend(bound(Role::Viewer, None, None).grants.0);
    let args = StartRollout {
        plan: "shop/theirs".parse().unwrap(),
        change: Change::Version("2.0.0".to_owned()),
        again: false,
        supersede: true,
    };
    let refusal = ready(hub.ops.start(&caller, args, hub.now()));
    let error = refused(refusal, OpErrorKind::Forbidden, "auth.forbidden");
    assert!(
        error.message.contains("may not ship plan shop/checkout"),
        "{error}"
    );
}

#[test]
fn a_stop_that_may_be_joined_by_clusters_of_others_is_ended_by_nobody_who_may_not_end_it_there() {
    let hub = Hub::new();
    let mut lifter = bound(Role::Responder, None, Some("eu")).because("a test");
    lifter.grants.0[0].lift = true;
    let lift = |answer: AbortAnswer| {
        let order = LiftOrder {
            abort: answer.abort.id,
            except: Vec::new(),
        };
        ready(hub.ops.lift(&lifter, order, hub.now()))
    };
    let end = |id: FreezeId| ready(hub.ops.unfreeze(&lifter, id, hub.now()));
    // Today it stops theirs only.
    let wide = stop(&hub, &caller(), not_in("us")).unwrap();
    refused(lift(wide), OpErrorKind::Forbidden, "auth.forbidden");
    let wide = freeze(&hub, &caller(), not_in("us")).unwrap();
    refused(end(wide), OpErrorKind::Forbidden, "auth.forbidden");
    for (who, scope) in [(&caller(), region("eu")), (&lifter, not_in("us"))] {
        lift(stop(&hub, who, scope.clone()).unwrap()).unwrap();
        end(freeze(&hub, who, scope).unwrap()).unwrap();
    }
}
