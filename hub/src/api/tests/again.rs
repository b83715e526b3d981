//! The same request again: the first answer, byte for byte; and changes that rest on an old state.

use axum::http::{Method, StatusCode};
use serde_json::Value;

use super::fixture::Api;
use crate::{auth::Role, records::key};

const FLEET: &str = r#"{"scope":{"kind":"fleet"},"forMs":3600000}"#;
const KEYED: [(&str, &str); 2] = [("idempotency-key", "k1"), ("flagship-reason", "why")];

fn id(body: &str) -> String {
    let json: Value = serde_json::from_str(body).unwrap();
    json["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_repetition_gets_the_first_answer_byte_for_byte_after_a_restart_too() {
    let api = Api::new().await;
    let token = api.lifter(Role::Operator).await;
    let first = api
        .post_with("/api/v1/freezes", &token, FLEET, &KEYED)
        .await;
    assert_eq!(first.status, StatusCode::OK, "{}", first.body);
    let path = format!("/api/v1/freezes/{}/end", id(&first.body));
    let headers = [("flagship-reason", "over")];
    let ended = api.post_with(&path, &token, "{}", &headers).await;
    assert_eq!(
        ended.status,
        StatusCode::OK,
        "what is shown has changed since"
    );
    let before = api.seq();
    for api in [&api, &api.started_again()] {
        let again = api
            .post_with("/api/v1/freezes", &token, FLEET, &KEYED)
            .await;
        assert_eq!(again.status, first.status);
        assert_eq!(again.body, first.body);
        assert_eq!(again.tag, first.tag);
        let other = r#"{"scope":{"kind":"fleet"},"forMs":1}"#;
        let refused = api
            .post_with("/api/v1/freezes", &token, other, &KEYED)
            .await;
        assert_eq!(refused.status, StatusCode::CONFLICT);
        assert_eq!(refused.problem().code, "idempotencyKey.used");
    }
    assert_eq!(api.seq(), before, "nothing was stored");
}

#[tokio::test]
async fn a_plan_that_was_made_is_said_to_be_made_again_to_who_repeats() {
    let api = Api::new().await;
    let token = api.lifter(Role::Operator).await;
    api.members().await;
    let plan = include_str!("../../../../deploy/example/plan.yaml");
    let headers = [("idempotency-key", "k1")];
    let send = async || {
        api.send_document("/api/v1/plans", &token, plan, &headers)
            .await
    };
    let first = send().await;
    assert!(
        first.body.contains(r#""outcome":"created""#),
        "{}",
        first.body
    );
    assert_eq!(send().await.body, first.body);
}

#[tokio::test]
async fn a_secret_is_shown_once_and_kept_nowhere() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    for (path, body) in [
        ("/api/v1/tokens", r#"{"name":"ci","role":"viewer"}"#),
        ("/api/v1/enrol-tokens", r#"{"cluster":"eu-1"}"#),
    ] {
        let headers = [("idempotency-key", path)];
        let first = api.post_with(path, &token, body, &headers).await;
        assert_eq!(first.status, StatusCode::OK, "{}", first.body);
        let json: Value = serde_json::from_str(&first.body).unwrap();
        let secret = json["secret"].as_str().unwrap();
        let half = &secret[secret.len() - 20..];
        for (key, row) in api.store().list(key::ALL).unwrap().rows {
            let text = String::from_utf8_lossy(&row.value);
            assert!(!text.contains(half), "{key}");
        }
        let again = api.post_with(path, &token, body, &headers).await;
        assert_eq!(again.status, StatusCode::CONFLICT);
        assert_eq!(again.problem().code, "token.shown");
    }
}

#[tokio::test]
async fn a_change_that_rests_on_an_old_state_is_refused() {
    let api = Api::new().await;
    let token = api.lifter(Role::Operator).await;
    let made = api.post_with("/api/v1/freezes", &token, FLEET, &[]).await;
    let path = format!("/api/v1/freezes/{}", id(&made.body));
    let read = api.send(&Method::GET, &path, Some(&token), "", "").await;
    assert_eq!(read.tag, made.tag);
    assert!(
        read.tag.starts_with('"') && read.tag.ends_with('"'),
        "{}",
        read.tag
    );
    let end = format!("{path}/end");
    let before = api.seq();
    for (stale, status, code) in [
        ("\"1-999999\"", 412, "ifMatch.stale"),
        ("\"of-elsewhere\"", 412, "ifMatch.stale"),
        (&format!("W/{}", read.tag), 412, "ifMatch.stale"),
        ("none", 400, "header.invalid"),
    ] {
        let headers = [("if-match", stale), ("flagship-reason", "over")];
        let refused = api.post_with(&end, &token, "{}", &headers).await;
        assert_eq!(refused.status.as_u16(), status, "{stale}: {}", refused.body);
        assert_eq!(refused.problem().code, code);
        assert_eq!(refused.problem().field.as_deref(), Some("If-Match"));
    }
    assert_eq!(api.seq(), before, "nothing was stored");
    let known = format!("\"0-1\", {}", read.tag);
    let headers = [("if-match", known.as_str()), ("flagship-reason", "over")];
    let ended = api.post_with(&end, &token, "{}", &headers).await;
    assert_eq!(ended.status, StatusCode::OK, "{}", ended.body);
    assert_ne!(ended.tag, read.tag);
}
