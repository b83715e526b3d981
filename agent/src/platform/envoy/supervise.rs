//! Which processes there should be: starts a task for each, ends those that are wanted no more, and
//! forgets a version when its last process has ended.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use flagship_proto::model::WorkloadRef;
use tokio::{sync::watch, task::JoinSet};
use tracing::{info, warn};

use super::{
    act,
    replica::{self, ReplicaKey, Wish},
    state::Shared,
};

/// Looks again after this even if nothing was told.
const EVERY: Duration = Duration::from_secs(2);

/// Looks again this often at what could not be started.
const AGAIN: Duration = Duration::from_secs(3);

/// Tries again until shutdown what could not be started.
pub(super) async fn try_again(shared: Arc<Shared>) {
    loop {
        tokio::select! {
            () = tokio::time::sleep(AGAIN) => act::again(&shared).await,
            () = shared.shutdown.cancelled() => break,
        }
    }
}

/// Supervises all workloads until shutdown; the processes live on.
pub(super) async fn run(shared: Arc<Shared>) {
    let mut wanted = shared.wanted.subscribe();
    let mut tasks: JoinSet<ReplicaKey> = JoinSet::new();
    let mut wishes: BTreeMap<ReplicaKey, watch::Sender<Wish>> = BTreeMap::new();
    loop {
        wanted.mark_unchanged();
        for (key, wish) in desired(&shared) {
            match wishes.get(&key) {
                Some(sender) => {
                    sender.send_if_modified(|now| std::mem::replace(now, wish) != wish);
                }
                None => {
                    let (sender, receiver) = watch::channel(wish);
                    wishes.insert(key.clone(), sender);
                    tasks.spawn(replica::run(shared.clone(), key, receiver));
                }
            }
        }
        forget_ended_versions(&shared).await;
        tokio::select! {
            _ = wanted.changed() => {}
            () = tokio::time::sleep(EVERY) => {}
            Some(ended) = tasks.join_next() => {
                let key = ended.expect("a supervising task does not panic");
                wishes.remove(&key);
            }
            () = shared.shutdown.cancelled() => break,
        }
    }
    while tasks.join_next().await.is_some() {}
}

/// Every process that runs or should, and whether it should.
fn desired(shared: &Shared) -> Vec<(ReplicaKey, Wish)> {
    let state = shared.lock();
    let mut all = Vec::new();
    for (workload, known) in &state.workloads {
        for (version, record) in &known.record.versions {
            let count = known.count(record);
            let further = record
                .replicas
                .keys()
                .copied()
                .filter(|number| *number >= count);
            let run = (0..count).map(|number| (number, Wish::Run));
            for (number, wish) in run.chain(further.map(|number| (number, Wish::End))) {
                let key = ReplicaKey {
                    workload: workload.clone(),
                    version: version.clone(),
                    number,
                };
                all.push((key, wish));
            }
        }
    }
    all
}

async fn forget_ended_versions(shared: &Arc<Shared>) {
    let ended: Vec<(WorkloadRef, String)> = {
        let state = shared.lock();
        let all = state.workloads.iter().flat_map(|(workload, known)| {
            let ended = known
                .record
                .versions
                .iter()
                .filter(|(_, record)| record.stopping && record.replicas.is_empty());
            ended.map(|(version, _)| (workload.clone(), version.clone()))
        });
        all.filter(|(workload, version)| state.is_without_traffic(workload, version).is_ok())
            .collect()
    };
    for (workload, version) in ended {
        {
            let mut state = shared.lock();
            let Some(known) = state.workloads.get_mut(&workload) else {
                continue;
            };
            known.record.versions.remove(&version);
            known.troubles.remove(&version);
            if let Some(route) = &mut known.record.route
                && route.canary.as_ref() == Some(&version)
            {
                route.canary = None;
            }
        }
        info!(%workload, version, "a version has ended");
        if let Err(error) = shared.keep(&workload).await {
            warn!(%error, "the end of a version could not be kept");
        }
        shared.want();
    }
}
