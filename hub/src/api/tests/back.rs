//! What is said of clusters that were Done and are to go back: until they are known to be back they serve.

use flagship_proto::model::{AbortMode, Intent, Phase, ReceiptState, ReturnTo, Weight};
use flagship_waves::{ClusterPhase, Retreat, RetreatScope, RolloutPhase};
use serde_json::Value;

use super::{
    fixture::Api,
    serving::{half_way, hear},
    stopped,
};
use crate::{
    api::types::AbortState,
    auth::Role,
    records::{OrderRow, RolloutRow, Stored, key},
    store::Txn,
};

/// A cluster that was Done with all traffic on the change, and is told to go back: its last report.
pub(super) async fn told_to_go_back(
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
    let banner = api.serving(&seen, &rollout).unwrap();
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
    assert_eq!(api.serving(&seen, &rollout), None, "it is on its way");
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
    let banner = api.serving(&seen, &rollout).unwrap();
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
    assert!(
        line["localCommand"].is_null(),
        "it would do the same: {view}"
    );
    assert_eq!(view["notFixed"][0]["share"], 100, "{view}");
    let elsewhere = "flagship retreat shop/checkout-1 --to … --reason …   # another version";
    assert!(banner.remedy.starts_with(elsewhere), "{}", banner.remedy);
    let mut done = rollout.to_value();
    for cluster in done.state.clusters.values_mut() {
        cluster.phase = ClusterPhase::Done;
    }
    let serving = seen.done_and_serving(&done, |_| true);
    let us = serving.iter().find(|one| one.cluster == "us-1").unwrap();
    assert!(us.command.starts_with(elsewhere), "{}", us.command);
}

#[tokio::test]
async fn what_was_done_and_is_heard_on_its_way_back_is_said_to_return_and_not_to_be_idle() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let rollout = told_to_go_back(&api, &token, Phase::Succeeded, "").await;
    let uid = "uid-us-1".parse().unwrap();
    let order: Stored<OrderRow> = api.read(&key::order(&uid, &rollout.workload));
    let mut order = order.order();
    order.intent = Intent::Retreat;
    api.commit(Txn::new().put(&OrderRow::new(order))).await;
    let view = answered(&api, &token, AbortMode::Return, ReceiptState::Done).await;
    let mut seen = api.seen();
    hear(&mut seen);
    let view = api.shown(view["id"].as_str().unwrap(), &seen);
    assert!(view.not_fixed.is_empty(), "{view:?}");
    let line = view.clusters.iter().find(|line| line.cluster == "us-1");
    let line = line.unwrap();
    assert_eq!(line.state, AbortState::Returning, "{line:?}");
    let text = "done before the abort; on the way back since, by a later retreat";
    assert_eq!(line.text, text);
}

#[tokio::test]
async fn whom_a_rollout_left_behind_is_in_the_banners_while_the_abort_stands_that_took_it_back() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let body = r#"{"scope":{"kind":"fleet"},"mode":"RetreatDone"}"#;
    let mut rollout = half_way(&api, &token).await.to_value();
    let abort = api.post_with("/api/v1/aborts", &token, body, &[]).await;
    let abort: Value = serde_json::from_str(&abort.body).unwrap();
    rollout.state.phase = RolloutPhase::RolledBack;
    for cluster in rollout.state.clusters.values_mut() {
        cluster.phase = ClusterPhase::Done;
    }
    for (by, told) in [(abort["id"].as_str(), true), (Some("a-other"), false)] {
        rollout.state.retreat = Some(Retreat {
            scope: RetreatScope::All,
            to: ReturnTo::LastPromoted,
            now: false,
            actor: None,
            reason: "errors".to_owned(),
            abort: by.map(|id| id.parse().unwrap()),
        });
        api.commit(Txn::new().put(&rollout)).await;
        for path in ["/api/v1/banners", "/api/v1/status"] {
            let said = api.get(path, &token).await;
            let text = "shop/checkout-1 has gone back, and";
            assert_eq!(said.contains(text), told, "{said}");
        }
    }
}

