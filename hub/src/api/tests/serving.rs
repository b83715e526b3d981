//! What is said while a rollout is stopped or frozen and some users still get what it released.

use std::sync::Arc;

use flagship_proto::model::{AbortMode, OnDisconnect, Phase, ReceiptState, Weight};
use flagship_waves::{ClusterPhase, ClusterState, RolloutPhase, Stage};
use serde_json::Value;

use super::{
    fixture::Api,
    stopped::{self, in_flight},
};
use crate::{
    api::view::Seen,
    auth::Role,
    fleet::Presence,
    records::{ClaimRow, RolloutRow, Stored, key},
    store::Txn,
};

/// A rollout whose canary in us-1 has half of the traffic.
async fn half_way(api: &Api, token: &str) -> Stored<RolloutRow> {
    api.members().await;
    in_flight(api, "us-1", OnDisconnect::Hold).await;
    let plan = include_str!("../../../../deploy/example/plan.yaml");
    api.send_document("/api/v1/plans", token, plan, &[]).await;
    let start = "/api/v1/projects/shop/plans/checkout/start";
    let body = r#"{"toVersion":"1.1.0"}"#;
    let started = api.post_with(start, token, body, &[]).await;
    assert!(started.body.contains("checkout-1"), "{}", started.body);
    let key = key::rollout(&"shop".parse().unwrap(), &"checkout-1".parse().unwrap());
    let mut row = api.read::<RolloutRow>(&key).to_value();
    let wave = row.state.waves[0].name.clone();
    row.state.phase = RolloutPhase::Progressing {
        wave,
        stage: Stage::Running,
    };
    let cluster = ClusterState {
        phase: ClusterPhase::Running {
            phase: Phase::Progressing,
            weight: Weight::saturating(50),
        },
        attempt: 1,
        touched: true,
        ..ClusterState::waiting("us-1".parse().unwrap(), 0, api.now())
    };
    row.state
        .clusters
        .insert("uid-us-1".parse().unwrap(), cluster);
    api.commit(Txn::new().put(&row)).await;
    api.read(&key)
}

fn hear(seen: &mut Seen) {
    let presence = Presence {
        connected: true,
        last_heard: Some(seen.now),
        ..Presence::default()
    };
    seen.presences.insert("uid-us-1".parse().unwrap(), presence);
}

