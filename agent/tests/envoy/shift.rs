//! Weights that are set, read back, and seen in real requests.

use flagship_agent::platform::{Act, ActError};
use flagship_canary::{Direction, Scale};

use crate::cluster::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_weight_moves_its_share_of_real_requests_and_is_read_back() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    assert_eq!(
        cluster.requests(20).await,
        [("1.0.0".to_owned(), 20)].into()
    );

    cluster.ready("1.1.0", Scale::Canary).await;
    let seen = cluster.settle("1.0.0", Some("1.1.0"), 30).await;
    assert!(
        seen.route.known && seen.route.proxies == 1 && seen.route.trouble.is_none(),
        "{seen:?}"
    );
    let counted = cluster.requests(300).await;
    assert_eq!(counted.values().sum::<u32>(), 300);
    assert_eq!(counted.len(), 2, "{counted:?}");
    assert!((60..=120).contains(&counted["1.1.0"]), "{counted:?}");

    cluster.settle("1.0.0", Some("1.1.0"), 0).await;
    assert_eq!(
        cluster.requests(50).await,
        [("1.0.0".to_owned(), 50)].into()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn roles_swap_without_a_lost_request_and_the_old_version_ends() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    cluster.ready("1.1.0", Scale::Full).await;
    let old = cluster.pid("1.0.0");

    let release = async {
        for weight in [20, 60, 100] {
            cluster.settle("1.0.0", Some("1.1.0"), weight).await;
        }
        cluster.settle("1.1.0", Some("1.0.0"), 0).await;
        let version = "1.0.0".to_owned();
        cluster.act(Act::StopVersion { version }).await.unwrap();
        cluster
            .until("1.0.0 has ended", |seen| {
                !seen.versions.contains_key("1.0.0")
            })
            .await;
    };
    let mut counted = crate::cluster::Counted::new();
    tokio::pin!(release);
    loop {
        tokio::select! {
            () = &mut release => break,
            answer = cluster.get("/wait/5") => *counted.entry(answer).or_default() += 1,
        }
    }
    assert!(
        counted.keys().all(|answer| answer.starts_with("1.")),
        "{counted:?}"
    );
    assert!(!std::path::Path::new(&format!("/proc/{old}")).exists());
    assert_eq!(
        cluster.requests(20).await,
        [("1.1.0".to_owned(), 20)].into()
    );
    assert!(
        cluster.seen().digests.contains_key("1.0.0"),
        "it can be started again"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_version_without_a_ready_process_gets_no_weight_and_one_with_traffic_is_not_stopped() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    cluster.ensure("9-crash", Scale::Canary).await;
    let refused = cluster
        .route(("1.0.0", Some("9-crash"), 10), Direction::Advance)
        .await;
    assert!(matches!(refused, Err(ActError::NotReady(_))), "{refused:?}");
    let version = "1.0.0".to_owned();
    let refused = cluster.act(Act::StopVersion { version }).await;
    assert!(matches!(refused, Err(ActError::Refused(_))), "{refused:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_23_versions_and_proxy_outlive_the_agent_and_are_adopted_with_their_weight() {
    let Some(mut cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    cluster.ready("1.1.0", Scale::Canary).await;
    cluster.settle("1.0.0", Some("1.1.0"), 30).await;
    let (old, new) = (cluster.pid("1.0.0"), cluster.pid("1.1.0"));

    cluster.agent_dies().await;
    let counted = cluster.requests(100).await;
    assert!(
        counted.len() == 2 && counted.values().sum::<u32>() == 100,
        "{counted:?}"
    );

    cluster.up().await;
    let seen = cluster
        .until("the weight is read back", |seen| {
            let share = seen.route.share("1.1.0");
            share.is_some_and(|share| share.max.get() == 30)
        })
        .await;
    assert!(seen.versions.contains_key("1.1.0"), "{seen:?}");
    assert_eq!(
        (cluster.pid("1.0.0"), cluster.pid("1.1.0")),
        (old, new),
        "nothing was started again"
    );
    assert_eq!(cluster.requests(50).await.values().sum::<u32>(), 50);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_03_and_17_routes_come_by_rds_and_clusters_are_named_by_version() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    cluster.ready("1.1.0", Scale::Canary).await;
    cluster.settle("1.0.0", Some("1.1.0"), 30).await;
    let dump = cluster
        .admin("envoy", reqwest::Method::GET, "/config_dump")
        .await;
    let dump: serde_json::Value = serde_json::from_str(&dump).unwrap();
    let sections = dump["configs"].as_array().unwrap();
    let of = |kind: &str| {
        let found = sections.iter().find(|section| {
            section["@type"]
                .as_str()
                .is_some_and(|t| t.ends_with(&format!(".{kind}")))
        });
        found.map(ToString::to_string).unwrap_or_default()
    };
    assert!(of("ListenersConfigDump").contains("\"rds\""));
    assert!(
        !of("ListenersConfigDump").contains("weighted_clusters"),
        "no inline routes"
    );
    assert!(of("RoutesConfigDump").contains("weighted_clusters"));
    let clusters = of("ClustersConfigDump");
    for version in ["1.0.0", "1.1.0"] {
        let digest = cluster.seen().digests[version];
        assert!(
            clusters.contains(&format!("checkout@{}", digest.short())),
            "{version}"
        );
    }
}
