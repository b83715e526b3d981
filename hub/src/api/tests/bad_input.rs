//! Bad input against every route: a problem document, and nothing changed.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{Method, StatusCode},
};
use flagship_proto::model::TokenId;
use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::{
    filled,
    fixture::{Answer, Api},
};
use crate::{
    auth::{Access, Presented, Role, routes::ROUTES},
    records::{TokenRow, key},
    store::Txn,
};

/// A problem document, and the store as it was.
fn refused(answer: &Answer, what: &str, api: &Api, before: u64) {
    assert!(
        answer.status.is_client_error(),
        "{what}: {} {}",
        answer.status,
        answer.body
    );
    assert_eq!(answer.kind, "application/problem+json", "{what}");
    let problem = answer.problem();
    assert_eq!(problem.status, answer.status.as_u16(), "{what}");
    assert!(problem.kind.ends_with(&problem.code), "{what}: {problem:?}");
    assert!(
        !problem.title.is_empty() && !problem.detail.is_empty(),
        "{what}"
    );
    assert_eq!(api.seq(), before, "{what}: something was stored");
}

fn guarded() -> impl Iterator<Item = (Method, &'static str)> {
    let guarded = ROUTES
        .iter()
        .filter(|(_, _, access)| matches!(access, Access::Needs(..)));
    guarded.map(|(method, path, _)| (method.parse().unwrap(), *path))
}

/// A token's row, changed.
async fn changed(api: &Api, token: &str, change: impl FnOnce(&mut TokenRow)) {
    let id: TokenId = Presented::parse(token).unwrap().id;
    let row = api.read::<TokenRow>(&key::token(&id));
    let mut next = TokenRow::clone(&row);
    change(&mut next);
    api.commit(Txn::new().put(&next)).await;
}

#[tokio::test]
async fn no_route_takes_a_token_that_has_ended_or_whose_person_was_removed() {
    let api = Api::new().await;
    let (ended, revoked) = (api.token(Role::Admin).await, api.token(Role::Admin).await);
    let now = api.now();
    let past = now.saturating_sub(Duration::from_secs(1)).unwrap();
    changed(&api, &ended, |row| row.expires = Some(past)).await;
    changed(&api, &revoked, |row| row.revoked = Some(now)).await;
    let before = api.seq();
    for (method, path) in guarded() {
        for token in [&ended, &revoked] {
            let answer = api.ask(&method, &filled(path), token, "{}", &[]).await;
            assert_eq!(answer.status, StatusCode::UNAUTHORIZED, "{method} {path}");
            refused(&answer, &format!("{method} {path}"), &api, before);
        }
    }
}

/// Whoever knows that a token is about to be revoked must not outlive that with a body that is under way.
#[tokio::test]
async fn a_token_that_is_revoked_while_its_body_comes_changes_nothing() {
    let api = Api::new().await;
    let text = r#"{"name":"mallory","role":"admin"}"#;
    for (is_revoked, status) in [(false, StatusCode::OK), (true, StatusCode::UNAUTHORIZED)] {
        let token = api.token(Role::Admin).await;
        let (send, sent) = tokio::sync::oneshot::channel::<()>();
        let (begins, begun) = tokio::sync::oneshot::channel::<()>();
        let first = stream::once(async move {
            begins.send(()).unwrap();
            Ok::<_, Infallible>(Bytes::new())
        });
        let rest = stream::once(async move {
            sent.await.unwrap();
            Ok(Bytes::from(text))
        });
        let body = Body::from_stream(first.chain(rest));
        let now = api.now();
        let revoke = async {
            begun.await.unwrap();
            if is_revoked {
                changed(&api, &token, |row| row.revoked = Some(now)).await;
            }
            send.send(()).unwrap();
            api.seq()
        };
        let asked = api.upload("/api/v1/tokens", Some(&token), body);
        let (answer, before) = tokio::join!(asked, revoke);
        assert_eq!(answer.status(), status);
        assert_eq!(api.seq() > before, !is_revoked);
    }
}

