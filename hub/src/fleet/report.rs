//! Reports: stored when something changed that others decide on, acknowledged after the commit (P23).
//! Also what else an agent's words lead to in the store, and how its writes are followed up.

use std::collections::BTreeSet;

use flagship_proto::model::{
    Abort, AbortId, Ack, ClusterName, ClusterUid, Incarnation, Inventory, Order, Position, Report,
    Tick, WorkloadRef, WorkloadStatus,
};
use jiff::Timestamp;

use super::{
    Alarm, Effect, Fleet, Offence, SessionId, Ticket, queue::Key, receipt::KeptReceipt,
    view::is_transition, writes::Writes,
};

use crate::records::SeenRow;

/// What a write is about; one write of a subject is on its way at a time.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Subject {
    /// A workload's status.
    Report(WorkloadRef),
    /// The answer to an abort.
    Receipt(AbortId),
    /// What the agent says of itself.
    Inventory,
    /// The cluster's quarantine.
    Quarantine,
    /// What it showed of a history that the store does not have.
    Seen,
    /// An order that it holds of a history that was given up.
    Given(WorkloadRef),
    /// What the agent did that no good one does.
    Offence(Offence),
}

/// The newest value of a subject.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Value {
    /// A status and the report that brought it.
    Report(Box<ReportedStatus>),
    /// A verified receipt.
    Receipt(Box<KeptReceipt>),
    /// See [`Subject::Inventory`]; and the incarnation that says it.
    Inventory(Box<Inventory>, Incarnation),
    /// Why the cluster is quarantined.
    Quarantine(String),
    /// See [`Subject::Seen`].
    Seen(Box<SeenRow>),
    /// See [`Subject::Given`].
    Given(Box<Order>),
    /// What it did, in words.
    Offence(String),
}

/// A workload's status as it came.
#[derive(Debug, Clone, PartialEq)]
pub struct ReportedStatus {
    /// Whose incarnation says it.
    pub incarnation: Incarnation,
    /// In which report of that incarnation.
    pub seq: u64,
    /// The agent's clock then.
    pub at: Timestamp,
    /// What it says.
    pub status: WorkloadStatus,
}

/// A write that the store is asked for; `rows` makes the transaction of it.
#[derive(Debug, Clone, PartialEq)]
pub enum Job {
    /// Store a workload's status, if its row is still as read.
    Report {
        /// Whose.
        uid: ClusterUid,
        /// Whose, for people.
        cluster: ClusterName,
        /// What.
        reported: Box<ReportedStatus>,
        /// Where the row was last written; none if there was none.
        read: Option<Position>,
    },
    /// Store a receipt, if its row is still as read.
    Receipt {
        /// Whose.
        uid: ClusterUid,
        /// What, with the certificate that proves it.
        receipt: Box<KeptReceipt>,
        /// Where the row was last written; none if there was none.
        read: Option<Position>,
    },
    /// Note what an agent says of itself in its cluster's row.
    Inventory {
        /// Whose.
        cluster: ClusterName,
        /// What.
        inventory: Box<Inventory>,
        /// The incarnation that says it.
        incarnation: Incarnation,
        /// Where the cluster's row was last written.
        read: Position,
    },
    /// Note in the cluster's row that a person has to look.
    Quarantine {
        /// Whose.
        cluster: ClusterName,
        /// Why.
        why: String,
        /// Where the cluster's row was last written.
        read: Position,
    },
    /// Keep what was seen of a history that the store does not have.
    Seen(Box<SeenRow>),
    /// Hold a workload whose order is of a history that was given up, if the store has none for it.
    Given(Box<Order>),
    /// Write down what an agent did that no good one does.
    Offence {
        /// Whose.
        cluster: ClusterName,
        /// What.
        why: String,
    },
    /// Store an abort that came from elsewhere or could not be stored before, if it is not there.
    TakeOver {
        /// The abort.
        abort: Box<Abort>,
        /// Whom its selector met, where it has one.
        matched: Option<BTreeSet<ClusterUid>>,
    },
}

/// What a transaction was for.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Work {
    /// Something that an agent said.
    Peer(ClusterUid, Subject),
    /// An abort.
    TakeOver(AbortId),
}

