//! Lists: pages, selectors, fields.

use axum::http::{Method, StatusCode};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::Value;

use super::fixture::Api;
use crate::{api::page::SOME_FIELDS, auth::Role};

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap()
}

fn each<'a>(list: &'a Value, field: &str) -> Vec<&'a str> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item[field].as_str().unwrap()).collect()
}

async fn freeze(api: &Api, token: &str, reason: &str) -> String {
    let headers = [("flagship-reason", reason)];
    let body = r#"{"scope":{"kind":"fleet"},"forMs":3600000}"#;
    let made = api
        .post_with("/api/v1/freezes", token, body, &headers)
        .await;
    json(&made.body)["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_page_goes_on_where_the_one_before_ended_whatever_came_in_between() {
    let api = Api::new().await;
    let token = api.token(Role::Operator).await;
    let mut made = Vec::new();
    for reason in ["one", "two", "three", "four", "five"] {
        made.push(freeze(&api, &token, reason).await);
    }
    made.reverse();
    let mut read = Vec::new();
    let mut path = "/api/v1/freezes?limit=2".to_owned();
    loop {
        let page = json(&api.get(&path, &token).await);
        read.extend(each(&page, "id").into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else {
            break;
        };
        // One that is newer than all, and the end of the one that the cursor names.
        freeze(&api, &token, "in between").await;
        let end = format!("/api/v1/freezes/{}/end", read.last().unwrap());
        let headers = [("flagship-reason", "over")];
        api.post_with(&end, &token, "{}", &headers).await;
        path = format!("/api/v1/freezes?limit=2&cursor={next}");
    }
    assert_eq!(read, made);
}

#[tokio::test]
async fn clusters_are_selected_by_fields_and_by_labels() {
    let api = Api::new().await;
    let token = api.token(Role::Viewer).await;
    api.member("eu-1", &[("region", "eu"), ("tier", "prod")])
        .await;
    api.member("eu-2", &[("region", "eu")]).await;
    api.member("us-1", &[("region", "us"), ("tier", "prod")])
        .await;
    for (selector, names) in [
        ("region=eu", &["eu-1", "eu-2"][..]),
        ("region==eu,tier", &["eu-1"]),
        ("region!=eu", &["us-1"]),
        ("!tier", &["eu-2"]),
        ("name in (eu-2, us-1),connected=false", &["eu-2", "us-1"]),
        ("region notin (us),tier=prod", &["eu-1"]),
        ("state=Removed", &[]),
        ("", &["eu-1", "eu-2", "us-1"]),
    ] {
        let encoded = utf8_percent_encode(selector, NON_ALPHANUMERIC);
        let path = format!("/api/v1/clusters?selector={encoded}");
        let list = json(&api.get(&path, &token).await);
        assert_eq!(each(&list, "name"), names, "{selector}");
    }
}

#[tokio::test]
async fn a_selector_that_cannot_be_meant_is_refused_with_what_can_be() {
    let api = Api::new().await;
    let token = api.token(Role::Viewer).await;
    for (path, says) in [
        ("/api/v1/freezes?selector=colour%3Dred", "colour"),
        ("/api/v1/rollouts?selector=%3Dred", "no part of a selector"),
        ("/api/v1/clusters?selector=a%20b", "no part of a selector"),
        (
            "/api/v1/clusters?selector=a%2C%2Cb",
            "no part of a selector",
        ),
    ] {
        let answer = api.send(&Method::GET, path, Some(&token), "", "").await;
        let problem = answer.problem();
        assert_eq!(answer.status, StatusCode::BAD_REQUEST, "{path}");
        assert_eq!(problem.code, "query.selector");
        assert_eq!(problem.field.as_deref(), Some("selector"));
        assert!(problem.detail.contains(says), "{problem:?}");
        assert!(problem.remedy.is_some(), "{problem:?}");
    }
}

#[tokio::test]
async fn items_come_with_the_fields_that_are_asked_for() {
    let api = Api::new().await;
    let token = api.token(Role::Viewer).await;
    api.member("eu-1", &[]).await;
    let path = "/api/v1/clusters?fields=name,state";
    let answer = api.send(&Method::GET, path, Some(&token), "", "").await;
    assert_eq!(answer.kind, SOME_FIELDS);
    let item = json(&answer.body)["items"][0].clone();
    assert_eq!(item, json(r#"{"name":"eu-1","state":"Active"}"#));
    let path = "/api/v1/clusters?fields=name,secret";
    let refused = api.send(&Method::GET, path, Some(&token), "", "").await;
    assert_eq!(refused.problem().code, "query.fields");
}

#[tokio::test]
async fn a_cursor_is_good_for_its_own_list_only() {
    let api = Api::new().await;
    let token = api.token(Role::Operator).await;
    freeze(&api, &token, "one").await;
    freeze(&api, &token, "two").await;
    let page = json(&api.get("/api/v1/freezes?limit=1", &token).await);
    let path = format!("/api/v1/aborts?cursor={}", page["next"].as_str().unwrap());
    let refused = api.send(&Method::GET, &path, Some(&token), "", "").await;
    assert_eq!(refused.problem().code, "query.cursor");
}

#[tokio::test]
async fn the_audit_log_is_read_backwards_and_selected_by_what_was_done() {
    let api = Api::new().await;
    let token = api.token(Role::Operator).await;
    freeze(&api, &token, "one").await;
    freeze(&api, &token, "two").await;
    let first = json(
        &api.get(
            "/api/v1/audit?selector=action%3Dfreeze.create&limit=1",
            &token,
        )
        .await,
    );
    assert_eq!(each(&first, "reason"), ["two"]);
    let next = first["next"].as_str().unwrap();
    let path = format!("/api/v1/audit?selector=action%3Dfreeze.create&limit=1&cursor={next}");
    let second = json(&api.get(&path, &token).await);
    assert_eq!(each(&second, "reason"), ["one"]);
}