#[tokio::test]
async fn no_route_takes_wrong_types_unknown_fields_or_unknown_parameters() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let reason = [("flagship-reason", "a test")];
    let before = api.seq();
    let bodies = [
        "[]",
        "7",
        "\"x\"",
        "null",
        "{\"a\":",
        "{} {}",
        r#"{"unknownField":1}"#,
        r#"{"scope":7,"cluster":7,"name":7,"toVersion":7,"to":7,"except":7,"workload":7}"#,
        "\u{0}",
    ];
    for (method, path) in guarded() {
        let url = filled(path);
        let unknown = format!("{url}?unknown=1");
        let answer = api.ask(&method, &unknown, &token, "{}", &reason).await;
        refused(&answer, &format!("{method} {unknown}"), &api, before);
        assert_eq!(answer.problem().field.as_deref(), Some("unknown"));
        if method != Method::POST {
            continue;
        }
        for body in bodies {
            let answer = api.ask(&method, &url, &token, body, &reason).await;
            refused(&answer, &format!("{method} {url} {body}"), &api, before);
        }
    }
}

#[tokio::test]
async fn a_wrong_field_is_named_with_its_place() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    for (body, field, line) in [
        (
            "{\n  \"scope\": {\"kind\": \"fleet\"},\n  \"mode\": 7\n}",
            "mode",
            3,
        ),
        (
            "{\"scope\": {\"kind\": \"fleet\"},\n\"reason\": \"x\"}",
            "reason",
            2,
        ),
        ("{\n\"mode\": \"Hold\"}", "scope", 2),
    ] {
        let answer = api.post_with("/api/v1/aborts", &token, body, &[]).await;
        let problem = answer.problem();
        assert_eq!(problem.field.as_deref(), Some(field), "{problem:?}");
        assert_eq!(problem.line, Some(line), "{problem:?}");
        assert!(problem.column.is_some(), "{problem:?}");
    }
}

#[tokio::test]
async fn a_project_that_is_not_there_is_said_to_be_none() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let before = api.seq();
    let reason = [("flagship-reason", "a test")];
    for (method, path) in guarded().filter(|(_, path)| path.contains("{project}")) {
        let url = filled(&path.replace("{project}", "no-such"));
        let body = if path.ends_with("/start") {
            r#"{"toVersion":"1.2.3"}"#
        } else {
            "{}"
        };
        let body = if method == Method::GET { "" } else { body };
        let answer = api.ask(&method, &url, &token, body, &reason).await;
        assert_eq!(
            answer.status,
            StatusCode::NOT_FOUND,
            "{url}: {}",
            answer.body
        );
        refused(&answer, &url, &api, before);
        assert!(answer.problem().remedy.is_some(), "{url}");
    }
}

