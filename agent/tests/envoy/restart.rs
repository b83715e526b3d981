//! The agent is gone and comes back; Envoys and processes are not disturbed, and nothing advances.

use std::time::Duration;

use flagship_agent::platform::Act;
use flagship_canary::{Direction, Scale};
use reqwest::Method;
use tokio::time::Instant;

use crate::cluster::{Cluster, Counted};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_23_an_agent_that_dies_leaves_traffic_alone_and_adopts_what_runs() {
    let Some(mut cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    cluster.ready("1.1.0", Scale::Canary).await;
    cluster.settle("1.0.0", Some("1.1.0"), 40).await;
    let pids = (
        cluster.pid("1.0.0"),
        cluster.pid("1.1.0"),
        cluster.envoy_pid("envoy"),
    );
    let dump = "/config_dump?resource=dynamic_route_configs";
    let before = cluster.admin("envoy", Method::GET, dump).await;

    cluster.agent_dies().await;
    let counted = cluster.requests(100).await;
    assert!(
        counted.keys().all(|answer| answer.starts_with("1.")),
        "{counted:?}"
    );

    cluster.up().await;
    let mut counted = Counted::new();
    let back = cluster.until("everything is adopted", |seen| {
        seen.route.known && seen.proxies.iter().all(|proxy| proxy.acknowledged)
    });
    tokio::pin!(back);
    let seen = loop {
        tokio::select! {
            seen = &mut back => break seen,
            answer = cluster.get("/") => *counted.entry(answer).or_default() += 1,
        }
    };
    assert!(
        counted.keys().all(|answer| answer.starts_with("1.")),
        "trap 5: {counted:?}"
    );
    assert_eq!(seen.route.share("1.1.0").unwrap().max.get(), 40);
    let now = (
        cluster.pid("1.0.0"),
        cluster.pid("1.1.0"),
        cluster.envoy_pid("envoy"),
    );
    assert_eq!(pids, now);
    let after = cluster.admin("envoy", Method::GET, dump).await;
    assert_eq!(before, after, "trap 5: equal content has an equal version");
    cluster.settle("1.0.0", Some("1.1.0"), 60).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s04_a_restarted_agent_serves_the_lower_of_recorded_and_observed() {
    let Some(mut cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    cluster.ready("1.1.0", Scale::Canary).await;
    cluster.settle("1.0.0", Some("1.1.0"), 20).await;
    cluster.agent_dies().await;
    // An advance that was kept and never sent.
    let path = cluster
        .config
        .data
        .join("envoy/workload-shop.Deployment.checkout.json");
    let text = std::fs::read_to_string(&path).unwrap();
    let mut record: serde_json::Value = serde_json::from_str(&text).unwrap();
    record["route"]["weight"] = 80.into();
    std::fs::write(&path, record.to_string()).unwrap();

    cluster.up().await;
    let seen = cluster
        .until("the route is acknowledged", |seen| {
            seen.route.known && seen.proxies.iter().all(|proxy| proxy.acknowledged)
        })
        .await;
    assert_eq!(seen.route.share("1.1.0").unwrap().max.get(), 20);
    cluster.settle("1.0.0", Some("1.1.0"), 80).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn s04_an_envoy_of_which_nothing_is_known_gives_the_canary_nothing() {
    let Some(mut cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    cluster.ready("1.1.0", Scale::Canary).await;
    cluster.settle("1.0.0", Some("1.1.0"), 50).await;
    cluster.agent_dies().await;
    cluster.signal(cluster.envoy_pid("envoy"), "KILL");
    cluster.up().await;
    cluster
        .until("a new Envoy has its route", |seen| {
            seen.route.known && seen.proxies.iter().all(|proxy| proxy.acknowledged)
        })
        .await;
    cluster.until_serving().await;
    assert_eq!(
        cluster.requests(40).await,
        [("1.0.0".to_owned(), 40)].into()
    );
    cluster
        .route(("1.0.0", Some("1.1.0"), 50), Direction::Retreat)
        .await
        .unwrap();
    assert_eq!(
        cluster.seen().proxies[0].weight.unwrap().get(),
        0,
        "only an advance raises it"
    );
    cluster.settle("1.0.0", Some("1.1.0"), 50).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_04_an_envoy_finds_a_restarted_agent_within_seconds() {
    let Some(mut cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    let admin = cluster.platform().admin_address("envoy").unwrap();
    cluster.agent_dies().await;
    // Long enough that Envoy's own back-off would have grown to tens of seconds.
    let tries = "/stats?filter=flagship_xds.upstream_cx_connect_fail";
    let deadline = Instant::now() + Duration::from_secs(60);
    loop {
        let answer = cluster
            .client
            .get(format!("http://{admin}{tries}"))
            .send()
            .await
            .unwrap();
        let text = answer.text().await.unwrap();
        let count = text.trim().rsplit(' ').next().unwrap().parse().unwrap_or(0);
        if count >= 8 {
            break;
        }
        assert!(Instant::now() < deadline, "{text}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    cluster.up().await;
    let back = Instant::now();
    cluster
        .until("the Envoy is back", |seen| seen.proxies[0].connected)
        .await;
    assert!(
        back.elapsed() < Duration::from_secs(5),
        "{:?}",
        back.elapsed()
    );
}

/// Starts the agent again; every request is answered until the version that it did not know has ended.
async fn until_unknown_has_ended(cluster: &mut Cluster) {
    cluster.up().await;
    assert!(
        cluster.seen().versions.contains_key("1.1.0"),
        "it is on record from the start"
    );
    let mut counted = Counted::new();
    let gone = cluster.until("the unknown version has ended", |seen| {
        !seen.versions.contains_key("1.1.0")
    });
    tokio::pin!(gone);
    loop {
        tokio::select! {
            _ = &mut gone => break,
            answer = cluster.get("/") => *counted.entry(answer).or_default() += 1,
        }
    }
    assert!(
        counted.keys().all(|answer| answer.starts_with("1.")),
        "{counted:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_whose_old_data_is_put_back_ends_what_it_does_not_know_without_losing_a_request() {
    let Some(mut cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    let path = cluster
        .config
        .data
        .join("envoy/workload-shop.Deployment.checkout.json");
    let yesterday = std::fs::read(&path).unwrap();
    cluster.ready("1.1.0", Scale::Canary).await;
    cluster.settle("1.0.0", Some("1.1.0"), 40).await;
    let (primary, canary) = (cluster.pid("1.0.0"), cluster.pid("1.1.0"));
    cluster.agent_dies().await;
    std::fs::write(&path, yesterday).unwrap();

    until_unknown_has_ended(&mut cluster).await;
    assert!(!std::path::Path::new(&format!("/proc/{canary}/stat")).exists() || is_zombie(canary));
    assert_eq!(primary, cluster.pid("1.0.0"));
    assert_eq!(
        cluster.requests(20).await,
        [("1.0.0".to_owned(), 20)].into()
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p18_old_data_put_back_after_a_promotion_leave_the_traffic_until_the_old_version_is_ready()
{
    let Some(mut cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    let path = cluster
        .config
        .data
        .join("envoy/workload-shop.Deployment.checkout.json");
    let yesterday = std::fs::read(&path).unwrap();
    cluster.ready("1.1.0", Scale::Full).await;
    cluster.settle("1.0.0", Some("1.1.0"), 100).await;
    cluster.settle("1.1.0", Some("1.0.0"), 0).await;
    let version = "1.0.0".to_owned();
    cluster.act(Act::StopVersion { version }).await.unwrap();
    cluster
        .until("the old version has ended", |seen| {
            !seen.versions.contains_key("1.0.0")
        })
        .await;
    cluster.agent_dies().await;
    std::fs::write(&path, yesterday).unwrap();
    until_unknown_has_ended(&mut cluster).await;
    assert_eq!(
        cluster.requests(20).await,
        [("1.0.0".to_owned(), 20)].into()
    );
}

/// Nobody waits for what an earlier agent in this same test process started.
fn is_zombie(pid: i32) -> bool {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    stat.rsplit_once(") ")
        .is_some_and(|(_, rest)| rest.starts_with('Z'))
}
