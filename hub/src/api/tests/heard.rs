//! What is said of who is heard: now, before, or not since the hub began.

use std::time::Duration;

use flagship_proto::model::{ClusterUid, OnDisconnect};
use serde_json::Value;

use super::{fixture::Api, stopped::in_flight};
use crate::{auth::Role, fleet::Presence, leases::Leases};

fn uid(name: &str) -> ClusterUid {
    format!("uid-{name}").parse().unwrap()
}

#[tokio::test]
async fn a_hub_that_began_again_does_not_give_a_stored_moment_for_what_it_heard() {
    let before = Api::new().await;
    in_flight(&before, "us-1", OnDisconnect::Hold).await;
    let api = before.reopened();
    let token = api.token(Role::Viewer).await;
    let seen = api.seen();
    let began = seen.started.wall.to_string();
    // The last report is the last word that is stored.
    let last = seen.reports.values().next().unwrap().at.to_string();
    let read = |text: String| -> Value { serde_json::from_str(&text).unwrap() };

    let status = read(api.get("/api/v1/status", &token).await);
    let silent = &status["notHeard"][0];
    assert_eq!(silent["cluster"], "us-1", "{status}");
    assert_eq!(silent["unheardSince"], began, "{status}");
    assert_eq!(silent["lastHeard"], last, "{status}");
    let cluster = read(api.get("/api/v1/clusters/us-1", &token).await);
    assert_eq!(cluster["unheardSince"], began, "{cluster}");
    assert_eq!(cluster["connected"], false, "{cluster}");
    let text = cluster["text"].as_str().unwrap();
    assert!(
        text.starts_with("not heard: it may advance under its lease until"),
        "{text}"
    );
}

#[tokio::test]
async fn p05_who_was_not_heard_since_a_restart_may_advance_under_the_longest_lease_of_before() {
    let before = Api::new().await;
    in_flight(&before, "us-1", OnDisconnect::Hold).await;
    let mut api = before.reopened();
    let secs = Duration::from_secs;
    let leases = Leases::after(secs(3), secs(120), api.tick());
    api.reckon_with(leases);
    let mut seen = api.seen();
    let until = seen.started.plus(Duration::from_millis(126_200));
    assert_eq!(seen.may_advance_until(&uid("us-1")), Some(until.wall));
    seen.now = until;
    assert_eq!(seen.may_advance_until(&uid("us-1")), None);
}

#[tokio::test]
async fn an_agent_that_says_nothing_is_not_heard_though_its_connection_is_open() {
    let api = Api::new().await;
    in_flight(&api, "us-1", OnDisconnect::Hold).await;
    let mut seen = api.seen();
    let heard = seen.now;
    let presence = Presence {
        connected: true,
        last_heard: Some(heard),
        told: None,
        lease_until: Some(heard.plus(Duration::from_secs(30))),
    };
    let uid = uid("us-1");
    seen.presences.insert(uid.clone(), presence);
    assert!(seen.connected(&uid));
    assert_eq!(seen.unheard_since(&uid), None);
    // Two of its requests did not come.
    seen.now = heard.plus(Duration::from_secs(21));
    assert!(!seen.connected(&uid));
    assert_eq!(seen.last_heard(&uid), Some(heard.wall));
    let bound = heard.plus(Duration::from_millis(35_300)).wall;
    assert_eq!(seen.may_advance_until(&uid), Some(bound));
    seen.now = heard.plus(Duration::from_secs(36));
    assert_eq!(seen.may_advance_until(&uid), None);
}
