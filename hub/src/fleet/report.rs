//! Reports: stored when something changed that others decide on, acknowledged after the commit (P23).
//! Also what else an agent's words lead to in the store, and how its writes are followed up.

use flagship_proto::model::{Ack, ClusterUid, Report, Tick};

use super::{
    Alarm, Effect, Fleet, Offence, SessionId, Ticket, Unstored,
    ledger::{Job, ReportedStatus, Stored, Subject, Value, Work},
    local,
    offence::ACTS,
    queue::Key,
    view::is_transition,
};
use crate::limit::Bucket;

impl Fleet {
    pub(super) fn report(&mut self, id: SessionId, report: Report, now: Tick) {
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        if session.incarnation() != Some(report.incarnation) {
            self.garbled(id, "a report carries another incarnation than Hello", now);
            return;
        }
        let uid = session.peer.uid.clone();
        let ack = Ack {
            incarnation: report.incarnation,
            seq: report.seq,
        };
        let (mut room, mut all) = (self.room(&uid), true);
        for status in report.workloads {
            let reported = ReportedStatus {
                incarnation: report.incarnation,
                seq: report.seq,
                at: report.at,
                status,
            };
            if let Err(why) = self.take_room(id, &reported.status, &mut room) {
                self.offend(&uid, Offence::Excess, &why, now);
                continue;
            }
            all &= self.consider(&uid, reported, now);
        }
        let peer = self.peers.entry(uid.clone()).or_default();
        peer.refused = !all;
        if !all {
            // Not acknowledged: the agent says it again.
            return;
        }
        let last = peer.ledger.received;
        if last.is_none_or(|last| last.incarnation != ack.incarnation || last.seq < ack.seq) {
            peer.ledger.received = Some(ack);
        }
        self.note_told(id, now);
        // Where some of it is on its way to the store, the answer follows the commit.
        let safe = self.peers.get(&uid).and_then(|peer| peer.ledger.ack());
        let acked = self.sessions.get(&id).and_then(|session| session.acked);
        if safe.is_some_and(|safe| safe.seq >= ack.seq || (safe.seq > 0 && acked != Some(safe))) {
            self.mark(id, Key::Ack, now);
        }
    }

    /// Stores a status that is newer than what is stored or on its way, and says something new; false
    /// if it is to come again later.
    fn consider(&mut self, uid: &ClusterUid, reported: ReportedStatus, now: Tick) -> bool {
        let workload = &reported.status.workload;
        let subject = Subject::Report(workload.clone());
        let ledger = self.peers.get(uid).map(|peer| &peer.ledger);
        let last = match ledger.and_then(|ledger| ledger.newest(&subject)) {
            Some(Value::Report(last)) => Some((last.incarnation, last.seq, &last.status)),
            Some(_) | None => {
                let rows = self.view.reports.get(uid);
                let row = rows.and_then(|rows| rows.get(workload));
                row.map(|last| (last.incarnation, last.seq, &last.status))
            }
        };
        let age = (reported.incarnation, reported.seq);
        if last.is_some_and(|(incarnation, seq, status)| {
            (incarnation, seq) >= age || !is_transition(status, &reported.status)
        }) {
            return true;
        }
        let acts = local::new_acts(last.map(|(.., status)| status), &reported.status).count();
        let acts = u32::try_from(acts).unwrap_or(u32::MAX);
        let peer = self.peers.entry(uid.clone()).or_default();
        let left = peer
            .acts
            .get_or_insert_with(|| Bucket::full(ACTS, now.mono));
        if !left.take(acts, ACTS, now.mono) {
            let why = format!("too many acts on the spot came for {workload}: wait a minute");
            self.offend(uid, Offence::Excess, &why, now);
            return false;
        }
        self.put(uid, subject, Value::Report(Box::new(reported)));
        true
    }

    /// Stores an abort that no row holds yet.
    pub(super) fn take_over(&mut self, unstored: Unstored) {
        if let Some(found) = self.takeovers.put(unstored.abort.id.clone(), unstored) {
            self.ask_take_over(found);
        }
    }

    pub(super) fn put(&mut self, uid: &ClusterUid, subject: Subject, value: Value) {
        let peer = self.peers.entry(uid.clone()).or_default();
        if let Some(value) = peer.ledger.writes.put(subject.clone(), value) {
            self.ask(uid, subject, value);
        }
    }

