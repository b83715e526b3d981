//! What somebody who is bound to labels is shown over the API: what stands over clusters of others,
//! projects in which nothing is theirs, and what he stopped himself.

use axum::http::{Method, StatusCode};
use serde_json::Value;

use flagship_proto::model::{OnDisconnect, ReceiptState, Weight};
use flagship_waves::RolloutPhase;

use super::{
    fixture::Api,
    rights::names::{id, two_projects},
    serving::{half_way, hear},
    stopped::{answer, in_flight},
};
use crate::{
    auth::{Binding, Grants, Role},
    records::{ClusterRow, ClusterState, RolloutRow, key},
    store::Txn,
};

pub(super) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

pub(super) fn binding(role: Role, label: &str, value: &str) -> Binding {
    let selector = format!(r#"{{"matchLabels":{{"{label}":"{value}"}}}}"#);
    Binding {
        selector: Some(serde_json::from_str(&selector).unwrap()),
        ..Binding::of(role)
    }
}

async fn bound(api: &Api, role: Role, label: &str, value: &str) -> String {
    api.token_of(binding(role, label, value)).await
}

/// Who stops clusters with a label, and sees everything.
fn stops_and_sees(region: &str) -> Grants {
    let stops = binding(Role::Responder, "region", region);
    Grants(vec![stops, Binding::of(Role::Viewer)])
}

pub(super) fn stop(region: &str) -> String {
    format!(r#"{{"scope":{{"kind":"selector","of":{{"matchLabels":{{"region":"{region}"}}}}}}}}"#)
}

#[tokio::test]
async fn what_stands_over_clusters_of_others_is_not_shown() {
    let api = Api::new().await;
    api.members().await;
    let admin = api.token(Role::Admin).await;
    let viewer = bound(&api, Role::Viewer, "region", "eu").await;
    let from = api.seq();
    let why = [("flagship-reason", "a secret of the us")];
    let mut hidden = Vec::new();
    for path in ["/api/v1/aborts", "/api/v1/freezes"] {
        hidden.push((
            path,
            id(&api.post_with(path, &admin, &stop("us"), &why).await),
        ));
    }
    let seen = id(&api
        .post_with("/api/v1/freezes", &admin, &stop("eu"), &[])
        .await);
    let event = api.event(&viewer, from).await;
    assert!(event.contains(&seen), "{event}");
    for (path, id) in &hidden {
        assert!(!event.contains(id), "{event}");
        let ask = async |id: &str| {
            let path = format!("{path}/{id}");
            api.ask(&Method::GET, &path, &viewer, "", &[]).await
        };
        let (other, none) = (ask(id).await, ask("x-none").await);
        assert_eq!(other.status, StatusCode::NOT_FOUND, "{}", other.body);
        assert_eq!(other.body.replace(id, "x-none"), none.body);
        let whole = api.get(&format!("{path}?all=true"), &admin).await;
        assert!(whole.contains("a secret of the us"), "{whole}");
    }
    for path in [
        "aborts?all=true",
        "freezes?all=true",
        "banners",
        "status",
        "audit",
    ] {
        let answer = api.get(&format!("/api/v1/{path}"), &viewer).await;
        assert!(
            !answer.contains("secret") && !answer.contains("us-1"),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_project_is_shown_to_who_is_bound_by_labels_where_something_in_it_is_theirs() {
    let api = Api::new().await;
    two_projects(&api).await;
    for (label, value, theirs) in [
        ("team", "payments", &["shop"][..]),
        ("team", "search", &["bank"]),
        ("region", "eu", &[]),
    ] {
        let token = bound(&api, Role::Viewer, label, value).await;
        let listed = json(&api.get("/api/v1/projects", &token).await);
        let names = listed["items"].as_array().unwrap().iter();
        let names: Vec<_> = names
            .map(|project| project["name"].as_str().unwrap())
            .collect();
        assert_eq!(names, theirs, "{value}");
        for project in ["shop", "bank"] {
            let path = format!("/api/v1/projects/{project}");
            let answer = api.ask(&Method::GET, &path, &token, "", &[]).await;
            assert_eq!(answer.status == StatusCode::OK, theirs.contains(&project));
        }
    }
}

#[tokio::test]
async fn who_stops_by_labels_sees_which_of_theirs_stopped_and_who_joins() {
    let api = Api::new().await;
    two_projects(&api).await;
    let token = bound(&api, Role::Responder, "region", "eu").await;
    let body = r#"{"scope":{"kind":"selector","of":{"matchExpressions":[{"key":"region","operator":"NotIn","values":["ap"]}]}}}"#;
    let made = api.post_with("/api/v1/aborts", &token, body, &[]).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let made = json(&made.body);
    assert_eq!(made["totals"]["clusters"], 2, "{made}");
    let joins = made["joins"].as_str().unwrap();
    assert!(joins.contains("region=eu"), "{joins}");
    for secret in ["us-1", "bank", "ledger", "checkout"] {
        assert!(!made.to_string().contains(secret), "{made}");
    }
    let frozen = api.post_with("/api/v1/freezes", &token, body, &[]).await;
    let joins = json(&frozen.body)["joins"].as_str().unwrap().to_owned();
    assert!(joins.contains("region=eu"), "{joins}");
}

#[tokio::test]
async fn access_names_no_labels_of_a_team_of_which_nothing_is_seen() {
    let api = Api::new().await;
    two_projects(&api).await;
    let ours = bound(&api, Role::Viewer, "team", "payments").await;
    bound(&api, Role::Operator, "team", "search").await;
    let seen = api.get("/api/v1/access", &ours).await;
    assert!(seen.contains("team=payments"), "{seen}");
    assert!(!seen.contains("team=search"), "{seen}");
    let admin = api.token(Role::Admin).await;
    assert!(
        api.get("/api/v1/access", &admin)
            .await
            .contains("team=search")
    );
}

#[tokio::test]
async fn who_stops_by_labels_chooses_among_scopes_that_he_may_stop_and_who_only_reads_sees_all() {
    let api = Api::new().await;
    api.members().await;
    for (role, all) in [(Role::Responder, false), (Role::Viewer, true)] {
        let token = if all {
            bound(&api, role, "region", "eu").await
        } else {
            api.token_with(stops_and_sees("eu")).await
        };
        let scopes = json(&api.get("/api/v1/abort-scopes", &token).await);
        let items = scopes["items"].as_array().unwrap().iter();
        let options: Vec<&str> = items.map(|one| one["option"].as_str().unwrap()).collect();
        assert_eq!(options.contains(&"--fleet"), all, "{options:?}");
        assert!(options.contains(&"--selector region=eu"), "{options:?}");
        for option in options.iter().filter(|_| !all) {
            let (_, label) = option.split_once(' ').unwrap();
            let (key, value) = label.split_once('=').unwrap();
            let body = stop("eu").replace("\"region\":\"eu\"", &format!("\"{key}\":\"{value}\""));
            let answer = api.post_with("/api/v1/aborts", &token, &body, &[]).await;
            assert_eq!(answer.status, StatusCode::OK, "{option}: {}", answer.body);
        }
    }
}

/// checkout-1 with half of the traffic in us-1 and in eu-1, both heard.
pub(super) async fn in_two_regions(api: &Api) {
    let admin = api.token(Role::Admin).await;
    let mut rollout = half_way(api, &admin).await.to_value();
    in_flight(api, "eu-1", OnDisconnect::Hold).await;
    for (name, region) in [("us-1", "us"), ("eu-1", "eu")] {
        let row = api.read::<ClusterRow>(&key::cluster(&name.parse().unwrap()));
        let mut row = row.to_value();
        row.labels.insert("region".to_owned(), region.to_owned());
        api.commit(Txn::new().put(&row)).await;
    }
    let us = rollout.state.clusters[&"uid-us-1".parse().unwrap()].clone();
    let mut eu = us.clone();
    eu.name = "eu-1".parse().unwrap();
    rollout
        .state
        .clusters
        .insert("uid-eu-1".parse().unwrap(), eu);
    api.commit(Txn::new().put(&rollout)).await;
}

#[tokio::test]
async fn an_abort_of_some_clusters_names_those_that_are_held_with_their_rollout() {
    let api = Api::new().await;
    in_two_regions(&api).await;
    let token = api.token(Role::Responder).await;
    let ask =
        async |path: &str, body: &str| json(&api.post_with(path, &token, body, &[]).await.body);
    let dry = ask("/api/v1/abort-preview", &stop("eu")).await;
    assert_eq!(dry["connected"], json("[]"), "{dry}");
    assert!(
        dry["notHeard"][0].as_str().unwrap().starts_with("eu-1"),
        "{dry}"
    );
    assert_eq!(
        dry["heldWith"],
        json(r#"["us-1 at 50% (shop/checkout-1)"]"#)
    );
    let abort = ask("/api/v1/aborts", &stop("eu")).await;
    assert_eq!(abort["heldWith"][0]["cluster"], "us-1", "{abort}");
    assert_eq!(abort["heldWith"][0]["share"], 50, "{abort}");
    let fleet = r#"{"scope":{"kind":"fleet"}}"#;
    let all = ask("/api/v1/abort-preview", fleet).await;
    assert!(all["heldWith"].is_null(), "{all}");
}

#[tokio::test]
async fn who_stops_by_labels_is_given_a_way_back_that_he_may_order() {
    let api = Api::new().await;
    in_two_regions(&api).await;
    let token = api.token_with(stops_and_sees("us")).await;
    let hold = stop("us").replacen('{', r#"{"mode":"Hold","#, 1);
    let abort = api.post_with("/api/v1/aborts", &token, &hold, &[]).await;
    let abort = json(&abort.body);
    let id = abort["id"].as_str().unwrap();
    let mut seen = api.seen();
    hear(&mut seen);
    let command = |view: &crate::api::types::AbortView| view.not_fixed[0].command.clone();
    let retreat = "flagship retreat shop/checkout-1 --reason …";
    let others = format!("{retreat}   # who may stop all of plan shop/checkout orders it");
    let stuck = |grants: &Grants| {
        let mut stuck = api.seen();
        hear(&mut stuck);
        for report in stuck.reports.values_mut() {
            let status = &mut std::sync::Arc::make_mut(report).status;
            status.reason = "CannotReturn".to_owned();
            status.message = "cannot return to 1.0.0".to_owned();
        }
        command(&api.shown_to(grants, id, &stuck))
    };
    for (grants, whose) in [(stops_and_sees("us"), true), (Grants::everything(), false)] {
        let told = stuck(&grants);
        let elsewhere = "flagship retreat shop/checkout-1 --to … --reason …   # ";
        assert!(
            told.starts_with(elsewhere),
            "the abort would do the same: {told}"
        );
        assert_eq!(told.contains("who may stop all of plan"), whose, "{told}");
    }
    let own = "flagship abort --selector region=us --retreat --reason …   # takes back whatever had succeeded there";
    for (grants, expected) in [
        (stops_and_sees("us"), own),
        (stops_and_sees("eu"), &others),
        (Grants::everything(), retreat),
        (Grants(vec![Binding::of(Role::Viewer)]), &others),
    ] {
        assert_eq!(command(&api.shown_to(&grants, id, &seen)), expected);
    }
    let rollout = key::rollout(&"shop".parse().unwrap(), &"checkout-1".parse().unwrap());
    let rollout = api.read::<RolloutRow>(&rollout);
    let by_name = "flagship abort --cluster us-1 --reason …";
    for (grants, is_offered) in [(stops_and_sees("us"), true), (stops_and_sees("eu"), false)] {
        let view = api.rollout_of(&seen, &grants, &rollout);
        let banner = view
            .banners
            .iter()
            .find(|banner| banner.kind == "serving")
            .unwrap();
        assert_eq!(
            banner.remedy.contains(by_name),
            is_offered,
            "{}",
            banner.remedy
        );
    }
    let back = stop("us").replacen('{', r#"{"mode":"RetreatDone","#, 1);
    let back = api.post_with("/api/v1/aborts", &token, &back, &[]).await;
    assert_eq!(back.status, StatusCode::OK, "{}", back.body);
    let retreat = "/api/v1/projects/shop/rollouts/checkout-1/retreat";
    let refused = api.post_with(retreat, &token, "{}", &[]).await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
}

#[tokio::test]
async fn why_a_cluster_is_quarantined_is_told_only_to_who_sees_all_of_it() {
    let api = Api::new().await;
    api.members().await;
    let us = key::cluster(&"us-1".parse().unwrap());
    let mut row = api.read::<ClusterRow>(&us).to_value();
    let reason = "it claims an order for bank/Deployment/ledger that nothing proves".to_owned();
    row.state = ClusterState::Quarantined { reason };
    api.commit(Txn::new().put(&row)).await;
    let whole = bound(&api, Role::Viewer, "region", "us").await;
    let part = Binding {
        projects: ["shop".parse().unwrap()].into(),
        ..Binding::of(Role::Viewer)
    };
    let part = api.token_of(part).await;
    for (token, tells) in [(&whole, true), (&part, false)] {
        for path in ["/api/v1/clusters/us-1", "/api/v1/clusters"] {
            let shown = api.get(path, token).await;
            assert!(shown.contains("Quarantined"), "{shown}");
            assert_eq!(shown.contains("bank/Deployment"), tells, "{shown}");
        }
    }
}

#[tokio::test]
async fn who_names_no_scope_is_offered_what_has_succeeded_lately_too() {
    let api = Api::new().await;
    in_two_regions(&api).await;
    let token = api.token(Role::Responder).await;
    let name = key::rollout(&"shop".parse().unwrap(), &"checkout-1".parse().unwrap());
    for (phase, is_offered) in [
        (RolloutPhase::Succeeded, true),
        (RolloutPhase::Superseded, false),
    ] {
        let mut row = api.read::<RolloutRow>(&name).to_value();
        row.state.phase = phase;
        api.commit(Txn::new().put(&row)).await;
        let scopes = api.get("/api/v1/abort-scopes", &token).await;
        for option in ["--project shop", "--plan shop/checkout", "--workload shop"] {
            assert_eq!(scopes.contains(option), is_offered, "{option}: {scopes}");
        }
        assert!(!scopes.contains("--rollout"), "{scopes}");
    }
}

/// An abort of the clusters in us, to which us-1 has answered so.
async fn answered(api: &Api, state: ReceiptState) -> String {
    let admin = api.token(Role::Admin).await;
    let scope = stop("us");
    let abort = api.post_with("/api/v1/aborts", &admin, &scope, &[]);
    let id = id(&abort.await);
    let row = answer(api, &id, state, Weight::saturating(50), api.now());
    api.commit(Txn::new().put(&row)).await;
    id
}

#[tokio::test]
async fn a_signed_receipt_that_names_what_is_not_seen_is_not_shown() {
    let api = Api::new().await;
    in_two_regions(&api).await;
    let admin = api.token(Role::Admin).await;
    let id = answered(&api, ReceiptState::Idle).await;
    let part = bound(&api, Role::Viewer, "region", "us").await;
    for (token, count) in [(&admin, 1), (&part, 0)] {
        let path = format!("/api/v1/aborts/{id}/receipts");
        let shown = api
            .send(&Method::GET, &path, Some(token), "", "")
            .await
            .body;
        let items = json(&shown)["items"].as_array().map_or(0, Vec::len);
        assert_eq!(items, count, "{shown}");
    }
}

#[tokio::test]
async fn the_words_of_an_agent_about_work_that_is_not_seen_are_not_shown() {
    let api = Api::new().await;
    in_two_regions(&api).await;
    let admin = api.token(Role::Admin).await;
    let secret = ReceiptState::not_stopped("cannot return to 1.0.0: digest 39f9140e");
    let id = answered(&api, secret).await;
    let part = bound(&api, Role::Viewer, "region", "us").await;
    for (token, tells) in [(&admin, true), (&part, false)] {
        let shown = api.get(&format!("/api/v1/aborts/{id}"), token).await;
        assert_eq!(shown.contains("39f9140e"), tells, "{shown}");
        assert!(shown.contains("notStopped"), "{shown}");
    }
}