/// How a write ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Stored {
    /// It is durable, at this position.
    Committed(Position),
    /// The row was not as read; it is tried again when the change was seen.
    Conflict,
    /// The store could not write, and said why.
    Failed(String),
}

/// What of a cluster's words is stored, and what is on its way.
#[derive(Debug, Default)]
pub(super) struct Ledger {
    /// The last report that came.
    received: Option<Ack>,
    writes: Writes<Subject, Value>,
}

impl Ledger {
    /// All up to here is durable, or was overtaken by what is.
    pub(super) fn ack(&self) -> Option<Ack> {
        let received = self.received?;
        let unfinished = self.writes.values().filter_map(|value| match value {
            Value::Report(reported) if reported.incarnation == received.incarnation => {
                Some(reported.seq)
            }
            Value::Report(_)
            | Value::Receipt(_)
            | Value::Inventory(..)
            | Value::Quarantine(_)
            | Value::Seen(_)
            | Value::Given(_)
            | Value::Offence(_) => None,
        });
        let seq = unfinished
            .min()
            .map_or(received.seq, |first| first.saturating_sub(1));
        Some(Ack { seq, ..received })
    }

    /// Whether a status that came is not stored yet.
    pub(super) fn has_unstored(&self) -> bool {
        self.writes.values().any(|value| match value {
            Value::Report(_) => true,
            Value::Receipt(_)
            | Value::Inventory(..)
            | Value::Quarantine(_)
            | Value::Seen(_)
            | Value::Given(_)
            | Value::Offence(_) => false,
        })
    }

    pub(super) fn newest(&self, subject: &Subject) -> Option<&Value> {
        self.writes.newest(subject)
    }
}

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
        let peer = self.peers.entry(uid.clone()).or_default();
        let ack = Ack {
            incarnation: report.incarnation,
            seq: report.seq,
        };
        let is_new = peer
            .ledger
            .received
            .is_none_or(|last| last.incarnation != ack.incarnation || last.seq < ack.seq);
        if is_new {
            peer.ledger.received = Some(ack);
        }
        for status in report.workloads {
            let reported = ReportedStatus {
                incarnation: report.incarnation,
                seq: report.seq,
                at: report.at,
                status,
            };
            if self.is_too_much(&uid, &reported.status.workload) {
                return self.garbled(id, "more workloads came than a cluster can have", now);
            }
            self.consider(&uid, reported);
        }
        self.mark(id, Key::Ack, now);
    }

    /// Stores a status that is newer than what is stored or on its way, and says something new.
    fn consider(&mut self, uid: &ClusterUid, reported: ReportedStatus) {
        let workload = reported.status.workload.clone();
        let subject = Subject::Report(workload.clone());
        let ledger = self.peers.get(uid).map(|peer| &peer.ledger);
        let age = (reported.incarnation, reported.seq);
        if let Some(Value::Report(last)) = ledger.and_then(|ledger| ledger.newest(&subject)) {
            if (last.incarnation, last.seq) >= age || !is_transition(&last.status, &reported.status)
            {
                return;
            }
        } else if let Some(last) = self
            .view
            .reports
            .get(uid)
            .and_then(|reports| reports.get(&workload))
            && ((last.incarnation, last.seq) >= age
                || !is_transition(&last.status, &reported.status))
        {
            return;
        }
        self.put(uid, subject, Value::Report(Box::new(reported)));
    }

    /// Stores an abort that no row holds yet.
    pub(super) fn take_over(&mut self, abort: Abort, matched: Option<BTreeSet<ClusterUid>>) {
        if let Some(found) = self.takeovers.put(abort.id.clone(), (abort, matched)) {
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
        for id in self.live_sessions(uid) {
            self.mark(id, Key::Ack, now);
        }
    }

    /// Asks again for what was not stored; called at each tick.
    pub(super) fn retry(&mut self) {
        for (_, abort) in self.takeovers.retry() {
            self.ask_take_over(abort);
        }
        let uids: Vec<ClusterUid> = self.peers.keys().cloned().collect();
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

    fn ask_take_over(&mut self, (abort, matched): (Abort, Option<BTreeSet<ClusterUid>>)) {
        let work = Work::TakeOver(abort.id.clone());
        let abort = Box::new(abort);
        self.emit(work, Job::TakeOver { abort, matched });
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
