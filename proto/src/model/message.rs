//! What crosses a session, as validated types; both sides' state machines speak these.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    abort::{Abort, Lift, Receipt},
    id::{ClusterUid, FleetId},
    lease::{Grant, LeaseRequest},
    local::LocalRelease,
    order::Order,
    position::{HubIncarnation, Incarnation, Term},
    report::{Hello, Report},
};

/// What an agent says.
#[derive(Debug, Clone, PartialEq)]
pub enum AgentMessage {
    /// First in every session.
    Hello(Box<Hello>),
    /// What changed since the last acknowledged report.
    Report(Report),
    /// Asks for the lease.
    LeaseRequest(LeaseRequest),
    /// Answers an abort.
    Receipt(Box<SignedReceipt>),
}

/// What a hub says. Queued by priority: abort and lift, order, grant, the rest (P10).
#[derive(Debug, Clone, PartialEq)]
pub enum HubMessage {
    /// Answers `Hello`.
    Welcome(Welcome),
    /// The latest order for a workload.
    Order(Box<Signed<Order>>),
    /// A standing abort.
    Abort(Box<Signed<Abort>>),
    /// The end of one.
    Lift(Box<Signed<Lift>>),
    /// A person on the hub ends a local hold or retreat.
    LocalRelease(Box<Signed<LocalRelease>>),
    /// Answers a lease request.
    Grant(SignedGrant),
    /// A report was committed.
    Ack(Ack),
    /// The session ends, and why.
    Goodbye(Goodbye),
}

/// A body exactly as the hub signed it, with the value read from it. The bytes are kept as proof
/// of what was ordered (P21, P22); the value is never encoded again.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Signed<T> {
    /// The value that the body holds.
    pub value: T,
    /// Canonical JSON bytes.
    #[serde(with = "hex::serde")]
    pub body: Vec<u8>,
    /// ECDSA P-256 over the kind's prefix, a zero byte and the body.
    #[serde(with = "hex::serde")]
    pub signature: Vec<u8>,
    /// Which of the hub's keys.
    pub key_id: String,
}

/// A grant with its aborts as signed, so that an agent can keep them durably.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedGrant {
    /// The grant.
    pub grant: Grant,
    /// The aborts that it lists, as signed, in the same order.
    pub aborts: Vec<Signed<Abort>>,
}

/// A receipt exactly as the agent signed it (S15).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct SignedReceipt {
    /// The value that the body holds.
    pub receipt: Receipt,
    /// Canonical JSON bytes.
    #[serde(with = "hex::serde")]
    pub body: Vec<u8>,
    /// ECDSA P-256 over "flagship-receipt-v1", a zero byte and the body.
    #[serde(with = "hex::serde")]
    pub signature: Vec<u8>,
    /// Serial of the certificate whose key signed, hexadecimal.
    pub serial: String,
}

/// Who the hub is, and what it made of the `Hello`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Welcome {
    /// The fleet.
    pub fleet: FleetId,
    /// The term in which it leads.
    pub term: Term,
    /// Its incarnation (P21).
    pub hub: HubIncarnation,
    /// Who the agent is, as its certificate says.
    pub uid: ClusterUid,
    /// The incarnation that was accepted.
    pub incarnation: Incarnation,
    /// The hub's wall clock.
    pub at: Timestamp,
}

/// A report was committed: all of this incarnation up to this sequence number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ack {
    /// The incarnation that sent it.
    pub incarnation: Incarnation,
    /// The last sequence number that was committed.
    pub seq: u64,
}

/// Why a session ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Goodbye {
    /// For programs.
    pub code: GoodbyeCode,
    /// For people: what happened and what to do.
    pub message: String,
    /// With `OldIncarnation`: the highest that is known; the agent goes above it once (S13).
    pub highest: Incarnation,
}

/// Why a session ends, for programs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum GoodbyeCode {
    /// The same agent opened another session.
    NewerSession,
    /// The cluster was removed from the fleet.
    Removed,
    /// The certificate ended.
    CertificateExpired,
    /// Two live keys for one uid, or claims that nothing proves; a person has to look.
    Quarantined,
    /// This replica does not serve.
    NotLeading,
    /// A message could not be understood.
    BadMessage,
    /// The hub's store is behind what it once signed (P22).
    HubBehind,
    /// The hub is stopping.
    Draining,
    /// A higher incarnation of this agent was seen.
    OldIncarnation,
}

impl GoodbyeCode {
    /// A stable word.
    pub fn word(self) -> &'static str {
        match self {
            Self::NewerSession => "NewerSession",
            Self::Removed => "Removed",
            Self::CertificateExpired => "CertificateExpired",
            Self::Quarantined => "Quarantined",
            Self::NotLeading => "NotLeading",
            Self::BadMessage => "BadMessage",
            Self::HubBehind => "HubBehind",
            Self::Draining => "Draining",
            Self::OldIncarnation => "OldIncarnation",
        }
    }
}
