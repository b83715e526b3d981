//! The fleet: every session with an agent, as one plain state machine over values (S1). It decides who
//! may speak, what each agent is told, what a lease is worth, and what of a report or receipt is kept.
//!
//! It does no I/O: events go in with the moment at which they happened, and effects come out. The
//! edge (`grpc`) moves bytes; the simulation drives it directly.

mod abort;
mod apply;
mod census;
mod effect;
mod follow;
pub mod handle;
mod hello;
mod lease;
mod ledger;
mod local;
mod offence;
mod queue;
mod receipt;
mod report;
mod room;
pub mod rows;
mod session;
mod tell;
mod tick;
mod view;
mod witness;
mod writes;

#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use flagship_proto::{
    identity::PeerId,
    model::{
        AbortId, AgentMessage, AuditMark, ClusterUid, Goodbye, GoodbyeCode, Hello, Position, Tick,
    },
    sign::{HubKeys, SignKey},
};
use jiff::Timestamp;

pub use census::{Census, Tally};
pub use effect::{Alarm, Config, Effect, Next, Ticket};
pub use follow::Follower;
pub use handle::FleetHandle;
pub use ledger::{Job, KeptReceipt, ReportedStatus, Stored, Unstored};
pub use offence::{Offence, PAGE, SPEECH};
pub use receipt::Checked;
pub use room::MOST_REPORTED;
pub use session::SessionId;
pub use view::{Change, Member, StoredReceipt, StoredReport};

use lease::Freshness;
use ledger::Work;
use offence::OPENINGS;
use queue::Key;
use session::{Peer, Session, Stage, goodbye};
use view::View;
use writes::Writes;

use crate::limit::Bucket;

/// What is known of a cluster's connection; in memory only.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Presence {
    /// Whether a session is live: `Hello` was accepted and the stream is open.
    pub connected: bool,
    /// When the agent last said something to this hub process.
    pub last_heard: Option<Tick>,
    /// When it last told all that it knew, if all of it is stored; none while some is on its way.
    pub told: Option<Tick>,
    /// Until when the last granted lease counts, at the latest.
    pub lease_until: Option<Tick>,
}

/// Something that agents have shown: that the store is older than what they have seen (P22), or another log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// What shows it.
    pub why: String,
    /// Since when that is known.
    pub since: Timestamp,
}

/// All sessions and what they are told.
#[derive(Debug)]
pub struct Fleet {
    config: Config,
    key: Arc<SignKey>,
    trusted: HubKeys,
    view: View,
    freshness: Freshness,
    /// In boxes, as all that is large in a map here: a map makes room for eleven of what it holds.
    sessions: BTreeMap<SessionId, Box<Session>>,
    peers: BTreeMap<ClusterUid, Box<Peer>>,
    takeovers: Writes<AbortId, Unstored>,
    tickets: BTreeMap<Ticket, Work>,
    counter: u64,
    effects: Vec<Effect>,
    behind: Option<Behind>,
    tally: Tally,
    audit: Option<AuditMark>,
}

impl Fleet {
    /// A fleet without members; [`Fleet::load`] comes next.
    pub fn new(config: Config, key: Arc<SignKey>) -> Self {
        let trusted = HubKeys::new([(key.id().to_owned(), key.public())]);
        Self {
            config,
            key,
            trusted,
            view: View::default(),
            freshness: Freshness::default(),
            sessions: BTreeMap::new(),
            peers: BTreeMap::new(),
            takeovers: Writes::default(),
            tickets: BTreeMap::new(),
            counter: 0,
            effects: Vec::new(),
            behind: None,
            tally: Tally::default(),
            audit: None,
        }
    }

    /// A stream was opened by a peer that TLS authenticated. Refused with
    /// the last word to send where uid, name, serial or end of the certificate do not stand in the
    /// store (trap 11).
    pub fn opened(&mut self, peer: PeerId, now: Tick) -> Result<SessionId, Goodbye> {
        self.check_peer(&peer, now)?;
        let record = self.peers.entry(peer.uid.clone()).or_default();
        let openings = record
            .openings
            .get_or_insert_with(|| Bucket::full(OPENINGS, now.mono));
        if !openings.take(1, OPENINGS, now.mono) {
            let problem = "sessions are opened again and again: wait a minute";
            self.offend(&peer.uid, Offence::Restless, problem, now);
            return Err(bad(problem));
        }
        self.tally.opened += 1;
        self.counter += 1;
        let id = SessionId(self.counter);
        record.sessions.push(id);
        self.sessions.insert(id, Box::new(Session::new(peer, now)));
        Ok(id)
    }

