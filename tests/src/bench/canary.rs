//! A canary that passes at once: stands in for the platform and the analysis behind the real link.
//! It advances only with permission, and goes back when it is told.

use std::{collections::BTreeMap, time::Duration};

use flagship_agent::link::{Permission, handle::LinkHandle};
use flagship_proto::{
    digest::Digest,
    model::{Change, Intent, Phase, Tick, Weight, WorkloadRef, WorkloadStatus},
};
use tokio_util::sync::CancellationToken;

/// The version that serves before the first release.
pub const INITIAL: &str = "1.0.0";

/// The digest of a version, the same in every cluster.
pub fn digest(version: &str) -> Digest {
    Digest::of(version.as_bytes())
}

/// The workloads of one agent.
#[derive(Debug)]
pub struct Canaries {
    /// What may be done, and whom to tell.
    pub link: LinkHandle,
    /// Which workloads.
    pub workloads: Vec<WorkloadRef>,
}

impl Canaries {
    /// Runs until it is told to stop.
    pub async fn run(self, stop: CancellationToken) {
        let mut changes = self.link.changes();
        let mut told: BTreeMap<&WorkloadRef, WorkloadStatus> = BTreeMap::new();
        for workload in &self.workloads {
            let status = initial(workload, self.link.now());
            self.link.observe(status.clone(), 1, self.link.now());
            told.insert(workload, status);
        }
        loop {
            changes.borrow_and_update();
            for workload in &self.workloads {
                let now = self.link.now();
                let Some(permission) = self.link.permission(workload, now) else {
                    continue;
                };
                let Some(last) = told.get_mut(workload) else {
                    continue;
                };
                let next = status(last, &permission, now);
                if next != *last {
                    last.clone_from(&next);
                    self.link.observe(next, 1, now);
                }
            }
            tokio::select! {
                () = stop.cancelled() => return,
                _ = changes.changed() => {}
                () = tokio::time::sleep(Duration::from_secs(30)) => {}
            }
        }
    }
}

fn initial(workload: &WorkloadRef, now: Tick) -> WorkloadStatus {
    WorkloadStatus {
        workload: workload.clone(),
        fence: flagship_proto::model::Fence::default(),
        rollout: None,
        attempt: 0,
        intent: None,
        phase: Phase::Initialized,
        step: 0,
        weight: Weight::ZERO,
        observed: None,
        failed_checks: 0,
        version: None,
        digest: None,
        primary_version: Some(INITIAL.to_owned()),
        primary_digest: Some(digest(INITIAL)),
        can_return_to: Vec::new(),
        reason: "Initialized".to_owned(),
        message: String::new(),
        since: now.wall,
        aborted_by: None,
        local: Vec::new(),
    }
}

/// What a workload has become under a permission.
fn status(last: &WorkloadStatus, permission: &Permission, now: Tick) -> WorkloadStatus {
    let order = permission.order();
    let Change::Version(version) = &order.change else {
        return last.clone();
    };
    let (phase, weight, primary) = match permission.intent {
        Intent::Run if permission.may_advance => (Phase::Succeeded, Weight::FULL, version.as_str()),
        Intent::Run | Intent::Hold => return last.clone(),
        Intent::Retreat | Intent::Remove => (Phase::Failed, Weight::ZERO, INITIAL),
    };
    let next = WorkloadStatus {
        fence: order.fence,
        rollout: Some(order.rollout.clone()),
        attempt: order.attempt,
        intent: Some(permission.intent),
        phase,
        weight,
        observed: Some(weight),
        version: Some(version.clone()),
        digest: Some(digest(version)),
        primary_version: Some(primary.to_owned()),
        primary_digest: Some(digest(primary)),
        reason: phase.to_string(),
        aborted_by: permission.aborted_by.clone(),
        ..last.clone()
    };
    let since = if next == *last { last.since } else { now.wall };
    WorkloadStatus { since, ..next }
}
