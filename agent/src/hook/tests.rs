//! Hooks against a real HTTP server on this machine.

use std::sync::{
    Arc,
    atomic::{AtomicU32, Ordering},
};

use axum::{
    Router,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use flagship_proto::model::canary::GoDuration;

use super::*;

#[derive(Clone, Default)]
struct Seen(Arc<std::sync::Mutex<Vec<(String, String)>>>, Arc<AtomicU32>);

async fn serve() -> (String, Seen) {
    let seen = Seen::default();
    let keep = |State(seen): State<Seen>, headers: HeaderMap, body: String| async move {
        let key = headers["idempotency-key"].to_str().unwrap().to_owned();
        seen.0.lock().unwrap().push((key, body));
        StatusCode::NO_CONTENT
    };
    let flaky = |State(seen): State<Seen>| async move {
        match seen.1.fetch_add(1, Ordering::SeqCst) {
            0 => StatusCode::SERVICE_UNAVAILABLE,
            _ => StatusCode::OK,
        }
    };
    let router = Router::new()
        .route("/keep", post(keep))
        .route("/flaky", post(flaky))
        .route(
            "/closed",
            post(|| async { (StatusCode::FORBIDDEN, "gate closed\nmore") }),
        )
        .route("/slow", post(std::future::pending::<StatusCode>))
        .route("/moved", post(|| async { StatusCode::FOUND }))
        .with_state(seen.clone());
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    (format!("http://{address}"), seen)
}

fn call(url: String, retries: u32) -> HookCall {
    let hook = Webhook {
        kind: WebhookType::ConfirmRollout,
        name: "gate".into(),
        url,
        retries: Some(retries),
        timeout: Some(GoDuration(Duration::from_millis(300))),
        ..Webhook::default()
    };
    let payload = Payload {
        name: "checkout".into(),
        namespace: "shop".into(),
        phase: Phase::Progressing,
        checksum: "abcd".into(),
        metadata: BTreeMap::new(),
    };
    HookCall {
        id: "id-1".into(),
        hook,
        payload,
    }
}

#[tokio::test]
async fn w25_any_2xx_is_success_and_the_payload_is_flaggers() {
    let (base, seen) = serve().await;
    let answer = HookClient::default()
        .call(&call(format!("{base}/keep"), 0))
        .await;
    assert!(answer.ok, "{}", answer.words);
    let seen = seen.0.lock().unwrap();
    assert_eq!(seen[0].0, "id-1");
    let expected = r#"{"name":"checkout","namespace":"shop","phase":"Progressing","checksum":"abcd","metadata":{}}"#;
    assert_eq!(seen[0].1, expected);
}

#[tokio::test]
async fn a_closed_gate_says_what_it_said_and_is_not_asked_again() {
    let (base, _) = serve().await;
    let answer = HookClient::default()
        .call(&call(format!("{base}/closed"), 3))
        .await;
    let words = "confirm-rollout hook gate answered 403: gate closed";
    assert_eq!((answer.ok, answer.words.as_str()), (false, words));
}

#[tokio::test]
async fn a_passing_failure_is_tried_again() {
    let (base, seen) = serve().await;
    let answer = HookClient::default()
        .call(&call(format!("{base}/flaky"), 1))
        .await;
    assert!(answer.ok, "{}", answer.words);
    assert_eq!(seen.1.load(Ordering::SeqCst), 2);
}

#[tokio::test]
async fn a_silent_hook_ends_at_its_deadline() {
    let (base, _) = serve().await;
    let answer = HookClient::default()
        .call(&call(format!("{base}/slow"), 0))
        .await;
    assert_eq!(
        answer.words,
        "confirm-rollout hook gate did not answer within 300ms"
    );
}

#[tokio::test]
async fn a_redirect_is_no_success_and_an_error_shows_no_url() {
    let (base, _) = serve().await;
    let client = HookClient::default();
    assert!(!client.call(&call(format!("{base}/moved"), 0)).await.ok);
    let answer = client
        .call(&call("http://127.0.0.1:1/?secret=abc".into(), 0))
        .await;
    assert!(
        !answer.ok && !answer.words.contains("abc"),
        "{}",
        answer.words
    );
}

#[test]
fn metadata_cannot_override_what_an_event_says() {
    let hook = Webhook {
        kind: WebhookType::Event,
        metadata: [
            ("eventType".to_owned(), "mine".to_owned()),
            ("team".to_owned(), "a".to_owned()),
        ]
        .into(),
        ..Webhook::default()
    };
    let metadata = event_metadata(&hook, "weight 10", true, jiff::Timestamp::UNIX_EPOCH);
    assert_eq!(metadata["eventType"], "Warning");
    assert_eq!(metadata["team"], "a");
    assert_eq!(metadata["timestamp"], "0");
}
