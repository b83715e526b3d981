//! What is said of a cluster that does not answer an abort.

use flagship_proto::model::{
    AbortMode, Change, Document, Fence, Intent, InventoryWorkload, OnDisconnect, Order, Phase,
    Receipt, ReceiptState, ReturnTo, SignedReceipt, Term, Weight, WorkloadReceipt, WorkloadStatus,
};
use serde_json::Value;

use super::fixture::Api;
use crate::{
    auth::{Binding, Role},
    records::{ClusterRow, ClusterState, Enrolled, OrderRow, ReceiptRow, ReportRow, Stored, key},
    store::Txn,
};

const WORKLOAD: &str = "shop/Deployment/checkout";

/// A cluster that is not connected, with a canary in flight at 50%.
pub(super) async fn in_flight(api: &Api, name: &str, on_disconnect: OnDisconnect) {
    let now = api.now();
    let uid: flagship_proto::model::ClusterUid = format!("uid-{name}").parse().unwrap();
    let enrolled = Enrolled {
        at: now,
        token: None,
    };
    let mut row = ClusterRow::new(name.parse().unwrap(), uid.clone(), [].into(), enrolled);
    row.state = ClusterState::Active;
    row.inventory.workloads.push(InventoryWorkload {
        workload: WORKLOAD.parse().unwrap(),
        version: Some("1.0.0".to_owned()),
        digest: None,
        initial: None,
    });
    let hour = std::time::Duration::from_secs(3600);
    let order = OrderRow::new(Order {
        fleet: "f-1".parse().unwrap(),
        cluster: name.parse().unwrap(),
        uid: uid.clone(),
        workload: WORKLOAD.parse().unwrap(),
        plan: "shop/checkout".parse().unwrap(),
        rollout: "checkout-1".parse().unwrap(),
        attempt: 1,
        fence: Fence {
            term: Term::default(),
            ..Fence::default()
        },
        intent: Intent::Run,
        change: Change::Version("1.1.0".into()),
        return_to: ReturnTo::LastPromoted,
        now: false,
        canary: Document::of(&1).unwrap(),
        plan_digest: flagship_proto::digest::Digest::of(b""),
        not_after: now.saturating_add(hour).unwrap(),
        lease: std::time::Duration::from_secs(30),
        on_disconnect,
        reason: "its wave runs".into(),
    });
    api.commit(Txn::new().put(&row).put(&order)).await;
    let key = key::order(&uid, &WORKLOAD.parse().unwrap());
    let stored: Stored<OrderRow> = api.read(&key);
    let report = ReportRow {
        uid,
        incarnation: Default::default(),
        seq: 1,
        at: now,
        status: WorkloadStatus {
            workload: WORKLOAD.parse().unwrap(),
            fence: stored.order().fence,
            rollout: Some("checkout-1".parse().unwrap()),
            attempt: 1,
            intent: Some(Intent::Run),
            phase: Phase::Progressing,
            step: 1,
            weight: Weight::saturating(50),
            observed: Some(Weight::saturating(50)),
            failed_checks: 0,
            version: Some("1.1.0".into()),
            digest: None,
            primary_version: Some("1.0.0".into()),
            primary_digest: None,
            can_return_to: Vec::new(),
            reason: String::new(),
            message: String::new(),
            since: now,
            aborted_by: None,
            local: Vec::new(),
        },
    };
    api.commit(Txn::new().put(&report)).await;
}

/// What us-1 answers to an abort, with the weight that it read back, as it was received.
pub(super) fn answer(
    api: &Api,
    abort: &str,
    state: ReceiptState,
    read_back: Weight,
    received: jiff::Timestamp,
) -> ReceiptRow {
    let receipt = Receipt {
        abort: abort.parse().unwrap(),
        cluster: "us-1".parse().unwrap(),
        uid: "uid-us-1".parse().unwrap(),
        incarnation: Default::default(),
        seq: 1,
        at: api.now(),
        durable: true,
        workloads: vec![WorkloadReceipt {
            workload: WORKLOAD.parse().unwrap(),
            fence: Fence::default(),
            state,
            read_back: Some(read_back),
            proxies: 1,
            digest: None,
        }],
    };
    let signed = SignedReceipt {
        body: Vec::new(),
        signature: Vec::new(),
        serial: String::new(),
        receipt,
    };
    ReceiptRow::new(signed, Vec::new(), received)
}

