//! One cluster for a test: a platform in a folder of its own, real Envoys, and requests that are counted.

use std::{
    collections::BTreeMap,
    env,
    net::{Ipv4Addr, SocketAddr, TcpListener},
    path::{Path, PathBuf},
    time::Duration,
};

use flagship_agent::platform::{
    Act, ActError, Platform, Seen,
    envoy::{
        EnvoyConfig, EnvoyPlatform, EnvoyPlatformConfig, NodeConfig, WorkloadConfig, end_processes,
    },
};
use flagship_canary::{Direction, Revision, Route, Scale};
use flagship_proto::model::{Counts, Weight, WorkloadRef, canary::GoDuration};
use tempfile::TempDir;
use tokio::time::{Instant, timeout};
use tokio_util::sync::CancellationToken;

/// Anything that is waited for happens well within this.
const SOON: Duration = Duration::from_secs(30);

/// Envoy's executable, or none: the test is skipped, and says so.
pub(crate) fn envoy() -> Option<PathBuf> {
    let fetched = Path::new(env!("CARGO_MANIFEST_DIR")).join("../target/tools/envoy");
    let path = env::var_os("FLAGSHIP_ENVOY").map_or(fetched, PathBuf::from);
    if path.is_file() {
        return Some(path);
    }
    println!("skipped: no Envoy: set FLAGSHIP_ENVOY, or fetch it into target/tools");
    None
}

pub(crate) struct Cluster {
    pub(crate) config: EnvoyPlatformConfig,
    pub(crate) platform: Option<EnvoyPlatform>,
    pub(crate) workload: WorkloadRef,
    pub(crate) client: reqwest::Client,
    _folder: TempDir,
}

/// Requests by what answered: a version, or `status <code>`, or `lost`.
pub(crate) type Counted = BTreeMap<String, u32>;

impl Cluster {
    /// A cluster with one Envoy; none where there is no Envoy.
    pub(crate) async fn start() -> Option<Self> {
        Self::with(&["envoy"], |_| {}).await
    }

    pub(crate) async fn with(nodes: &[&str], change: impl Fn(&mut WorkloadConfig)) -> Option<Self> {
        let binary = envoy()?;
        let folder = tempfile::tempdir().unwrap();
        let workload = WorkloadRef::new("shop", "Deployment", "checkout").unwrap();
        let port = free_port();
        let command = super::backend::command();
        let mut config = WorkloadConfig::new(workload.clone(), "1.0.0", command, port);
        config.health_check.interval = GoDuration(Duration::from_millis(200));
        config.health_check.unhealthy_threshold = 2;
        config.drain_deadline = GoDuration(Duration::from_secs(10));
        change(&mut config);
        let admin = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
        let nodes = nodes.iter().map(|id| NodeConfig {
            id: (*id).to_owned(),
            admin,
        });
        let config = EnvoyPlatformConfig {
            data: folder.path().to_owned(),
            workloads: vec![config],
            envoy: EnvoyConfig {
                binary,
                start: true,
                nodes: nodes.collect(),
                ..EnvoyConfig::default()
            },
        };
        let mut cluster = Self {
            config,
            platform: None,
            workload,
            client: reqwest::Client::new(),
            _folder: folder,
        };
        cluster.up().await;
        Some(cluster)
    }

    pub(crate) async fn up(&mut self) {
        let started = EnvoyPlatform::start(self.config.clone(), CancellationToken::new()).await;
        self.platform = Some(started.unwrap());
    }

    /// The agent is gone; processes and Envoys are not told.
    pub(crate) async fn agent_dies(&mut self) {
        self.platform.take().unwrap().stop().await;
    }

    pub(crate) fn platform(&self) -> &EnvoyPlatform {
        self.platform.as_ref().unwrap()
    }

    pub(crate) fn seen(&self) -> Seen {
        self.platform().observe(&self.workload).unwrap()
    }

    /// Waits until what is seen is as it should be.
    pub(crate) async fn until(&self, what: &str, met: impl Fn(&Seen) -> bool) -> Seen {
        let mut changes = self.platform().changes();
        let deadline = Instant::now() + SOON;
        loop {
            let seen = self.seen();
            if met(&seen) {
                return seen;
            }
            let left = deadline.saturating_duration_since(Instant::now());
            assert!(
                timeout(left, changes.changed()).await.is_ok(),
                "not seen: {what}; last: {seen:#?}"
            );
        }
    }

    pub(crate) async fn act(&self, act: Act) -> Result<(), ActError> {
        self.platform().act(&self.workload, act).await
    }

    pub(crate) async fn ensure(&self, version: &str, scale: Scale) {
        let revision = Revision {
            version: version.to_owned(),
            digest: None,
        };
        self.act(Act::EnsureVersion { revision, scale })
            .await
            .unwrap();
    }

