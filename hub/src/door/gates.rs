//! Who may pass: places at a time, in all, by address and by member; and a word in the log about who
//! may not, once in a while.

use std::{
    io,
    net::SocketAddr,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use flagship_proto::model::ClusterUid;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::{
    Limits,
    guest::{Guest, Line},
};
use crate::limit::{Entered, Origin, Rooms};

/// How long who comes waits for the room of one who was sent off.
const MAKES_ROOM: Duration = Duration::from_secs(1);
/// How often refusals are summed up in the log.
const SUMMARY: Duration = Duration::from_secs(10);

/// All counters of one port.
pub(super) struct Gates {
    pub(super) limits: Limits,
    connections: Arc<Semaphore>,
    line: Line,
    addresses: Arc<Rooms<Origin>>,
    members: Arc<Rooms<ClusterUid>>,
    handshakes: Arc<Semaphore>,
    turns: Arc<Rooms<Origin>>,
    strangers: Option<(Arc<Semaphore>, Arc<Rooms<Origin>>)>,
    refusals: Mutex<Refusals>,
}

/// A connection that waits for its handshake, or is at it.
pub(super) struct Waiting {
    connection: OwnedSemaphorePermit,
    address: Entered<Origin>,
}

/// What a connection holds while it is there.
#[derive(Debug)]
pub(super) struct Place {
    _connection: OwnedSemaphorePermit,
    _member: Option<Entered<ClusterUid>>,
    _address: Option<Entered<Origin>>,
    _stranger: Option<(OwnedSemaphorePermit, Entered<Origin>)>,
}

/// A handshake's turn.
pub(super) struct Turn {
    _address: Entered<Origin>,
    _handshake: OwnedSemaphorePermit,
}

#[derive(Default)]
struct Refusals {
    count: u64,
    told: Option<Instant>,
}

impl Gates {
    pub(super) fn new(limits: Limits) -> Self {
        let semaphore = |places| Arc::new(Semaphore::new(places));
        let strangers = limits.strangers;
        Self {
            limits,
            connections: semaphore(limits.connections),
            line: Line::default(),
            addresses: Rooms::new(limits.per_address),
            members: Rooms::new(limits.per_member),
            handshakes: semaphore(limits.handshakes),
            turns: Rooms::new(limits.handshakes_per_address),
            strangers: strangers.map(|s| (semaphore(s.at_once), Rooms::new(s.per_address))),
            refusals: Mutex::default(),
        }
    }

    /// A connection came.
    pub(super) async fn knock(&self, origin: Origin, guest: &Guest) -> io::Result<Waiting> {
        let address = match self.addresses.try_enter(origin) {
            Some(address) => address,
            None => self.room_at(origin).await?,
        };
        let connection = match self.connections.clone().try_acquire_owned() {
            Ok(connection) => connection,
            Err(_) => self.room_of_another().await?,
        };
        self.line.join(origin, guest, self.limits.connections);
        Ok(Waiting {
            connection,
            address,
        })
    }

    /// Who has a certificate or a token stays; who has shown none yet goes, the oldest first. So a crowd
    /// without any keeps nobody out, however many addresses it has: who comes shows one in time.
    async fn room_of_another(&self) -> io::Result<OwnedSemaphorePermit> {
        self.line
            .send_off(None)
            .ok_or_else(|| full("connections"))?;
        let room = tokio::time::timeout(MAKES_ROOM, self.connections.clone().acquire_owned());
        let room = room.await.map_err(|_| full("connections"))?;
        room.map_err(io::Error::other)
    }

    /// The same within one address, which many may share; where strangers have places of their own, they
    /// are refused by these.
    async fn room_at(&self, origin: Origin) -> io::Result<Entered<Origin>> {
        let is_full = || full("connections of one address");
        if self.limits.strangers.is_some() {
            return Err(is_full());
        }
        self.line.send_off(Some(origin)).ok_or_else(is_full)?;
        let room = tokio::time::timeout(MAKES_ROOM, self.addresses.enter(origin));
        room.await.map_err(|_| is_full())
    }

    /// Waits until it may begin its handshake. One address never has all turns.
    pub(super) async fn turn(&self, origin: Origin) -> io::Result<Turn> {
        let address = self.turns.enter(origin).await;
        let handshake = self.handshakes.clone().acquire_owned().await;
        Ok(Turn {
            _address: address,
            _handshake: handshake.map_err(io::Error::other)?,
        })
    }

    /// It has a certificate: its address is not held against it any more.
    pub(super) fn member(&self, waiting: Waiting, uid: &ClusterUid) -> io::Result<Place> {
        let member = self.members.try_enter(uid.clone());
        let member = member.ok_or_else(|| full("connections of one cluster"))?;
        Ok(Place {
            _connection: waiting.connection,
            _member: Some(member),
            _address: None,
            _stranger: None,
        })
    }

    /// It has none.
    pub(super) fn stranger(&self, waiting: Waiting, origin: Origin) -> io::Result<Place> {
        let stranger = match &self.strangers {
            Some((all, addresses)) => {
                let one = all.clone().try_acquire_owned();
                let one = one.map_err(|_| full("peers without a certificate"))?;
                let address = addresses.try_enter(origin);
                let address =
                    address.ok_or_else(|| full("peers of one address without a certificate"))?;
                Some((one, address))
            }
            None => None,
        };
        Ok(Place {
            _connection: waiting.connection,
            _member: None,
            _address: Some(waiting.address),
            _stranger: stranger,
        })
    }

    /// Each refusal is a detail; that there were many is worth a line, but not a line each.
    pub(super) fn refused(&self, from: SocketAddr, error: &io::Error) {
        tracing::debug!(%from, %error, "connection refused");
        let mut refusals = self.refusals.lock().unwrap_or_else(PoisonError::into_inner);
        refusals.count += 1;
        if refusals.told.is_none_or(|told| told.elapsed() >= SUMMARY) {
            let count = std::mem::take(&mut refusals.count);
            refusals.told = Some(Instant::now());
            tracing::warn!(count, last = %from, %error, "connections refused");
        }
    }
}

pub(super) fn full(what: &str) -> io::Error {
    io::Error::other(format!("too many {what} at a time"))
}
