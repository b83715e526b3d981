//! What is said while a rollout is stopped or frozen and some users still get what it released.

use std::sync::Arc;

use flagship_proto::model::{OnDisconnect, Phase, Weight};
use flagship_waves::{ClusterPhase, ClusterState, RolloutPhase, Stage};

use super::{fixture::Api, stopped::in_flight};
use crate::{
    api::view::Seen,
    auth::Role,
    fleet::Presence,
    records::{ClaimRow, RolloutRow, Stored, key},
    store::Txn,
};

/// A rollout whose canary in us-1 has half of the traffic.
pub(super) async fn half_way(api: &Api, token: &str) -> Stored<RolloutRow> {
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

pub(super) fn hear(seen: &mut Seen) {
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
        assert_eq!(api.serving(&api.seen(), &rollout), None, "it goes on");
        let headers = [("flagship-reason", "a test")];
        let ordered = api.post_with(path, &token, body, &headers).await;
        assert_eq!(ordered.status, 200, "{}", ordered.body);
        let mut seen = api.seen();
        let banner = api.serving(&seen, &rollout).unwrap();
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
        let banner = api.serving(&later, &rollout).unwrap();
        let known = "us-1 (50% of its traffic, frozen, not heard)";
        assert!(
            banner.text.ends_with(known),
            "the bound has passed: {}",
            banner.text
        );
        // A hub that has begun since gives no lease where an abort stands.
        let mut again = later;
        (again.started, again.longest) = (again.now, again.longest * 4);
        if why == "is being stopped" {
            let banner = api.serving(&again, &rollout).unwrap();
            assert!(banner.text.ends_with(known), "{}", banner.text);
        }
        hear(&mut seen);
        let banner = api.serving(&seen, &rollout).unwrap();
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
    assert_eq!(api.serving(&seen, &rollout), None);
    seen.now = seen.now.plus(std::time::Duration::from_secs(40));
    hear(&mut seen);
    assert!(api.serving(&seen, &rollout).is_some(), "it is stuck");
    let mut read = |observed| {
        for report in seen.reports.values_mut() {
            let status = &mut std::sync::Arc::make_mut(report).status;
            (status.weight, status.observed) = (Weight::ZERO, observed);
            status.phase = Phase::Failed;
        }
        api.serving(&seen, &rollout)
    };
    let unread = read(None).unwrap();
    let why = "us-1 (not every proxy there can be read)";
    assert!(unread.text.ends_with(why), "{}", unread.text);
    let there = "flagship-agent ctl status   # on the machine of us-1 names the proxy";
    assert!(
        unread.remedy.starts_with(there),
        "no order mends that: {}",
        unread.remedy
    );
    assert_eq!(read(Some(Weight::ZERO)), None, "nobody gets it");
    read(None);
    seen.standing.clear();
    let mut back = rollout.to_value();
    back.state.phase = RolloutPhase::Retreating;
    for cluster in back.state.clusters.values_mut() {
        cluster.phase = ClusterPhase::Retreating { weight: None };
        cluster.since = seen.now.wall;
    }
    assert_eq!(api.serving(&seen, &back), None, "it has its time");
    seen.now = seen.now.plus(std::time::Duration::from_secs(40));
    hear(&mut seen);
    let unread = api.serving(&seen, &back).unwrap();
    assert!(
        unread.text.ends_with(why),
        "without an abort too: {}",
        unread.text
    );
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
