//! Local control as the hub hears of it: each act audited once, and a person's word on the hub that
//! it ends sent to the agent that keeps it.

use flagship_proto::{
    model::{
        ClusterName, ClusterUid, HubMessage, LocalAct, LocalActor, Tick, WorkloadRef,
        WorkloadStatus,
    },
    sign::Kind,
    words::given,
};

use super::{Fleet, SessionId, queue::Key};
use crate::audit::AuditEntry;

impl Fleet {
    /// Marks what a session has to be told of local control that ends.
    pub(super) fn tell_local_releases(&mut self, id: SessionId, uid: &ClusterUid, now: Tick) {
        let workloads = self.view.local_releases.get(uid).into_iter().flatten();
        let due: Vec<WorkloadRef> = workloads
            .filter(|(workload, _)| self.is_meant(uid, workload))
            .map(|(workload, _)| workload.clone())
            .collect();
        for workload in due {
            self.mark(id, Key::LocalRelease(workload), now);
        }
    }

    /// Whether the act that a stored release names is what the cluster last said that stands.
    fn is_meant(&self, uid: &ClusterUid, workload: &WorkloadRef) -> bool {
        let release = self.view.local_releases.get(uid);
        let release = release.and_then(|all| all.get(workload));
        let reports = self.view.reports.get(uid);
        let stands = reports
            .and_then(|all| all.get(workload))
            .and_then(|report| report.status.local_control());
        release
            .zip(stands)
            .is_some_and(|(release, stands)| release.act == stands.id)
    }

    pub(super) fn render_local_release(
        &self,
        uid: &ClusterUid,
        workload: &WorkloadRef,
    ) -> Option<HubMessage> {
        if self.behind.is_some() || !self.is_meant(uid, workload) {
            return None;
        }
        let release = self.view.local_releases.get(uid)?.get(workload)?.clone();
        let signed = self.sign(Kind::LocalRelease, release);
        Some(HubMessage::LocalRelease(Box::new(signed)))
    }
}

/// Acts that a report brings and the one before did not have.
pub(super) fn new_acts<'a>(
    before: Option<&'a WorkloadStatus>,
    status: &'a WorkloadStatus,
) -> impl Iterator<Item = &'a LocalAct> {
    let known = move |act: &LocalAct| before.is_some_and(|before| before.local.contains(act));
    status.local.iter().filter(move |act| !known(act))
}

/// Entries for new acts. What a person on the hub ended was audited when it was ended.
pub(super) fn audit(
    cluster: &ClusterName,
    before: Option<&WorkloadStatus>,
    status: &WorkloadStatus,
    now: Tick,
) -> Vec<AuditEntry> {
    new_acts(before, status)
        .filter_map(|act| {
            let LocalAct {
                id: _,
                verb,
                by,
                at,
                reason,
            } = act;
            let actor = match by {
                LocalActor::Spot { .. } => format!("{by} in {cluster}"),
                LocalActor::Hub { .. } => return None,
            };
            let action = format!("local.{}", verb.word());
            let object = format!("workload {} in cluster {cluster}", status.workload);
            let said = at.strftime("%F %H:%M:%SZ");
            let reason = format!("{} (said on the spot at {said})", given(reason));
            Some(AuditEntry::new(now.wall, &actor, &action, &object, &reason))
        })
        .collect()
}
