//! The Envoy platform's part of the agent's configuration file: workloads and proxies, and what is
//! wrong with them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

use flagship_proto::model::{
    LONGEST_VERSION, WorkloadRef,
    canary::{GoDuration, Problem},
};
use serde::{Deserialize, Serialize};

/// The folder, the workloads and the proxies of one agent.
#[derive(Debug, Clone)]
pub struct EnvoyPlatformConfig {
    /// Where the platform keeps its state, the logs of processes and their data folders.
    pub data: PathBuf,
    /// What is released here.
    pub workloads: Vec<WorkloadConfig>,
    /// The proxies that carry the traffic.
    pub envoy: EnvoyConfig,
}

/// One workload: how a version is started, checked, reached and stopped.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct WorkloadConfig {
    /// `namespace/kind/name`, the same in every cluster that has it.
    pub workload: WorkloadRef,
    /// Names for people and for the variables of metric queries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub service: Option<ServiceConfig>,
    /// The command of a version and its arguments. `{version}`, `{port}`, `{replica}` and `{data}`
    /// are filled in; all but `{version}` are this cluster's own and no part of the digest.
    pub command: Vec<String>,
    /// Environment variables of the processes, beside those of the agent.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// What serves where nothing was ever released.
    pub version: String,
    /// How a process says that it is ready.
    #[serde(default)]
    pub health_check: HealthCheck,
    /// Processes that carry all the traffic.
    #[serde(default = "one")]
    pub replicas: u32,
    /// Processes that carry a canary's share.
    #[serde(default = "one")]
    pub canary_replicas: u32,
    /// How long a process may take to become ready before that counts as a crash.
    #[serde(default = "start_deadline")]
    pub start_deadline: GoDuration,
    /// How long the end of a version waits for its last requests before it is killed.
    #[serde(default = "drain_deadline")]
    pub drain_deadline: GoDuration,
    /// Where the proxies take its traffic.
    pub listener: Listener,
    /// What the processes speak.
    #[serde(default)]
    pub protocol: Protocol,
    /// Its routes, the first that matches wins; one for everything where there is none.
    #[serde(default = "everything")]
    pub routes: Vec<RouteRule>,
}

/// Names of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct ServiceConfig {
    /// Its name.
    pub name: String,
    /// The port that its clients know.
    pub port: u16,
}

/// An HTTP request that a ready process answers with 2xx.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct HealthCheck {
    /// The path.
    pub path: String,
    /// Time between two requests.
    pub interval: GoDuration,
    /// Time for the answer.
    pub timeout: GoDuration,
    /// Failures in a row that take the traffic away from a process that was ready.
    pub unhealthy_threshold: u32,
}

impl Default for HealthCheck {
    fn default() -> Self {
        Self {
            path: "/healthz".to_owned(),
            interval: GoDuration(Duration::from_secs(1)),
            timeout: GoDuration(Duration::from_secs(1)),
            unhealthy_threshold: 3,
        }
    }
}

/// Where proxies listen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Listener {
    /// The address.
    #[serde(default = "loopback")]
    pub address: IpAddr,
    /// The port; one listener a port.
    pub port: u16,
}

/// What processes speak with the proxy.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// HTTP/1.1.
    #[default]
    Http,
    /// HTTP/2 without TLS; gRPC.
    Http2,
}

/// One route of a workload.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct RouteRule {
    /// Paths that begin with this.
    #[serde(default = "root")]
    pub prefix: String,
    /// Time for a whole request, retries included; 15 s where absent, no limit if zero.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<GoDuration>,
    /// Further tries after a failure to connect, a refused stream or a gateway error.
    #[serde(default)]
    pub retries: u32,
}

/// The proxies.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields, default)]
pub struct EnvoyConfig {
    /// Envoy's executable, by path or by name in `PATH`; needed with `start`.
    pub binary: PathBuf,
    /// Start the proxies here. They survive the agent and are adopted again.
    pub start: bool,
    /// Where the agent serves xDS to them; with port 0 a free one is picked and kept.
    pub listen: SocketAddr,
    /// Every proxy that carries traffic of the workloads. With `start` and none named, one: `envoy`.
    pub nodes: Vec<NodeConfig>,
}

impl Default for EnvoyConfig {
    fn default() -> Self {
        Self {
            binary: PathBuf::from("envoy"),
            start: false,
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            nodes: Vec::new(),
        }
    }
}

impl EnvoyConfig {
    /// The proxies, with the one that is meant where none is named.
    pub fn proxies(&self) -> Vec<NodeConfig> {
        if self.nodes.is_empty() && self.start {
            vec![NodeConfig {
                id: "envoy".to_owned(),
                admin: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            }]
        } else {
            self.nodes.clone()
        }
    }
}

/// One proxy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct NodeConfig {
    /// Its node id, as it says it to the xDS server.
    pub id: String,
    /// Its admin interface; with `start` and port 0 a free one is picked and kept.
    pub admin: SocketAddr,
}

