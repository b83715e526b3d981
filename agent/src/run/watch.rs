//! The agent's own small port: `/metrics`, `/healthz`, `/readyz`. It is there only if it is asked for,
//! answers a few at a time, and tells no secret.

mod page;
#[cfg(test)]
mod tests;

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use axum::{
    Router,
    http::{StatusCode, header},
    response::IntoResponse,
    routing::get,
};
use flagship_proto::process::{metrics::CONTENT_TYPE, traces::Tracer};
use hyper::{body::Incoming, server::conn::http1, service::service_fn};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::{net::TcpListener, sync::Semaphore};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::Service as _;

use crate::{link::handle::LinkHandle, metrics::Counters, platform::Platform};

/// Connections at a time; more wait.
const AT_ONCE: usize = 16;
/// How long a request may take to come, and its answer to be taken.
const PATIENCE: Duration = Duration::from_secs(10);

/// What the page is made of.
#[derive(Debug)]
pub(super) struct Watched<P> {
    pub(super) platform: Arc<P>,
    pub(super) link: LinkHandle,
    pub(super) counters: Counters,
    pub(super) tracer: Tracer,
}

/// Listens where it was told to, until it is stopped. Returns the address.
pub(super) async fn serve<P: Platform + 'static>(
    address: SocketAddr,
    watched: Watched<P>,
    tasks: &TaskTracker,
    stop: &CancellationToken,
) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind(address).await?;
    let bound = listener.local_addr()?;
    tasks.spawn(accept(
        listener,
        routes(watched),
        tasks.clone(),
        stop.clone(),
    ));
    Ok(bound)
}

fn routes<P: Platform + 'static>(watched: Watched<P>) -> Router {
    let watched = Arc::new(watched);
    let ready = watched.link.clone();
    let metrics = move || async move {
        let text = page::page(&watched).text();
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
    };
    Router::new()
        .route("/metrics", get(metrics))
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/readyz", get(|| async move { readiness(&ready) }))
}

/// Whether it can do its work: it is a member of a fleet. Without a hub in reach it can.
fn readiness(link: &LinkHandle) -> (StatusCode, &'static str) {
    match link.see(|_, _| ()) {
        Some(()) => (StatusCode::OK, "ok\n"),
        None => (
            StatusCode::SERVICE_UNAVAILABLE,
            "not a member of a fleet yet\n",
        ),
    }
}

async fn accept(
    listener: TcpListener,
    routes: Router,
    tasks: TaskTracker,
    stop: CancellationToken,
) {
    let places = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        let accepted = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => accepted,
        };
        let stream = match accepted {
            Ok((stream, _)) => stream,
            Err(error) => {
                tracing::warn!(%error, "metrics: a connection could not be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let (routes, stop) = (routes.clone(), stop.clone());
        tasks.spawn(async move {
            let service =
                service_fn(move |request: hyper::Request<Incoming>| routes.clone().call(request));
            let serving = http1::Builder::new()
                .timer(TokioTimer::new())
                .header_read_timeout(PATIENCE)
                .keep_alive(false)
                .serve_connection(TokioIo::new(stream), service);
            tokio::select! {
                () = stop.cancelled() => {}
                // One that failed has only itself to tell.
                _ = tokio::time::timeout(PATIENCE * 2, serving) => {}
            }
            drop(place);
        });
    }
}
