//! What somebody who is bound to labels is shown over the API: what stands over clusters of others,
//! projects in which nothing is theirs, and what he stopped himself.

use axum::http::{Method, StatusCode};
use serde_json::Value;

use super::{
    fixture::Api,
    rights::names::{id, two_projects},
};
use crate::auth::{Binding, Role};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn bound(api: &Api, role: Role, label: &str, value: &str) -> String {
    let selector = format!(r#"{{"matchLabels":{{"{label}":"{value}"}}}}"#);
    let binding = Binding {
        selector: Some(serde_json::from_str(&selector).unwrap()),
        ..Binding::of(role)
    };
    api.token_of(binding).await
}

fn stop(region: &str) -> String {
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
        let token = bound(&api, role, "region", "eu").await;
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