/// What is there to be changed: path, verb under it, method and body.
async fn things(api: &Api, token: &str) -> Vec<(String, Method, String, &'static str)> {
    let mut things = Vec::new();
    for (path, body, verb) in [
        ("/api/v1/freezes", r#"{"scope":{"kind":"fleet"}}"#, "/end"),
        ("/api/v1/aborts", r#"{"scope":{"kind":"fleet"}}"#, "/lift"),
        ("/api/v1/tokens", r#"{"name":"ci","role":"viewer"}"#, ""),
        ("/api/v1/enrol-tokens", r#"{"cluster":"eu-9"}"#, ""),
    ] {
        let made = api.post_with(path, token, body, &[]).await;
        assert_eq!(made.status, StatusCode::OK, "{path}: {}", made.body);
        let made: Value = serde_json::from_str(&made.body).unwrap();
        let id = made["id"].as_str().or(made["token"]["id"].as_str());
        let one = format!("{path}/{}", id.unwrap());
        let method = if verb.is_empty() {
            Method::DELETE
        } else {
            Method::POST
        };
        things.push((one.clone(), method, format!("{one}{verb}"), "{}"));
    }
    things
}

#[tokio::test]
async fn whatever_can_be_changed_has_a_tag_and_a_stale_one_changes_nothing() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let things = things(&api, &token).await;
    let before = api.seq();
    for (one, method, path, body) in things {
        let read = api.send(&Method::GET, &one, Some(&token), "", "").await;
        assert!(read.tag.starts_with('"'), "{one} has a tag");
        let headers = [("if-match", "\"1-999999\""), ("flagship-reason", "a test")];
        let answer = api.ask(&method, &path, &token, body, &headers).await;
        let status = answer.status;
        assert_eq!(
            status,
            StatusCode::PRECONDITION_FAILED,
            "{path}: {}",
            answer.body
        );
        refused(&answer, &format!("{method} {path}"), &api, before);
    }
}

#[tokio::test]
async fn who_knows_an_older_plan_neither_replaces_nor_starts_it() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    api.members().await;
    let plan = include_str!("../../../../deploy/example/plan.yaml");
    let apply = async |plan: &str, known: &str| {
        let headers = [("if-match", known)];
        api.send_document("/api/v1/plans", &token, plan, &headers)
            .await
    };
    let absent = apply(plan, "*").await;
    assert_eq!(absent.problem().code, "ifMatch.stale");
    let path = "/api/v1/plans";
    let applied = api.send_document(path, &token, plan, &[]).await;
    assert_eq!(applied.status, StatusCode::OK, "{}", applied.body);
    let applied: Value = serde_json::from_str(&applied.body).unwrap();
    let [project, name] = ["project", "name"].map(|part| applied[part].as_str().unwrap());
    let one = format!("/api/v1/projects/{project}/plans/{name}");
    let old = api.send(&Method::GET, &one, Some(&token), "", "").await.tag;
    let other = plan.replace("deadline: 10m", "deadline: 11m");
    let changed = apply(&other, &old).await;
    assert_eq!(changed.status, StatusCode::OK, "{}", changed.body);
    let before = api.seq();
    let stale = apply(plan, &old).await;
    assert_eq!(stale.status, StatusCode::PRECONDITION_FAILED);
    refused(&stale, "apply", &api, before);
    let start = format!("{one}/start");
    let headers = [("if-match", old.as_str())];
    let body = r#"{"toVersion":"1.2.3"}"#;
    let stale = api.post_with(&start, &token, body, &headers).await;
    assert_eq!(
        stale.status,
        StatusCode::PRECONDITION_FAILED,
        "{}",
        stale.body
    );
    refused(&stale, "start", &api, before);
}

#[tokio::test]
async fn a_key_that_was_used_for_another_request_changes_nothing() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    for (path, body, other) in [
        (
            "/api/v1/freezes",
            r#"{"scope":{"kind":"fleet"}}"#,
            r#"{"scope":{"kind":"fleet"},"forMs":1000}"#,
        ),
        (
            "/api/v1/aborts",
            r#"{"scope":{"kind":"fleet"}}"#,
            r#"{"scope":{"kind":"fleet"},"mode":"Hold"}"#,
        ),
        (
            "/api/v1/tokens",
            r#"{"name":"ci","role":"viewer"}"#,
            r#"{"name":"ci","role":"admin"}"#,
        ),
        (
            "/api/v1/enrol-tokens",
            r#"{"cluster":"eu-9"}"#,
            r#"{"cluster":"eu-*"}"#,
        ),
    ] {
        let headers = [("idempotency-key", path)];
        let made = api.post_with(path, &token, body, &headers).await;
        assert_eq!(made.status, StatusCode::OK, "{path}: {}", made.body);
        let before = api.seq();
        let answer = api.post_with(path, &token, other, &headers).await;
        assert_eq!(answer.status, StatusCode::CONFLICT, "{path}");
        refused(&answer, path, &api, before);
    }
}
