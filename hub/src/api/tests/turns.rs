//! What somebody with a small token does to others: slow bodies, large ones, many reads.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{Method, StatusCode, header},
};
use futures::{StreamExt as _, stream};
use tokio::time::timeout;

use super::fixture::Api;
use crate::{
    api::{
        costs::VISITS_OF_ONE,
        turns::{LARGE_OF_ONE, READS_OF_ONE, SMALL_BODY},
    },
    auth::{Binding, Role},
    door::Guest,
};

const AT_ONCE: Duration = Duration::from_secs(5);
const FLEET: &str = r#"{"scope": {"kind": "fleet"}}"#;

/// A body that begins and goes on for ever, without a length.
fn slow() -> Body {
    let first = stream::once(async { Ok::<_, Infallible>(Bytes::from_static(b"{")) });
    Body::from_stream(first.chain(stream::pending()))
}

/// A whole one, without a length.
fn chunked(text: &'static str) -> Body {
    Body::from_stream(stream::iter([Ok::<_, Infallible>(Bytes::from_static(
        text.as_bytes(),
    ))]))
}

/// Sends slow bodies, and waits until each has begun to be read or waits for its place.
fn slowly<'a>(
    api: &'a Api,
    path: &'a str,
    token: &'a str,
    count: usize,
) -> futures::stream::FuturesUnordered<impl Future<Output = axum::response::Response> + use<'a>> {
    let asked = (0..count).map(|_| api.upload(path, Some(token), slow()));
    asked.collect()
}

/// Lets the slow ones begin, then does what may not wait for them.
async fn meanwhile<T>(
    mut slow: impl futures::Stream<Item = axum::response::Response> + Unpin,
    act: impl Future<Output = T>,
) -> T {
    tokio::select! {
        biased;
        Some(answer) = slow.next() => panic!("answered {}", answer.status()),
        done = timeout(AT_ONCE, act) => done.expect("it waited for others' bodies"),
    }
}

#[tokio::test]
async fn slow_bodies_of_viewers_delay_neither_a_stop_nor_a_plan_nor_another_viewer() {
    let api = Api::new().await;
    let viewer = api.token(Role::Viewer).await;
    let (other, operator) = (
        api.token(Role::Viewer).await,
        api.token(Role::Operator).await,
    );
    let slow = slowly(&api, "/api/v1/abort-preview", &viewer, 200);
    meanwhile(slow, async {
        let abort = api
            .upload("/api/v1/aborts", Some(&operator), chunked(FLEET))
            .await;
        assert_eq!(abort.status(), StatusCode::OK);
        let preview = api
            .upload("/api/v1/abort-preview", Some(&other), chunked(FLEET))
            .await;
        assert_eq!(preview.status(), StatusCode::OK);
        let plan = api
            .upload("/api/v1/plans", Some(&operator), chunked("kind: Plan"))
            .await;
        assert_eq!(plan.status(), StatusCode::UNPROCESSABLE_ENTITY);
    })
    .await;
}

#[tokio::test]
async fn slow_plans_of_one_token_leave_places_for_anothers() {
    let api = Api::new().await;
    let (one, other) = (
        api.token(Role::Operator).await,
        api.token(Role::Operator).await,
    );
    let slow = slowly(&api, "/api/v1/plans", &one, 20 * LARGE_OF_ONE);
    meanwhile(slow, async {
        let plan = chunked("kind: Plan");
        let answer = api.upload("/api/v1/plans", Some(&other), plan).await;
        assert_eq!(answer.status(), StatusCode::UNPROCESSABLE_ENTITY);
    })
    .await;
}

#[tokio::test]
async fn who_may_not_is_refused_before_a_body_is_read_and_only_plans_are_large() {
    let api = Api::new().await;
    let (viewer, admin) = (api.token(Role::Viewer).await, api.token(Role::Admin).await);
    for (path, token, status) in [
        ("/api/v1/aborts", None, 401),
        ("/api/v1/abort-preview", None, 401),
        ("/api/v1/aborts", Some(viewer.as_str()), 403),
        ("/api/v1/freezes", Some(&viewer), 403),
        ("/api/v1/plans", Some(&viewer), 403),
    ] {
        let answer = timeout(AT_ONCE, api.upload(path, token, slow())).await;
        assert_eq!(answer.unwrap().status().as_u16(), status, "{path}");
    }
    let large = || {
        let bytes = Bytes::from(vec![b' '; SMALL_BODY + 1]);
        let first = stream::once(async { Ok::<_, Infallible>(bytes) });
        Body::from_stream(first.chain(stream::pending()))
    };
    for path in [
        "/api/v1/aborts",
        "/api/v1/aborts/a-1/lift",
        "/api/v1/abort-preview",
        "/api/v1/freezes",
        "/api/v1/tokens",
        "/api/v1/projects/shop/rollouts/x-1/pause",
        "/api/v1/notify-channels/chat/test",
    ] {
        let answer = timeout(AT_ONCE, api.upload(path, Some(&admin), large())).await;
        assert_eq!(answer.unwrap().status().as_u16(), 413, "{path}");
    }
}

