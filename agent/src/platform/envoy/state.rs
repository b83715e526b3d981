//! What the platform knows at this moment, behind one lock that is only ever held for a moment: the
//! records, the processes, and what each proxy said. No I/O but the keeping of records.

mod proxies;
mod view;
mod workloads;

use std::{
    collections::BTreeMap,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex, MutexGuard},
};

use flagship_canary::{Revision, Route, Scale};
use flagship_proto::digest::Digest;
use flagship_proto::{
    model::{Weight, WorkloadRef},
    process::{Clock, files::FileError},
};
use jiff::Timestamp;
use tokio::sync::{Notify, watch};
use tokio_util::sync::CancellationToken;

use super::{
    admin::{ReadBack, Reading},
    command::Identifier,
    config::WorkloadConfig,
    record::{self, Folders, PlatformRecord, WorkloadRecord},
    xds::Kind,
};

/// Shared by the server, the supervisors, the readers of proxies and the driver.
pub(super) struct Shared {
    state: Mutex<State>,
    /// Something was seen that the driver may want to look at.
    pub seen: watch::Sender<u64>,
    /// Something is wanted otherwise: streams and supervisors look again.
    pub wanted: watch::Sender<u64>,
    pub folders: Folders,
    pub identifier: Identifier,
    pub clock: Clock,
    pub shutdown: CancellationToken,
    /// One write of records at a time, the newest last.
    writes: tokio::sync::Mutex<()>,
}

/// All that is known.
#[derive(Default)]
pub(super) struct State {
    pub workloads: BTreeMap<WorkloadRef, WorkloadState>,
    pub nodes: BTreeMap<String, NodeState>,
    pub platform: PlatformRecord,
}

/// One workload.
pub(super) struct WorkloadState {
    pub config: Arc<WorkloadConfig>,
    pub record: WorkloadRecord,
    /// An advance that is being kept, and is not yet told to any proxy.
    pub pending: Option<Route>,
    /// The digest of the configuration's version.
    pub initial: Option<Digest>,
    /// Processes by version and number.
    pub live: BTreeMap<(String, u32), Live>,
    /// Troubles by version.
    pub troubles: BTreeMap<String, Troubles>,
    /// Versions that are wanted and cannot be started at all.
    pub failed: BTreeMap<String, Failed>,
    /// Why the platform itself lowered the weight.
    pub lowered: Option<String>,
}

/// A version that is wanted and cannot be started at all.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Failed {
    /// As it was ordered.
    pub revision: Revision,
    pub scale: Scale,
    /// Why it cannot.
    pub why: String,
}

/// One process as it is now.
#[derive(Debug, Clone, Default)]
pub(super) struct Live {
    pub ready: bool,
    pub draining: bool,
}

/// What is wrong with a version.
#[derive(Debug, Clone, Default)]
pub(super) struct Troubles {
    /// Ends that nobody asked for since it last ran for a while.
    pub crashes: u32,
    pub last_crash: Option<String>,
    pub not_startable: Option<String>,
    /// Why its end waits.
    pub held: Option<String>,
}

/// In place of routes that were read before the newest ones were acknowledged: it passes by itself.
pub(super) const TO_BE_READ: &str = "not read since the route was acknowledged";

/// One proxy.
pub(super) struct NodeState {
    pub admin: SocketAddr,
    pub version: String,
    /// The open stream; a newer one replaces an older.
    pub stream: Option<u64>,
    /// Versions that it acknowledged on this stream.
    pub acknowledged: BTreeMap<(Kind, String), String>,
    pub refused: BTreeMap<Kind, String>,
    /// What a canary may have at most until an advance is told while it is connected (S4, P17).
    pub ceilings: BTreeMap<WorkloadRef, (String, Weight)>,
    /// What it served of a version that the route does not name when it connected.
    pub served: BTreeMap<WorkloadRef, (String, Weight)>,
    /// Its routes as read back, or why they could not be read.
    pub routes: Result<ReadBack, String>,
    /// How many routes it acknowledged: what was read meanwhile may be from before.
    pub routes_taken: u64,
    /// Its counters; none until they were read.
    pub reading: Option<(Reading, Timestamp)>,
    pub started: Option<Timestamp>,
    /// Read it again now.
    pub look: Arc<Notify>,
}

impl NodeState {
    pub(super) fn new(admin: SocketAddr, started: Option<Timestamp>) -> Self {
        Self {
            admin,
            version: String::new(),
            stream: None,
            acknowledged: BTreeMap::new(),
            refused: BTreeMap::new(),
            ceilings: BTreeMap::new(),
            served: BTreeMap::new(),
            routes: Err("not read yet".to_owned()),
            routes_taken: 0,
            reading: None,
            started,
            look: Arc::new(Notify::new()),
        }
    }
}

impl Shared {
    pub(super) fn new(state: State, folders: Folders, shutdown: CancellationToken) -> Self {
        Self {
            state: Mutex::new(state),
            seen: watch::Sender::new(0),
            wanted: watch::Sender::new(0),
            folders,
            identifier: Identifier::default(),
            clock: Clock::new(),
            shutdown,
            writes: tokio::sync::Mutex::new(()),
        }
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no holder of this lock panics")
    }

    /// Something was seen.
    pub(super) fn saw(&self) {
        self.seen.send_modify(|count| *count += 1);
    }

    /// Something is wanted otherwise.
    pub(super) fn want(&self) {
        self.wanted.send_modify(|count| *count += 1);
        self.saw();
    }

    /// Keeps the newest record of a workload on disk.
    pub(super) async fn keep(self: &Arc<Self>, workload: &WorkloadRef) -> Result<(), FileError> {
        let path = self.folders.workload(workload);
        let workload = workload.clone();
        self.write(path, move |state| {
            let known = state.workloads.get(&workload)?;
            let mut record = known.record.clone();
            if let Some(pending) = &known.pending {
                record.route = Some(pending.clone());
            }
            Some(record)
        })
        .await
    }

    /// Keeps the newest record of the platform itself on disk.
    pub(super) async fn keep_platform(self: &Arc<Self>) -> Result<(), FileError> {
        self.write(self.folders.platform(), |state| {
            Some(state.platform.clone())
        })
        .await
    }

    async fn write<T: serde::Serialize + Send + 'static>(
        self: &Arc<Self>,
        path: PathBuf,
        newest: impl FnOnce(&State) -> Option<T>,
    ) -> Result<(), FileError> {
        let _one_at_a_time = self.writes.lock().await;
        let Some(record) = newest(&self.lock()) else {
            return Ok(());
        };
        tokio::task::spawn_blocking(move || record::save(&path, &record))
            .await
            .expect("writing a record does not panic")
    }
}

/// The name of a version's cluster in Envoy (trap 17).
pub(super) fn cluster_name(workload: &WorkloadRef, digest: &Digest) -> String {
    format!("{}@{}", workload.name(), digest.short())
}
