//! How a session stands, how it ends, and why something that the hub said is not taken.

use std::{fmt, time::Duration};

use flagship_proto::{
    model::{AbortId, FleetId, Position, Term, WorkloadRef},
    precedence,
    sign::SignError,
};

/// How the session with the hub stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Session {
    /// No stream.
    Closed,
    /// A stream; `Hello` is the next message.
    Opened,
    /// `Hello` was sent.
    Greeted,
    /// The hub said who it is.
    Welcomed {
        /// The term in which it leads.
        term: Term,
        /// Whether that is an older term than one seen before: then only aborts are taken.
        behind: bool,
    },
    /// To be closed by the edge, and why.
    Over(Hangup),
}

/// Why a session is to end, and when to try again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hangup {
    /// In words for people.
    pub reason: String,
    /// What to do next.
    pub then: Then,
}

/// What follows a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Then {
    /// Connect again, with the usual waits.
    Again,
    /// Connect again after minutes: only a person can change what is wrong.
    Rarely,
    /// Enrol again with the old key, then connect.
    Reenrol,
}

impl Then {
    /// The least time before the next try.
    pub fn wait(self) -> Duration {
        match self {
            Self::Again | Self::Reenrol => Duration::ZERO,
            Self::Rarely => Duration::from_secs(60),
        }
    }
}

impl fmt::Display for Hangup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.reason)
    }
}

/// Why something that the hub said is not taken. The session goes on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Nothing but aborts is taken before `Welcome`, or without a session.
    #[error("{what} came before the hub's welcome")]
    TooEarly {
        /// What came.
        what: &'static str,
    },
    /// The hub leads in an older term than one that was seen.
    #[error("{what} is from a hub at term {term}, behind one that was seen")]
    Behind {
        /// What came.
        what: &'static str,
        /// That hub's term.
        term: Term,
    },
    /// The order speaks for another fleet.
    #[error("order for {workload} is of fleet {theirs}, this agent belongs to {ours}")]
    OtherFleet {
        /// The order's workload.
        workload: WorkloadRef,
        /// The order's fleet.
        theirs: FleetId,
        /// Ours.
        ours: FleetId,
    },
    /// The order's term is above the term of the hub that sends it.
    #[error("order for {workload} is of term {theirs}, its hub leads in {session}")]
    TermAhead {
        /// The order's workload.
        workload: WorkloadRef,
        /// The order's term.
        theirs: Term,
        /// The session's.
        session: Term,
    },
    /// For another cluster, or older than what is held.
    #[error("order for {workload} is not taken: {refusal}")]
    Order {
        /// The order's workload.
        workload: WorkloadRef,
        /// Why.
        refusal: Box<precedence::Refusal>,
    },
    /// The signature is not one of a known key of the hub.
    #[error("{what} is not taken: {error}")]
    Signature {
        /// What came.
        what: String,
        /// Why.
        error: SignError,
    },
    /// The lift does not stand above its abort.
    #[error("lift of abort {abort} at {lift} is not above the abort itself")]
    LiftBelow {
        /// The abort.
        abort: AbortId,
        /// The lift's position.
        lift: Position,
    },
}

impl Refused {
    /// A stable word.
    pub fn code(&self) -> &'static str {
        match self {
            Self::TooEarly { .. } => "TooEarly",
            Self::Behind { .. } => "HubBehind",
            Self::OtherFleet { .. } => "OtherFleet",
            Self::TermAhead { .. } => "TermAhead",
            Self::Order { refusal, .. } => match **refusal {
                precedence::Refusal::Older { .. } => "OlderOrder",
                precedence::Refusal::OtherCluster { .. } => "OtherCluster",
            },
            Self::Signature { .. } => "BadSignature",
            Self::LiftBelow { .. } => "LiftBelow",
        }
    }

    /// Whether it is normal after a stale view: to be counted, not alarmed (P12).
    pub fn is_normal(&self) -> bool {
        match self {
            Self::Order { refusal, .. } => match **refusal {
                precedence::Refusal::Older { .. } => true,
                precedence::Refusal::OtherCluster { .. } => false,
            },
            Self::TooEarly { .. }
            | Self::Behind { .. }
            | Self::OtherFleet { .. }
            | Self::TermAhead { .. }
            | Self::Signature { .. }
            | Self::LiftBelow { .. } => false,
        }
    }
}
