//! What the fleet is told at its start, and what it asks of its edge.

use std::{fmt, time::Duration};

use flagship_proto::model::{
    ClusterName, FleetId, HubIncarnation, HubMessage, Term, lease::DEFAULT_LEASE,
};

use super::{Job, SessionId};
use crate::leases::Leases;

/// What the fleet has to know before the first session.
#[derive(Debug, Clone)]
pub struct Config {
    /// The fleet's identity.
    pub fleet: FleetId,
    /// The trust domain of its certificates.
    pub trust_domain: String,
    /// The term in which this hub leads.
    pub term: Term,
    /// Drawn at this start (P21).
    pub hub: HubIncarnation,
    /// The length of leases (L), and of those that are out from before.
    pub lease: Leases,
    /// A session whose agent takes nothing for so long is closed.
    pub stall: Duration,
}

impl Config {
    /// With the usual lease (30 s) and stall deadline (20 s).
    pub fn new(fleet: FleetId, trust_domain: &str, term: Term, hub: HubIncarnation) -> Self {
        Self {
            fleet,
            trust_domain: trust_domain.to_owned(),
            term,
            hub,
            lease: Leases::of(DEFAULT_LEASE),
            stall: Duration::from_secs(20),
        }
    }
}

/// Names one transaction that the fleet asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What the edge has to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Effect {
    /// A session has something to take.
    Wake(SessionId),
    /// Run the job's transaction and hand its outcome to [`Fleet::stored`].
    Store(Ticket, Box<Job>),
    /// Cut a session's connection: its peer reads nothing, so no last word reaches it.
    Cut(SessionId),
    /// Tell a person.
    Alarm(Alarm),
}

/// What a person has to look at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Alarm {
    /// The store is behind what this hub once signed; all Run orders and grants have stopped (P22).
    Behind(String),
    /// Nothing advances in a cluster until a person looked.
    Quarantined(ClusterName, String),
    /// A receipt that is not what it says.
    Forged(ClusterName, String),
    /// An agent saw another end of the audit log than it can have had.
    AuditWentBack(ClusterName, String),
    /// Something could not be stored; it is tried again.
    NotStored(String),
}

impl Alarm {
    /// A stable word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Behind(_) => "HubBehind",
            Self::Quarantined(..) => "Quarantined",
            Self::Forged(..) => "ReceiptForged",
            Self::AuditWentBack(..) => "AuditWentBack",
            Self::NotStored(_) => "NotStored",
        }
    }
}

impl fmt::Display for Alarm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Behind(why) => write!(
                f,
                "the hub's store is behind what it once signed: {why}; no Run order and no lease is given. Stop this hub; if there is a newer copy of its data folder, put that back, else run `flagship-hub recover --data DIR --reason …`, which goes on above all that was seen"
            ),
            Self::Quarantined(cluster, why) => write!(f, "cluster {cluster} is quarantined: {why}"),
            Self::Forged(cluster, what) => write!(f, "cluster {cluster}: {what}"),
            Self::AuditWentBack(cluster, what) => write!(f, "cluster {cluster} says: {what}"),
            Self::NotStored(what) => write!(f, "not stored, will be tried again: {what}"),
        }
    }
}

/// What a session sends next.
#[derive(Debug, Clone, PartialEq)]
pub enum Next {
    /// This.
    Message(HubMessage),
    /// Nothing now; [`Effect::Wake`] says when to ask again.
    Wait,
    /// Nothing any more: close the stream.
    End,
}
