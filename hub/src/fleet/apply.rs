//! Rows that changed, taken into the view, and what follows for the sessions: an abort goes out at
//! once, an order when it differs from what the agent holds, a member that left is sent away.

use std::collections::{BTreeMap, BTreeSet};

use flagship_proto::model::{ClusterUid, GoodbyeCode, Incarnation, Position, Tick, WorkloadRef};

use super::{
    Fleet, SessionId,
    queue::Key,
    session::goodbye,
    view::{Change, Member, StoredAbort, View},
};

impl Fleet {
    /// Everything that the store holds, as of one position. What sessions were told stays; they are
    /// told what differs, and members that are not there any more are sent away.
    pub fn load(&mut self, rows: Vec<Change>, at: Position, now: Tick) {
        self.freshness.listed();
        let before = std::mem::take(&mut self.view);
        // Aborts that could not be stored are in no list, and what was seen before stays seen.
        self.view = View {
            aborts: before.aborts,
            ..View::default()
        };
        self.apply(rows, at, now);
        let known = before.members.into_keys();
        let gone: Vec<ClusterUid> = known
            .filter(|uid| !self.view.members.contains_key(uid))
            .collect();
        for uid in gone {
            self.member_left(&uid, now);
        }
    }

    /// Rows that changed up to a position, in order.
    pub fn apply(&mut self, changes: Vec<Change>, at: Position, now: Tick) {
        let mut aborts = BTreeSet::new();
        let mut clusters = BTreeSet::new();
        let mut released = BTreeSet::new();
        let mut orders: BTreeSet<(ClusterUid, WorkloadRef)> = BTreeSet::new();
        for change in changes {
            match change {
                Change::Member(name, member) => {
                    let uid = member.as_ref().map(|member| member.uid.clone());
                    let had = self.view.names.get(&name).cloned();
                    if let Some(left) = had.filter(|had| Some(had) != uid.as_ref()) {
                        self.member_left(&left, now);
                    }
                    if let Some(member) = member {
                        clusters.insert(member.uid.clone());
                        self.member_changed(member, now);
                    }
                }
                Change::Order(uid, workload, order) => {
                    let rows = self.view.orders.entry(uid.clone()).or_default();
                    match order {
                        Some(order) => rows.insert(workload.clone(), order),
                        None => rows.remove(&workload),
                    };
                    clusters.insert(uid.clone());
                    orders.insert((uid, workload));
                }
                Change::Abort {
                    abort,
                    clusters,
                    narrowed_from,
                    lease,
                } => {
                    aborts.insert(abort.id.clone());
                    let known = self.view.aborts.remove(&abort.id);
                    let mut stored = StoredAbort::new(*abort, clusters, now);
                    stored.narrowed_from = narrowed_from;
                    stored.lease = Some(lease);
                    stored.lift = self.view.lifts.remove(&stored.abort.id);
                    if let Some(known) = known {
                        stored.seen = known.seen;
                        stored.over = known.over;
                        stored.lift = known.lift.or(stored.lift);
                        stored.signed_lift = known.signed_lift;
                        if known.abort == stored.abort {
                            stored.signed = known.signed;
                        }
                    }
                    self.view.aborts.insert(stored.abort.id.clone(), stored);
                }
                Change::Lift(lift) => match self.view.aborts.get_mut(&lift.abort) {
                    Some(stored) => stored.lift = Some(*lift),
                    None => {
                        self.view.lifts.insert(lift.abort.clone(), *lift);
                    }
                },
                Change::LocalRelease(uid, workload, release) => {
                    let rows = self.view.local_releases.entry(uid.clone()).or_default();
                    match release {
                        Some(release) => rows.insert(workload, *release),
                        None => rows.remove(&workload),
                    };
                    released.insert(uid);
                }
                Change::Seen(seen) => {
                    self.view.seen = seen.and(&self.view.seen);
                    let seen = &self.view.seen;
                    if seen.epoch >= self.config.term.epoch {
                        let why = seen.why.clone();
                        self.fall_behind(why, now);
                    }
                }
                Change::Report(uid, workload, report) => {
                    self.report_changed(uid, workload, report);
                }
                Change::Receipt(abort, uid, receipt) => {
                    let rows = self.view.receipts.entry(abort).or_default();
                    let is_older = rows
                        .get(&uid)
                        .is_some_and(|known| known.modified > receipt.modified);
                    if !is_older {
                        rows.insert(uid, receipt);
                    }
                }
            }
        }
        self.view.at = self.view.at.max(at);
        self.freshness.applied(self.view.at);
        self.tell(&aborts, &clusters, &orders, now);
        for uid in released {
            for id in self.live_sessions(&uid) {
                self.tell_local_releases(id, &uid, now);
            }
        }
        self.settle_lifts(now);
    }