fn one() -> u32 {
    1
}

fn start_deadline() -> GoDuration {
    GoDuration(Duration::from_secs(60))
}

fn drain_deadline() -> GoDuration {
    GoDuration(Duration::from_secs(30))
}

fn loopback() -> IpAddr {
    IpAddr::V4(Ipv4Addr::LOCALHOST)
}

fn root() -> String {
    "/".to_owned()
}

fn everything() -> Vec<RouteRule> {
    vec![RouteRule {
        prefix: root(),
        timeout: None,
        retries: 0,
    }]
}

impl EnvoyPlatformConfig {
    /// What makes no sense; empty if all is well.
    pub fn validate(&self) -> Vec<Problem> {
        let mut problems = self.envoy.validate();
        let mut names = BTreeSet::new();
        let mut ports = BTreeSet::new();
        for (index, workload) in self.workloads.iter().enumerate() {
            let at = format!("workloads[{index}]");
            problems.extend(Problem::under(&at, workload.validate()));
            if !names.insert(workload.workload.name().to_owned()) {
                problems.push(Problem::new(
                    format!("{at}.workload"),
                    format!("two workloads are named {}", workload.workload.name()),
                    "give each its own name: Envoy's clusters are named by it",
                ));
            }
            let listener = &workload.listener;
            if !ports.insert((listener.address, listener.port)) {
                problems.push(Problem::new(
                    format!("{at}.listener"),
                    format!(
                        "{}:{} is taken by another workload",
                        listener.address, listener.port
                    ),
                    "give each workload its own address and port",
                ));
            }
        }
        problems
    }
}

impl WorkloadConfig {
    /// The settings of one workload, all but the needed ones at their defaults.
    pub fn new(workload: WorkloadRef, version: &str, command: Vec<String>, port: u16) -> Self {
        Self {
            workload,
            service: None,
            command,
            env: BTreeMap::new(),
            version: version.to_owned(),
            health_check: HealthCheck::default(),
            replicas: 1,
            canary_replicas: 1,
            start_deadline: start_deadline(),
            drain_deadline: drain_deadline(),
            listener: Listener {
                address: loopback(),
                port,
            },
            protocol: Protocol::Http,
            routes: everything(),
        }
    }

    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        let mut wrong = |field: &str, message: &str, remedy: &str| {
            problems.push(Problem::new(field, message, remedy));
        };
        if self.command.first().is_none_or(String::is_empty) {
            wrong(
                "command",
                "no command",
                "name the executable and its arguments",
            );
        }
        if !self.command.iter().any(|part| part.contains("{version}")) {
            wrong(
                "command",
                "{version} is missing, so that all versions would be the same",
                "put {version} where the version goes",
            );
        }
        if self.version.len() > LONGEST_VERSION {
            let most =
                format!("longer than {LONGEST_VERSION} bytes, and the hub takes no such version");
            wrong("version", &most, "give it a shorter name");
        }
        if !self.command.iter().any(|part| part.contains("{port}")) {
            wrong(
                "command",
                "{port} is missing, so that a process cannot be reached",
                "put {port} where the process is told its port",
            );
        }
        if self.replicas == 0 || self.canary_replicas == 0 {
            wrong("replicas", "none", "use 1 or more");
        }
        if !self.health_check.path.starts_with('/') {
            wrong("healthCheck.path", "not a path", "begin it with '/'");
        }
        if self.health_check.interval.0.is_zero() {
            wrong("healthCheck.interval", "zero", "use 1s or so");
        }
        if self.routes.is_empty() {
            wrong("routes", "empty", "leave it out to route everything");
        }
        if self.routes.iter().any(|rule| !rule.prefix.starts_with('/')) {
            wrong("routes", "a prefix is not a path", "begin it with '/'");
        }
        if self.listener.port == 0 {
            wrong(
                "listener.port",
                "zero",
                "name the port that clients connect to",
            );
        }
        problems
    }
}

impl EnvoyConfig {
    fn validate(&self) -> Vec<Problem> {
        let mut problems = Vec::new();
        if !self.start && self.nodes.is_empty() {
            problems.push(Problem::new(
                "envoy.nodes",
                "no proxy",
                "name the proxies, or set envoy.start: true",
            ));
        }
        let mut ids = BTreeSet::new();
        for node in &self.nodes {
            if node.id.is_empty() || !ids.insert(&node.id) {
                problems.push(Problem::new(
                    "envoy.nodes",
                    format!("the id {:?} is empty or stands twice", node.id),
                    "give each proxy its own id",
                ));
            }
            if !self.start && node.admin.port() == 0 {
                problems.push(Problem::new(
                    "envoy.nodes",
                    format!("{} has no admin port", node.id),
                    "name the address of its admin interface: weights are read back there",
                ));
            }
        }
        problems
    }
}
