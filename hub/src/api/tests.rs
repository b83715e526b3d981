//! Routes against rights, bad input, events, and the document.

mod again;
mod back;
mod bad_input;
mod events;
mod fixture;
mod freezes;
mod halted;
mod heard;
mod late;
mod lists;
mod metrics;
mod offered;
mod over;
mod page;
mod parts;
mod rights;
mod serving;
mod sight;
mod standing;
mod stays;
mod stopped;
mod turns;
mod unstored;
mod unwanted;

use axum::http::{Method, StatusCode};
use fixture::Api;

use crate::{api::turns::LARGE_BODY, auth::Role};

fn filled(path: &str) -> String {
    path.replace("{project}", "shop")
        .replace("{name}", "eu-1")
        .replace("{id}", "x-1")
}

#[tokio::test]
async fn bad_input_is_answered_with_a_problem_that_names_it() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let json = "application/json";
    let large = " ".repeat(LARGE_BODY + 1);
    for (method, path, kind, body, status, code, field) in [
        ("GET", "/nothing", "", "", 404, "route.notFound", None),
        ("PUT", "/api/v1/plans", "", "", 405, "route.method", None),
        (
            "GET",
            "/api/v1/plans?limit=0",
            "",
            "",
            400,
            "query.limit",
            Some("limit"),
        ),
        (
            "GET",
            "/api/v1/plans?wrong=1",
            "",
            "",
            400,
            "query.invalid",
            Some("wrong"),
        ),
        (
            "GET",
            "/api/v1/plans?cursor=x",
            "",
            "",
            400,
            "query.cursor",
            Some("cursor"),
        ),
        (
            "GET",
            "/api/v1/clusters/EU",
            "",
            "",
            400,
            "name.invalid",
            Some("name"),
        ),
        (
            "GET",
            "/api/v1/aborts/none",
            "",
            "",
            404,
            "abort.notFound",
            Some("id"),
        ),
        (
            "POST",
            "/api/v1/aborts",
            json,
            "{",
            400,
            "body.invalid",
            None,
        ),
        (
            "POST",
            "/api/v1/aborts",
            json,
            r#"{"scope":{"kind":"fleet"},"x":1}"#,
            400,
            "body.invalid",
            Some("x"),
        ),
        (
            "POST",
            "/api/v1/aborts",
            json,
            "{}",
            400,
            "body.invalid",
            Some("scope"),
        ),
        (
            "POST",
            "/api/v1/aborts",
            "text/html",
            "x",
            415,
            "body.type",
            Some("Content-Type"),
        ),
        (
            "POST",
            "/api/v1/aborts",
            json,
            large.as_str(),
            413,
            "body.tooLarge",
            None,
        ),
        (
            "POST",
            "/api/v1/projects/shop/plans/a/start",
            json,
            "{}",
            400,
            "start.noVersion",
            Some("toVersion"),
        ),
    ] {
        let method: Method = method.parse().unwrap();
        let answer = api.send(&method, path, Some(&token), kind, body).await;
        let problem = answer.problem();
        assert_eq!(
            answer.status.as_u16(),
            status,
            "{method} {path}: {problem:?}"
        );
        assert_eq!(problem.status, status);
        assert_eq!(problem.code, code, "{path}: {problem:?}");
        assert_eq!(problem.field.as_deref(), field, "{path}: {problem:?}");
        assert_eq!(answer.kind, "application/problem+json", "{path}");
    }
}

#[tokio::test]
async fn a_plan_with_a_fault_is_answered_with_line_column_and_remedy() {
    let api = Api::new().await;
    let token = api.token(Role::Admin).await;
    let plan = "apiVersion: flagship.dev/v1\nkind: Plan\nmetadata: {project: shop, name: a, x: 1}\nspec: {}\n";
    let answer = api
        .send(
            &Method::POST,
            "/api/v1/plans",
            Some(&token),
            "application/yaml",
            plan,
        )
        .await;
    assert_eq!(answer.status, StatusCode::UNPROCESSABLE_ENTITY);
    let problem = answer.problem();
    let note = problem.notes.first().expect("a finding");
    assert_eq!(note.line, 3, "{note:?}");
    assert!(note.remedy.is_some(), "{note:?}");
    let stored = api.get("/api/v1/plans", &token).await;
    assert!(stored.contains(r#""items":[]"#), "{stored}");
}

#[tokio::test]
async fn an_idempotency_key_gives_the_first_answer_again() {
    let api = Api::new().await;
    let token = api.token(Role::Operator).await;
    let body = r#"{"scope":{"kind":"fleet"}}"#;
    let headers = [("idempotency-key", "k1"), ("flagship-reason", "caf%C3%A9")];
    let first = api
        .post_with("/api/v1/aborts", &token, body, &headers)
        .await;
    let again = api
        .post_with("/api/v1/aborts", &token, body, &headers)
        .await;
    let id = |text: &str| serde_json::from_str::<serde_json::Value>(text).unwrap()["id"].clone();
    assert_eq!(id(&first.body), id(&again.body));
    assert!(first.body.contains("café"), "{}", first.body);
    let other = r#"{"scope":{"kind":"project","of":"shop"}}"#;
    let refused = api
        .post_with("/api/v1/aborts", &token, other, &headers)
        .await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{}", refused.body);
    let all = api.get("/api/v1/aborts", &token).await;
    assert_eq!(all.matches(r#""scopeOf""#).count(), 1, "{all}");
}

#[tokio::test]
async fn events_go_on_after_the_last_one_seen_and_say_when_they_cannot() {
    let api = Api::new().await;
    let token = api.token(Role::Operator).await;
    let from = api.seq();
    let body = r#"{"scope":{"kind":"fleet"}}"#;
    api.post_with("/api/v1/aborts", &token, body, &[]).await;
    let first = api.event(&token, from).await;
    assert!(first.contains(r#""kind":"abort""#), "{first}");
    let id = |epoch: u64, seq: u64| format!("{epoch}-{seq}");
    let is = format!("id: {}\n", id(1, from + 1));
    assert!(first.contains(&is), "{first}");
    assert_eq!(api.event(&token, id(1, from)).await, first);
    for last in [id(1, from + 1000), id(2, from)] {
        let other = api.event(&token, last).await;
        assert!(other.contains("event: reset"), "{other}");
    }
    let ahead = api.event(&token, from + 1000).await;
    assert!(
        ahead.contains("event: reset") && ahead.contains("list again"),
        "{ahead}"
    );
}
