//! What can be done, and how it is kept: an advance is kept before any proxy hears of it, a retreat goes
//! out first (P13).

use std::sync::Arc;

use flagship_canary::{Direction, Revision, Route, Scale};
use flagship_proto::{
    digest::Digest,
    model::{Weight, WorkloadRef},
};
use tracing::{info, warn};

use super::{
    super::{Act, ActError},
    state::{Failed, Shared},
};

pub(super) async fn act(
    shared: &Arc<Shared>,
    workload: &WorkloadRef,
    act: Act,
) -> Result<(), ActError> {
    if !shared.lock().workloads.contains_key(workload) {
        return Err(ActError::UnknownWorkload(workload.clone()));
    }
    match act {
        Act::SetRoute { route, direction } => set_route(shared, workload, route, direction).await,
        Act::EnsureVersion { revision, scale } => ensure(shared, workload, revision, scale).await,
        Act::StopVersion { version } => stop(shared, workload, &version).await,
    }
}

/// What a version is identified by: what it was started as, else what would be started.
pub(super) async fn identify(
    shared: &Arc<Shared>,
    workload: &WorkloadRef,
    version: &str,
) -> Result<Revision, ActError> {
    let (config, running) = {
        let state = shared.lock();
        let known = state.workloads.get(workload);
        let known = known.ok_or_else(|| ActError::UnknownWorkload(workload.clone()))?;
        (known.config.clone(), state.revision(workload, version))
    };
    if let Some(running) = running {
        return Ok(running);
    }
    let (shared, name) = (shared.clone(), version.to_owned());
    let read = move || shared.identifier.digest(&config.command, &name);
    let digest = tokio::task::spawn_blocking(read)
        .await
        .expect("reading a file does not panic")
        .map_err(|error| ActError::Refused(error.to_string()))?;
    Ok(Revision {
        version: version.to_owned(),
        digest: Some(digest),
    })
}

async fn set_route(
    shared: &Arc<Shared>,
    workload: &WorkloadRef,
    route: Route,
    direction: Direction,
) -> Result<(), ActError> {
    {
        let mut state = shared.lock();
        let Some(known) = state.workloads.get_mut(workload) else {
            return Err(ActError::UnknownWorkload(workload.clone()));
        };
        known.check_route(&route)?;
        if known.record.route.as_ref() == Some(&route) && known.pending.is_none() {
            if state.uncap(workload, direction) {
                drop(state);
                shared.want();
            }
            return Ok(());
        }
        match direction {
            Direction::Advance => known.pending = Some(route.clone()),
            Direction::Retreat => known.set_route(route.clone()),
        }
    }
    info!(%workload, primary = route.primary, canary = route.canary, weight = %route.weight, ?direction, "the route was told");
    match direction {
        Direction::Retreat => {
            shared.want();
            keep(shared, workload).await
        }
        Direction::Advance => {
            let kept = keep(shared, workload).await;
            {
                let mut state = shared.lock();
                let Some(known) = state.workloads.get_mut(workload) else {
                    return Err(ActError::UnknownWorkload(workload.clone()));
                };
                if known.pending.as_ref() != Some(&route) {
                    return Err(ActError::Refused(
                        "a newer route overtook this one".to_owned(),
                    ));
                }
                known.pending = None;
                kept?;
                // It may have died while the route was being kept.
                known.check_route(&route)?;
                known.set_route(route);
                state.uncap(workload, direction);
            }
            shared.want();
            Ok(())
        }
    }
}

async fn ensure(
    shared: &Arc<Shared>,
    workload: &WorkloadRef,
    revision: Revision,
    scale: Scale,
) -> Result<(), ActError> {
    let digest = startable(shared, workload, &revision).await;
    take(shared, workload, (revision, scale), digest, None).await
}