#[tokio::test]
async fn a_rollout_that_had_ended_is_named_as_taken_back_before_the_engine_has_looked() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let rollout = told_to_go_back(&api, &token, Phase::Succeeded, "").await;
    for (phase, named) in [(RolloutPhase::Succeeded, 1), (RolloutPhase::Retreating, 0)] {
        let mut rollout = rollout.clone().to_value();
        rollout.state.phase = phase;
        api.commit(Txn::new().put(&rollout)).await;
        let view = answered(&api, &token, AbortMode::RetreatDone, ReceiptState::Done).await;
        let names = view["takenBack"].as_array();
        assert_eq!(names.map_or(0, Vec::len), named, "{view}");
    }
}

#[tokio::test]
async fn what_an_earlier_rollout_brought_and_cannot_go_back_is_not_fixed_by_a_stop_of_the_next() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let why = "cannot return to 1.0.0: crashed 3 times";
    let rollout = told_to_go_back(&api, &token, Phase::Failed, why).await;
    let mut seen = api.seen();
    let mut report = seen.reports.values().next().unwrap().as_ref().clone();
    report.status.rollout = Some("checkout-0".parse().unwrap());
    report.status.version = Some("0.9.0".to_owned());
    api.commit(Txn::new().put(&report)).await;
    seen = api.seen();
    hear(&mut seen);
    let banner = api.serving(&seen, &rollout).unwrap();
    let text = format!("0.9.0 is still served by us-1 (100% of its traffic, {why})");
    assert!(banner.text.ends_with(&text), "{}", banner.text);
    let elsewhere = "flagship retreat shop/checkout-1 --to … --reason …";
    assert!(banner.remedy.starts_with(elsewhere), "{}", banner.remedy);
    let view = answered(
        &api,
        &token,
        AbortMode::Return,
        ReceiptState::not_stopped(why),
    )
    .await;
    assert_eq!(view["notFixed"][0]["version"], "0.9.0", "{view}");
    assert_eq!(view["notFixed"][0]["stuck"], why, "{view}");
    let uid = "uid-us-1".parse().unwrap();
    let order: Stored<OrderRow> = api.read(&key::order(&uid, &rollout.workload));
    let mut order = order.order();
    order.intent = Intent::Retreat;
    api.commit(Txn::new().put(&OrderRow::new(order))).await;
    let dry = r#"{"scope":{"kind":"fleet"}}"#;
    let dry = api
        .post_with("/api/v1/abort-preview", &token, dry, &[])
        .await;
    assert!(dry.body.contains("1 unfinished go back"), "{}", dry.body);
}

#[tokio::test]
async fn where_an_agent_has_not_taken_up_its_order_what_it_still_does_of_an_earlier_rollout_is_said()
 {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let message = "drains before it goes back to 0.9.0";
    let mut rollout = told_to_go_back(&api, &token, Phase::Progressing, message).await;
    let mut next = rollout.to_value();
    for cluster in next.state.clusters.values_mut() {
        (cluster.phase, cluster.attempt, cluster.touched) = (ClusterPhase::Ordered, 1, false);
    }
    let mut report = api.seen().reports.values().next().unwrap().as_ref().clone();
    report.status.rollout = Some("checkout-0".parse().unwrap());
    api.commit(Txn::new().put(&next).put(&report)).await;
    rollout = api.read(&key::rollout(&next.project, &next.id));
    let mut seen = api.seen();
    let why = |seen: &crate::api::view::Seen| {
        let view = api.rollout_of(seen, &crate::auth::Grants::everything(), &rollout);
        let us = view.clusters.into_iter().find(|one| one.cluster == "us-1");
        us.unwrap().why.message
    };
    assert_eq!(why(&seen), "", "what is not heard is not known");
    hear(&mut seen);
    let first = format!("first comes checkout-0 there: {message}");
    assert_eq!(why(&seen), first);
    for (observed, said) in [(None, first.as_str()), (Some(Weight::ZERO), "")] {
        for report in seen.reports.values_mut() {
            let status = &mut std::sync::Arc::make_mut(report).status;
            (status.phase, status.weight) = (Phase::Failed, Weight::ZERO);
            (status.version, status.observed) = (Some("1.1.0".to_owned()), observed);
        }
        assert_eq!(why(&seen), said, "{observed:?}");
    }
}
