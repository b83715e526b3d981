//! Membership: approval, removal, and what stands in the way of it.

use super::*;
use crate::auth::Grants;
use crate::records::{Guard, PublicKey};
use flagship_proto::model::{LocalAct, LocalActor, LocalVerb, Weight};

fn remove(hub: &Hub, caller: &Caller, force: bool) -> Result<ClusterAnswer, OpError> {
    let args = RemoveCluster {
        name: cluster("eu-1"),
        force,
    };
    ready(hub.ops.remove_cluster(caller, args, hub.now()))
}

#[test]
fn a_removed_cluster_is_refused_from_then_on_and_frees_its_claims() {
    let hub = Hub::new();
    let mut row = hub
        .ops
        .cluster(&Grants::everything(), &cluster("eu-1"))
        .unwrap()
        .into_value();
    row.keys.push(PublicKey {
        spki: vec![1],
        serial: "01".to_owned(),
        certificate: vec![2],
        not_after: hub.now().wall,
        revoked: false,
    });
    hub.put(&row);
    hub.start("1.1.0").unwrap();
    let before: Stored<Guard> = match hub.ops.store.read(&key::guard()).unwrap() {
        Some(guard) => guard,
        None => {
            hub.put(&Guard::default());
            hub.ops.store.read(&key::guard()).unwrap().unwrap()
        }
    };
    let answer = remove(&hub, &caller(), false).unwrap();
    assert!(matches!(answer.state, ClusterState::Removed { .. }));
    let row = hub
        .ops
        .cluster(&Grants::everything(), &cluster("eu-1"))
        .unwrap();
    assert!(row.keys.iter().all(|key| key.revoked));
    assert_eq!(row.former, [uid("eu-1")]);
    assert!(hub.claim("eu-1").is_none());
    assert!(hub.claim("us-1").is_some());
    let after: Stored<Guard> = hub.ops.store.read(&key::guard()).unwrap().unwrap();
    assert!(
        after.modified > before.modified,
        "P15: membership bumps the guard"
    );
    refused(
        remove(&hub, &caller(), false),
        OpErrorKind::Refused,
        "cluster.removed",
    );
}

#[test]
fn p14_a_cluster_with_a_canary_in_flight_leaves_only_by_force_with_a_reason() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.order(
        "eu-1",
        "checkout-1",
        OnDisconnect::Hold,
        Some(Phase::Progressing),
    );
    let of = key::report(&uid("eu-1"), &workload());
    let report: Stored<ReportRow> = hub.ops.store.read(&of).unwrap().unwrap();
    let mut report = report.to_value();
    report.status.primary_version = Some("1.0.7".to_owned());
    hub.put(&report);
    let error = refused(
        remove(&hub, &caller(), false),
        OpErrorKind::Refused,
        "cluster.unsettled",
    );
    assert!(error.message.contains("Progressing at 20%"), "{error}");
    assert!(error.remedy.contains("--force"));
    refused(
        remove(&hub, &caller(), true),
        OpErrorKind::BadInput,
        "reason.missing",
    );
    let answer = remove(&hub, &with_reason(), true).unwrap();
    let ClusterState::Removed { left, .. } = answer.state else {
        panic!("{:?}", answer.state);
    };
    assert_eq!(left[0].workload.to_string(), "shop/Deployment/checkout");
    assert_eq!(left[0].weight, Weight::saturating(20), "{left:?}");
    assert!(
        left[0].until > hub.now().wall,
        "its lease goes on: {left:?}"
    );
    let everything = Grants::everything();
    let row = hub.ops.cluster(&everything, &cluster("eu-1")).unwrap();
    let serves = row.inventory.workloads[0].version.as_deref();
    assert_eq!(serves, Some("1.0.7"), "as it was last reported");
    let orders = hub.ops.store.list(&key::orders_of(&uid("eu-1"))).unwrap();
    assert!(orders.rows.is_empty());
}

#[test]
fn what_was_ordered_and_not_taken_up_is_among_what_a_removed_cluster_leaves() {
    let hub = Hub::new();
    hub.start("1.1.0").unwrap();
    hub.order("eu-1", "checkout-1", OnDisconnect::Hold, None);
    let answer = remove(&hub, &with_reason(), true).unwrap();
    let ClusterState::Removed { left, .. } = answer.state else {
        panic!("{:?}", answer.state);
    };
    assert_eq!((left.len(), left[0].weight), (1, Weight::ZERO), "{left:?}");
    assert_eq!(left[0].phase, Phase::Waiting);
}

#[test]
fn approval_lets_the_pending_in_and_ends_a_quarantine_with_a_reason() {
    let hub = Hub::new();
    let approve =
        |caller: &Caller| ready(hub.ops.approve_cluster(caller, cluster("eu-1"), hub.now()));
    refused(approve(&caller()), OpErrorKind::Refused, "cluster.active");
    let mut row = hub
        .ops
        .cluster(&Grants::everything(), &cluster("eu-1"))
        .unwrap()
        .into_value();
    row.state = ClusterState::Pending;
    hub.put(&row);
    assert_eq!(approve(&caller()).unwrap().state, ClusterState::Active);
    row.state = ClusterState::Quarantined {
        reason: "two live keys".to_owned(),
    };
    hub.put(&row);
    let error = refused(approve(&caller()), OpErrorKind::BadInput, "reason.missing");
    assert!(error.message.contains("two live keys"), "{error}");
    approve(&with_reason()).unwrap();
    let unknown = ready(
        hub.ops
            .approve_cluster(&caller(), cluster("eu-9"), hub.now()),
    );
    let error = refused(unknown, OpErrorKind::NotFound, "cluster.notFound");
    assert!(error.remedy.contains("eu-1"), "{}", error.remedy);
}

#[test]
fn local_control_is_ended_by_name_once_and_with_a_reason() {
    let hub = Hub::new();
    let ask = |caller: &Caller| {
        let args = ReleaseLocal {
            cluster: cluster("eu-1"),
            workload: "checkout".to_owned(),
        };
        ready(hub.ops.release_local(caller, args, hub.now()))
    };
    assert_eq!(ask(&caller()).unwrap_err().code, "workload.notFound");
    hub.start("1.1.0").unwrap();
    hub.order(
        "eu-1",
        "checkout-1",
        OnDisconnect::Hold,
        Some(Phase::Progressing),
    );
    assert_eq!(ask(&caller()).unwrap_err().code, "local.none");

    let key = key::reports_of(&uid("eu-1"));
    let mut report = hub
        .ops
        .store
        .read_all::<ReportRow>(&key)
        .unwrap()
        .remove(0)
        .into_value();
    report.status.local.push(LocalAct {
        id: "l1".parse().unwrap(),
        verb: LocalVerb::Hold,
        by: LocalActor::Spot {
            user: "ana".to_owned(),
            uid: 1000,
        },
        at: hub.now().wall,
        reason: "errors here".to_owned(),
    });
    hub.put(&report);
    assert_eq!(ask(&caller()).unwrap_err().code, "reason.missing");
    let answer = ask(&with_reason()).unwrap();
    assert_eq!(answer.act.id.as_str(), "l1");
    assert_eq!(ask(&with_reason()).unwrap_err().code, "local.released");
    assert!(hub.audited().contains(&"local.release".to_owned()));
}
