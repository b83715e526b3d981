//! The single writer: takes what waits, commits it together, then answers each caller.

use std::{
    sync::{
        Arc, RwLock,
        atomic::{AtomicU64, Ordering},
    },
    time::Instant,
};

use prometheus_client::metrics::histogram::Histogram;
use tokio::sync::{mpsc::UnboundedReceiver, oneshot, watch::Sender};

use super::file::RowFile;
use crate::store::{
    table::{Batch, Staged, Table, read, write},
    txn::{Outcome, Txn},
    types::{Key, StoreError, is_cold},
};

/// Most transactions that are committed together; more wait for the next commit.
const LARGEST_GROUP: usize = 4096;

/// A transaction and who waits for it.
pub(super) struct Job {
    pub(super) txn: Txn,
    pub(super) reply: oneshot::Sender<Result<Outcome, StoreError>>,
}

/// Runs on a thread of its own, so that no fsync holds up a task (trap 33).
pub(super) struct Writer {
    pub(super) file: Arc<RowFile>,
    pub(super) table: Arc<RwLock<Table>>,
    pub(super) changed: Sender<u64>,
    /// Counts the groups that became durable.
    pub(super) commits: Arc<AtomicU64>,
    /// How long each group took to become durable, or to fail.
    pub(super) commit_seconds: Histogram,
}

type Reply = oneshot::Sender<Result<Outcome, StoreError>>;

impl Writer {
    /// Ends when the last handle on the store is gone; what waits then is committed before.
    pub(super) fn run(self, mut jobs: UnboundedReceiver<Job>) {
        while let Some(first) = jobs.blocking_recv() {
            let mut group = vec![first];
            while group.len() < LARGEST_GROUP
                && let Ok(job) = jobs.try_recv()
            {
                group.push(job);
            }
            self.commit(group);
        }
    }

    fn commit(&self, group: Vec<Job>) {
        let space = self.file.check_space();
        let (staged, waiting) = self.stage(group, &space);
        let Some(staged) = staged else {
            return answer(waiting, None);
        };
        let began = Instant::now();
        let failed = self.file.commit(&staged).err();
        self.commit_seconds.observe(began.elapsed().as_secs_f64());
        if failed.is_none() {
            self.commits.fetch_add(1, Ordering::Relaxed);
            let seq = staged.position.seq;
            write(&self.table).apply(staged, |key| !is_cold(key.as_str()));
            self.changed.send_replace(seq);
        }
        answer(waiting, failed);
    }

    /// Preconditions are checked in the order in which transactions came; a loser writes nothing.
    fn stage(
        &self,
        group: Vec<Job>,
        space: &Result<(), StoreError>,
    ) -> (Option<Staged>, Vec<(Reply, Outcome)>) {
        let table = read(&self.table);
        let cold = |key: &Key| {
            if is_cold(key.as_str()) {
                self.file.get(key)
            } else {
                Ok(None)
            }
        };
        let mut batch = Batch::over(&table, cold);
        let mut waiting = Vec::with_capacity(group.len());
        for Job { txn, reply } in group {
            if let (Err(low), false) = (space, txn.urgent) {
                // The caller may have gone away; nobody else has to hear of it.
                let _ = reply.send(Err(low.clone()));
                continue;
            }
            match batch.add(txn) {
                Ok(outcome) => waiting.push((reply, outcome)),
                Err(error) => {
                    let _ = reply.send(Err(error));
                }
            }
        }
        let staged = (!batch.is_empty()).then_some(batch.staged);
        (staged, waiting)
    }
}

fn answer(waiting: Vec<(Reply, Outcome)>, failed: Option<StoreError>) {
    for (reply, outcome) in waiting {
        let result = match (&outcome, &failed) {
            (Outcome::Committed { .. }, Some(error)) => Err(error.clone()),
            (Outcome::Committed { .. } | Outcome::Conflict { .. }, _) => Ok(outcome),
        };
        // The caller may have gone away; the commit stands all the same.
        let _ = reply.send(result);
    }
}
