//! The start of the platform: nothing is answered to any Envoy before the records are loaded and the
//! processes that still run are known (trap 5).

use std::{
    collections::BTreeMap,
    io,
    net::{Ipv4Addr, SocketAddr},
    path::PathBuf,
    sync::Arc,
};

use flagship_proto::{
    model::{WorkloadRef, canary::Problem},
    process::files::FileError,
};
use tokio::net::TcpListener;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tracing::{error, warn};

use super::{
    EnvoyPlatform, command,
    config::{EnvoyPlatformConfig, WorkloadConfig},
    found, poll, ports,
    process::{self, ProcessId},
    proxy::{self, Proxy},
    record::{self, Folders, PlatformRecord, RecordError, WorkloadRecord},
    state::{Live, NodeState, Shared, State, WorkloadState},
    supervise, xds,
};

/// Why the platform could not be started.
#[derive(Debug, thiserror::Error)]
pub enum StartError {
    /// The configuration makes no sense.
    #[error("{}", .0.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))]
    Config(Vec<Problem>),
    /// Envoy is to be started and is not there.
    #[error("envoy.binary {} is missing or not executable: install Envoy or name its path", .0.display())]
    NoEnvoy(PathBuf),
    /// What was kept could not be read.
    #[error(transparent)]
    Record(#[from] RecordError),
    /// A file or folder could not be written.
    #[error(transparent)]
    File(#[from] FileError),
    /// The xDS server could not listen.
    #[error(
        "cannot listen for Envoys on {address}: {source}; end what uses the port, or set envoy.listen"
    )]
    Listen {
        /// Where.
        address: SocketAddr,
        /// The system's answer.
        source: io::Error,
    },
    /// No port could be picked for an admin interface.
    #[error("no free port for Envoy's admin interface: {0}")]
    NoPort(io::Error),
}

pub(super) async fn start(
    config: EnvoyPlatformConfig,
    shutdown: CancellationToken,
) -> Result<EnvoyPlatform, StartError> {
    let problems = config.validate();
    if !problems.is_empty() {
        return Err(StartError::Config(problems));
    }
    let binary = command::find_executable(&config.envoy.binary);
    if config.envoy.start && binary.is_none() {
        return Err(StartError::NoEnvoy(config.envoy.binary));
    }
    let folders = Folders::new(&config.data);
    folders.create()?;
    let mut platform: PlatformRecord = record::load(&folders.platform())?;
    let mut records = load_workloads(&config.workloads, &folders)?;
    found::take_up(&mut records, found::find(&folders)).await;
    let workloads = records
        .into_iter()
        .map(|(workload, (config, record))| (workload, workload_state(config, record)))
        .collect();
    let listener = listen(config.envoy.listen, &mut platform).await?;
    let xds = listener.local_addr().map_err(|source| StartError::Listen {
        address: config.envoy.listen,
        source,
    })?;
    let nodes = nodes(&config, &mut platform)?;
    record::save(&folders.platform(), &platform)?;
    let proxies: Vec<Proxy> = nodes
        .iter()
        .filter(|_| config.envoy.start)
        .filter_map(|(node, known)| {
            Some(Proxy {
                node: node.clone(),
                binary: binary.clone()?,
                admin: known.admin,
                xds,
            })
        })
        .collect();
    let state = State {
        workloads,
        nodes,
        platform,
    };
    let shared = Arc::new(Shared::new(state, folders, shutdown));
    identify_initial(&shared).await;
    let tasks = TaskTracker::new();
    for node in shared.lock().nodes.keys() {
        tasks.spawn(poll::run(shared.clone(), node.clone()));
    }
    for each in proxies {
        tasks.spawn(proxy::run(shared.clone(), each));
    }
    tasks.spawn(supervise::run(shared.clone()));
    tasks.spawn(supervise::try_again(shared.clone()));
    let (server, server_tasks) = (shared.clone(), tasks.clone());
    tasks.spawn(async move {
        let shutdown = server.shutdown.clone();
        if let Err(error) = xds::server::serve(server, listener, server_tasks).await {
            error!(%error, "the xDS server ended");
        }
        // A critical task that ends ends the agent.
        shutdown.cancel();
    });
    Ok(EnvoyPlatform { shared, xds, tasks })
}