#[tokio::test]
async fn a_hold_or_a_freeze_says_who_still_serves_the_change_and_what_takes_it_back() {
    for (path, body, why) in [
        (
            "/api/v1/aborts",
            r#"{"scope":{"kind":"fleet"},"mode":"Hold"}"#,
            "is being stopped",
        ),
        (
            "/api/v1/freezes",
            r#"{"scope":{"kind":"fleet"},"forMs":7200000}"#,
            "is frozen",
        ),
    ] {
        let api = Api::new().await;
        let token = api.token(Role::Admin).await;
        let rollout = half_way(&api, &token).await;
        assert_eq!(api.seen().serving_banner(&rollout), None, "it goes on");
        let headers = [("flagship-reason", "a test")];
        let ordered = api.post_with(path, &token, body, &headers).await;
        assert_eq!(ordered.status, 200, "{}", ordered.body);
        let mut seen = api.seen();
        let banner = seen.serving_banner(&rollout).unwrap();
        let says = format!(
            "shop/checkout-1 {why}, and 1.1.0 is still served by us-1 \
             (50% of its traffic, not heard; nothing advances there after "
        );
        assert!(banner.text.starts_with(&says), "{}", banner.text);
        assert_eq!(
            banner.remedy,
            "flagship-agent ctl retreat shop/Deployment/checkout --reason …   # on the machine of us-1, which is not heard"
        );
        let mut later = api.seen();
        later.now = later.now.plus(std::time::Duration::from_secs(60));
        let banner = later.serving_banner(&rollout).unwrap();
        let known = "us-1 (50% of its traffic, frozen, not heard)";
        assert!(
            banner.text.ends_with(known),
            "the bound has passed: {}",
            banner.text
        );
        hear(&mut seen);
        let banner = seen.serving_banner(&rollout).unwrap();
        assert!(
            banner.text.ends_with("us-1 (50% of its traffic)"),
            "{}",
            banner.text
        );
        assert_eq!(banner.remedy, "flagship retreat shop/checkout-1 --reason …");
        let status = api.get("/api/v1/status", &token).await;
        assert!(status.contains(r#""kind":"serving""#), "{status}");
        let page = api.get("/api/v1/banners", &token).await;
        assert!(page.contains(r#""kind":"serving""#), "{page}");
        let part = r#""done":false,"soaked":false,"share":50"#;
        assert!(ordered.body.contains(part), "{}", ordered.body);
    }
}

#[tokio::test]
async fn who_is_heard_and_goes_back_is_not_said_to_serve_until_the_bound_has_passed() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let rollout = half_way(&api, &token).await;
    let body = r#"{"scope":{"kind":"fleet"},"mode":"Return"}"#;
    api.post_with("/api/v1/aborts", &token, body, &[]).await;
    let mut seen = api.seen();
    hear(&mut seen);
    assert_eq!(seen.serving_banner(&rollout), None);
    seen.now = seen.now.plus(std::time::Duration::from_secs(40));
    hear(&mut seen);
    assert!(seen.serving_banner(&rollout).is_some(), "it is stuck");
    for report in seen.reports.values_mut() {
        let status = &mut std::sync::Arc::make_mut(report).status;
        (status.weight, status.observed) = (Weight::ZERO, Some(Weight::ZERO));
    }
    assert_eq!(seen.serving_banner(&rollout), None, "nobody gets it");
}

#[tokio::test]
async fn who_was_ordered_nothing_yet_is_idle_under_an_abort_of_the_plan_and_not_called_silent() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let mut rollout = half_way(&api, &token).await.to_value();
    let us = rollout.state.clusters.values().next().unwrap();
    let eu = ClusterState {
        name: "eu-1".parse().unwrap(),
        phase: ClusterPhase::Waiting,
        touched: false,
        ..us.clone()
    };
    let uid = "uid-eu-1".parse().unwrap();
    rollout.state.clusters.insert(uid, eu);
    api.commit(Txn::new().put(&rollout)).await;
    for scope in [
        r#"{"kind":"plan","of":"shop/checkout"}"#,
        r#"{"kind":"workload","of":"shop/Deployment/checkout"}"#,
    ] {
        let body = format!(r#"{{"scope":{scope}}}"#);
        let abort = api
            .post_with("/api/v1/aborts", &token, &body, &[])
            .await
            .body;
        let abort: serde_json::Value = serde_json::from_str(&abort).unwrap();
        let lines = abort["clusters"].as_array().unwrap();
        let line = |name: &str| lines.iter().find(|line| line["cluster"] == name).unwrap();
        assert_eq!(line("us-1")["state"], "notHeard", "{abort}");
        assert_eq!(line("eu-1")["state"], "idle", "{abort}");
        assert_eq!(line("eu-1")["text"], "nothing was ordered there");
    }
}

#[tokio::test]
async fn who_is_done_serves_with_all_the_traffic_that_a_later_canary_does_not_have() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let mut rollout = half_way(&api, &token).await.to_value();
    for cluster in rollout.state.clusters.values_mut() {
        cluster.phase = ClusterPhase::Done;
    }
    let mut seen = api.seen();
    let share = |seen: &Seen| {
        let mut serving = seen.done_and_serving(&rollout, |_| true).into_iter();
        serving.find(|one| one.cluster == "us-1").unwrap().share
    };
    assert_eq!(share(&seen), Some(50), "its own");
    for report in seen.reports.values_mut() {
        let status = &mut Arc::make_mut(report).status;
        status.rollout = Some("checkout-2".parse().unwrap());
        status.observed = Some(Weight::ZERO);
    }
    assert_eq!(share(&seen), Some(100), "a later canary went back");
}

#[tokio::test]
async fn what_takes_a_done_cluster_back_is_the_retreat_of_the_rollout_that_holds_it_now() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let mut rollout = half_way(&api, &token).await.to_value();
    for cluster in rollout.state.clusters.values_mut() {
        cluster.phase = ClusterPhase::Done;
    }
    let command = |mut seen: Seen| {
        hear(&mut seen);
        let serving = seen.done_and_serving(&rollout, |_| true);
        serving.into_iter().next().unwrap().command
    };
    assert_eq!(
        command(api.seen()),
        "flagship retreat shop/checkout-1 --reason …"
    );
    let mut later = rollout.clone();
    later.id = "checkout-2".parse().unwrap();
    let claim = ClaimRow {
        workload: rollout.workload.clone(),
        uid: "uid-us-1".parse().unwrap(),
        cluster: "us-1".parse().unwrap(),
        project: rollout.project.clone(),
        rollout: later.id.clone(),
        at: api.now(),
    };
    api.commit(Txn::new().put(&later).put(&claim)).await;
    assert_eq!(
        command(api.seen()),
        "flagship retreat shop/checkout-2 --reason …   # then flagship retreat shop/checkout-1 --reason …"
    );
}

/// A cluster that was Done with all traffic on the change, and is told to go back: its last report.
async fn told_to_go_back(
    api: &Api,
    token: &str,
    phase: Phase,
    message: &str,
) -> Stored<RolloutRow> {
    let mut rollout = half_way(api, token).await.to_value();
    rollout.state.phase = RolloutPhase::Retreating;
    for cluster in rollout.state.clusters.values_mut() {
        cluster.phase = ClusterPhase::Retreating { weight: None };
    }
    let seen = api.seen();
    let mut report = seen.reports.values().next().unwrap().as_ref().clone();
    let status = &mut report.status;
    (status.phase, status.weight) = (phase, Weight::FULL);
    status.observed = Some(Weight::FULL);
    status.message = message.to_owned();
    if !message.is_empty() {
        status.reason = "CannotReturn".to_owned();
    }
    api.commit(Txn::new().put(&rollout).put(&report)).await;
    let key = key::rollout(&rollout.project, &rollout.id);
    api.read(&key)
}

/// What an abort says that a cluster has answered it in a certain way.
async fn answered(api: &Api, token: &str, mode: AbortMode, state: ReceiptState) -> Value {
    let body = format!(r#"{{"scope":{{"kind":"fleet"}},"mode":"{mode:?}"}}"#);
    let abort = api.post_with("/api/v1/aborts", token, &body, &[]).await;
    let abort: Value = serde_json::from_str(&abort.body).unwrap();
    let id = abort["id"].as_str().unwrap();
    let row = stopped::answer(api, id, state, Weight::FULL, api.now());
    api.commit(Txn::new().put(&row)).await;
    let view = api.get(&format!("/api/v1/aborts/{id}"), token).await;
    serde_json::from_str(&view).unwrap()
}

#[tokio::test]
async fn a_silent_cluster_that_was_done_and_is_told_to_go_back_serves_until_it_is_known_to_be_back()
{
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let rollout = told_to_go_back(&api, &token, Phase::Succeeded, "").await;
    let mut seen = api.seen();
    let banner = seen.serving_banner(&rollout).unwrap();
    assert_eq!(
        banner.text,
        "shop/checkout-1 is going back, and 1.1.0 is still served by us-1 \
         (done, 100% of its traffic, not heard)"
    );
    let there = "flagship-agent ctl retreat shop/Deployment/checkout --reason …";
    assert!(banner.remedy.starts_with(there), "{}", banner.remedy);
    let view = answered(&api, &token, AbortMode::Return, ReceiptState::Done).await;
    assert_eq!(view["notFixed"][0]["share"], 100, "{view}");
    let mut lines = view["clusters"].as_array().unwrap().iter();
    let line = lines.find(|line| line["cluster"] == "us-1").unwrap();
    assert_eq!(line["state"], "done", "{view}");
    let text = line["text"].as_str().unwrap();
    assert!(text.ends_with("still serves 1.1.0"), "{text}");
    seen = api.seen();
    hear(&mut seen);
    assert_eq!(seen.serving_banner(&rollout), None, "it is on its way");
    let mut back = rollout.to_value();
    for cluster in back.state.clusters.values_mut() {
        cluster.phase = ClusterPhase::RolledBack;
    }
    let serving = api.seen().in_flight_and_serving(&back, |_| true);
    assert!(serving.is_empty(), "it is known to be back");
}

#[tokio::test]
async fn a_done_cluster_that_is_not_heard_is_said_to_be_so_with_the_command_of_its_machine() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let mut rollout = told_to_go_back(&api, &token, Phase::Succeeded, "")
        .await
        .to_value();
    for cluster in rollout.state.clusters.values_mut() {
        cluster.phase = ClusterPhase::Done;
    }
    let serving = api.seen().done_and_serving(&rollout, |_| true);
    let us = serving.iter().find(|one| one.cluster == "us-1").unwrap();
    assert_eq!(us.unheard.as_deref(), Some("not heard"));
    let there = "flagship-agent ctl retreat shop/Deployment/checkout --reason …";
    assert!(us.command.starts_with(there), "{}", us.command);
}

#[tokio::test]
async fn a_cluster_that_says_that_it_cannot_go_back_is_not_fixed_and_not_stopped_and_why() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let why = "cannot return to 1.0.0: crashed 3 times";
    let rollout = told_to_go_back(&api, &token, Phase::Failed, why).await;
    let mut seen = api.seen();
    hear(&mut seen);
    let banner = seen.serving_banner(&rollout).unwrap();
    assert!(
        banner
            .text
            .ends_with(&format!("us-1 (100% of its traffic, {why})")),
        "{}",
        banner.text
    );
    let capacity = Weight::ZERO;
    let returning = ReceiptState::Returning { capacity };
    let view = answered(&api, &token, AbortMode::Return, returning).await;
    let line = &view["clusters"][0];
    assert_eq!(line["state"], "notStopped", "{view}");
    assert_eq!(line["reason"], why, "{view}");
    assert_eq!(view["outcome"], "notStopped", "{view}");
    let there = "flagship-agent ctl retreat shop/Deployment/checkout --reason …";
    assert_eq!(line["localCommand"], there, "{view}");
    assert_eq!(view["notFixed"][0]["share"], 100, "{view}");
}