/// The digest of a version that can be started here as it was ordered, else why it cannot.
async fn startable(
    shared: &Arc<Shared>,
    workload: &WorkloadRef,
    revision: &Revision,
) -> Result<Digest, String> {
    let version = &revision.version;
    let found = identify(shared, workload, version).await;
    match (found, revision.digest) {
        (Err(error), _) => Err(error.to_string()),
        (Ok(found), wanted) => match (found.digest, wanted) {
            (Some(here), Some(ordered)) if here != ordered => Err(format!(
                "version {version} is digest {} here, and {} was ordered: the command or the executable differs",
                here.short(),
                ordered.short()
            )),
            (Some(here), _) => Ok(here),
            (None, _) => Err(format!("version {version} has no digest here")),
        },
    }
}

/// Looks again at the versions that are wanted and could not be started: what was mended meanwhile is started,
/// nobody has to ask for it a second time.
pub(super) async fn again(shared: &Arc<Shared>) {
    let failed: Vec<(WorkloadRef, Failed)> = {
        let state = shared.lock();
        let all = state.workloads.iter().flat_map(|(workload, known)| {
            let failed = known.failed.values().cloned();
            failed.map(|failed| (workload.clone(), failed))
        });
        all.collect()
    };
    for (workload, failed) in failed {
        let digest = startable(shared, &workload, &failed.revision).await;
        if digest.as_ref() == Err(&failed.why) {
            continue;
        }
        if digest.is_ok() {
            info!(%workload, version = failed.revision.version, "a version can be started again");
        }
        let wanted = (failed.revision.clone(), failed.scale);
        if let Err(error) = take(shared, &workload, wanted, digest, Some(&failed)).await {
            warn!(%workload, %error, "a version that can be started again");
        }
    }
}

/// Has a version run at a scale, or notes why it cannot be started. Of what had `failed` only if it is wanted as
/// it was then: it may have been stopped meanwhile.
async fn take(
    shared: &Arc<Shared>,
    workload: &WorkloadRef,
    (revision, scale): (Revision, Scale),
    digest: Result<Digest, String>,
    failed: Option<&Failed>,
) -> Result<(), ActError> {
    let version = &revision.version;
    let changed = {
        let mut state = shared.lock();
        let Some(known) = state.workloads.get_mut(workload) else {
            return Err(ActError::UnknownWorkload(workload.clone()));
        };
        if failed.is_some_and(|failed| known.failed.get(version) != Some(failed)) {
            return Ok(());
        }
        match digest {
            Ok(digest) => {
                known.failed.remove(version);
                let before = known.record.clone();
                known.ensure(version, digest, scale);
                known.record != before
            }
            Err(why) => {
                // Shown with the version, where the engine looks for it; it is tried again.
                let failed = Failed {
                    revision: revision.clone(),
                    scale,
                    why: why.clone(),
                };
                if known.failed.insert(version.clone(), failed).is_none() {
                    warn!(%workload, version, why, "a version cannot be started");
                }
                drop(state);
                shared.saw();
                return Ok(());
            }
        }
    };
    if !changed {
        return Ok(());
    }
    let kept = keep(shared, workload).await;
    shared.want();
    kept
}

async fn stop(shared: &Arc<Shared>, workload: &WorkloadRef, version: &str) -> Result<(), ActError> {
    {
        let mut state = shared.lock();
        let Some(known) = state.workloads.get_mut(workload) else {
            return Err(ActError::UnknownWorkload(workload.clone()));
        };
        known.failed.remove(version);
        if let Some(route) = known.record.route.as_ref().or(known.pending.as_ref()) {
            let share = route.share(version);
            if share > Weight::ZERO || route.primary == version {
                return Err(ActError::Refused(format!(
                    "version {version} is not stopped: the route gives it {share}"
                )));
            }
        }
        let Some(record) = known.record.versions.get_mut(version) else {
            return Ok(());
        };
        if std::mem::replace(&mut record.stopping, true) {
            return Ok(());
        }
    }
    info!(%workload, version, "a version is to end");
    let kept = keep(shared, workload).await;
    shared.want();
    kept
}

async fn keep(shared: &Arc<Shared>, workload: &WorkloadRef) -> Result<(), ActError> {
    let kept = shared.keep(workload).await;
    kept.map_err(|error| ActError::NotKept(error.to_string()))
}