#[tokio::test]
async fn reads_of_one_token_are_bounded_until_they_were_taken_and_others_have_their_own() {
    let api = Api::new().await;
    let (viewer, other) = (api.token(Role::Viewer).await, api.token(Role::Viewer).await);
    let mut untaken = Vec::new();
    for _ in 0..READS_OF_ONE {
        let answer = api.untaken("/api/v1/status", &viewer).await;
        assert_eq!(answer.status(), StatusCode::OK);
        untaken.push(answer);
    }
    let refused = api.untaken("/api/v1/status", &viewer).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(refused.headers()[header::RETRY_AFTER], "1");
    api.get("/api/v1/status", &other).await;
    api.get("/api/v1/whoami", &viewer).await;
    untaken.pop();
    api.get("/api/v1/status", &viewer).await;
}

#[tokio::test]
async fn who_may_stop_reads_and_stops_while_those_who_look_have_taken_every_turn() {
    let api = Api::new().await;
    let (viewer, responder) = (
        api.token(Role::Viewer).await,
        api.token(Role::Responder).await,
    );
    let viewers = api.costs().turns.viewers.clone();
    let taken = viewers.available_permits();
    let _taken = viewers
        .acquire_many(u32::try_from(taken).unwrap())
        .await
        .unwrap();
    let waiting = timeout(
        Duration::from_millis(200),
        api.untaken("/api/v1/status", &viewer),
    );
    assert!(waiting.await.is_err(), "there was a turn");
    let acting = async {
        let made = api
            .post_with("/api/v1/aborts", &responder, FLEET, &[])
            .await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.body);
        api.get("/api/v1/status", &responder).await;
    };
    timeout(AT_ONCE, acting).await.unwrap();
}

