//! The Envoy platform: versions as processes, and the xDS server of the Envoys that carry the traffic.
//! Everything that it is told is kept in files; processes and Envoys live on without it.

mod act;
mod admin;
mod command;
pub mod config;
pub(crate) mod decoders;
mod down;
mod found;
mod http;
mod mark;
mod poll;
mod ports;
mod process;
mod proxy;
mod record;
mod replica;
mod start;
mod state;
mod supervise;
mod xds;

use std::{net::SocketAddr, sync::Arc};

use flagship_canary::Revision;
use flagship_proto::model::{EnvoyInfo, WorkloadRef};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use command::NotStartable;
pub use config::{EnvoyConfig, EnvoyPlatformConfig, NodeConfig, WorkloadConfig};
pub use down::end_processes;
pub use record::RecordError;
pub use start::StartError;

use super::{Act, ActError, Platform, Seen};
use state::Shared;

/// The name under which a version's requests are counted in Envoy (trap 17).
pub fn cluster_name(workload: &WorkloadRef, digest: &flagship_proto::digest::Digest) -> String {
    state::cluster_name(workload, digest)
}

/// A running platform. Dropping it without [`EnvoyPlatform::stop`] leaves its tasks to the token.
pub struct EnvoyPlatform {
    shared: Arc<Shared>,
    xds: SocketAddr,
    tasks: TaskTracker,
}

impl EnvoyPlatform {
    /// Loads what was kept, adopts what still runs, and serves until `shutdown`.
    pub async fn start(
        config: EnvoyPlatformConfig,
        shutdown: CancellationToken,
    ) -> Result<Self, StartError> {
        start::start(config, shutdown).await
    }

    /// Where the Envoys find their configuration.
    pub fn xds_address(&self) -> SocketAddr {
        self.xds
    }

    /// The proxies, for the inventory.
    pub fn proxies(&self) -> Vec<EnvoyInfo> {
        let state = self.shared.lock();
        let of_node = |(id, node): (&String, &state::NodeState)| EnvoyInfo {
            node: id.clone(),
            version: node.version.clone(),
            connected: node.stream.is_some(),
        };
        state.nodes.iter().map(of_node).collect()
    }

    /// The admin interface of a proxy.
    pub fn admin_address(&self, node: &str) -> Option<SocketAddr> {
        self.shared.lock().nodes.get(node).map(|node| node.admin)
    }

    /// Tells the platform's own tasks to end, without waiting for them.
    pub fn stop_soon(&self) {
        self.shared.shutdown.cancel();
    }

    /// Ends the platform's own tasks. Processes and Envoys go on.
    pub async fn stop(self) {
        self.shared.shutdown.cancel();
        self.tasks.close();
        self.tasks.wait().await;
    }
}

impl Platform for EnvoyPlatform {
    fn workloads(&self) -> Vec<WorkloadRef> {
        self.shared.lock().workloads.keys().cloned().collect()
    }

    fn observe(&self, workload: &WorkloadRef) -> Option<Seen> {
        self.shared.lock().view(workload)
    }

    async fn identify(&self, workload: &WorkloadRef, version: &str) -> Result<Revision, ActError> {
        act::identify(&self.shared, workload, version).await
    }

    async fn act(&self, workload: &WorkloadRef, act: Act) -> Result<(), ActError> {
        act::act(&self.shared, workload, act).await
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.shared.seen.subscribe()
    }
}
