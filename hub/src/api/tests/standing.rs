//! What is said of stops that stand beside what somebody starts, and of a way back that is barred.

use flagship_proto::model::{ClusterName, OnDisconnect};
use flagship_waves::{ClusterState, Reason, RolloutPhase, Waiting};
use serde_json::Value;

use super::{
    fixture::{Answer, Api},
    stopped::in_flight,
};
use crate::{
    api::types::{About, Banner, RolloutView},
    auth::{Binding, Grants, Role},
    ops::Ops,
    records::{RolloutRow, Stored, key},
    store::Txn,
};

/// A hub with members and the plan of the examples, and an admin's token.
pub(super) async fn planned() -> (Api, String) {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    api.members().await;
    let plan = include_str!("../../../../deploy/example/plan.yaml");
    api.send_document("/api/v1/plans", &token, plan, &[]).await;
    (api, token)
}

pub(super) async fn start(api: &Api, token: &str, version: &str) -> Answer {
    let path = "/api/v1/projects/shop/plans/checkout/start";
    let body = format!(r#"{{"toVersion":"{version}"}}"#);
    api.post_with(path, token, &body, &[]).await
}

pub(super) async fn first(api: &Api) -> Stored<RolloutRow> {
    let key = key::rollout(&"shop".parse().unwrap(), &"checkout-1".parse().unwrap());
    api.read(&key)
}

pub(super) async fn alter(api: &Api, change: impl FnOnce(&mut RolloutRow)) {
    let mut row = first(api).await.to_value();
    change(&mut row);
    api.commit(Txn::new().put(&row)).await;
}

/// It is accepted, as the abort is over another rollout only.
#[tokio::test]
async fn a_start_under_an_abort_of_another_rollout_of_the_plan_says_that_it_stands() {
    let (api, token) = planned().await;
    let begun: RolloutView = parse(&start(&api, &token, "1.1.0").await);
    assert!(begun.banners.is_empty(), "{:?}", begun.banners);
    let body = r#"{"scope":{"kind":"rollout","of":{"project":"shop","id":"checkout-1"}}}"#;
    let headers = [("flagship-reason", "errors")];
    for path in ["/api/v1/aborts", "/api/v1/freezes"] {
        let stop = api.post_with(path, &token, body, &headers).await;
        assert_eq!(stop.status, 200, "{}", stop.body);
    }
    alter(&api, |row| {
        row.state.phase = RolloutPhase::RolledBack;
        row.state.ended = Some(row.started);
    })
    .await;
    let next = start(&api, &token, "1.2.0").await;
    assert_eq!(next.status, 200, "{}", next.body);
    let next: RolloutView = parse(&next);
    let kinds: Vec<&str> = next.banners.iter().map(|b| b.kind.as_str()).collect();
    assert_eq!(kinds, ["abort", "freeze"]);
    assert!(
        next.banners[0]
            .text
            .starts_with("rollout shop/checkout-1 by abort ")
    );
    assert!(next.banners[0].remedy.starts_with("flagship lift "));

    // What stands beside is told at the start; it does not bind what was started.
    let later = api
        .get("/api/v1/projects/shop/rollouts/checkout-2", &token)
        .await;
    let later: RolloutView = serde_json::from_str(&later).unwrap();
    assert!(later.banners.is_empty(), "{:?}", later.banners);
}

/// Of three that have the workload two take part in the rollout, and none has an order yet.
#[tokio::test]
async fn an_abort_names_as_many_clusters_as_its_preview_counted() {
    for (scope, names) in [
        (
            r#"{"scope":{"kind":"project","of":"shop"}}"#,
            ["eu-1", "pilot-1"].as_slice(),
        ),
        (
            r#"{"scope":{"kind":"workload","of":"shop/Deployment/checkout"}}"#,
            &["eu-1", "pilot-1", "us-1"],
        ),
    ] {
        let (api, token) = planned().await;
        start(&api, &token, "1.1.0").await;
        let since = api.now();
        alter(&api, |row| {
            for name in ["eu-1", "pilot-1"] {
                let uid = format!("uid-{name}").parse().unwrap();
                let waiting = ClusterState::waiting(name.parse().unwrap(), 0, since);
                row.state.clusters.insert(uid, waiting);
            }
        })
        .await;
        let read = |answer: Answer| -> Value { serde_json::from_str(&answer.body).unwrap() };
        let headers = [("flagship-reason", "errors")];
        let preview = read(
            api.post_with("/api/v1/abort-preview", &token, scope, &[])
                .await,
        );
        let summary = preview["summary"].as_str().unwrap();
        let counted = format!("{} with nothing in flight", names.len());
        assert!(summary.contains(&counted), "{summary}");
        let abort = read(
            api.post_with("/api/v1/aborts", &token, scope, &headers)
                .await,
        );
        let lines = abort["clusters"].as_array().unwrap().iter();
        let mut named: Vec<&str> = lines.map(|l| l["cluster"].as_str().unwrap()).collect();
        named.sort_unstable();
        assert_eq!(named, names, "{abort}");
    }
}

#[tokio::test]
async fn a_wave_that_had_begun_is_stopped_by_an_abort_and_ended_by_the_end() {
    let (api, token) = planned().await;
    start(&api, &token, "1.1.0").await;
    for (phase, word, next) in [
        (RolloutPhase::Paused, "begun", "waiting"),
        (RolloutPhase::Aborted, "stopped", "waiting"),
        (RolloutPhase::RolledBack, "ended", "not begun"),
    ] {
        let since = api.now();
        alter(&api, |row| {
            row.state.phase = phase;
            row.state.waves[0].started = Some(since);
        })
        .await;
        let view = api.rollout_for(&Grants::everything(), &first(&api).await);
        assert_eq!(view.waves[0].state, word);
        assert_eq!(view.waves[1].state, next);
    }
}

#[tokio::test]
async fn a_banner_about_the_fleet_or_a_workload_is_for_who_sees_that() {
    let (api, _) = planned().await;
    let ops = Ops::new(api.store().clone());
    let of = |project: &str| {
        Grants(vec![Binding {
            projects: vec![project.parse().unwrap()],
            ..Binding::of(Role::Viewer)
        }])
    };
    let (shop, bank, all) = (of("shop"), of("bank"), Grants::everything());
    let checkout = || About::Workload("shop/Deployment/checkout".parse().unwrap());
    for (about, is_shown) in [
        (About::Fleet, [false, false, true]),
        (checkout(), [true, false, true]),
        (About::Seen, [true, true, true]),
    ] {
        let banner = Banner {
            kind: "local".to_owned(),
            id: String::new(),
            text: String::new(),
            since: api.now(),
            remedy: String::new(),
            about,
        };
        let shown = [&shop, &bank, &all].map(|grants| ops.sight(grants).banner(&banner));
        assert_eq!(shown, is_shown, "{:?}", banner.about);
    }
}

fn parse(answer: &Answer) -> RolloutView {
    serde_json::from_str(&answer.body).unwrap_or_else(|error| panic!("{error}: {}", answer.body))
}

#[tokio::test]
async fn a_retreat_with_something_in_its_way_offers_what_ends_it() {
    let (api, token) = planned().await;
    start(&api, &token, "1.1.0").await;
    let steps = |row: &Stored<RolloutRow>| {
        let view = api.rollout_for(&Grants::everything(), row);
        view.next_steps
    };
    alter(&api, |row| row.state.phase = RolloutPhase::Retreating).await;
    let row = first(&api).await;
    assert!(steps(&row).is_empty(), "it goes its way");
    let since = api.now();
    let cluster: ClusterName = "us-1".parse().unwrap();
    let stuck = Reason::CannotReturn {
        cluster: cluster.clone(),
        why: "no such file".to_owned(),
    };
    let unread = Reason::ReturnUnread {
        cluster: cluster.clone(),
        why: "Envoy edge-1 is not connected".to_owned(),
    };
    let silent = Reason::ReturnNotHeard { cluster };
    let status = "flagship-agent ctl status   # on the machine of the cluster names the proxy";
    let other = "flagship retreat shop/checkout-1 --to … ";
    let there = "flagship-agent ctl retreat shop/Deployment/checkout ";
    for (reasons, ways) in [
        (vec![&stuck], vec![other]),
        (vec![&silent], vec![there]),
        (vec![&unread], vec![status]),
        (vec![&stuck, &silent], vec![there, other]),
    ] {
        let reasons = reasons.into_iter().cloned();
        let waiting: Vec<Waiting> = reasons.map(|reason| Waiting { reason, since }).collect();
        alter(&api, |row| row.state.waiting.clone_from(&waiting)).await;
        let offered = steps(&first(&api).await);
        let expected = ways.into_iter().chain(["flagship accept shop/checkout-1 "]);
        let expected: Vec<&str> = expected.collect();
        assert_eq!(offered.len(), expected.len(), "{offered:?}");
        for (offered, expected) in offered.iter().zip(expected) {
            assert!(offered.starts_with(expected), "{offered}");
        }
    }
}

#[tokio::test]
async fn an_aborted_rollout_with_a_cluster_that_cannot_go_back_is_sent_to_another_version() {
    let (api, token) = planned().await;
    start(&api, &token, "1.1.0").await;
    let since = api.now();
    for (is_stuck, way) in [(false, "--reason …"), (true, "--to … --reason …")] {
        alter(&api, |row| {
            row.state.phase = RolloutPhase::Aborted;
            let reason = Reason::CannotReturn {
                cluster: "us-1".parse().unwrap(),
                why: "no such file".to_owned(),
            };
            row.state.waiting = Vec::from_iter(is_stuck.then_some(Waiting { reason, since }));
        })
        .await;
        let view = api.rollout_for(&Grants::everything(), &first(&api).await);
        let retreat = format!("flagship retreat shop/checkout-1 {way}   # ");
        let mut steps = view.next_steps.iter();
        assert!(steps.any(|step| step.starts_with(&retreat)), "{view:?}");
    }
}

#[tokio::test]
async fn each_is_offered_what_they_may_and_told_who_may_the_rest() {
    let (api, token) = planned().await;
    start(&api, &token, "1.1.0").await;
    let abort = r#"{"scope":{"kind":"fleet"}}"#;
    api.post_with("/api/v1/aborts", &token, abort, &[]).await;
    alter(&api, |row| row.state.phase = RolloutPhase::Aborted).await;
    let row = first(&api).await;
    let offered = |role| api.rollout_for(&Grants(vec![Binding::of(role)]), &row);
    let verbs = |view: &RolloutView| -> Vec<String> {
        let steps = view.next_steps.iter();
        let words = steps.map(|step| step.split(' ').nth(1).unwrap().to_owned());
        words.collect()
    };
    let (viewer, responder) = (offered(Role::Viewer), offered(Role::Responder));
    assert_eq!(verbs(&viewer), ["describe", "access"]);
    assert_eq!(
        viewer.next_steps[1],
        "flagship access list   # says who may lift, retreat, accept"
    );
    assert_eq!(verbs(&responder), ["describe", "retreat", "access"]);
    let who = "flagship access list   # says who may lift";
    assert_eq!(viewer.banners[0].remedy, who);
    let admin = api.rollout_for(&Grants::everything(), &row);
    assert!(admin.banners[0].remedy.starts_with("flagship lift "));
    assert!(!verbs(&admin).contains(&"access".to_owned()));
}

#[tokio::test]
async fn a_rollout_that_is_frozen_says_what_can_be_done_about_it() {
    let (api, token) = planned().await;
    start(&api, &token, "1.1.0").await;
    let everything = Grants::everything();
    let view = api.rollout_for(&everything, &first(&api).await);
    assert!(view.next_steps.is_empty(), "it goes its way");
    let freeze = r#"{"scope":{"kind":"fleet"},"forMs":7200000}"#;
    let why = [("flagship-reason", "a test")];
    api.post_with("/api/v1/freezes", &token, freeze, &why).await;
    let view = api.rollout_for(&everything, &first(&api).await);
    let [end, back] = view.next_steps.as_slice() else {
        panic!("{:?}", view.next_steps);
    };
    assert!(end.starts_with("flagship unfreeze "), "{end}");
    assert!(
        back.starts_with("flagship retreat shop/checkout-1 "),
        "{back}"
    );
}

#[tokio::test]
async fn an_abort_whose_lift_waits_for_answers_is_not_offered_to_be_lifted_again() {
    let (api, token) = planned().await;
    in_flight(&api, "us-1", OnDisconnect::Hold).await;
    start(&api, &token, "1.1.0").await;
    alter(&api, |row| row.state.phase = RolloutPhase::Aborted).await;
    let abort = r#"{"scope":{"kind":"fleet"}}"#;
    let abort = api.post_with("/api/v1/aborts", &token, abort, &[]).await;
    let abort: Value = serde_json::from_str(&abort.body).unwrap();
    let id = abort["id"].as_str().unwrap();
    assert!(
        abort["remedy"]
            .as_str()
            .unwrap()
            .starts_with("flagship lift")
    );
    let why = [("flagship-reason", "a test")];
    let lift = format!("/api/v1/aborts/{id}/lift");
    let lifted = api.post_with(&lift, &token, "{}", &why).await;
    let lifted: Value = serde_json::from_str(&lifted.body).unwrap();
    assert_eq!(lifted["standing"], true, "{lifted}");
    let who = "flagship describe abort";
    assert!(
        lifted["remedy"].as_str().unwrap().starts_with(who),
        "{lifted}"
    );
    let view = api.rollout_for(&Grants::everything(), &first(&api).await);
    let banner = &view.banners[0];
    assert_eq!(banner.kind, "lifted");
    assert!(banner.text.contains("; lifted by "), "{}", banner.text);
    let lifts = |step: &String| step.starts_with("flagship lift");
    assert!(!view.next_steps.iter().any(lifts), "{:?}", view.next_steps);
}
