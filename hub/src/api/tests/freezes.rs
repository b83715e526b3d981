//! Freezes over the API: order, list, read, end; and the banners of what stands.

use axum::http::{Method, StatusCode};
use serde_json::Value;

use super::fixture::{Answer, Api};
use crate::{api::view::freeze::NAMED, auth::Role};

const FLEET: &str = r#"{"scope":{"kind":"fleet"},"forMs":7200000}"#;

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

async fn freeze(api: &Api, token: &str, body: &str) -> Answer {
    let headers = [("flagship-reason", "black friday")];
    api.post_with("/api/v1/freezes", token, body, &headers)
        .await
}

#[tokio::test]
async fn a_freeze_is_ordered_listed_read_and_ended_and_is_a_banner_while_it_stands() {
    let api = Api::new().await;
    let token = api.lifter(Role::Operator).await;
    let from = api.seq();
    let made = freeze(&api, &token, FLEET).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let made = json(&made.body);
    assert_eq!(made["standing"], true);
    assert!(made["until"].is_string(), "{made}");
    let event = api.event(&token, from).await;
    assert!(event.contains(r#""kind":"freeze""#), "{event}");

    let id = made["id"].as_str().unwrap();
    let listed = json(&api.get("/api/v1/freezes", &token).await);
    assert_eq!(listed["items"][0]["id"], id);
    let banners = json(&api.get("/api/v1/banners", &token).await);
    assert_eq!(banners["items"][0]["kind"], "freeze");
    let remedy = banners["items"][0]["remedy"].as_str().unwrap();
    assert!(
        remedy.starts_with(&format!("flagship unfreeze {id}")),
        "{remedy}"
    );
    let status = json(&api.get("/api/v1/status", &token).await);
    assert_eq!(status["banners"], banners["items"]);

    let path = format!("/api/v1/freezes/{id}");
    let end = format!("{path}/end");
    let silent = api.post_with(&end, &token, "{}", &[]).await;
    assert_eq!(silent.problem().field.as_deref(), Some("reason"));
    let headers = [("flagship-reason", "over")];
    let ended = api.post_with(&end, &token, "{}", &headers).await;
    assert_eq!(ended.status, StatusCode::OK, "{}", ended.body);
    let read = json(&api.get(&path, &token).await);
    assert_eq!(read["ended"]["reason"], "over");
    assert_eq!(
        json(&api.get("/api/v1/banners", &token).await)["items"],
        json("[]")
    );
    let again = api.post_with(&end, &token, "{}", &headers).await;
    assert_eq!(again.status, StatusCode::CONFLICT, "{}", again.body);
    let all = json(&api.get("/api/v1/freezes?all=true", &token).await);
    assert_eq!(all["items"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn who_may_only_stop_freezes_and_does_not_unfreeze() {
    let api = Api::new().await;
    let token = api.token(Role::Responder).await;
    let made = freeze(&api, &token, FLEET).await;
    assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    let id = json(&made.body)["id"].as_str().unwrap().to_owned();
    let end = format!("/api/v1/freezes/{id}/end");
    let refused = api.send(&Method::POST, &end, Some(&token), "", "").await;
    assert_eq!(refused.status, StatusCode::FORBIDDEN);
    let remedy = refused.problem().remedy.unwrap();
    assert!(remedy.contains("--lift"), "{remedy}");
}

#[tokio::test]
async fn a_freeze_with_two_ends_or_none_to_come_is_refused() {
    let api = Api::new().await;
    let token = api.token(Role::Operator).await;
    for (body, code) in [
        (
            r#"{"scope":{"kind":"fleet"},"forMs":1,"until":"2099-01-01T00:00:00Z"}"#,
            "freeze.twoEnds",
        ),
        (
            r#"{"scope":{"kind":"fleet"},"until":"2001-01-01T00:00:00Z"}"#,
            "freeze.past",
        ),
        (
            r#"{"scope":{"kind":"fleet"},"until":"noon"}"#,
            "body.invalid",
        ),
        (
            r#"{"scope":{"kind":"project","of":"none"}}"#,
            "scope.nothing",
        ),
    ] {
        let answer = freeze(&api, &token, body).await;
        assert!(answer.status.is_client_error(), "{body}");
        assert_eq!(answer.problem().code, code, "{body}");
    }
}

#[tokio::test]
async fn of_many_freezes_some_of_each_author_are_named_above_the_rest_and_the_others_counted() {
    let api = Api::new().await;
    let (flood, admin) = (
        api.token(Role::Responder).await,
        api.token(Role::Admin).await,
    );
    api.members().await;
    let own = freeze(&api, &admin, FLEET).await;
    let own = json(&own.body)["id"].as_str().unwrap().to_owned();
    let count = 3 * NAMED;
    for n in 1..=count {
        let body = format!(
            r#"{{"scope":{{"kind":"selector","of":{{"names":["{}"]}}}},"forMs":{}}}"#,
            ["pilot-1", "eu-1", "us-1"][n % 3],
            n * 60_000
        );
        let made = freeze(&api, &flood, &body).await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    }
    let banners = json(&api.get("/api/v1/banners", &admin).await);
    let banners = banners["items"].as_array().unwrap();
    assert_eq!(banners.len(), NAMED + 1);
    let named = |id: &str| banners.iter().any(|banner| banner["id"] == id);
    assert!(named(&own), "one author's hide nobody else's: {banners:?}");
    let last = &banners[NAMED];
    assert_eq!(last["kind"], "freezes");
    let more = format!("{} more freezes stand", count + 1 - NAMED);
    assert_eq!(last["text"], more.as_str());
    assert_eq!(last["remedy"], "flagship get freezes");
    let status = json(&api.get("/api/v1/status", &admin).await);
    assert_eq!(status["banners"].as_array().unwrap().len(), NAMED + 1);
}