/// Binds where Envoys look: a picked port is kept, because it stands in their bootstrap.
async fn listen(
    wanted: SocketAddr,
    platform: &mut PlatformRecord,
) -> Result<TcpListener, StartError> {
    let mut address = wanted;
    if wanted.port() == 0 {
        let picked = platform
            .xds_port
            .map_or_else(|| ports::pick(&Default::default()), Ok);
        let picked = picked.map_err(|source| StartError::Listen { address, source })?;
        platform.xds_port = Some(picked);
        address.set_port(picked);
    }
    TcpListener::bind(address)
        .await
        .map_err(|source| StartError::Listen { address, source })
}

fn nodes(
    config: &EnvoyPlatformConfig,
    platform: &mut PlatformRecord,
) -> Result<BTreeMap<String, NodeState>, StartError> {
    let mut nodes = BTreeMap::new();
    let mut taken: std::collections::BTreeSet<u16> = platform.xds_port.into_iter().collect();
    for node in config.envoy.proxies() {
        let record = platform.nodes.entry(node.id.clone()).or_default();
        let mut admin = node.admin;
        if admin.port() == 0 {
            let picked = record.admin_port.map_or_else(|| ports::pick(&taken), Ok);
            let picked = picked.map_err(StartError::NoPort)?;
            taken.insert(picked);
            record.admin_port = Some(picked);
            admin.set_port(picked);
        }
        if admin.ip().is_unspecified() {
            admin.set_ip(Ipv4Addr::LOCALHOST.into());
        }
        nodes.insert(node.id, NodeState::new(admin, record.started));
    }
    Ok(nodes)
}

fn load_workloads(
    configured: &[WorkloadConfig],
    folders: &Folders,
) -> Result<BTreeMap<WorkloadRef, (WorkloadConfig, WorkloadRecord)>, StartError> {
    let mut known = BTreeMap::new();
    for config in configured {
        let record: WorkloadRecord = record::load(&folders.workload(&config.workload))?;
        let workload = config.workload.clone();
        known.insert(workload, (config.clone(), record));
    }
    let paths: Vec<PathBuf> = known
        .keys()
        .map(|workload| folders.workload(workload))
        .collect();
    for path in folders.workload_records() {
        if !paths.contains(&path) {
            warn!(path = %path.display(), "a workload is no longer configured; its processes are left as they are");
        }
    }
    Ok(known)
}

/// Processes that still run and took requests go on taking them from the first answer on.
fn workload_state(config: WorkloadConfig, record: WorkloadRecord) -> WorkloadState {
    let mut live = BTreeMap::new();
    for (version, known) in &record.versions {
        for (number, replica) in &known.replicas {
            let process = replica.process.clone();
            let found = process.or_else(|| process::find_by_token(&replica.token));
            let ready = replica.was_ready && found.as_ref().is_some_and(ProcessId::is_alive);
            let draining = false;
            live.insert((version.clone(), *number), Live { ready, draining });
        }
    }
    WorkloadState {
        config: Arc::new(config),
        record,
        pending: None,
        initial: None,
        live,
        troubles: BTreeMap::new(),
        failed: BTreeMap::new(),
        lowered: None,
    }
}

/// The digests of the configured versions; one that cannot be started has none, and says so when asked.
async fn identify_initial(shared: &Arc<Shared>) {
    let shared = shared.clone();
    let work = tokio::task::spawn_blocking(move || {
        let configs: Vec<Arc<WorkloadConfig>> = shared
            .lock()
            .workloads
            .values()
            .map(|known| known.config.clone())
            .collect();
        for config in configs {
            match shared.identifier.digest(&config.command, &config.version) {
                Ok(digest) => {
                    if let Some(known) = shared.lock().workloads.get_mut(&config.workload) {
                        known.initial = Some(digest);
                    }
                }
                Err(error) => warn!(workload = %config.workload, %error, "the configured version"),
            }
        }
    });
    work.await.expect("reading executables does not panic");
}
