//! Ends everything that a platform started and left running: for taking a cluster down on purpose.

use std::{collections::BTreeMap, path::Path, time::Duration};

use rustix::process::Signal;
use tokio::time::{Instant, sleep};

use super::{
    found,
    process::{self, ProcessId},
    record::{self, Folders, PlatformRecord, RecordError, WorkloadRecord},
};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(50);

/// Ends the Envoys and then the processes that the records in `data` name or that bear its mark: SIGTERM, and SIGKILL after
/// `patience`. Says how many there were. Only while no agent runs on the folder: it would start them again.
pub async fn end_processes(data: &Path, patience: Duration) -> Result<usize, RecordError> {
    let folders = Folders::new(data);
    let mut platform: PlatformRecord = record::load(&folders.platform())?;
    let proxies: Vec<ProcessId> = platform
        .nodes
        .values_mut()
        .filter_map(|node| node.process.take())
        .collect();
    let mut processes = Vec::new();
    for path in folders.workload_records() {
        let mut workload: WorkloadRecord = record::load(&path)?;
        for version in workload.versions.values_mut() {
            for replica in std::mem::take(&mut version.replicas).into_values() {
                let found = replica
                    .process
                    .or_else(|| process::find_by_token(&replica.token));
                processes.extend(found);
            }
        }
    }
    for marked in found::find(&folders) {
        if !processes.contains(&marked.process) {
            processes.push(marked.process);
        }
    }
    let count = proxies
        .iter()
        .chain(&processes)
        .filter(|process| process.is_alive())
        .count();
    end(&proxies, patience).await;
    end(&processes, patience).await;
    Ok(count)
}

async fn end(processes: &[ProcessId], patience: Duration) {
    let began = Instant::now();
    let mut told: BTreeMap<i32, Signal> = BTreeMap::new();
    loop {
        let alive: Vec<&ProcessId> = processes.iter().filter(|p| p.is_alive()).collect();
        if alive.is_empty() {
            return;
        }
        let late = began.elapsed() >= patience;
        let signal = if late { Signal::KILL } else { Signal::TERM };
        for process in alive {
            if told.insert(process.pid, signal) != Some(signal) {
                process.signal(signal);
            }
        }
        sleep(LOOK).await;
    }
}
