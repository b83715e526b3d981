//! The work of the agent: the platform, and one driver a workload. It goes on without a hub, within
//! what the link allows.

use std::{path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use flagship_proto::{
    model::{Inventory, InventoryWorkload},
    process::{Clock, files, traces::Tracer},
};
use tokio::sync::Semaphore;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::FEATURES;
use crate::{
    config::AgentConfig,
    driver::{Drive, QueryClient, Settings, WorkloadDriver, drive, load_status},
    hook::HookClient,
    link::handle::LinkHandle,
    metrics::Counters,
    platform::{Platform as _, envoy::EnvoyPlatform},
};

/// Hooks and queries under way at once, over all workloads.
const WORKERS: usize = 16;

/// How often the inventory is told anew; a proxy that came or went is in the next `Hello`.
const INVENTORY: Duration = Duration::from_secs(5);

/// The platform that runs, and what its drivers share.
pub(super) struct Work {
    pub(super) platform: Arc<EnvoyPlatform>,
    clock: Clock,
    settings: Settings,
}

impl Work {
    /// Starts the platform: what still runs is adopted, what is missing is started.
    pub(super) async fn start(
        config: &AgentConfig,
        clock: Clock,
        stop: CancellationToken,
    ) -> anyhow::Result<Self> {
        let platform = EnvoyPlatform::start(config.platform(), stop)
            .await
            .context("the platform cannot be started")?;
        let settings = Settings {
            metrics_server: config.metrics_server.clone(),
            templates: config.templates(),
        };
        Ok(Self {
            platform: Arc::new(platform),
            clock,
            settings,
        })
    }

    /// What the cluster is and has now.
    pub(super) fn inventory(&self) -> Inventory {
        inventory(&self.platform)
    }

    /// One task a workload, and one that keeps the inventory true.
    pub(super) fn drive(
        &self,
        data: &Path,
        link: &LinkHandle,
        (counters, tracer): (&Counters, &Tracer),
        tasks: &TaskTracker,
        stop: &CancellationToken,
    ) -> anyhow::Result<()> {
        let folder = data.join("canaries");
        files::private_folder(&folder)?;
        let hooks = HookClient::default();
        let queries = QueryClient::default();
        let workers = Arc::new(Semaphore::new(WORKERS));
        for workload in self.platform.workloads() {
            let stored = load_status(&folder, &workload)?;
            let seen = self.platform.observe(&workload);
            let initial = seen
                .with_context(|| format!("{workload} is not configured"))?
                .initial;
            let now = self.clock.now();
            let driver = WorkloadDriver::new(workload, initial, self.settings.clone(), stored, now);
            tasks.spawn(drive(Drive {
                driver,
                folder: folder.clone(),
                platform: Arc::clone(&self.platform),
                link: Arc::new(link.clone()),
                hooks: hooks.clone(),
                queries: queries.clone(),
                workers: Arc::clone(&workers),
                tasks: tasks.clone(),
                counters: counters.clone(),
                tracer: tracer.clone(),
                clock: self.clock,
                stop: stop.clone(),
            }));
        }
        let platform = Arc::clone(&self.platform);
        let (link, stop) = (link.clone(), stop.clone());
        tasks.spawn(async move {
            while !stop.is_cancelled() {
                link.set_inventory(inventory(&platform));
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = tokio::time::sleep(INVENTORY) => {}
                }
            }
        });
        Ok(())
    }
}

fn inventory(platform: &EnvoyPlatform) -> Inventory {
    let workloads = platform.workloads().into_iter().map(|workload| {
        let seen = platform.observe(&workload);
        let primary = seen.as_ref().and_then(|seen| {
            let told = seen.route.told.as_ref();
            told.map(|route| route.primary.clone())
        });
        let version = primary.or_else(|| Some(seen.as_ref()?.initial.version.clone()));
        let digest = version.as_ref().and_then(|version| {
            let seen = seen.as_ref()?;
            let initial = (seen.initial.version == *version).then_some(seen.initial.digest)?;
            seen.digests.get(version).copied().or(initial)
        });
        InventoryWorkload {
            workload,
            version,
            digest,
            initial: seen.map(|seen| seen.initial.version),
        }
    });
    Inventory {
        agent: env!("CARGO_PKG_VERSION").to_owned(),
        platform: "envoy".to_owned(),
        features: FEATURES.iter().map(ToString::to_string).collect(),
        workloads: workloads.collect(),
        proxies: platform.proxies(),
        ..Inventory::default()
    }
}
