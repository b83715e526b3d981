//! The store in one file (redb): one process, one writer thread, commits in groups (trap 33).
//!
//! All rows that are needed to decide are mirrored in memory; audit and history stay on disk and
//! are read there. `init` creates, `open` only opens: an empty, torn or foreign file is refused by
//! name and left as it is (trap 34). After an I/O error the file is opened again, since redb
//! answers nothing else until then (trap 12).

mod file;
#[cfg(test)]
mod tests;
mod writer;

pub(crate) use file::decode_row;

use std::{
    path::{Path, PathBuf},
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
};

use flagship_proto::model::Position;
use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::{mpsc, oneshot, watch::Sender};

use super::{
    table::{Table, read},
    txn::{Outcome, Txn},
    types::{Key, Listing, Part, Row, StoreError, is_cold},
    watch::{ColdRead, Watch, WatchError},
};
use crate::{audit::AuditHead, metrics};
use file::RowFile;

/// How a store in a file behaves.
#[derive(Debug, Clone, Copy)]
pub struct Options {
    /// With less free space than this, in bytes, only urgent transactions are taken.
    pub disk_low: u64,
    /// Size of the ballast file, in bytes: space that is given up for urgent transactions when the
    /// disk is full.
    pub ballast: u64,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            disk_low: 32 << 20,
            ballast: 8 << 20,
        }
    }
}

/// Rows in a file. Clones share it; it is closed when the last one is gone.
#[derive(Clone)]
pub struct EmbeddedStore {
    file: Arc<RowFile>,
    table: Arc<RwLock<Table>>,
    changed: Sender<u64>,
    queue: mpsc::UnboundedSender<writer::Job>,
    commits: Arc<AtomicU64>,
    commit_seconds: Histogram,
}

impl std::fmt::Debug for EmbeddedStore {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (path, commits) = (self.file.path(), self.commits.load(Ordering::Relaxed));
        write!(f, "EmbeddedStore({}, {commits} commits)", path.display())
    }
}

fn path_in(folder: &Path) -> PathBuf {
    folder.join("flagship.redb")
}

impl EmbeddedStore {
    /// Creates the file; a file that is there already is refused.
    pub fn init(folder: &Path, options: Options) -> Result<Self, StoreError> {
        let position = Position { epoch: 1, seq: 0 };
        let audit = AuditHead::default();
        let (file, table) = RowFile::create(&path_in(folder), options, position, audit, &[])?;
        Self::start(file, table)
    }

    /// Creates the file with what a backup holds.
    pub(super) fn restore(
        folder: &Path,
        position: Position,
        audit: AuditHead,
        rows: Vec<(Key, Row)>,
    ) -> Result<Self, StoreError> {
        let options = Options::default();
        let (file, table) = RowFile::create(&path_in(folder), options, position, audit, &rows)?;
        Self::start(file, table)
    }

    pub(super) fn export(
        &self,
        each: &mut dyn FnMut(Part) -> std::io::Result<()>,
    ) -> Result<(), StoreError> {
        self.file.export(each)
    }

    /// Opens the file that `init` made.
    pub fn open(folder: &Path, options: Options) -> Result<Self, StoreError> {
        let (file, table) = RowFile::open(&path_in(folder), options)?;
        Self::start(file, table)
    }

    fn start(file: RowFile, table: Table) -> Result<Self, StoreError> {
        let (queue, jobs) = mpsc::unbounded_channel();
        let changed = Sender::new(table.position.seq);
        let store = Self {
            file: Arc::new(file),
            table: Arc::new(RwLock::new(table)),
            changed,
            queue,
            commits: Arc::default(),
            commit_seconds: metrics::seconds(),
        };
        let writer = writer::Writer {
            file: Arc::clone(&store.file),
            table: Arc::clone(&store.table),
            changed: store.changed.clone(),
            commits: Arc::clone(&store.commits),
            commit_seconds: store.commit_seconds.clone(),
        };
        std::thread::Builder::new()
            .name("store-writer".to_owned())
            .spawn(move || writer.run(jobs))
            .map_err(|error| StoreError::Open {
                path: store.file.path().display().to_string(),
                message: format!("its writer thread cannot be started: {error}"),
            })?;
        Ok(store)
    }

    pub(super) fn get(&self, key: &Key) -> Result<Option<Row>, StoreError> {
        if is_cold(key.as_str()) {
            return self.file.get(key);
        }
        Ok(read(&self.table).rows.get(key).cloned())
    }

    pub(super) fn list(&self, prefix: &str) -> Result<Listing, StoreError> {
        let at = read(&self.table).position.seq;
        if is_cold(prefix) {
            let rows = self.file.list(prefix)?;
            return Ok(Listing { rows, at });
        }
        let table = read(&self.table);
        Ok(Listing {
            rows: table.list(prefix),
            at: table.position.seq,
        })
    }

    pub(super) async fn txn(&self, txn: Txn) -> Result<Outcome, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = writer::Job { txn, reply };
        self.queue.send(job).map_err(|_| StoreError::Closed)?;
        answer.await.map_err(|_| StoreError::Closed)?
    }

    pub(super) fn watch(&self, prefix: &str, from: u64) -> Result<Watch, WatchError> {
        let file = Arc::clone(&self.file);
        let cold: ColdRead = Arc::new(move |key| {
            if is_cold(key.as_str()) {
                file.get(key)
            } else {
                Ok(None)
            }
        });
        Watch::new(
            Arc::clone(&self.table),
            self.changed.subscribe(),
            cold,
            prefix,
            from,
        )
    }

    pub(super) fn commit_seconds(&self) -> Histogram {
        self.commit_seconds.clone()
    }

    pub(super) fn disk_free(&self) -> Option<u64> {
        self.file.disk_free()
    }

    pub(super) fn audit_head(&self) -> AuditHead {
        read(&self.table).audit
    }

    pub(super) fn position(&self) -> Position {
        read(&self.table).position
    }
}
