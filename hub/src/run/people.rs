//! The port for people: the API's routes over TLS. Handshakes have a deadline and tasks of their own.

use std::{
    io,
    net::SocketAddr,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use axum::{Router, serve::Listener};
use rustls::ServerConfig;
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpStream},
    sync::{
        OwnedSemaphorePermit, Semaphore,
        mpsc::{Receiver, Sender, channel},
    },
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tokio_util::sync::CancellationToken;

/// Connections at a time, event streams included.
const CONNECTIONS: usize = 2_048;
const HANDSHAKE: Duration = Duration::from_secs(10);
/// How long requests have to end when the hub stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// Serves until told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    tls: ServerConfig,
    routes: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let address = listener.local_addr()?;
    let (ready, accepted) = channel(64);
    let late = {
        let stop = stop.clone();
        async move {
            stop.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        }
    };
    let stopped = stop.clone().cancelled_owned();
    let serving = axum::serve(Accepted { accepted, address }, routes);
    tokio::select! {
        ended = serving.with_graceful_shutdown(stopped) => ended,
        () = accept(listener, TlsAcceptor::from(Arc::new(tls)), ready) => Ok(()),
        () = late => Ok(()),
    }
}

async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    ready: Sender<(Connection, SocketAddr)>,
) {
    let room = Arc::new(Semaphore::new(CONNECTIONS));
    loop {
        let (stream, from) = match listener.accept().await {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, mostly: others end, then there is room again.
                tracing::warn!(%error, "connection not accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let Ok(permit) = room.clone().try_acquire_owned() else {
            tracing::warn!(%from, "connection refused: too many at a time");
            continue;
        };
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%from, %error, "socket option not set");
            }
            match tokio::time::timeout(HANDSHAKE, acceptor.accept(stream)).await {
                Ok(Ok(stream)) => {
                    let connection = Connection {
                        stream,
                        _permit: permit,
                    };
                    // The server is gone: so is the connection.
                    let _ = ready.send((connection, from)).await;
                }
                Ok(Err(error)) => tracing::debug!(%from, %error, "handshake failed"),
                Err(_) => tracing::debug!(%from, "handshake took too long"),
            }
        });
    }
}

struct Accepted {
    accepted: Receiver<(Connection, SocketAddr)>,
    address: SocketAddr,
}

impl Listener for Accepted {
    type Io = Connection;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (Connection, SocketAddr) {
        match self.accepted.recv().await {
            Some(connection) => connection,
            None => std::future::pending().await,
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        Ok(self.address)
    }
}

struct Connection {
    stream: TlsStream<TcpStream>,
    _permit: OwnedSemaphorePermit,
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}
