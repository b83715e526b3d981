//! The fleet in numbers: how many there are of what an on-call engineer asks for. It reads what is in
//! memory and names nobody, so it is as large for ten thousand clusters as for one.

use std::collections::{BTreeMap, BTreeSet};

use flagship_proto::model::{ClusterUid, Tick};

use super::{Fleet, Offence};

/// What happened since the process began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Tally {
    /// Sessions that were opened.
    pub opened: u64,
    /// Leases that were granted.
    pub granted: u64,
    /// Leases that were asked for and refused.
    pub refused: u64,
    /// Receipts that came, good and forged.
    pub receipts: u64,
    /// What agents did that no good one does.
    pub offences: BTreeMap<Offence, u64>,
}

/// The fleet at one moment, and since the process began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Census {
    /// Streams that are open.
    pub streams: usize,
    /// Those on which `Hello` was accepted.
    pub sessions: usize,
    /// Clusters that are members, whether or not they may advance.
    pub members: usize,
    /// Members with a session.
    pub connected: usize,
    /// Members whose lease still counts.
    pub leased: usize,
    /// Members in which nothing advances until a person looked.
    pub quarantined: usize,
    /// Members that nobody has confirmed since history went back.
    pub unconfirmed: usize,
    /// Whether the hub gives no orders and no leases, because its store is behind (P22).
    pub is_behind: bool,
    /// Aborts that stand.
    pub aborts: usize,
    /// Those of them that could not be stored yet.
    pub unstored: usize,
    /// Members that say of a standing abort that they did not stop.
    pub not_stopped: usize,
    /// Members that have not proved yet that they stopped under a standing abort.
    pub unanswered: usize,
    /// How old the view of the store is on which leases are granted; none while it is not known (P3).
    pub view_age_ms: Option<u64>,
    /// Since the process began.
    pub tally: Tally,
}

impl Fleet {
    /// Counts it.
    pub fn census(&self, now: Tick) -> Census {
        let live = self.sessions.values();
        let live = live.filter(|session| session.incarnation().is_some());
        let mut census = Census {
            streams: self.sessions.len(),
            sessions: live.count(),
            members: self.view.members.len(),
            is_behind: self.behind.is_some(),
            view_age_ms: self
                .freshness
                .age(now.mono)
                .map(|age| u64::try_from(age.as_millis()).unwrap_or(u64::MAX)),
            tally: self.tally.clone(),
            ..Census::default()
        };
        let is_leased = |until: Tick| {
            let left = until.mono.since(now.mono);
            left.is_some_and(|left| !left.is_zero())
        };
        for uid in self.view.members.keys() {
            let presence = self.presence(uid);
            census.connected += usize::from(presence.connected);
            census.leased += usize::from(presence.lease_until.is_some_and(is_leased));
            census.quarantined += usize::from(self.quarantine(uid).is_some());
            census.unconfirmed += usize::from(self.unconfirmed(uid).is_some());
        }
        let (mut not_stopped, mut unanswered) = (BTreeSet::new(), BTreeSet::new());
        for stored in self.view.aborts.values().filter(|stored| !stored.over) {
            census.aborts += 1;
            census.unstored += usize::from(stored.abort.position.is_none());
            let receipts = self.view.receipts.get(&stored.abort.id);
            let of = |uid: &ClusterUid| receipts.and_then(|of| of.get(uid));
            let members = self.view.members.keys();
            not_stopped.extend(members.filter(|uid| of(uid).is_some_and(|r| r.not_stopped)));
            unanswered.extend(self.view.unanswered(stored));
        }
        census.not_stopped = not_stopped.len();
        census.unanswered = unanswered.len();
        census
    }
}