#[tokio::test]
async fn who_is_not_heard_is_known_to_be_frozen_only_after_the_bound_and_has_the_command_that_stops_it()
 {
    let api = Api::new().await;
    let token = api.token(Role::Responder).await;
    in_flight(&api, "us-1", OnDisconnect::Hold).await;
    in_flight(&api, "us-2", OnDisconnect::Continue).await;
    let body = r#"{"scope":{"kind":"fleet"}}"#;
    let dry = api
        .post_with("/api/v1/abort-preview", &token, body, &[])
        .await;
    let dry: Value = serde_json::from_str(&dry.body).unwrap();
    assert_eq!(dry["notHeard"].as_array().unwrap().len(), 2, "{dry}");
    let outside = dry["outside"][0].as_str().unwrap();
    assert!(
        outside.starts_with("us-2 at 50%: its plan lets it go on until"),
        "{outside}"
    );
    assert!(dry["boundAt"].is_string(), "{dry}");

    let abort = api.post_with("/api/v1/aborts", &token, body, &[]).await;
    let abort: Value = serde_json::from_str(&abort.body).unwrap();
    let line = |name: &str| {
        let mut lines = abort["clusters"].as_array().unwrap().iter();
        lines.find(|line| line["cluster"] == name).unwrap()
    };
    let text = line("us-1")["text"].as_str().unwrap();
    assert!(
        text.starts_with("at 50% when last heard (not heard; nothing advances there after"),
        "{text}"
    );
    assert_eq!(
        line("us-1")["localCommand"],
        "flagship-agent ctl retreat shop/Deployment/checkout --reason …"
    );
    let text = line("us-2")["text"].as_str().unwrap();
    assert!(text.contains("OUTSIDE the bound"), "{text}");
}

#[tokio::test]
async fn a_canary_that_is_being_told_is_told_and_not_stopped_only_when_that_took_too_long() {
    let api = Api::new().await;
    let token = api.token(Role::Responder).await;
    in_flight(&api, "us-1", OnDisconnect::Hold).await;
    let body = r#"{"scope":{"kind":"fleet"},"mode":"RetreatDone"}"#;
    let abort = api.post_with("/api/v1/aborts", &token, body, &[]).await;
    let abort: Value = serde_json::from_str(&abort.body).unwrap();
    let id = abort["id"].as_str().unwrap();
    for (state, age, word, outcome) in [
        (
            ReceiptState::untold(AbortMode::RetreatDone),
            0,
            "told",
            "stopping",
        ),
        (
            ReceiptState::untold(AbortMode::RetreatDone),
            6,
            "notStopped",
            "notStopped",
        ),
        (
            ReceiptState::not_stopped("it is deaf"),
            0,
            "notStopped",
            "notStopped",
        ),
    ] {
        let age = std::time::Duration::from_secs(age);
        let came = api.now().saturating_sub(age).unwrap();
        let row = answer(&api, id, state, Weight::saturating(50), came);
        api.commit(Txn::new().put(&row)).await;
        let view = api.get(&format!("/api/v1/aborts/{id}"), &token).await;
        let view: Value = serde_json::from_str(&view).unwrap();
        assert_eq!(view["clusters"][0]["state"], word, "{view}");
        assert_eq!(view["outcome"], outcome, "{view}");
    }
}

#[tokio::test]
async fn a_preview_tells_who_sees_a_cluster_that_it_moves_but_not_what_another_releases_there() {
    let api = Api::new().await;
    in_flight(&api, "us-1", OnDisconnect::Hold).await;
    let bare = r#"{"matchExpressions":[{"key":"region","operator":"DoesNotExist"}]}"#;
    let bound = Binding {
        selector: Some(serde_json::from_str(bare).unwrap()),
        ..Binding::of(Role::Viewer)
    };
    for (binding, is_told) in [(Binding::of(Role::Viewer), true), (bound, false)] {
        let token = api.token_of(binding).await;
        let body = r#"{"scope":{"kind":"fleet"}}"#;
        let dry = api.post_with("/api/v1/abort-preview", &token, body, &[]);
        let dry: Value = serde_json::from_str(&dry.await.body).unwrap();
        let told = dry["notHeard"][0].as_str().unwrap();
        assert!(told.starts_with("us-1 at 50%: "), "{told}");
        assert_eq!(told.contains("1.1.0"), is_told, "{told}");
    }
}
