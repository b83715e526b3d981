//! The first message: who may go on speaking (P2, S13), whether what the agent shows is more than the
//! store holds (P22), and what it has to be told (S3).

use std::fmt;

use flagship_proto::{
    model::{
        Abort, AbortId, ClusterUid, Fence, Goodbye, GoodbyeCode, HeldWorkload, Hello,
        HubIncarnation, Incarnation, Inventory, Order, Proof, Term, Tick,
    },
    sign::Kind,
};

use super::{
    Alarm, Behind, Effect, Fleet, Offence, SessionId,
    ledger::{Subject, Value},
    queue::Key,
    session::{Stage, goodbye},
};
use crate::records::SeenRow;

/// Something an agent shows that the store does not hold.
#[derive(Debug)]
enum More {
    /// An order above the row.
    Order(Box<Order>),
    /// An abort with a position.
    Abort(Box<Abort>),
    /// An abort of a hub that could not store it (P7): no fault of this store.
    Provisional(Box<Abort>),
    /// A claim without a signature that proves it.
    Unproven(String),
}

impl fmt::Display for More {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(order) => write!(
                f,
                "cluster {} holds a signed order for {} at {}, which the store does not have",
                order.cluster, order.workload, order.fence
            ),
            Self::Abort(abort) | Self::Provisional(abort) => {
                write!(f, "a signed abort {} is not in the store", abort.id)
            }
            Self::Unproven(claim) => f.write_str(claim),
        }
    }
}

impl Fleet {
    pub(super) fn hello(&mut self, id: SessionId, hello: Hello, now: Tick) {
        if let Some(fleet) = &hello.fleet
            && *fleet != self.config.fleet
        {
            let message = format!(
                "the agent belongs to fleet {fleet}, this is {}",
                self.config.fleet
            );
            self.garbled(id, &message, now);
            return;
        }
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        let uid = session.peer.uid.clone();
        self.look_for_clone(id, &uid, now);
        if self.twin(&uid).is_none()
            && let Err(last) = self.displace(id, &uid, &hello, now)
        {
            self.end(id, last, now);
            return;
        }
        let peer = self.peers.entry(uid.clone()).or_default();
        peer.highest = peer.highest.max(hello.incarnation);
        self.hear_witness(&uid, &hello, now);
        self.weigh(&uid, &hello, now);
        self.greet(id, hello, now);
    }

    /// Two living sessions in turn under one key within a lease are a clone (S13, P1). The first words
    /// under a new certificate are no turn: whoever renews opens a second connection with it, and then
    /// closes the first.
    fn look_for_clone(&mut self, id: SessionId, uid: &ClusterUid, now: Tick) {
        let lease = self.config.lease.own;
        let another_lives = self.live_sessions(uid).iter().any(|other| {
            *other != id
                && self
                    .sessions
                    .get(other)
                    .is_some_and(|session| session.was_heard_within(lease, now))
        });
        let serial = self.sessions.get(&id).map(|s| s.peer.serial.clone());
        let good = self.view.members.get(uid).map(|m| &m.certificates);
        let peer = self.peers.entry(uid.clone()).or_default();
        peer.spoke
            .retain(|known| good.is_some_and(|good| good.contains_key(known)));
        let is_renewal = serial.is_some_and(|serial| peer.spoke.insert(serial));
        if !another_lives || is_renewal || self.twin(uid).is_some() {
            return;
        }
        let peer = self.peers.entry(uid.clone()).or_default();
        if peer.takes_turns(lease, now.mono) {
            let why = "two agents speak in turn under one key; stop one of them, then approve or enrol the cluster again";
            self.put(uid, Subject::Quarantine, Value::Quarantine(why.to_owned()));
            self.peers.entry(uid.clone()).or_default().twin = Some(why.to_owned());
            self.alarm_quarantine(uid, why);
        }
    }

