//! The port for agents: mutual TLS, FleetLink, and limits on what a peer may cost.
//!
//! Connections are accepted in tasks of their own with a deadline for the handshake (trap 36); windows,
//! streams and messages are small (trap 37). Who a peer is stands in its certificate.

mod link;
mod stream;

#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use flagship_proto::{
    tls::{CurrentCert, TlsError, link_server},
    wire::fleet_link_server::FleetLinkServer,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::transport::Server;

use crate::{
    door::{self, Limits},
    enrol::Enrol,
    fleet::handle::FleetHandle,
};

use link::Link;

/// The largest message that is decoded. A hello shows every abort that the agent keeps.
const LARGEST_MESSAGE: usize = 1024 * 1024;
const WINDOW: u32 = 64 * 1024;
/// The largest list of headers of one request.
const LARGEST_HEADERS: u32 = 16 * 1024;
/// Streams of one connection at a time: a session and a renewal.
const STREAMS: u32 = 4;
const KEEPALIVE: Duration = Duration::from_secs(15);
const KEEPALIVE_TIMEOUT: Duration = Duration::from_secs(10);
/// How long sessions have to take their last word when the hub stops.
const FAREWELL: Duration = Duration::from_secs(3);

/// Why the port for agents cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum GrpcError {
    /// The hub's own certificate.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The server.
    #[error("the port for agents failed: {0}")]
    Transport(#[from] tonic::transport::Error),
}

/// What the port for agents is made of.
#[derive(Debug)]
pub struct Agents {
    /// Where it listens.
    pub listener: TcpListener,
    /// The hub's certificate; may be exchanged while running.
    pub certificate: Arc<CurrentCert>,
    /// Who may come in, and how.
    pub enrol: Arc<Enrol>,
    /// Whom sessions speak with.
    pub fleet: FleetHandle,
    /// What peers may cost.
    pub limits: Limits,
}

/// Serves until told to stop; then says goodbye to all sessions.
pub async fn serve(agents: Agents, stop: CancellationToken) -> Result<(), GrpcError> {
    let Agents {
        listener,
        certificate,
        enrol,
        fleet,
        limits,
    } = agents;
    let tls = link_server(certificate, enrol.ca_pem())?;
    let link = Link::new(enrol, fleet.clone());
    let service = FleetLinkServer::new(link).max_decoding_message_size(LARGEST_MESSAGE);
    let (connections, accepted) = tokio::sync::mpsc::channel(64);
    let farewell = {
        let stop = stop.clone();
        async move {
            stop.cancelled().await;
            fleet.drain();
        }
    };
    let late = {
        let stop = stop.clone();
        async move {
            stop.cancelled().await;
            tokio::time::sleep(FAREWELL).await;
        }
    };
    let serving = Server::builder()
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .max_concurrent_streams(STREAMS)
        .http2_max_header_list_size(LARGEST_HEADERS)
        .http2_keepalive_interval(Some(KEEPALIVE))
        .http2_keepalive_timeout(Some(KEEPALIVE_TIMEOUT))
        .add_service(service)
        .serve_with_incoming_shutdown(ReceiverStream::new(accepted), farewell);
    tokio::select! {
        ended = serving => ended?,
        () = door::run(listener, tls, limits, connections, stop) => {}
        () = late => {}
    }
    Ok(())
}
