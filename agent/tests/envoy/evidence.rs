//! Counters as users saw them.

use std::time::{Duration, Instant};

use flagship_agent::platform::{Act, Platform as _};
use flagship_canary::Scale;
use flagship_proto::model::Counts;

use crate::cluster::Cluster;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_13_users_failures_are_counted_once_whatever_was_retried() {
    let Some(cluster) = Cluster::with(&["envoy"], |config| config.routes[0].retries = 2).await
    else {
        return;
    };
    cluster.with_primary().await;
    let before = cluster.seen_counts("1.0.0").await;
    for _ in 0..5 {
        assert_eq!(cluster.get("/status/503").await, "status 503");
    }
    cluster.requests(10).await;
    let wanted = Counts {
        total: before.total + 15,
        bad: before.bad + 5,
    };
    cluster
        .until("15 completed, 5 failed", |seen| {
            let totals = seen.totals.as_ref();
            totals.is_some_and(|totals| totals.versions["1.0.0"].counts == wanted)
        })
        .await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_15_weights_and_endpoints_do_not_reset_the_latencies() {
    let Some(cluster) = Cluster::with(&["envoy"], |config| config.replicas = 2).await else {
        return;
    };
    cluster.with_primary().await;
    let before = cluster.seen_counts("1.0.0").await.total;
    cluster.requests(20).await;
    cluster.ready("1.1.0", Scale::Canary).await;
    cluster.settle("1.0.0", Some("1.1.0"), 50).await;
    cluster.ready("1.1.0", Scale::Full).await;
    cluster.settle("1.0.0", Some("1.1.0"), 0).await;
    cluster.requests(20).await;
    let seen = cluster
        .until("trap 14: the latencies of all requests", |seen| {
            let Some(totals) = &seen.totals else {
                return false;
            };
            let sample = &totals.versions["1.0.0"];
            let counted = sample.latency.buckets.last().map_or(0, |(_, count)| *count);
            sample.counts.total == before + 40 && counted >= 40
        })
        .await;
    let buckets = &seen.totals.unwrap().versions["1.0.0"].latency.buckets;
    assert!(
        buckets.is_sorted_by(|one, next| one.0 < next.0 && one.1 <= next.1),
        "{buckets:?}"
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_14_histograms_are_read_as_soon_as_counters() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    let before = cluster.seen_counts("1.0.0").await.total;
    cluster.requests(20).await;
    let sent = Instant::now();
    cluster
        .until("the latencies of all that was counted", |seen| {
            let totals = seen.totals.as_ref().map(|totals| &totals.versions["1.0.0"]);
            totals.is_some_and(|of| {
                let latencies = of.latency.buckets.last().map_or(0, |(_, count)| *count);
                of.counts.total == before + 20 && latencies >= before + 20
            })
        })
        .await;
    // Envoy's own interval is 5 s; ours are a quarter of a second to flush and one to look.
    let took = sent.elapsed();
    assert!(took < Duration::from_secs(3), "{took:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_16_the_last_request_of_a_version_is_counted_before_its_cluster_goes() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    cluster.ready("1.1.0", Scale::Canary).await;
    cluster.settle("1.0.0", Some("1.1.0"), 100).await;
    cluster.requests(10).await;
    let before = cluster.seen_counts("1.1.0").await.total;
    // In flight while the weight goes to 0 and the version is told to end.
    let last = cluster.get("/wait/2500");
    let ended = async {
        cluster
            .until("the request is in flight", |seen| seen.totals.is_some())
            .await;
        tokio::time::sleep(Duration::from_millis(500)).await;
        cluster.settle("1.0.0", Some("1.1.0"), 0).await;
        cluster.settle("1.0.0", None, 0).await;
        let version = "1.1.0".to_owned();
        cluster.act(Act::StopVersion { version }).await.unwrap();
        let mut most = 0;
        let mut changes = cluster.platform().changes();
        loop {
            let seen = cluster.seen();
            let total = seen.totals.as_ref().and_then(|t| t.versions.get("1.1.0"));
            most = most.max(total.map_or(0, |of| of.counts.total));
            if !seen.versions.contains_key("1.1.0") {
                return most;
            }
            let changed = tokio::time::timeout(Duration::from_secs(20), changes.changed()).await;
            assert!(changed.is_ok(), "1.1.0 does not end: {seen:#?}");
        }
    };
    let (last, most) = tokio::join!(last, ended);
    assert_eq!(last, "1.1.0", "it was answered");
    assert_eq!(most, before + 1, "it was counted");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn trap_18_a_failed_grpc_call_counts_as_failed_though_it_looks_like_a_200() {
    let Some(cluster) = Cluster::start().await else {
        return;
    };
    cluster.with_primary().await;
    let before = cluster.seen_counts("1.0.0").await;
    let port = cluster.config.workloads[0].listener.port;
    for status in [0, 5, 13, 14] {
        let call = cluster
            .client
            .post(format!("http://127.0.0.1:{port}/grpc/{status}"));
        let answer = call
            .header("content-type", "application/grpc")
            .send()
            .await
            .unwrap();
        assert_eq!(answer.status(), 200);
    }
    cluster
        .until("two of four failed", |seen| {
            let counts = seen
                .totals
                .as_ref()
                .map(|totals| totals.versions["1.0.0"].counts);
            counts.is_some_and(|now| now.total == before.total + 4 && now.bad == before.bad + 2)
        })
        .await;
}
