//! What carries the workloads: what can be seen of them, what can be done, and the seam behind which
//! a simulated cluster can stand. The words are the canary engine's own; nothing is decided here.

pub mod envoy;

use std::{collections::BTreeMap, future::Future};

use flagship_canary::{Direction, Revision, Route, RouteSeen, Scale, Totals, VersionSeen};
use flagship_proto::{
    digest::Digest,
    model::{EnvoyInfo, Weight, WorkloadRef},
};
use tokio::sync::watch;

/// All that was seen of one workload at one moment. It is a copy of what is known already: looking
/// costs no I/O.
#[derive(Debug, Clone, PartialEq)]
pub struct Seen {
    /// The version of the configuration: what serves where nothing was ever released.
    pub initial: Revision,
    /// The versions that run or should run, by version.
    pub versions: BTreeMap<String, VersionSeen>,
    /// Their digests; also those of versions that can be started again.
    pub digests: BTreeMap<String, Digest>,
    /// The route: as told, and as read back from every proxy.
    pub route: RouteSeen,
    /// The proxies' cumulative counters by version; none until each was read.
    pub totals: Option<Totals>,
    /// Every proxy that carries traffic of the workload.
    pub proxies: Vec<ProxySeen>,
}

/// One proxy, as one workload sees it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProxySeen {
    /// Its node id.
    pub node: String,
    /// Its version, as it says it.
    pub version: String,
    /// Whether its xDS stream is open.
    pub connected: bool,
    /// Whether it acknowledged the newest route that was made for it.
    pub acknowledged: bool,
    /// What it refused last, in its own words, until it accepts something newer.
    pub refused: Option<String>,
    /// The highest share of the canary role over all its rules, as read back; none if it could not
    /// be read since the route last changed.
    pub weight: Option<Weight>,
}

impl From<&ProxySeen> for EnvoyInfo {
    fn from(proxy: &ProxySeen) -> Self {
        Self {
            node: proxy.node.clone(),
            version: proxy.version.clone(),
            connected: proxy.connected,
        }
    }
}

/// What can be done to one workload. Each is idempotent, returns once it is taken over (kept, and on
/// its way to the proxies), and counts as done only when an observation shows it.
#[derive(Debug, Clone, PartialEq)]
pub enum Act {
    /// Set the route, whole. A canary without a ready instance gets no weight.
    SetRoute {
        /// What it should be.
        route: Route,
        /// An advance is kept before it is sent; a retreat is sent first, and also if it cannot be kept.
        direction: Direction,
    },
    /// Keep a version running at a scale.
    EnsureVersion {
        /// Which; a digest that differs from what would be started makes it not startable.
        revision: Revision,
        /// How many.
        scale: Scale,
    },
    /// Drain a version, then stop it. Refused while the route names it with a share, and held back
    /// until every proxy is known not to send to it.
    StopVersion {
        /// Which.
        version: String,
    },
}

/// Why an act was not taken over.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ActError {
    /// No such workload in the configuration.
    #[error("workload {0} is not in this agent's configuration")]
    UnknownWorkload(WorkloadRef),
    /// It makes no sense now.
    #[error("{0}")]
    Refused(String),
    /// It could not be kept on disk.
    #[error("{0}")]
    NotKept(String),
    /// What it needs is on its way: it is decided again, and nothing is wrong.
    #[error("{0}")]
    NotReady(String),
    /// The platform does not answer yet: releases are loaded and proxies read first (S4).
    #[error("the platform is starting: {0}")]
    Starting(String),
}

impl ActError {
    /// Whether the same act may succeed later.
    pub fn is_retryable(&self) -> bool {
        match self {
            Self::UnknownWorkload(_) | Self::Refused(_) => false,
            Self::NotReady(_) | Self::NotKept(_) | Self::Starting(_) => true,
        }
    }
}

/// The seam: a cluster that runs workloads. The Envoy platform is one; a simulated cluster is another.
pub trait Platform: Send + Sync {
    /// The workloads of the configuration.
    fn workloads(&self) -> Vec<WorkloadRef>;

    /// What was seen of one workload; none if it is not in the configuration.
    fn observe(&self, workload: &WorkloadRef) -> Option<Seen>;

    /// What a version is called and identified by here (S6), before it runs. Reads the executable.
    fn identify(
        &self,
        workload: &WorkloadRef,
        version: &str,
    ) -> impl Future<Output = Result<Revision, ActError>> + Send;

    /// Takes something over.
    fn act(
        &self,
        workload: &WorkloadRef,
        act: Act,
    ) -> impl Future<Output = Result<(), ActError>> + Send;

    /// Grows whenever something was seen to change, so that nobody has to poll.
    fn changes(&self) -> watch::Receiver<u64>;
}
