//! The order in which an Envoy is told things, and what is read from its answers.

use envoy_types::pb::{
    envoy::service::discovery::v3::{DiscoveryRequest, DiscoveryResponse},
    google::rpc::Status,
};
use flagship_proto::model::{Weight, WorkloadRef};

use super::{
    DesiredCluster, DesiredRoute, DesiredWorkload, Kind, Snapshot,
    session::{Answer, Session},
};
use crate::platform::envoy::config::WorkloadConfig;

fn snapshot(canary: Option<(&str, u8)>, versions: &[(&str, u16)]) -> Snapshot {
    let workload = WorkloadRef::new("shop", "Deployment", "checkout").unwrap();
    let config = WorkloadConfig::new(workload, "1", Vec::new(), 8080);
    let clusters = versions.iter().map(|(name, port)| DesiredCluster {
        name: (*name).to_owned(),
        ports: vec![*port],
        draining: Vec::new(),
    });
    let canary = canary.map(|(name, weight)| (name.to_owned(), Weight::try_from(weight).unwrap()));
    Snapshot::of(&[DesiredWorkload {
        config: &config,
        clusters: clusters.collect(),
        route: Some(DesiredRoute {
            primary: "old".to_owned(),
            canary,
        }),
    }])
}

fn request(kind: Kind, names: &[&str], nonce: &str) -> DiscoveryRequest {
    DiscoveryRequest {
        type_url: kind.type_url().to_owned(),
        resource_names: names.iter().map(|name| (*name).to_owned()).collect(),
        response_nonce: nonce.to_owned(),
        ..Default::default()
    }
}

fn kinds(responses: &[DiscoveryResponse]) -> Vec<Kind> {
    responses
        .iter()
        .map(|response| Kind::of(&response.type_url).unwrap())
        .collect()
}

/// A stream on which an Envoy has everything of `old`.
fn settled(now: &Snapshot) -> Session {
    let mut session = Session::default();
    for (kind, names) in [
        (Kind::Cluster, vec![]),
        (Kind::Endpoint, vec!["old"]),
        (Kind::Listener, vec![]),
        (Kind::Route, vec!["checkout"]),
    ] {
        assert_eq!(session.take(&request(kind, &names, "")), Answer::Asked);
        let sent = session.due(now);
        assert_eq!(kinds(&sent), [kind]);
        let answer = session.take(&request(kind, &names, &sent[0].nonce));
        assert!(matches!(answer, Answer::Acknowledged(..)), "{answer:?}");
        assert!(session.due(now).is_empty());
    }
    session
}

#[test]
fn trap_21_a_route_waits_until_the_clusters_that_it_names_are_warm() {
    let mut session = settled(&snapshot(None, &[("old", 1)]));
    let next = snapshot(Some(("new", 10)), &[("old", 1), ("new", 2)]);
    let sent = session.due(&next);
    assert_eq!(
        kinds(&sent),
        [Kind::Cluster],
        "no route to a cluster that is not there"
    );
    session.take(&request(Kind::Cluster, &[], &sent[0].nonce));
    assert!(session.due(&next).is_empty());
    session.take(&request(Kind::Endpoint, &["new", "old"], "2"));
    let sent = session.due(&next);
    assert_eq!(kinds(&sent), [Kind::Endpoint]);
    session.take(&request(Kind::Endpoint, &["new", "old"], &sent[0].nonce));
    assert_eq!(kinds(&session.due(&next)), [Kind::Route]);
}

#[test]
fn trap_21_endpoints_are_sent_again_when_asked_even_if_nothing_changed() {
    let now = snapshot(None, &[("old", 1)]);
    let mut session = settled(&now);
    session.take(&request(Kind::Endpoint, &["old"], "2"));
    assert_eq!(kinds(&session.due(&now)), [Kind::Endpoint]);
    assert!(session.due(&now).is_empty());
}

#[test]
fn s11_a_retreat_overtakes_an_advance_that_was_not_acknowledged() {
    let now = snapshot(Some(("new", 10)), &[("old", 1), ("new", 2)]);
    let mut session = Session::default();
    for (kind, names) in [
        (Kind::Cluster, vec![]),
        (Kind::Endpoint, vec!["old", "new"]),
        (Kind::Route, vec!["checkout"]),
    ] {
        session.take(&request(kind, &names, ""));
        let sent = session.due(&now);
        session.take(&request(kind, &names, &sent[0].nonce));
    }
    let higher = snapshot(Some(("new", 50)), &[("old", 1), ("new", 2)]);
    let advance = session.due(&higher);
    let back = session.due(&snapshot(None, &[("old", 1), ("new", 2)]));
    assert_eq!(kinds(&back), [Kind::Route]);
    let answer = session.take(&request(Kind::Route, &["checkout"], &advance[0].nonce));
    let Answer::Acknowledged(Kind::Route, versions) = answer else {
        panic!("{answer:?}")
    };
    let wanted = snapshot(None, &[("old", 1)]).version_of(Kind::Route, "checkout");
    assert_ne!(
        versions.get("checkout"),
        wanted.as_ref(),
        "that was the overtaken one"
    );
}

#[test]
fn trap_05_a_refusal_is_a_refusal_and_the_version_is_a_hash_of_the_content() {
    let now = snapshot(None, &[("old", 1)]);
    let mut session = settled(&now);
    let next = snapshot(None, &[("old", 2)]);
    let sent = session.due(&next);
    let mut refusal = request(Kind::Endpoint, &["old"], &sent[0].nonce);
    refusal.error_detail = Some(Status {
        message: "malformed".to_owned(),
        ..Default::default()
    });
    let answer = session.take(&refusal);
    assert_eq!(
        answer,
        Answer::Refused(Kind::Endpoint, "malformed".to_owned())
    );
    assert!(
        session.due(&next).is_empty(),
        "what was refused is not sent again"
    );
    let back = session.due(&now);
    assert_eq!(kinds(&back), [Kind::Endpoint]);
    let version = &back[0].version_info;
    let mut other = Session::default();
    other.take(&request(Kind::Endpoint, &["old"], ""));
    assert_eq!(
        &other.due(&now)[0].version_info,
        version,
        "whoever serves it, and when"
    );
}

#[test]
fn trap_05_nothing_is_sent_before_it_is_asked_for() {
    let mut session = Session::default();
    assert!(session.due(&snapshot(None, &[("old", 1)])).is_empty());
}

#[test]
fn trap_03_a_weight_change_touches_the_route_alone() {
    let mut session = settled(&snapshot(None, &[("old", 1)]));
    let versions = [("old", 1), ("new", 2)];
    let before = snapshot(Some(("new", 10)), &versions);
    for kind in [Kind::Cluster, Kind::Endpoint] {
        session.take(&request(kind, &["new", "old"], ""));
        for sent in session.due(&before) {
            session.take(&request(kind, &["new", "old"], &sent.nonce));
        }
    }
    session.due(&before);
    assert_eq!(
        kinds(&session.due(&snapshot(Some(("new", 20)), &versions))),
        [Kind::Route]
    );
}
