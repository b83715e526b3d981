//! One open stream of one agent: what it holds, what it waits for, and the record of its cluster.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    time::Duration,
};

use flagship_proto::{
    identity::PeerId,
    model::{
        AbortId, Ack, Fence, Goodbye, GoodbyeCode, Incarnation, LeaseRequest, Mono, Position, Tick,
        WorkloadRef,
    },
};

use super::{
    Behind,
    ledger::Ledger,
    offence::{Offence, Told},
    queue::Queue,
};
use crate::limit::Bucket;

/// Names one session of this process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SessionId(pub u64);

impl fmt::Display for SessionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// How far a conversation is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Opened; `Hello` has not come.
    Opened,
    /// `Hello` was accepted.
    Live(Incarnation),
    /// The last word waits to be sent; nothing that comes is heard any more.
    Ending(Goodbye),
    /// The last word was sent.
    Ended,
}

/// One stream.
#[derive(Debug)]
pub(crate) struct Session {
    pub(crate) peer: PeerId,
    pub(crate) stage: Stage,
    pub(crate) queue: Queue,
    pub(crate) opened: Tick,
    pub(crate) last_heard: Tick,
    /// Per workload what the agent said it holds, or was sent.
    pub(crate) held: BTreeMap<WorkloadRef, Fence>,
    /// Workloads that the agent said it has.
    pub(crate) has: BTreeSet<WorkloadRef>,
    /// Aborts that the agent holds, or was sent, at which position.
    pub(crate) told: BTreeMap<AbortId, Option<Position>>,
    /// Lifts that it was sent.
    pub(crate) lifted: BTreeSet<AbortId>,
    /// The last acknowledgement that it was sent.
    pub(crate) acked: Option<Ack>,
    /// The last lease request, while it is not answered.
    pub(crate) asked: Option<LeaseRequest>,
}

impl Session {
    pub(crate) fn new(peer: PeerId, now: Tick) -> Self {
        Self {
            peer,
            stage: Stage::Opened,
            queue: Queue::default(),
            opened: now,
            last_heard: now,
            held: BTreeMap::new(),
            has: BTreeSet::new(),
            told: BTreeMap::new(),
            lifted: BTreeSet::new(),
            acked: None,
            asked: None,
        }
    }

    /// The agent's incarnation, while the session is live.
    pub(crate) fn incarnation(&self) -> Option<Incarnation> {
        match &self.stage {
            Stage::Live(incarnation) => Some(*incarnation),
            Stage::Opened | Stage::Ending(_) | Stage::Ended => None,
        }
    }

    /// Whether the agent said something within `span`.
    pub(crate) fn was_heard_within(&self, span: Duration, now: Tick) -> bool {
        now.mono
            .since(self.last_heard.mono)
            .is_some_and(|age| age < span)
    }
}

/// What the fleet remembers of a cluster over its sessions.
#[derive(Debug, Default)]
pub(crate) struct Peer {
    /// All open sessions, oldest first; more than one only under quarantine.
    pub(crate) sessions: Vec<super::SessionId>,
    /// The highest incarnation that was seen (P2).
    pub(crate) highest: Incarnation,
    pub(crate) last_heard: Option<Tick>,
    /// Whether some of its last report was refused and has to come again.
    pub(super) refused: bool,
    /// When it last told all that it knew (P31).
    pub(crate) told: Option<Tick>,
    /// Until when the last grant counts, at the latest.
    pub(crate) lease_until: Option<Tick>,
    /// Serials of the certificates that spoke; a new one is a renewal (S13).
    pub(crate) spoke: BTreeSet<String>,
    /// When a session was opened while another was alive (S13).
    pub(crate) turns: Vec<Mono>,
    /// Why two agents are suspected to share its key, until its row says so and was cleared (S13).
    pub(crate) twin: Option<String>,
    /// A claim of the last `Hello` that nothing proves (P22).
    pub(crate) claim: Option<String>,
    /// What it says of an audit log that went back.
    pub(crate) complaint: Option<Behind>,
    /// What it did that no good agent does, and when that was last written down.
    pub(super) offences: BTreeMap<Offence, Told>,
    /// How often it may open sessions still.
    pub(super) openings: Option<Bucket>,
    /// How many acts of people on the spot are still taken from it.
    pub(super) acts: Option<Bucket>,
    pub(crate) ledger: Ledger,
}

/// How often sessions may displace living ones within a lease before they count as a clone: putting
/// a data folder back takes two turns (refused once, then above the highest).
const CLONE_TURNS: usize = 3;

impl Peer {
    /// Notes that a session was opened while another was alive; says whether two agents take turns (S13).
    pub(crate) fn takes_turns(&mut self, lease: Duration, now: Mono) -> bool {
        self.turns
            .retain(|turn| now.since(*turn).is_some_and(|age| age < lease));
        self.turns.push(now);
        self.turns.len() >= CLONE_TURNS
    }
}

/// A last word.
pub(crate) fn goodbye(code: GoodbyeCode, message: impl Into<String>) -> Goodbye {
    Goodbye {
        code,
        message: message.into(),
        highest: Incarnation::default(),
    }
}