    fn tell(
        &mut self,
        aborts: &BTreeSet<flagship_proto::model::AbortId>,
        clusters: &BTreeSet<ClusterUid>,
        orders: &BTreeSet<(ClusterUid, WorkloadRef)>,
        now: Tick,
    ) {
        for abort in aborts {
            self.fan_out(abort, now);
        }
        if !aborts.is_empty() {
            // Orders below an abort go out in another form now (P8).
            let live: Vec<(SessionId, ClusterUid)> = self.live().collect();
            for (id, uid) in live {
                for (workload, fence) in self.view.fences(&uid) {
                    self.mark_order(id, workload, fence, now);
                }
            }
        }
        for uid in clusters {
            for id in self.live_sessions(uid) {
                self.tell_aborts(id, now);
            }
        }
        for (uid, workload) in orders {
            let Some(fence) = self.view.fence(uid, workload) else {
                continue;
            };
            for id in self.live_sessions(uid) {
                self.mark_order(id, workload.clone(), fence, now);
            }
        }
    }

    fn mark_order(
        &mut self,
        id: SessionId,
        workload: WorkloadRef,
        fence: flagship_proto::model::Fence,
        now: Tick,
    ) {
        let session = self.sessions.get(&id);
        let differs = session
            .is_some_and(|session| session.held.get(&workload).is_none_or(|held| *held < fence));
        if differs {
            self.mark(id, Key::Order(workload), now);
        }
    }

    fn live(&self) -> impl Iterator<Item = (SessionId, ClusterUid)> + '_ {
        self.sessions
            .iter()
            .filter(|(_, session)| session.incarnation().is_some())
            .map(|(id, session)| (*id, session.peer.uid.clone()))
    }

    fn member_left(&mut self, uid: &ClusterUid, now: Tick) {
        if let Some(member) = self.view.members.remove(uid) {
            self.view.names.remove(&member.name);
        }
        self.view.orders.remove(uid);
        self.view.reports.remove(uid);
        self.view.local_releases.remove(uid);
        let sessions = self.peers.get(uid).map(|peer| peer.sessions.clone());
        for id in sessions.unwrap_or_default() {
            let why = "the cluster was removed from the fleet";
            self.end(id, goodbye(GoodbyeCode::Removed, why), now);
        }
    }

    fn member_changed(&mut self, member: Box<Member>, now: Tick) {
        let uid = member.uid.clone();
        let known = self.view.members.get(&uid);
        if known.is_some_and(|known| known.modified > member.modified) {
            return;
        }
        let was_quarantined = known.is_some_and(|known| known.quarantine.is_some());
        let was_unconfirmed = known.is_some_and(|known| known.unconfirmed.is_some());
        let is_cleared = was_quarantined && member.quarantine.is_none();
        let is_confirmed = was_unconfirmed && member.unconfirmed.is_none();
        let own = self.peers.get(&uid).into_iter();
        let own = own.flat_map(|peer| peer.sessions.iter().copied());
        let is_revoked = |id: &SessionId| {
            let session = self.sessions.get(id);
            session.is_some_and(|session| !member.certificates.contains_key(&session.peer.serial))
        };
        let revoked: Vec<SessionId> = own.filter(is_revoked).collect();
        let peer = self.peers.entry(uid.clone()).or_default();
        peer.highest = peer.highest.max(member.incarnation);
        self.view.names.insert(member.name.clone(), uid.clone());
        self.view.members.insert(uid.clone(), member);
        for id in revoked {
            let why = "its certificate was revoked";
            self.end(id, goodbye(GoodbyeCode::Removed, why), now);
        }
        if is_cleared && let Some(peer) = self.peers.get_mut(&uid) {
            peer.claim = None;
            peer.twin = None;
            peer.turns.clear();
        }
        if is_cleared || is_confirmed {
            for id in self.live_sessions(&uid) {
                for (workload, fence) in self.view.fences(&uid) {
                    self.mark_order(id, workload, fence, now);
                }
            }
        }
    }

    fn report_changed(
        &mut self,
        uid: ClusterUid,
        workload: WorkloadRef,
        report: Option<Box<super::view::StoredReport>>,
    ) {
        let rows: &mut BTreeMap<_, _> = self.view.reports.entry(uid.clone()).or_default();
        let Some(report) = report else {
            rows.remove(&workload);
            return;
        };
        if rows
            .get(&workload)
            .is_some_and(|known| known.modified > report.modified)
        {
            return;
        }
        let incarnation: Incarnation = report.incarnation;
        rows.insert(workload, report);
        let peer = self.peers.entry(uid).or_default();
        peer.highest = peer.highest.max(incarnation);
    }
}