    /// Whether a certificate's bearer may speak now.
    pub fn check_peer(&self, peer: &PeerId, now: Tick) -> Result<(), Goodbye> {
        let removed = |why: String| Err(goodbye(GoodbyeCode::Removed, why));
        let Some(member) = self.view.members.get(&peer.uid) else {
            return removed(format!(
                "cluster {} with uid {} is not a member of this fleet; enrol it again with a new token",
                peer.cluster, peer.uid
            ));
        };
        if peer.trust_domain != self.config.trust_domain || member.name != peer.cluster {
            return removed(format!(
                "the certificate names {} in {}, the fleet knows this uid as {} in {}",
                peer.cluster, peer.trust_domain, member.name, self.config.trust_domain
            ));
        }
        if !member.certificates.contains_key(&peer.serial) {
            return removed(format!(
                "certificate {} of cluster {} was replaced or revoked",
                peer.serial, peer.cluster
            ));
        }
        if peer.not_after <= now.wall {
            return Err(expired(peer));
        }
        Ok(())
    }

    /// The stream is gone.
    pub fn closed(&mut self, id: SessionId) {
        if let Some(session) = self.sessions.remove(&id)
            && let Some(peer) = self.peers.get_mut(&session.peer.uid)
        {
            peer.sessions.retain(|other| *other != id);
        }
    }

    /// An agent said something.
    pub fn message(&mut self, id: SessionId, message: AgentMessage, now: Tick) {
        match message {
            AgentMessage::Hello(hello) => self.first(id, *hello, now),
            AgentMessage::Report(report) => {
                if self.hears(id, now) {
                    self.report(id, report, now);
                }
            }
            AgentMessage::LeaseRequest(request) => {
                if self.hears(id, now)
                    && let Some(session) = self.sessions.get_mut(&id)
                {
                    let unsaid = request.unsaid;
                    session.asked = Some(request);
                    self.mark(id, Key::Grant, now);
                    if !unsaid {
                        self.note_told(id, now);
                    }
                }
            }
            AgentMessage::Receipt(signed) => {
                let certificate = self.certificate(id, &signed.serial);
                self.receipt(id, Checked::new(*signed, certificate), now);
            }
        }
    }

    fn first(&mut self, id: SessionId, hello: Hello, now: Tick) {
        match self.sessions.get(&id).map(|session| &session.stage) {
            Some(Stage::Opened) => {
                self.note_heard(id, now);
                self.hello(id, hello, now);
            }
            Some(Stage::Live(_)) => self.garbled(id, "Hello came twice", now),
            Some(Stage::Ending(_) | Stage::Ended) | None => {}
        }
    }

    /// Whether a session is listened to; before `Hello` it is ended.
    fn hears(&mut self, id: SessionId, now: Tick) -> bool {
        match self.sessions.get(&id).map(|session| &session.stage) {
            Some(Stage::Live(_)) => {
                self.note_heard(id, now);
                true
            }
            Some(Stage::Opened) => {
                self.garbled(id, "the first message must be Hello", now);
                false
            }
            Some(Stage::Ending(_) | Stage::Ended) | None => false,
        }
    }

    /// All that the agent knew when it spoke is known here: a report brings every status that had
    /// changed, and who has none left says so with the request for its lease (P31).
    fn note_told(&mut self, id: SessionId, now: Tick) {
        if let Some(session) = self.sessions.get(&id) {
            let peer = self.peers.entry(session.peer.uid.clone()).or_default();
            if !peer.refused {
                peer.told = Some(now);
            }
        }
    }

    fn note_heard(&mut self, id: SessionId, now: Tick) {
        if let Some(session) = self.sessions.get_mut(&id) {
            session.last_heard = now;
            let uid = session.peer.uid.clone();
            self.peers.entry(uid).or_default().last_heard = Some(now);
        }
    }