    pub(crate) async fn ready(&self, version: &str, scale: Scale) {
        self.ensure(version, scale).await;
        self.until(&format!("{version} is ready"), |seen| {
            seen.versions
                .get(version)
                .is_some_and(|v| v.ready == v.wanted)
        })
        .await;
    }

    pub(crate) async fn route(
        &self,
        route: (&str, Option<&str>, u8),
        direction: Direction,
    ) -> Result<(), ActError> {
        let route = Route {
            primary: route.0.to_owned(),
            canary: route.1.map(str::to_owned),
            weight: Weight::try_from(route.2).unwrap(),
        };
        self.act(Act::SetRoute { route, direction }).await
    }

    /// Sets the route and waits until every proxy was read back to have it.
    pub(crate) async fn settle(&self, primary: &str, canary: Option<&str>, weight: u8) -> Seen {
        let told = (primary, canary, weight);
        self.route(told, Direction::Advance).await.unwrap();
        self.until(&format!("the route {told:?}"), |seen| {
            let share = |version: &str| {
                seen.route
                    .share(version)
                    .map(|share| (share.min.get(), share.max.get()))
            };
            let acknowledged = seen.proxies.iter().all(|proxy| proxy.acknowledged);
            acknowledged
                && share(primary) == Some((100 - weight, 100 - weight))
                && canary.is_none_or(|canary| share(canary) == Some((weight, weight)))
        })
        .await
    }

    /// Version 1.0.0 is the primary and takes everything.
    pub(crate) async fn with_primary(&self) {
        self.ready("1.0.0", Scale::Full).await;
        self.settle("1.0.0", None, 0).await;
        self.until_serving().await;
    }

    /// The listener comes up a moment after the route.
    pub(crate) async fn until_serving(&self) {
        let deadline = Instant::now() + SOON;
        while self.get("/").await == "lost" {
            assert!(Instant::now() < deadline, "no listener");
            tokio::task::yield_now().await;
        }
    }

    pub(crate) async fn get(&self, path: &str) -> String {
        let port = self.config.workloads[0].listener.port;
        match self
            .client
            .get(format!("http://127.0.0.1:{port}{path}"))
            .send()
            .await
        {
            Ok(answer) if answer.status().is_success() => {
                answer.text().await.unwrap_or_else(|_| "lost".to_owned())
            }
            Ok(answer) => format!("status {}", answer.status().as_u16()),
            Err(_) => "lost".to_owned(),
        }
    }

    pub(crate) async fn requests(&self, count: u32) -> Counted {
        let mut counted = Counted::new();
        for _ in 0..count {
            *counted.entry(self.get("/").await).or_default() += 1;
        }
        counted
    }

    /// A request to Envoy's admin interface.
    pub(crate) async fn admin(&self, node: &str, method: reqwest::Method, path: &str) -> String {
        let address = self.platform().admin_address(node).unwrap();
        let request = self
            .client
            .request(method, format!("http://{address}{path}"));
        match request.send().await {
            Ok(answer) => answer.text().await.unwrap_or_default(),
            Err(error) => format!("no answer: {error}"),
        }
    }

    /// What a version has counted so far.
    pub(crate) async fn seen_counts(&self, version: &str) -> Counts {
        let served = |seen: &Seen| {
            seen.totals
                .as_ref()
                .and_then(|t| t.versions.get(version).cloned())
        };
        // The request that saw the listener come up is counted at the next look.
        let seen = self
            .until("counters", |seen| {
                served(seen).is_some_and(|s| s.counts.total > 0)
            })
            .await;
        served(&seen).unwrap().counts
    }

    /// The pid of an Envoy.
    pub(crate) fn envoy_pid(&self, node: &str) -> i32 {
        let text = std::fs::read_to_string(self.config.data.join("envoy/platform.json")).unwrap();
        let record: serde_json::Value = serde_json::from_str(&text).unwrap();
        let pid = record["nodes"][node]["process"]["pid"].as_i64().unwrap();
        pid.try_into().unwrap()
    }

    pub(crate) fn signal(&self, pid: i32, signal: &str) {
        let done = std::process::Command::new("kill")
            .arg(format!("-{signal}"))
            .arg(pid.to_string())
            .status();
        assert!(done.unwrap().success());
    }

    /// The pid of a version's process.
    pub(crate) fn pid(&self, version: &str) -> i32 {
        let data = self.config.data.join("envoy/data/shop.Deployment.checkout");
        let text = std::fs::read_to_string(data.join(format!("{version}.pid"))).unwrap();
        text.parse().unwrap()
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        let platform = self.platform.take();
        let data = self.config.data.clone();
        // Processes outlive their agent: a test that fails must not leave them.
        let ended = std::thread::spawn(move || {
            let runtime = tokio::runtime::Builder::new_current_thread()
                .enable_all()
                .build();
            runtime.unwrap().block_on(async {
                if let Some(platform) = platform {
                    platform.stop_soon();
                }
                end_processes(&data, Duration::from_secs(2)).await
            })
        });
        let _ = ended.join();
    }
}

pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}
