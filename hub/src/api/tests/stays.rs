//! What is said of clusters where a release has succeeded: what goes back later, and what stays.

use flagship_proto::model::{OnDisconnect, Phase};
use serde_json::Value;

use super::{fixture::Api, stopped::in_flight};
use crate::{
    auth::Role,
    records::{ClusterRow, ReportRow, key},
    store::{Store, Txn},
};

/// A cluster that is not heard, where checkout-1 has succeeded and has ended.
async fn done(api: &Api, name: &str) {
    in_flight(api, name, OnDisconnect::Hold).await;
    let uid = format!("uid-{name}").parse().unwrap();
    let workload = "shop/Deployment/checkout".parse().unwrap();
    let report = api.read::<ReportRow>(&key::report(&uid, &workload));
    let mut report = report.into_value();
    report.status.phase = Phase::Succeeded;
    api.commit(Txn::new().put(&report)).await;
}

async fn asked(api: &Api, path: &str, body: &str) -> Value {
    let token = api.token(Role::Responder).await;
    let answer = api.post_with(path, &token, body, &[]).await;
    serde_json::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn a_dry_run_of_retreat_names_the_done_clusters_that_are_not_heard() {
    let api = Api::new().await;
    done(&api, "us-1").await;
    let body = r#"{"scope":{"kind":"fleet"},"mode":"RetreatDone"}"#;
    let dry = asked(&api, "/api/v1/abort-preview", body).await;
    let silent = dry["notHeard"][0].as_str().unwrap_or_default();
    assert!(silent.starts_with("us-1"), "{dry}");
    assert!(
        silent.ends_with("Done on 1.1.0, goes back when it is heard again"),
        "{silent}"
    );
    let summary = dry["summary"].as_str().unwrap();
    assert!(
        summary.contains("1 Done go back too (1 of them not before it is heard again)"),
        "{summary}"
    );
    assert_eq!(dry["done"][0]["cluster"], "us-1", "{dry}");
}

#[tokio::test]
async fn an_abort_says_what_had_succeeded_and_stays_and_what_takes_it_back_too() {
    let api = Api::new().await;
    for name in ["us-1", "eu-1"] {
        done(&api, name).await;
    }
    let body = r#"{"scope":{"kind":"fleet"}}"#;
    let dry = asked(&api, "/api/v1/abort-preview", body).await;
    let summary = dry["summary"].as_str().unwrap();
    assert!(
        summary.contains("2 Done stay as they are; 0 with nothing in flight"),
        "{summary}"
    );
    assert_eq!(dry["done"][0]["rollout"], "shop/checkout-1", "{dry}");
    let abort = asked(&api, "/api/v1/aborts", body).await;
    assert_eq!(
        abort["stays"],
        "what had succeeded stays as it is: eu-1, us-1 serve 1.1.0 of shop/checkout-1; \
         to take it back too: flagship abort --fleet --retreat --reason …",
        "{abort}"
    );
    for name in ["a-1", "a-2", "a-3", "a-4", "a-5"] {
        done(&api, name).await;
    }
    let scope = r#"{"scope":{"kind":"selector","of":{"names":["us-1","a-1"]}}}"#;
    let abort = asked(&api, "/api/v1/aborts", scope).await;
    let stays = abort["stays"].as_str().unwrap_or_default();
    assert!(stays.contains("a-1, us-1 serve 1.1.0"), "{stays}");
    assert!(
        stays.ends_with("flagship abort --cluster us-1 --cluster a-1 --retreat --reason …"),
        "{stays}"
    );
    let many = asked(&api, "/api/v1/aborts", body).await;
    let stays = many["stays"].as_str().unwrap_or_default();
    assert!(stays.contains("7 clusters serve 1.1.0 of"), "{stays}");
    let back = r#"{"scope":{"kind":"fleet"},"mode":"RetreatDone"}"#;
    let back = asked(&api, "/api/v1/aborts", back).await;
    assert!(back["stays"].is_null(), "{back}");
}

#[tokio::test]
async fn a_done_cluster_that_does_not_answer_a_retreat_is_shown_with_its_share_and_its_command() {
    let api = Api::new().await;
    done(&api, "us-1").await;
    for (mode, share) in [("RetreatDone", true), ("Return", false)] {
        let body = format!(r#"{{"scope":{{"kind":"fleet"}},"mode":"{mode}"}}"#);
        let abort = asked(&api, "/api/v1/aborts", &body).await;
        let line = &abort["clusters"][0];
        let text = line["text"].as_str().unwrap();
        assert_eq!(text.contains("at 50% when last heard"), share, "{line}");
        assert_eq!(line["localCommand"].is_string(), share, "{line}");
    }
}

#[tokio::test]
async fn while_an_abort_stands_everybody_is_told_what_it_left_as_it_was() {
    let api = Api::new().await;
    done(&api, "us-1").await;
    let viewer = api.token(Role::Viewer).await;
    let responder = api.token(Role::Responder).await;
    let stays = async |path: &str, token: &str| -> Vec<Value> {
        let said: Value = serde_json::from_str(&api.get(path, token).await).unwrap();
        let banners = said["banners"].as_array().or(said["items"].as_array());
        let banners = banners.unwrap().iter();
        let stays = banners.filter(|banner| banner["kind"] == "stays");
        stays.cloned().collect()
    };
    let before = stays("/api/v1/status", &viewer).await;
    assert!(before.is_empty(), "nothing stands");
    let abort = asked(&api, "/api/v1/aborts", r#"{"scope":{"kind":"fleet"}}"#).await;
    let back = "flagship abort --fleet --retreat --reason …";
    let who = "flagship access list   # says who may stop all of it";
    for path in ["/api/v1/status", "/api/v1/banners"] {
        for (token, remedy) in [(&viewer, who), (&responder, back)] {
            let said = stays(path, token).await;
            assert_eq!(said.len(), 1, "{said:?}");
            let text = said[0]["text"].as_str().unwrap();
            let what = "what had succeeded stays as it is: us-1 serves 1.1.0 of shop/checkout-1";
            assert!(text.ends_with(what), "{text}");
            assert_eq!(said[0]["remedy"], remedy);
        }
    }
    let summary = abort["summary"].as_str().unwrap();
    assert!(summary.ends_with("; what had succeeded stays"), "{summary}");
    let again = asked(&api, "/api/v1/aborts", r#"{"scope":{"kind":"fleet"}}"#).await;
    let said = stays("/api/v1/status", &viewer).await;
    assert_eq!(said.len(), 1, "{said:?}");
    let text = said[0]["text"].as_str().unwrap();
    let both = format!(
        "{} and 1 more abort: what had",
        abort["id"].as_str().unwrap()
    );
    assert!(text.starts_with(&both), "{text}");
    let admin = api.token(Role::Admin).await;
    for abort in [&abort, &again] {
        in_flight(&api, "eu-1", OnDisconnect::Hold).await;
        let lift = format!("/api/v1/aborts/{}/lift", abort["id"].as_str().unwrap());
        let why = [("flagship-reason", "a test")];
        let lifted = api.post_with(&lift, &admin, "{}", &why).await;
        assert_eq!(lifted.status, 200, "{lifted:?}");
    }
    let said = stays("/api/v1/status", &viewer).await;
    assert!(said.is_empty(), "what is lifted ends: {said:?}");
    let back = r#"{"scope":{"kind":"fleet"},"mode":"RetreatDone"}"#;
    let back = asked(&api, "/api/v1/aborts", back).await;
    let summary = back["summary"].as_str().unwrap();
    assert!(!summary.contains("stays"), "{summary}");
    let back_alone = Api::new().await;
    done(&back_alone, "us-1").await;
    let body = r#"{"scope":{"kind":"fleet"},"mode":"RetreatDone"}"#;
    asked(&back_alone, "/api/v1/aborts", body).await;
    let token = back_alone.token(Role::Viewer).await;
    let said = back_alone.get("/api/v1/status", &token).await;
    assert!(!said.contains(r#""kind":"stays""#), "{said}");
}

#[tokio::test]
async fn after_history_went_back_what_no_known_rollout_brought_is_named_until_another_serves() {
    for (epoch, initial, is_named) in [(1, None, false), (2, Some("1.9.0"), false), (2, None, true)]
    {
        let api = Api::on(Store::memory_of(epoch)).await;
        done(&api, "us-1").await;
        let us = key::cluster(&"us-1".parse().unwrap());
        let mut row = api.read::<ClusterRow>(&us).to_value();
        row.inventory.workloads[0].initial = initial.map(ToOwned::to_owned);
        let uid = "uid-us-1".parse().unwrap();
        let workload = "shop/Deployment/checkout".parse().unwrap();
        let report = key::report(&uid, &workload);
        let mut report = api.read::<ReportRow>(&report).to_value();
        report.status.primary_version = Some("1.9.0".into());
        api.commit(Txn::new().put(&row).put(&report)).await;
        let token = api.token(Role::Admin).await;
        let status = api.get("/api/v1/status", &token).await;
        let what =
            "1.9.0 of shop/Deployment/checkout serves in us-1 (not heard): history went back";
        assert_eq!(status.contains(what), is_named, "{status}");
        let apply = "flagship apply -f …   # a plan for shop/Deployment/checkout; then start";
        assert_eq!(status.contains(apply), is_named, "{status}");
        let body = r#"{"scope":{"kind":"fleet"},"mode":"RetreatDone"}"#;
        let abort = asked(&api, "/api/v1/aborts", body).await;
        let summary = abort["summary"].as_str().unwrap();
        assert_eq!(
            summary.contains("serve what no stop takes back"),
            is_named,
            "{summary}"
        );
    }
}
