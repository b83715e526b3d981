//! Joins the driver's port for the link to the link that the tasks share.

use flagship_proto::model::{Evidence, Incarnation, Tick, WorkloadRef, WorkloadStatus};
use tokio::sync::watch;

use crate::{
    driver::LinkPort,
    link::{Permission, handle::LinkHandle},
};

impl LinkPort for LinkHandle {
    fn permission(&self, workload: &WorkloadRef, now: Tick) -> Option<Permission> {
        self.permission(workload, now)
    }

    fn incarnation(&self) -> Incarnation {
        self.see(|link, _| link.incarnation()).unwrap_or_default()
    }

    fn observe(&self, status: WorkloadStatus, proxies: u32, now: Tick) {
        self.observe(status, proxies, now);
    }

    fn evidence(&self, workload: &WorkloadRef, evidence: Evidence) {
        self.evidence(workload, evidence);
    }

    fn changes(&self) -> watch::Receiver<u64> {
        self.changes()
    }
}
