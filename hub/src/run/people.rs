//! The port for people: the API's routes over TLS, with deadlines and limits for who speaks slowly, says
//! too much, or nothing.

use std::{
    io,
    pin::{Pin, pin},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use axum::Router;
use hyper::{Request, body::Incoming, server::conn, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use rustls::ServerConfig;
use tokio::{net::TcpListener, sync::mpsc::channel};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service as _;

use crate::{
    api::head::LARGEST_HEAD,
    door::{self, Connection, Limits, Peer},
};

/// Within which a request's head has to be there: the first one after the handshake, and over HTTP/1
/// each next one after the answer before it.
const HEAD: Duration = Duration::from_secs(15);
/// How long a connection stays on which no good token or certificate was shown: over HTTP/2 it could be kept
/// for ever with a ping.
const VISIT: Duration = Duration::from_secs(60);
/// Headers of one request over HTTP/1.
const HEADERS: usize = 64;
/// Requests of one connection at a time over HTTP/2, event streams included.
const STREAMS: u32 = 32;
const STREAM_WINDOW: u32 = 64 * 1024;
const WINDOW: u32 = 256 * 1024;
/// What waits to be sent on one stream.
const SEND_BUFFER: usize = 64 * 1024;
const KEEPALIVE: Duration = Duration::from_secs(20);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long requests have to end when the hub stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// Serves until told to stop.
pub(super) async fn serve(
    listener: TcpListener,
    tls: ServerConfig,
    limits: Limits,
    routes: Router,
    stop: CancellationToken,
) -> io::Result<()> {
    let (ready, mut accepted) = channel(64);
    let connections = TaskTracker::new();
    let serving = async {
        while let Some(connection) = accepted.recv().await {
            if let Ok(connection) = connection {
                connections.spawn(serve_one(connection, routes.clone(), stop.clone()));
            }
        }
    };
    tokio::select! {
        () = serving => {}
        () = door::run(listener, tls, limits, ready, stop.clone()) => {}
        () = stop.cancelled() => {}
    }
    connections.close();
    // Who takes longer is cut: the process ends.
    let _ = tokio::time::timeout(FAREWELL, connections.wait()).await;
    Ok(())
}

async fn serve_one(connection: Connection, routes: Router, stop: CancellationToken) {
    let peer = connection.peer().clone();
    let spoke = Arc::new(AtomicBool::new(false));
    let service = service_fn({
        let (peer, spoke) = (peer.clone(), spoke.clone());
        move |mut request: Request<Incoming>| {
            spoke.store(true, Ordering::Relaxed);
            request.extensions_mut().insert(peer.clone());
            routes.clone().call(request)
        }
    });
    let is_http2 = connection.speaks_http2();
    let io = TokioIo::new(connection);
    let ended = if is_http2 {
        let mut protocol = conn::http2::Builder::new(TokioExecutor::new());
        protocol
            .timer(TokioTimer::new())
            .max_concurrent_streams(STREAMS)
            .max_header_list_size(u32::try_from(LARGEST_HEAD).unwrap_or(u32::MAX))
            .initial_stream_window_size(STREAM_WINDOW)
            .initial_connection_window_size(WINDOW)
            .max_send_buf_size(SEND_BUFFER)
            .keep_alive_interval(KEEPALIVE)
            .keep_alive_timeout(KEEPALIVE_TIMEOUT);
        let serving = pin!(protocol.serve_connection(io, service));
        drive(serving, |c| c.graceful_shutdown(), &spoke, &peer, &stop).await
    } else {
        let mut protocol = conn::http1::Builder::new();
        protocol
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD)
            .max_headers(HEADERS)
            .max_buf_size(LARGEST_HEAD);
        let serving = pin!(protocol.serve_connection(io, service));
        drive(serving, |c| c.graceful_shutdown(), &spoke, &peer, &stop).await
    };
    if let Err(error) = ended {
        tracing::debug!(origin = %peer.origin, %error, "connection failed");
    }
}

/// Runs a connection to its end: its own, a cut, no request or no token in time, or the end of the hub.
async fn drive<C: Future<Output = hyper::Result<()>>>(
    mut serving: Pin<&mut C>,
    finish: impl Fn(Pin<&mut C>),
    spoke: &AtomicBool,
    peer: &Peer,
    stop: &CancellationToken,
) -> hyper::Result<()> {
    let mut first = pin!(tokio::time::sleep(HEAD));
    let mut visit = pin!(tokio::time::sleep(VISIT));
    let (mut is_waiting, mut is_visiting, mut is_ending) = (true, true, false);
    loop {
        tokio::select! {
            ended = serving.as_mut() => return ended,
            () = peer.guest.cut.cancelled() => return Ok(()),
            () = first.as_mut(), if is_waiting => {
                is_waiting = false;
                if !spoke.load(Ordering::Relaxed) {
                    tracing::debug!(origin = %peer.origin, "connection cut: no request came");
                    return Ok(());
                }
            }
            () = visit.as_mut(), if is_visiting => {
                is_visiting = false;
                if !peer.guest.is_known() {
                    tracing::debug!(origin = %peer.origin, "connection cut: it showed no good token");
                    return Ok(());
                }
            }
            () = stop.cancelled(), if !is_ending => {
                is_ending = true;
                finish(serving.as_mut());
            }
        }
    }
}