    /// The highest incarnation speaks, at equal incarnation the newest session; the others close (P2).
    fn displace(
        &mut self,
        id: SessionId,
        uid: &ClusterUid,
        hello: &Hello,
        now: Tick,
    ) -> Result<(), Goodbye> {
        let highest = self
            .peers
            .get(uid)
            .map(|peer| peer.highest)
            .unwrap_or_default();
        if hello.incarnation < highest {
            let message = format!(
                "incarnation {} of this agent is older than {}, which was seen; go above it",
                hello.incarnation.0, highest.0
            );
            let last = goodbye(GoodbyeCode::OldIncarnation, message);
            return Err(Goodbye { highest, ..last });
        }
        for other in self.live_sessions(uid) {
            if other != id {
                let last = goodbye(
                    GoodbyeCode::NewerSession,
                    "the same agent opened another session",
                );
                self.end(other, last, now);
            }
        }
        Ok(())
    }

    /// Compares what the agent shows with what the store holds (P22).
    fn weigh(&mut self, uid: &ClusterUid, hello: &Hello, now: Tick) {
        let mut claim = self.claims_hub(hello);
        let claimed_epoch = hello.term.epoch;
        let ours = self.config.term.epoch;
        if claimed_epoch > ours && claimed_epoch - ours <= SeenRow::BELIEVED {
            let seen = SeenRow {
                claimed_epoch,
                at: now.wall,
                ..SeenRow::default()
            };
            self.note_seen(uid, seen);
        }
        for held in &hello.held {
            let ours = self.view.fence(uid, &held.workload);
            if ours.is_some_and(|ours| held.fence <= ours) || held.fence == Fence::default() {
                continue;
            }
            let more = self.proven_order(uid, held).unwrap_or_else(|| {
                More::Unproven(format!(
                    "it claims an order for {} at {} that nothing proves and the store does not have",
                    held.workload, held.fence
                ))
            });
            self.believe(uid, more, &mut claim, now);
        }
        for (abort, proof) in &hello.aborts {
            if self.view.aborts.contains_key(abort) {
                continue;
            }
            let more = self.proven_abort(abort, proof.as_ref()).unwrap_or_else(|| {
                More::Unproven(format!(
                    "it claims an abort {abort} that nothing proves and the store does not have"
                ))
            });
            self.believe(uid, more, &mut claim, now);
        }
        let peer = self.peers.entry(uid.clone()).or_default();
        let is_new = claim.is_some() && peer.claim != claim;
        peer.claim.clone_from(&claim);
        if let (true, Some(why)) = (is_new, claim) {
            self.alarm_quarantine(uid, &why);
            self.offend(uid, Offence::Claim, &why, now);
        }
    }

    /// A higher term, or another hub under this term: a claim, as `Hello`'s own fields are not signed.
    fn claims_hub(&self, hello: &Hello) -> Option<String> {
        if hello.term > self.config.term {
            return Some(format!(
                "it has seen a hub at term {}, this hub leads at term {}: if an older copy of the hub's data folder was put back, flagship-hub recover goes on from there",
                hello.term, self.config.term
            ));
        }
        let another = hello.term == self.config.term
            && hello.term != Term::default()
            && hello.hub != HubIncarnation::default()
            && hello.hub != self.config.hub;
        another.then(|| {
            format!(
                "it has seen another hub ({}) under term {}: two hubs may run from one store",
                hello.hub.0, hello.term
            )
        })
    }

    /// The order that proves a claim: this hub's word to this cluster on just this workload. One on
    /// another workload proves nothing here, however high it stands.
    fn proven_order(&self, uid: &ClusterUid, held: &HeldWorkload) -> Option<More> {
        let proof = held.proof.as_ref()?;
        self.trusted.verify_proof(Kind::Order, proof).ok()?;
        let order: Order = serde_json::from_slice(&proof.body).ok()?;
        let is_theirs = order.uid == *uid && order.fleet == self.config.fleet;
        let is_meant = order.workload == held.workload && order.fence >= held.fence;
        (is_theirs && is_meant).then(|| More::Order(Box::new(order)))
    }

    fn proven_abort(&self, id: &AbortId, proof: Option<&Proof>) -> Option<More> {
        let proof = proof?;
        self.trusted.verify_proof(Kind::Abort, proof).ok()?;
        let abort: Abort = serde_json::from_slice(&proof.body).ok()?;
        if abort.id != *id {
            return None;
        }
        Some(match abort.position {
            Some(_) => More::Abort(Box::new(abort)),
            None => More::Provisional(Box::new(abort)),
        })
    }

