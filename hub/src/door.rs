//! From a socket to a finished handshake, within limits: both ports of the hub let their peers in here.
//!
//! Handshakes run in tasks of their own with a deadline (trap 36), and some at a time: whoever said nothing
//! yet takes no turn, and who answers slowly goes on without one. Until a certificate vouches for a
//! peer, it shares what its address is given; a member has a few connections of its own, so that
//! neither a crowd without certificates nor one member gone wrong takes the room of the others. Where all
//! room is taken, the oldest of those whom nobody knows yet makes some for who comes.

mod connection;
mod gates;
mod guest;
mod socket;

#[cfg(test)]
mod tests;

use std::{io, sync::Arc, time::Duration};

use flagship_proto::identity::{PeerId, peer_id};
use rustls::{ServerConfig, pki_types::CertificateDer, server::Acceptor};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc::Sender,
};
use tokio_rustls::{LazyConfigAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

pub use connection::Connection;
pub use guest::Guest;

use gates::Gates;
use socket::Socket;

use crate::limit::Origin;

/// What peers may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Those of them from one address without a certificate, or whose handshake is not over.
    pub per_address: usize,
    /// Those of them by one member; 0 where no certificate makes anybody a member.
    pub per_member: usize,
    /// Handshakes at a time.
    pub handshakes: usize,
    /// Those of them from one address; others of it wait.
    pub handshakes_per_address: usize,
    /// How long a handshake counts as one of these: so many that are begun and left keep nobody waiting.
    pub turn: Duration,
    /// How long a connection may wait for its handshake and be at it.
    pub handshake: Duration,
    /// How long a peer may take nothing of what is sent to it.
    pub stall: Duration,
    /// Those without a certificate; none where certificates are not asked for.
    pub strangers: Option<Strangers>,
}

/// What who has no certificate may cost: it enrols, and leaves.
#[derive(Debug, Clone, Copy)]
pub struct Strangers {
    /// At a time.
    pub at_once: usize,
    /// From one address.
    pub per_address: usize,
    /// How long one may stay.
    pub stay: Duration,
}

impl Limits {
    /// On the port for agents.
    pub const AGENTS: Self = Self {
        connections: 20_000,
        per_address: 10_000,
        per_member: 8,
        handshakes: 256,
        handshakes_per_address: 128,
        turn: Duration::from_millis(500),
        handshake: Duration::from_secs(10),
        stall: Duration::from_secs(20),
        strangers: Some(Strangers {
            at_once: 128,
            per_address: 64,
            stay: Duration::from_secs(60),
        }),
    };

    /// On the port for people, event streams included.
    pub const PEOPLE: Self = Self {
        connections: 2_048,
        per_address: 512,
        per_member: 0,
        handshakes: 256,
        handshakes_per_address: 64,
        turn: Duration::from_millis(100),
        handshake: Duration::from_secs(10),
        stall: Duration::from_secs(30),
        strangers: None,
    };
}

/// Who is at the other end; handed to each request as an extension.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Who its certificate says it is; none where it came without one.
    pub id: Option<Arc<PeerId>>,
    /// The certificates that it showed, its own first. On the port for people nobody has judged them.
    pub chain: Arc<[CertificateDer<'static>]>,
    /// Where it comes from.
    pub origin: Origin,
    /// Whether anybody knows it, and how to cut it.
    pub guest: Guest,
}

/// Accepts until told to stop.
pub async fn run(
    listener: TcpListener,
    tls: ServerConfig,
    limits: Limits,
    ready: Sender<io::Result<Connection>>,
    stop: CancellationToken,
) {
    let tls = Arc::new(tls);
    let gates = Arc::new(Gates::new(limits));
    let tasks = tokio_util::task::TaskTracker::new();
    while !stop.is_cancelled() {
        let accepted = tokio::select! {
            accepted = listener.accept() => accepted,
            () = stop.cancelled() => break,
        };
        let (stream, from) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: others end, then there is room again.
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (tls, gates, ready) = (tls.clone(), gates.clone(), ready.clone());
        tasks.spawn(async move {
            match admit(stream, Origin::of(from.ip()), tls, &gates).await {
                Ok(connection) => {
                    // The server is gone: so is the connection.
                    let _ = ready.send(Ok(connection)).await;
                }
                Err(error) => gates.refused(from, &error),
            }
        });
    }
    // What was let in goes on until it has taken its last word.
    std::future::pending::<()>().await;
}

async fn admit(
    stream: TcpStream,
    origin: Origin,
    tls: Arc<ServerConfig>,
    gates: &Gates,
) -> io::Result<Connection> {
    let limits = gates.limits;
    let guest = Guest::default();
    let gone = guest.cut.clone().drop_guard();
    let waiting = gates.knock(origin, &guest).await?;
    stream.set_nodelay(true)?;
    let handshake = shake_hands(Socket::new(stream, limits.stall), origin, tls, gates);
    let handshake = tokio::time::timeout(limits.handshake, handshake);
    let stream = tokio::select! {
        stream = handshake => stream??,
        () = guest.cut.cancelled() => return Err(gates::full("connections")),
    };
    let (_, session) = stream.get_ref();
    let chain = session.peer_certificates().unwrap_or_default();
    let member = chain.first().filter(|_| limits.per_member > 0);
    let id = member
        .map(|certificate| peer_id(certificate))
        .transpose()
        .map_err(io::Error::other)?;
    let chain = chain.to_vec().into();
    let place = match &id {
        Some(id) => {
            guest.is_known_now();
            gates.member(waiting, &id.uid)?
        }
        None => gates.stranger(waiting, origin)?,
    };
    let peer = Peer {
        id: id.map(Arc::new),
        chain,
        origin,
        guest,
    };
    gone.disarm();
    if let (None, Some(strangers)) = (&peer.id, limits.strangers) {
        cut_after(strangers.stay, &peer.guest.cut);
    }
    Ok(Connection::new(stream, peer, place))
}

async fn shake_hands(
    socket: Socket,
    origin: Origin,
    tls: Arc<ServerConfig>,
    gates: &Gates,
) -> io::Result<TlsStream<Socket>> {
    let hello = LazyConfigAcceptor::new(Acceptor::default(), socket).await?;
    let turn = gates.turn(origin).await?;
    let mut rest = std::pin::pin!(hello.into_stream(tls));
    if let Ok(done) = tokio::time::timeout(gates.limits.turn, &mut rest).await {
        return done;
    }
    drop(turn);
    rest.await
}

fn cut_after(stay: Duration, cut: &CancellationToken) {
    let cut = cut.clone();
    tokio::spawn(async move {
        tokio::select! {
            () = tokio::time::sleep(stay) => cut.cancel(),
            () = cut.cancelled() => {}
        }
    });
}
