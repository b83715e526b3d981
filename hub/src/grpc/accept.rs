//! Connections of agents from the socket to a finished handshake, within limits.

use std::{
    io,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use flagship_proto::identity::{PeerId, peer_id};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore, mpsc::Sender},
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};
use tonic::transport::server::Connected;

/// What peers may cost.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Connections at a time.
    pub connections: usize,
    /// Handshakes at a time.
    pub handshakes: usize,
    /// Connections without a certificate at a time: who enrols.
    pub strangers: usize,
    /// The deadline of a handshake.
    pub handshake: Duration,
    /// How long who has no certificate may stay.
    pub stranger: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            connections: 20_000,
            handshakes: 256,
            strangers: 128,
            handshake: Duration::from_secs(10),
            stranger: Duration::from_secs(60),
        }
    }
}

/// Who is at the other end; handed to each request as an extension.
#[derive(Debug, Clone)]
pub struct Peer {
    /// Who its certificate says it is; none where it came without one.
    pub id: Option<Arc<PeerId>>,
    /// Cuts the connection.
    pub cut: CancellationToken,
}

/// A connection after its handshake.
pub(super) struct Connection {
    stream: TlsStream<TcpStream>,
    peer: Peer,
    cut: Pin<Box<WaitForCancellationFutureOwned>>,
    _permits: Vec<OwnedSemaphorePermit>,
}

struct Gates {
    connections: Arc<Semaphore>,
    handshakes: Arc<Semaphore>,
    strangers: Arc<Semaphore>,
}

/// Accepts until told to stop.
pub(super) async fn run(
    listener: TcpListener,
    tls: ServerConfig,
    limits: Limits,
    ready: Sender<io::Result<Connection>>,
    stop: CancellationToken,
) {
    let acceptor = TlsAcceptor::from(Arc::new(tls));
    let gates = Arc::new(Gates {
        connections: Arc::new(Semaphore::new(limits.connections)),
        handshakes: Arc::new(Semaphore::new(limits.handshakes)),
        strangers: Arc::new(Semaphore::new(limits.strangers)),
    });
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
        let (acceptor, gates, ready) = (acceptor.clone(), gates.clone(), ready.clone());
        tasks.spawn(async move {
            match admit(stream, &acceptor, &gates, limits).await {
                Ok(connection) => {
                    // The server is gone: so is the connection.
                    let _ = ready.send(Ok(connection)).await;
                }
                Err(error) => tracing::debug!(%from, %error, "connection refused"),
            }
        });
    }
    // Sessions go on until they have taken their last word.
    std::future::pending::<()>().await;
}

async fn admit(
    stream: TcpStream,
    acceptor: &TlsAcceptor,
    gates: &Gates,
    limits: Limits,
) -> io::Result<Connection> {
    let full = |what: &str| io::Error::other(format!("too many {what} at a time"));
    let connection = gates.connections.clone().try_acquire_owned();
    let connection = connection.map_err(|_| full("connections"))?;
    let handshake = gates.handshakes.acquire().await.map_err(io::Error::other)?;
    stream.set_nodelay(true)?;
    let stream = tokio::time::timeout(limits.handshake, acceptor.accept(stream)).await??;
    drop(handshake);
    let (_, session) = stream.get_ref();
    let certificate = session.peer_certificates().and_then(<[_]>::first);
    let id = certificate
        .map(|certificate| peer_id(certificate))
        .transpose()
        .map_err(io::Error::other)?;
    let mut permits = vec![connection];
    let cut = CancellationToken::new();
    if id.is_none() {
        let stranger = gates.strangers.clone().try_acquire_owned();
        permits.push(stranger.map_err(|_| full("peers without a certificate"))?);
        let cut = cut.clone();
        tokio::spawn(async move {
            tokio::select! {
                () = tokio::time::sleep(limits.stranger) => cut.cancel(),
                () = cut.cancelled() => {}
            }
        });
    }
    Ok(Connection {
        stream,
        cut: Box::pin(cut.clone().cancelled_owned()),
        peer: Peer {
            id: id.map(Arc::new),
            cut,
        },
        _permits: permits,
    })
}

impl Connected for Connection {
    type ConnectInfo = Peer;

    fn connect_info(&self) -> Peer {
        self.peer.clone()
    }
}

impl Connection {
    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(cx) {
            Poll::Ready(()) => Err(io::ErrorKind::ConnectionAborted.into()),
            Poll::Pending => Ok(()),
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.peer.cut.cancel();
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.peer.cut.is_cancelled() {
            return Poll::Ready(Err(io::ErrorKind::ConnectionAborted.into()));
        }
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
