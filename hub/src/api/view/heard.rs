//! Who is heard: now, some time ago, or not since this hub process began. What is not known is not said.

use std::time::Duration;

use flagship_proto::model::{ClusterName, ClusterUid, Tick, lease::Bound};
use jiff::Timestamp;

use super::Seen;
use crate::{
    fleet::Presence,
    records::{ClusterRow, Stored},
};

/// An agent asks for its lease every third of it (P4): who missed two requests is not heard, its
/// connection open or not. A process that was stopped keeps its connection.
fn silence(lease: Duration) -> Duration {
    lease * 2 / 3
}

impl Seen {
    /// The cluster of this name that is not removed.
    pub fn named(&self, name: &ClusterName) -> Option<&Stored<ClusterRow>> {
        self.clusters.values().find(|row| row.name == *name)
    }

    /// Whether a cluster's agent has a session and speaks in it.
    pub fn connected(&self, uid: &ClusterUid) -> bool {
        let speaks = |presence: &Presence| {
            let age = presence.last_heard.map(|then| self.since(then));
            presence.connected && age.is_some_and(|age| age < silence(self.lease))
        };
        self.presences.get(uid).is_some_and(speaks)
    }

    /// Whether nobody has confirmed a member since history went back: what is known of it may be old.
    pub fn is_unconfirmed(&self, uid: &ClusterUid) -> bool {
        let row = self.clusters.get(uid);
        row.is_some_and(|row| row.state.is_member() && row.unconfirmed.is_some())
    }

    /// When a cluster's agent was last heard: by this process, else the last moment that the store
    /// knows of, which may lie long before the last word to a former process.
    pub fn last_heard(&self, uid: &ClusterUid) -> Option<Timestamp> {
        if let Some(live) = self.live(uid) {
            return Some(live.wall);
        }
        let row = self.clusters.get(uid);
        let seen = row.and_then(|row| row.last_seen);
        let workloads = row.into_iter().flat_map(|row| &row.inventory.workloads);
        let reports =
            workloads.filter_map(|has| self.reports.get(&(uid.clone(), has.workload.clone())));
        reports.map(|report| report.at).chain(seen).max()
    }

    /// Since when this process runs, if it has not heard the cluster at all.
    pub fn unheard_since(&self, uid: &ClusterUid) -> Option<Timestamp> {
        self.live(uid).is_none().then_some(self.started.wall)
    }

    /// Until when something may advance in a cluster that is not heard (P5); none if that is over.
    /// Leases of a former process are not known here: the longest that it gave counts from this one's
    /// start.
    pub fn may_advance_until(&self, uid: &ClusterUid) -> Option<Timestamp> {
        let bound = |lease| Bound { lease }.length();
        let own = self.presences.get(uid).and_then(|one| one.lease_until);
        let own = own.map(|until| until.plus(bound(self.lease).saturating_sub(self.lease)));
        let former = self.started.plus(bound(self.longest));
        let left = |until: &Tick| until.mono.since(self.now.mono).unwrap_or_default();
        let until = [former].into_iter().chain(own).max_by_key(left)?;
        (!left(&until).is_zero()).then_some(until.wall)
    }

    fn live(&self, uid: &ClusterUid) -> Option<Tick> {
        self.presences.get(uid)?.last_heard
    }

    fn since(&self, then: Tick) -> Duration {
        self.now.mono.since(then.mono).unwrap_or_default()
    }
}