    /// What has to be done since the last call, in order.
    pub fn effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }

    /// What is known of a cluster's connection.
    pub fn presence(&self, uid: &ClusterUid) -> Presence {
        self.peers
            .get(uid)
            .map_or_else(Presence::default, |peer| self.presence_of(peer))
    }

    /// The same for all clusters that were heard of since this process began.
    pub fn presences(&self) -> BTreeMap<ClusterUid, Presence> {
        let all = self.peers.iter();
        all.map(|(uid, peer)| (uid.clone(), self.presence_of(peer)))
            .collect()
    }

    fn presence_of(&self, peer: &Peer) -> Presence {
        let is_live = |id| {
            self.sessions
                .get(id)
                .is_some_and(|s| s.incarnation().is_some())
        };
        Presence {
            connected: peer.sessions.iter().any(is_live),
            last_heard: peer.last_heard,
            told: peer.told.filter(|_| !peer.ledger.has_unstored()),
            lease_until: peer.lease_until,
        }
    }

    /// Why this hub gives no Run order and no lease at all, if so (P22).
    pub fn behind(&self) -> Option<&Behind> {
        self.behind.as_ref()
    }

    /// Why nothing advances in a cluster until a person looked, if so (P1, P22).
    pub fn quarantine(&self, uid: &ClusterUid) -> Option<String> {
        let claim = || self.peers.get(uid)?.claim.as_deref();
        self.twin(uid).or_else(claim).map(str::to_owned)
    }

    /// Why nothing advances in a cluster until a person confirmed that it is a member, if so (P22).
    pub fn unconfirmed(&self, uid: &ClusterUid) -> Option<&str> {
        self.view.members.get(uid)?.unconfirmed.as_deref()
    }

    /// Why two live keys are suspected for one uid: its row says so, or will soon.
    fn twin(&self, uid: &ClusterUid) -> Option<&str> {
        let row = self
            .view
            .members
            .get(uid)
            .and_then(|member| member.quarantine.as_deref());
        row.or_else(|| self.peers.get(uid)?.twin.as_deref())
    }

    /// The key that signs orders and aborts: its id and its public half (SubjectPublicKeyInfo, DER).
    pub fn signing_key(&self) -> (String, Vec<u8>) {
        (self.key.id().to_owned(), self.key.public())
    }

    /// The store's position up to which rows were taken in.
    pub fn position(&self) -> Position {
        self.view.at
    }

    /// How many streams are open.
    pub fn session_count(&self) -> usize {
        self.sessions.len()
    }

    fn mark(&mut self, id: SessionId, key: Key, now: Tick) {
        if let Some(session) = self.sessions.get_mut(&id)
            && session.queue.mark(key, now)
        {
            self.effects.push(Effect::Wake(id));
        }
    }

    /// Gives a session its last word; nothing more is heard from it.
    fn end(&mut self, id: SessionId, last: Goodbye, now: Tick) {
        let Some(session) = self.sessions.get_mut(&id) else {
            return;
        };
        match session.stage {
            Stage::Opened | Stage::Live(_) => session.stage = Stage::Ending(last),
            Stage::Ending(_) | Stage::Ended => return,
        }
        self.mark(id, Key::Goodbye, now);
    }

    /// Live sessions of a cluster.
    fn live_sessions(&self, uid: &ClusterUid) -> Vec<SessionId> {
        let ids: BTreeSet<SessionId> = self
            .peers
            .get(uid)
            .map(|peer| peer.sessions.iter().copied().collect())
            .unwrap_or_default();
        ids.into_iter()
            .filter(|id| {
                self.sessions
                    .get(id)
                    .is_some_and(|s| s.incarnation().is_some())
            })
            .collect()
    }
}

fn session_mut(sessions: &mut BTreeMap<SessionId, Box<Session>>, id: SessionId) -> &mut Session {
    sessions.get_mut(&id).expect("the caller has just seen it")
}

fn bad(problem: &str) -> Goodbye {
    goodbye(GoodbyeCode::BadMessage, problem)
}

fn expired(peer: &PeerId) -> Goodbye {
    let message = format!(
        "certificate {} of cluster {} ended at {}; renew it, or enrol again",
        peer.serial, peer.cluster, peer.not_after
    );
    goodbye(GoodbyeCode::CertificateExpired, message)
}
