//! What agents' words lead to in the store: what a write is about, its newest value, and what of a
//! cluster's words is on its way.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use flagship_proto::model::{
    Abort, AbortId, Ack, ClusterName, ClusterUid, Incarnation, Inventory, Order, Position,
    SignedReceipt, WorkloadRef, WorkloadStatus,
};
use jiff::Timestamp;

use super::{Offence, writes::Writes};
use crate::records::{AbortRow, SeenRow};

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

/// A receipt and the certificate (DER) whose key signed it.
#[derive(Debug, Clone, PartialEq)]
pub struct KeptReceipt {
    /// As signed.
    pub signed: SignedReceipt,
    /// The certificate, DER.
    pub certificate: Arc<[u8]>,
    /// When the hub took it.
    pub taken: jiff::Timestamp,
}

/// An abort that stands and is not stored (P7).
#[derive(Debug, Clone, PartialEq)]
pub struct Unstored {
    /// The abort.
    pub abort: Abort,
    /// For a selector: whom it met.
    pub matched: Option<BTreeSet<ClusterUid>>,
    /// The longest lease that stands against it: its bound rests on it (P5).
    pub lease: Duration,
}

impl Unstored {
    /// The row that it will be.
    pub fn row(&self) -> AbortRow {
        let lease = u64::try_from(self.lease.as_millis()).unwrap_or(u64::MAX);
        AbortRow::new(self.abort.clone(), self.matched.clone(), lease)
    }
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
    TakeOver(Box<Unstored>),
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
    pub(super) received: Option<Ack>,
    pub(super) writes: Writes<Subject, Value>,
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

    /// Whether something waits to be asked for again.
    pub(super) fn waits(&self) -> bool {
        self.writes.wait()
    }

    /// How many workloads are on their way that have no row yet.
    pub(super) fn new_workloads<R>(&self, rows: Option<&BTreeMap<WorkloadRef, R>>) -> usize {
        let is_new = |workload: &WorkloadRef| rows.is_none_or(|rows| !rows.contains_key(workload));
        let subjects = self.writes.keys();
        let on_their_way = subjects.filter(|subject| match subject {
            Subject::Report(workload) => is_new(workload),
            Subject::Receipt(_)
            | Subject::Inventory
            | Subject::Quarantine
            | Subject::Seen
            | Subject::Given(_)
            | Subject::Offence(_) => false,
        });
        on_their_way.count()
    }

    /// How many bytes of statuses are on their way.
    pub(super) fn reported_bytes(&self) -> usize {
        let statuses = self.writes.values().map(|value| match value {
            Value::Report(reported) => reported.status.size(),
            Value::Receipt(_)
            | Value::Inventory(..)
            | Value::Quarantine(_)
            | Value::Seen(_)
            | Value::Given(_)
            | Value::Offence(_) => 0,
        });
        statuses.sum()
    }

    pub(super) fn newest(&self, subject: &Subject) -> Option<&Value> {
        self.writes.newest(subject)
    }
}