    fn believe(&mut self, uid: &ClusterUid, more: More, claim: &mut Option<String>, now: Tick) {
        let why = more.to_string();
        match more {
            More::Unproven(_) => {
                claim.get_or_insert(why);
            }
            More::Provisional(abort) => self.abort_shown_by(uid, *abort, now),
            More::Order(order) => {
                let fence = order.fence;
                let epoch = fence.term.epoch.max(fence.revision.epoch);
                if epoch >= self.config.term.epoch {
                    self.note_behind(uid, epoch, fence.revision.seq, why, now);
                } else if self.view.fence(uid, &order.workload).is_none() {
                    self.hold_given(uid, *order);
                }
            }
            More::Abort(abort) => {
                let position = abort.position.unwrap_or_default();
                if position.epoch >= self.config.term.epoch {
                    self.note_behind(uid, position.epoch, position.seq, why, now);
                }
                self.abort_shown_by(uid, *abort, now);
            }
        }
    }

    /// The order is of a history that `recover` gave up, and the store has none for the workload: a
    /// Hold supersedes it.
    fn hold_given(&mut self, uid: &ClusterUid, mut order: Order) {
        order.fence.term = self.config.term;
        let subject = Subject::Given(order.workload.clone());
        self.put(uid, subject, Value::Given(Box::new(order)));
    }

    /// Stops all Run orders and grants, and keeps what was seen for `recover`.
    fn note_behind(&mut self, uid: &ClusterUid, epoch: u64, seq: u64, why: String, now: Tick) {
        let seen = SeenRow {
            epoch,
            seq,
            claimed_epoch: 0,
            why: why.clone(),
            at: now.wall,
        };
        self.note_seen(uid, seen);
        self.fall_behind(why, now);
    }

    fn note_seen(&mut self, uid: &ClusterUid, seen: SeenRow) {
        let all = seen.and(&self.view.seen);
        if (all.epoch, all.seq, all.claimed_epoch)
            != (
                self.view.seen.epoch,
                self.view.seen.seq,
                self.view.seen.claimed_epoch,
            )
        {
            self.view.seen = all.clone();
            self.put(uid, Subject::Seen, Value::Seen(Box::new(all)));
        }
    }

    pub(super) fn fall_behind(&mut self, why: String, now: Tick) {
        if self.behind.is_none() && !flagship_proto::mutant("p22") {
            self.effects.push(Effect::Alarm(Alarm::Behind(why.clone())));
            let since = now.wall;
            self.behind = Some(Behind { why, since });
        }
    }

    fn alarm_quarantine(&mut self, uid: &ClusterUid, why: &str) {
        if let Some(member) = self.view.members.get(uid) {
            let alarm = Alarm::Quarantined(member.name.clone(), why.to_owned());
            self.effects.push(Effect::Alarm(alarm));
        }
    }

    /// What the agent says of itself and its incarnation, stored when they differ.
    fn put_inventory(&mut self, uid: &ClusterUid, inventory: Inventory, incarnation: Incarnation) {
        let stored = self.view.members.get(uid);
        if stored.is_some_and(|m| m.inventory == inventory && m.incarnation >= incarnation) {
            return;
        }
        let value = Value::Inventory(Box::new(inventory), incarnation);
        self.put(uid, Subject::Inventory, value);
    }

    /// Notes what the agent holds, and marks what differs (S3).
    fn greet(&mut self, id: SessionId, hello: Hello, now: Tick) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        let uid = session.peer.uid.clone();
        session.stage = Stage::Live(hello.incarnation);
        session.held = hello
            .held
            .iter()
            .map(|held| (held.workload.clone(), held.fence))
            .collect();
        let workloads = hello.inventory.workloads.iter();
        session.has = workloads.map(|has| has.workload.clone()).collect();
        session.told = hello
            .aborts
            .iter()
            .map(|(abort, proof)| (abort.clone(), proof.as_ref().and_then(stated_position)))
            .collect();
        self.mark(id, Key::Welcome, now);
        self.tell_aborts(id, now);
        for (workload, _) in self.view.fences(&uid) {
            self.mark(id, Key::Order(workload), now);
        }
        self.tell_local_releases(id, &uid, now);
        self.put_inventory(&uid, hello.inventory, hello.incarnation);
    }
}

fn stated_position(proof: &Proof) -> Option<flagship_proto::model::Position> {
    let abort: Abort = serde_json::from_slice(&proof.body).ok()?;
    abort.position
}
