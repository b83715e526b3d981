//! An abort that the store could not take: it is shown, never as stored, and cannot be lifted (P7).

use axum::http::StatusCode;

use super::fixture::Api;
use crate::{
    api::types::{AbortView, List, StatusView},
    auth::Role,
    store::{MemoryStore, Store},
};

#[tokio::test]
async fn p07_an_abort_that_cannot_be_stored_is_shown_as_such_and_not_lifted() {
    let memory = MemoryStore::new(1);
    let api = Api::on(Store::Memory(memory.clone())).await;
    let token = api.token(Role::Admin).await;
    memory.set_broken(true);
    let body = r#"{"scope": {"kind": "fleet"}}"#;
    let answer = api.post_with("/api/v1/aborts", &token, body, &[]).await;
    assert_eq!(answer.status, StatusCode::OK, "{answer:?}");
    let made: AbortView = serde_json::from_str(&answer.body).unwrap();
    assert!(!made.durable && made.standing);
    assert!(made.summary.contains("NOT STORED") && made.summary.contains("no space left"));

    let path = format!("/api/v1/aborts/{}", made.id);
    let read: AbortView = serde_json::from_str(&api.get(&path, &token).await).unwrap();
    assert!(!read.durable && read.standing, "{read:?}");
    for list in ["/api/v1/aborts", "/api/v1/aborts?all=true"] {
        let list: List<AbortView> = serde_json::from_str(&api.get(list, &token).await).unwrap();
        let ids: Vec<_> = list.items.iter().map(|abort| &abort.id).collect();
        assert_eq!(ids, [&made.id]);
    }
    let status: StatusView =
        serde_json::from_str(&api.get("/api/v1/status", &token).await).unwrap();
    assert_eq!(status.banners.len(), 1, "{status:?}");

    let lift = format!("{path}/lift");
    let refused = api.post_with(&lift, &token, "{}", &[]).await;
    assert_eq!(refused.status, StatusCode::CONFLICT, "{refused:?}");
    assert_eq!(refused.problem().code, "abort.notStored");
}

#[tokio::test]
async fn aborts_that_wait_to_be_stored_take_room_like_those_that_are() {
    let memory = MemoryStore::new(1);
    let api = Api::on(Store::Memory(memory.clone())).await;
    let token = api.token(Role::Admin).await;
    let body = r#"{"scope": {"kind": "fleet"}}"#;
    let ordered = api.post_with("/api/v1/aborts", &token, body, &[]).await;
    assert_eq!(ordered.status, StatusCode::OK, "{ordered:?}");
    memory.set_broken(true);
    let key = [("idempotency-key", "one-decision")];
    for _ in 0..2 {
        let ordered = api.post_with("/api/v1/aborts", &token, body, &key).await;
        assert_eq!(ordered.status, StatusCode::OK, "{ordered:?}");
        let made: AbortView = serde_json::from_str(&ordered.body).unwrap();
        assert!(!made.durable);
    }
    let refused = api.post_with("/api/v1/aborts", &token, body, &[]).await;
    assert_eq!(refused.problem().code, "abort.stands", "{refused:?}");
    let other = r#"{"scope": {"kind": "fleet"}, "mode": "Hold"}"#;
    let ordered = api.post_with("/api/v1/aborts", &token, other, &[]).await;
    assert_eq!(
        ordered.status,
        StatusCode::OK,
        "another is another: {ordered:?}"
    );
    let list: List<AbortView> =
        serde_json::from_str(&api.get("/api/v1/aborts", &token).await).unwrap();
    assert_eq!(list.items.len(), 3, "{list:?}");
}

#[tokio::test]
async fn two_credentials_of_one_name_share_no_key_while_nothing_can_be_stored_either() {
    let memory = MemoryStore::new(1);
    let api = Api::on(Store::Memory(memory.clone())).await;
    let tokens = [api.token(Role::Admin).await, api.token(Role::Admin).await];
    memory.set_broken(true);
    let body = r#"{"scope": {"kind": "fleet"}}"#;
    let key = [("idempotency-key", "one-decision")];
    let mut ids = std::collections::BTreeSet::new();
    for token in &tokens {
        let ordered = api.post_with("/api/v1/aborts", token, body, &key).await;
        let made: AbortView = serde_json::from_str(&ordered.body).unwrap();
        ids.insert(made.id);
    }
    assert_eq!(ids.len(), 2, "one may stop what the other may not");
}
