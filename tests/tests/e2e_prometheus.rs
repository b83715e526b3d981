//! End to end with a real Prometheus that scrapes a real Envoy: what it says decides, and what it does
//! not say decides nothing.

use std::{path::PathBuf, time::Duration};

use flagship_hub::api::types::RolloutCluster;
use flagship_tests::{
    fleet::cluster_of,
    play::{LONG, Play, quick_plan},
    process::until,
    prometheus::Prometheus,
};

const ONE: &[&str] = &["pilot-1 region=eu tier=pilot"];

/// The built-in metric; asked at Prometheus, because the canary names a server.
const SUCCESS_RATE: &str = "
        - {name: request-success-rate, interval: 4s, thresholdRange: {min: 99}}";

/// A metric of one's own, by a template that travels with the plan.
const ERROR_SHARE: &str = "
        - {name: error-share, interval: 4s, thresholdRange: {max: 1}, templateRef: {name: error-share}}";

/// The quickstart's plan for one wave, with these metrics instead of the proxies' own statistics.
fn plan(prometheus: &Prometheus, metrics: &str) -> String {
    let quick = quick_plan("");
    let (before, rest) = quick
        .split_once("  canary:")
        .expect("the plan has a canary");
    let (_, waves) = rest.split_once("  waves:").expect("the plan has waves");
    let (pilot, rest) = waves
        .split_once("    - name: rest")
        .expect("the plan has a second wave");
    let (_, after) = rest
        .split_once("  onFailure:")
        .expect("the plan has a failure policy");
    let address = format!("http://{}", prometheus.address);
    format!(
        "{before}  metricTemplates:
    - name: error-share
      spec:
        provider: {{type: prometheus, address: '{address}'}}
        query: |
          100 * (
            sum(rate(envoy_cluster_upstream_rq_xx{{envoy_response_code_class='5', envoy_cluster_name='{{{{ version }}}}'}}[{{{{ interval }}}}]))
              or vector(0)
          ) / sum(rate(envoy_cluster_upstream_rq_completed{{envoy_cluster_name='{{{{ version }}}}'}}[{{{{ interval }}}}]))
  canary:
    metricsServer: '{address}'
    analysis:
      interval: 2s
      threshold: 2
      stepWeights: [10, 40, 70]
      onInconclusive: {{then: hold}}
      metrics:{metrics}
  waves:{pilot}  onFailure:{after}"
    )
}

struct Bench {
    play: Play,
    prometheus: Prometheus,
    folder: PathBuf,
}

impl Bench {
    async fn start(name: &str, when: &str, metrics: &str) -> Self {
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
        let mut prometheus = Prometheus::reserve(&folder.with_extension("prometheus"))
            .expect("a port for Prometheus");
        let play = Play::start(&folder, ONE, when, &plan(&prometheus, metrics)).await;
        let envoy = play.fleet.clusters["pilot-1"]
            .envoy_admin()
            .expect("the agent says where its Envoy is");
        prometheus.start(&[envoy]).await.expect("Prometheus starts");
        Self {
            play,
            prometheus,
            folder,
        }
    }

    fn pilot(&self, rollout: &str) -> RolloutCluster {
        cluster_of(&self.play.rollout(rollout), "pilot-1").clone()
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn prometheus_lets_a_good_release_pass_and_takes_bad_ones_back() {
    let when = "1.2.0:errors=0.1;1.3.0:errors=0.1";
    let both = [SUCCESS_RATE, ERROR_SHARE].concat();
    let mut bench = Bench::start("prometheus", when, &both).await;

    let good = bench.play.release("1.1.0");
    bench.play.reaches(&good, "Succeeded").await;
    bench.play.serves("pilot-1", "1.1.0").await;
    let seen = bench.play.seen("pilot-1");
    assert_eq!(seen.failed, 0, "{seen:?}");

    for (version, metric, name) in [
        ("1.2.0", SUCCESS_RATE, "request-success-rate"),
        ("1.3.0", ERROR_SHARE, "error-share"),
    ] {
        bench
            .play
            .apply(&bench.folder, &plan(&bench.prometheus, metric));
        let bad = bench.play.release(version);
        bench.play.reaches(&bad, "RolledBack").await;
        bench.play.serves("pilot-1", "1.1.0").await;
        let why = bench.pilot(&bad).why;
        assert!(format!("{why:?}").contains(name), "{version}: {why:?}");
        let (served, failed) = bench.play.fleet.served("pilot-1", version);
        assert!(failed > 0 && served < 600, "{version}: {served}, {failed}");
    }
    bench.play.both_ends_agree().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_prometheus_that_is_dead_is_inconclusive_and_nothing_advances_until_it_is_back() {
    let mut bench = Bench::start("prometheus-dead", "", SUCCESS_RATE).await;
    bench.prometheus.kill();

    let rollout = bench.play.release("1.1.0");
    bench.play.reaches_weight(&rollout, "pilot-1", 10).await;
    let says_so = async || {
        let why = format!("{:?}", bench.pilot(&rollout).why);
        why.contains("Inconclusive") && why.contains("prometheus")
    };
    until("the answer is inconclusive, and why", LONG, says_so).await;
    // Ten rounds long, in which each of the three steps would have passed.
    let began = std::time::Instant::now();
    while began.elapsed() < Duration::from_secs(20) {
        let pilot = bench.pilot(&rollout);
        assert!(pilot.observed <= Some(10), "{pilot:?}");
        assert_eq!(pilot.failed_checks, 0, "no answer is no failure: {pilot:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }

    let envoy = bench.play.fleet.clusters["pilot-1"].envoy_admin().unwrap();
    bench.prometheus.start(&[envoy]).await.unwrap();
    bench.play.reaches(&rollout, "Succeeded").await;
    bench.play.both_ends_agree().await;
}
