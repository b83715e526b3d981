//! What an agent does that no good one does: its session ends, others do not notice, and the audit log
//! has it once in a while, with how often it happened.

use std::{fmt, time::Duration};

use flagship_proto::model::{ClusterUid, Mono, Tick};

use super::{
    Fleet, SessionId, bad,
    ledger::{Subject, Value},
};
use crate::limit::Rate;

/// How often one offence of one cluster is written down.
const AGAIN: Duration = Duration::from_secs(600);

/// What a session may say: a token for each message, and one more for each [`PAGE`] of its bytes.
pub const SPEECH: Rate = Rate {
    burst: 4_000,
    per_minute: 30_000,
};

/// See [`SPEECH`].
pub const PAGE: usize = 4 * 1024;

/// How many acts of people on the spot are taken from one cluster: each is an entry in the audit log,
/// which nothing ever shortens.
pub(super) const ACTS: Rate = Rate {
    burst: 5_000,
    per_minute: 60,
};

/// How often one cluster may open a session.
pub(super) const OPENINGS: Rate = Rate {
    burst: 60,
    per_minute: 60,
};

/// A kind of misbehaviour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Offence {
    /// It said what is no message, or not at that moment.
    Garbage,
    /// It said more than [`SPEECH`] allows.
    Flood,
    /// It opened sessions more often than one may.
    Restless,
    /// It took nothing of what it was told.
    Deaf,
    /// It kept its session open and asked for no lease.
    Silent,
    /// It reported workloads that it has not, or more of them, of their words or of acts on the spot than a cluster can have.
    Excess,
    /// It sent a receipt that is not its own, or not signed with its key.
    Forgery,
    /// It claims what nothing proves (P22).
    Claim,
}

impl Offence {
    /// Every kind.
    pub const ALL: [Self; 8] = [
        Self::Garbage,
        Self::Flood,
        Self::Restless,
        Self::Deaf,
        Self::Silent,
        Self::Excess,
        Self::Forgery,
        Self::Claim,
    ];

    /// One word for metrics.
    pub fn word(self) -> &'static str {
        match self {
            Self::Garbage => "Garbage",
            Self::Flood => "Flood",
            Self::Restless => "Restless",
            Self::Deaf => "Deaf",
            Self::Silent => "Silent",
            Self::Excess => "Excess",
            Self::Forgery => "Forgery",
            Self::Claim => "Claim",
        }
    }
}

impl fmt::Display for Offence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Garbage => "it said what is no message",
            Self::Flood => "it said too much",
            Self::Restless => "it opened sessions too often",
            Self::Deaf => "it took nothing of what it was told",
            Self::Silent => "it said nothing",
            Self::Excess => "it reported more than a cluster can have",
            Self::Forgery => "it sent a receipt that is not what it says",
            Self::Claim => "it claims what nothing proves",
        })
    }
}

/// When an offence was last written down, and how often it happened since.
#[derive(Debug, Clone, Copy)]
pub(super) struct Told {
    at: Mono,
    since: u64,
}

impl Fleet {
    /// Something came that is not a message, or not at this moment.
    pub fn garbled(&mut self, id: SessionId, problem: &str, now: Tick) {
        self.end_for(id, Offence::Garbage, problem, now);
    }

    /// A session said more than [`SPEECH`] allows.
    pub fn flooded(&mut self, id: SessionId, now: Tick) {
        let problem = format!(
            "more than {} messages or {} KiB a second came for a while; wait, and send less",
            SPEECH.per_minute / 60,
            SPEECH.per_minute as usize / 60 * PAGE / 1024,
        );
        self.end_for(id, Offence::Flood, &problem, now);
    }

    /// Ends a session with a word about what was wrong, and writes it down.
    pub(super) fn end_for(&mut self, id: SessionId, offence: Offence, problem: &str, now: Tick) {
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        let uid = session.peer.uid.clone();
        self.end(id, bad(problem), now);
        self.offend(&uid, offence, problem, now);
    }

    /// Writes an offence down, unless it was a moment ago.
    pub(super) fn offend(&mut self, uid: &ClusterUid, offence: Offence, why: &str, now: Tick) {
        if !self.view.members.contains_key(uid) {
            return;
        }
        *self.tally.offences.entry(offence).or_default() += 1;
        let peer = self.peers.entry(uid.clone()).or_default();
        let before = peer.offences.get_mut(&offence);
        let more = match before {
            Some(told) if now.mono.since(told.at).is_some_and(|age| age < AGAIN) => {
                told.since += 1;
                return;
            }
            Some(told) => told.since,
            None => 0,
        };
        let told = Told {
            at: now.mono,
            since: 0,
        };
        peer.offences.insert(offence, told);
        let shown: String = why.chars().take(300).collect();
        let why = match more {
            0 => format!("{offence}: {shown}"),
            more => format!("{offence}: {shown} (and {more} times more since the last entry)"),
        };
        self.put(uid, Subject::Offence(offence), Value::Offence(why));
    }
}
