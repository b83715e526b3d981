//! The store in memory: everything happens inside the call, so a transaction is ready at once.

use std::sync::{
    Arc, RwLock,
    atomic::{AtomicBool, Ordering},
};

use flagship_proto::model::Position;
use tokio::sync::watch::Sender;

use super::{
    table::{Batch, Table, read, write},
    txn::{Outcome, Txn},
    types::{Key, Listing, Part, Row, StoreError},
    watch::{ColdRead, Watch, WatchError},
};
use crate::audit::AuditHead;

/// Rows in memory. Clones share them.
#[derive(Debug, Clone)]
pub struct MemoryStore {
    table: Arc<RwLock<Table>>,
    changed: Sender<u64>,
    faults: Arc<Faults>,
}

/// What a test may make go wrong.
#[derive(Debug, Default)]
struct Faults {
    disk_low: AtomicBool,
    broken: AtomicBool,
}

impl MemoryStore {
    /// An empty store at an epoch.
    pub fn new(epoch: u64) -> Self {
        let start = Position { epoch, seq: 0 };
        Self {
            table: Arc::new(RwLock::new(Table::new(start, AuditHead::default()))),
            changed: Sender::new(0),
            faults: Arc::default(),
        }
    }

    /// A store of its own with the same rows: a copy of a data folder.
    pub fn copy(&self) -> Self {
        let table = read(&self.table).clone();
        Self {
            changed: Sender::new(table.position.seq),
            table: Arc::new(RwLock::new(table)),
            faults: Arc::default(),
        }
    }

    /// Makes it behave as on a disk that is nearly full: only urgent transactions commit.
    pub fn set_disk_low(&self, low: bool) {
        self.faults.disk_low.store(low, Ordering::SeqCst);
    }

    /// Makes every transaction fail as on a disk that is full.
    pub fn set_broken(&self, broken: bool) {
        self.faults.broken.store(broken, Ordering::SeqCst);
    }

    pub(super) fn get(&self, key: &Key) -> Option<Row> {
        read(&self.table).rows.get(key).cloned()
    }

    pub(super) fn list(&self, prefix: &str) -> Listing {
        let table = read(&self.table);
        Listing {
            rows: table.list(prefix),
            at: table.position.seq,
        }
    }

    pub(super) fn txn(&self, txn: Txn) -> Result<Outcome, StoreError> {
        let path = || "in memory".to_owned();
        if self.faults.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Io {
                path: path(),
                message: "no space left on device".to_owned(),
            });
        }
        if self.faults.disk_low.load(Ordering::SeqCst) && !txn.urgent {
            return Err(StoreError::DiskLow {
                path: path(),
                free: 0,
            });
        }
        let mut table = write(&self.table);
        let mut batch = Batch::over(&table, |_| Ok::<_, StoreError>(None));
        let outcome = batch.add(txn)?;
        let staged = batch.staged;
        if matches!(outcome, Outcome::Committed { .. }) {
            table.apply(staged, |_| true);
            self.changed.send_replace(table.position.seq);
        }
        Ok(outcome)
    }

    pub(super) fn watch(&self, prefix: &str, from: u64) -> Result<Watch, WatchError> {
        let cold: ColdRead = Arc::new(|_| Ok(None));
        Watch::new(
            Arc::clone(&self.table),
            self.changed.subscribe(),
            cold,
            prefix,
            from,
        )
    }

    pub(super) fn audit_head(&self) -> AuditHead {
        read(&self.table).audit
    }

    pub(super) fn export(
        &self,
        each: &mut dyn FnMut(Part) -> std::io::Result<()>,
    ) -> Result<(), StoreError> {
        let table = read(&self.table).clone();
        let mut all = || {
            each(Part::Head(table.position, table.audit))?;
            let mut rows = table.rows.iter();
            rows.try_for_each(|(key, row)| each(Part::Row(key.clone(), row.clone())))
        };
        all().map_err(|error| StoreError::Io {
            path: "memory".to_owned(),
            message: error.to_string(),
        })
    }

    pub(super) fn position(&self) -> Position {
        read(&self.table).position
    }
}