#[tokio::test]
async fn a_project_is_looked_through_for_who_is_bound_to_labels_in_their_turn_only() {
    let api = Api::new().await;
    let selector = serde_json::from_str(r#"{"matchLabels":{"team":"payments"}}"#).unwrap();
    let binding = Binding {
        selector: Some(selector),
        ..Binding::of(Role::Viewer)
    };
    let viewer = api.token_of(binding).await;
    let responder = api.token(Role::Responder).await;
    let turns = api.costs().turns.viewers.clone();
    let all = u32::try_from(turns.available_permits()).unwrap();
    let taken = turns.acquire_many(all).await.unwrap();
    let path = "/api/v1/projects/shop";
    let flood = (0..READS_OF_ONE).map(|_| api.untaken(path, &viewer));
    let flood: futures::stream::FuturesUnordered<_> = flood.collect();
    meanwhile(flood, async {
        // What changes something is refused by the role alone, whatever is in the project.
        let pause = "/api/v1/projects/shop/rollouts/x-1/pause";
        let refused = api.post_with(pause, &viewer, "{}", &[]).await;
        assert_eq!(refused.status, StatusCode::FORBIDDEN, "{}", refused.body);
        let made = api
            .post_with("/api/v1/aborts", &responder, FLEET, &[])
            .await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.body);
    })
    .await;
    drop(taken);
    let hidden = api.untaken(path, &viewer).await;
    assert_eq!(hidden.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn plans_are_checked_in_turn_and_neither_stops_nor_reads_wait_for_them() {
    let api = Api::new().await;
    let (one, responder) = (
        api.token(Role::Operator).await,
        api.token(Role::Responder).await,
    );
    let taken = api.costs().turns.plans.clone();
    let taken = taken.acquire_owned().await.unwrap();
    let plan = || api.upload("/api/v1/plans", Some(&one), chunked("kind: Plan"));
    let waiting = timeout(Duration::from_millis(200), plan());
    assert!(waiting.await.is_err(), "it was checked beside another");
    let acting = async {
        let made = api
            .post_with("/api/v1/aborts", &responder, FLEET, &[])
            .await;
        assert_eq!(made.status, StatusCode::OK, "{}", made.body);
        api.get("/api/v1/status", &one).await;
    };
    timeout(AT_ONCE, acting).await.unwrap();
    drop(taken);
    assert_eq!(plan().await.status(), StatusCode::UNPROCESSABLE_ENTITY);
}

#[tokio::test]
async fn one_token_vouches_for_so_many_connections_and_leaves_those_of_others_their_room() {
    let api = Api::new().await;
    let (viewer, other) = (api.token(Role::Viewer).await, api.token(Role::Viewer).await);
    let mut guests: Vec<Guest> = Vec::new();
    for _ in 0..=VISITS_OF_ONE {
        let guest = Guest::default();
        api.visited_by(&guest, &viewer).await;
        api.visited_by(&guest, &viewer).await;
        guests.push(guest);
    }
    let known = |guests: &[Guest]| guests.iter().filter(|guest| guest.is_known()).count();
    assert_eq!(known(&guests), VISITS_OF_ONE);
    let (next, last) = (Guest::default(), guests.pop().unwrap());
    api.visited_by(&next, &other).await;
    assert!(next.is_known() && !last.is_known());
    guests.pop();
    api.visited_by(&last, &viewer).await;
    assert!(last.is_known(), "who left gave back a place");
}

#[tokio::test]
async fn a_head_of_more_than_32_kib_is_refused_with_a_problem_whatever_it_is_made_of() {
    let api = Api::new().await;
    let token = api.token(Role::Viewer).await;
    let (fits, long) = ("a".repeat(30 * 1024), "a".repeat(33 * 1024));
    let get = Method::GET;
    let path = "/api/v1/whoami";
    let taken = api.ask(&get, path, &token, "", &[("x-a", &fits)]).await;
    assert_eq!(taken.status, StatusCode::OK, "{}", taken.body);
    let query = format!("{path}?a={long}");
    for (path, header) in [(path, long.as_str()), (&query, "b")] {
        let refused = api.ask(&get, path, &token, "", &[("x-a", header)]).await;
        assert_eq!(refused.status.as_u16(), 431);
        assert_eq!(refused.problem().code, "head.tooLarge");
    }
}

#[tokio::test]
async fn what_one_token_may_not_is_logged_a_few_times_and_hides_nobody_elses() {
    let api = Api::new().await;
    let now = api.tick();
    let (one, other) = ("aa".parse().unwrap(), "bb".parse().unwrap());
    let logged = |by| api.costs().forbidden(by, "may not", now);
    let written = (0..1000).filter_map(|_| logged(&one)).count();
    assert_eq!(written, 10);
    let said = logged(&other).unwrap();
    assert!(said.contains("990 refusals before"), "{said}");
}

#[tokio::test]
async fn a_text_that_moves_or_hides_others_is_refused_but_never_a_stop_for_its_reason() {
    let api = Api::new().await;
    let admin = api.token(Role::Admin).await;
    let why = [("flagship-reason", "all%E2%80%AEllew%0Aas%20pasted")];
    let ordered = api.post_with("/api/v1/aborts", &admin, FLEET, &why).await;
    assert_eq!(ordered.status, StatusCode::OK, "{ordered:?}");
    let shown = "\"reason\":\"all\u{fffd}llew as pasted\"";
    assert!(ordered.body.contains(shown), "{ordered:?}");
    let key = [("idempotency-key", "all%E2%80%AEllew")];
    let refused = api.post_with("/api/v1/aborts", &admin, FLEET, &key).await;
    assert_eq!(refused.problem().code, "header.invalid", "{refused:?}");
    let body = r#"{"name": "ada", "role": "viewer", "projects": ["a\u001b[2J"]}"#;
    let refused = api.post_with("/api/v1/tokens", &admin, body, &[]).await;
    assert_eq!(refused.status, StatusCode::BAD_REQUEST, "{refused:?}");
    let name = r#"{"name": "a\u202eda", "role": "viewer"}"#;
    let refused = api.post_with("/api/v1/tokens", &admin, name, &[]).await;
    assert_eq!(refused.problem().code, "body.characters", "{refused:?}");
    assert_eq!(refused.problem().field.as_deref(), Some("name"));
}