    /// A write that [`Effect::Store`] asked for has ended.
    pub fn stored(&mut self, ticket: Ticket, outcome: Stored, now: Tick) {
        let Some(work) = self.tickets.remove(&ticket) else {
            return;
        };
        if let Stored::Failed(why) = &outcome {
            self.effects
                .push(Effect::Alarm(Alarm::NotStored(why.clone())));
        }
        match work {
            Work::TakeOver(abort) => match outcome {
                Stored::Committed(_) | Stored::Conflict => {
                    if let Some(next) = self.takeovers.committed(&abort) {
                        self.ask_take_over(next);
                    }
                }
                Stored::Failed(_) => self.takeovers.failed(&abort),
            },
            Work::Peer(uid, subject) => self.settled(&uid, &subject, &outcome, now),
        }
    }

    fn settled(&mut self, uid: &ClusterUid, subject: &Subject, outcome: &Stored, now: Tick) {
        let Some(peer) = self.peers.get_mut(uid) else {
            return;
        };
        let Stored::Committed(position) = outcome else {
            peer.ledger.writes.failed(subject);
            return;
        };
        if let Some(value) = peer.ledger.writes.in_flight(subject).cloned() {
            self.note(uid, &value, *position);
        }
        let peer = self.peers.entry(uid.clone()).or_default();
        if let Some(next) = peer.ledger.writes.committed(subject) {
            self.ask(uid, subject.clone(), next);
        }
        if matches!(subject, Subject::Report(_)) {
            for id in self.live_sessions(uid) {
                self.mark(id, Key::Ack, now);
            }
        }
    }

    /// Asks again for what was not stored; called at each tick.
    pub(super) fn retry(&mut self) {
        for (_, unstored) in self.takeovers.retry() {
            self.ask_take_over(unstored);
        }
        let waiting = self.peers.iter().filter(|(_, peer)| peer.ledger.waits());
        let uids: Vec<ClusterUid> = waiting.map(|(uid, _)| uid.clone()).collect();
        for uid in uids {
            let due = self
                .peers
                .get_mut(&uid)
                .map(|peer| peer.ledger.writes.retry())
                .unwrap_or_default();
            for (subject, value) in due {
                self.ask(&uid, subject, value);
            }
        }
    }

    fn ask_take_over(&mut self, unstored: Unstored) {
        let work = Work::TakeOver(unstored.abort.id.clone());
        self.emit(work, Job::TakeOver(Box::new(unstored)));
    }

    fn ask(&mut self, uid: &ClusterUid, subject: Subject, value: Value) {
        let uid = uid.clone();
        let Some(member) = self.view.members.get(&uid) else {
            // The cluster left: nothing of it is kept.
            if let Some(peer) = self.peers.get_mut(&uid) {
                peer.ledger.writes.drop_key(&subject);
            }
            return;
        };
        let work = Work::Peer(uid.clone(), subject.clone());
        let job = match value {
            Value::Report(reported) => {
                let row = self.view.reports.get(&uid);
                let row = row.and_then(|rows| rows.get(&reported.status.workload));
                let read = row.map(|row| row.modified);
                Job::Report {
                    uid,
                    cluster: member.name.clone(),
                    reported,
                    read,
                }
            }
            Value::Receipt(receipt) => {
                let row = self.view.receipts.get(&receipt.signed.receipt.abort);
                let read = row.and_then(|rows| rows.get(&uid)).map(|row| row.modified);
                Job::Receipt { uid, receipt, read }
            }
            Value::Inventory(inventory, incarnation) => Job::Inventory {
                cluster: member.name.clone(),
                inventory,
                incarnation,
                read: member.modified,
            },
            Value::Seen(seen) => Job::Seen(seen),
            Value::Given(order) => Job::Given(order),
            Value::Quarantine(why) => Job::Quarantine {
                cluster: member.name.clone(),
                why,
                read: member.modified,
            },
            Value::Offence(why) => Job::Offence {
                cluster: member.name.clone(),
                why,
            },
        };
        self.emit(work, job);
    }

    fn emit(&mut self, work: Work, job: Job) {
        self.counter += 1;
        let ticket = Ticket(self.counter);
        self.tickets.insert(ticket, work);
        self.effects.push(Effect::Store(ticket, Box::new(job)));
    }
}
