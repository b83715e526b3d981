//! Connections to the hub: TLS by the agent's own connector (trap 36), small buffers (trap 37).

use std::{sync::Arc, time::Duration};

use flagship_proto::{
    tls::{self, PinnedCa, TlsError},
    wire::fleet_link_client::FleetLinkClient,
};
use hyper_util::rt::TokioIo;
use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tonic::transport::{Channel, Endpoint};

use super::identity::Identity;
use crate::config::HubAddress;

/// Largest message that is taken.
const LARGEST_MESSAGE: usize = 1024 * 1024;

/// The largest that is heard: a grant lists every abort that stands, and none may keep an agent from the next.
const LARGEST_HEARD: usize = 8 * LARGEST_MESSAGE;
/// How long connecting, the TLS handshake included, may take.
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const KEEPALIVE: Duration = Duration::from_secs(10);
const KEEPALIVE_DEADLINE: Duration = Duration::from_secs(5);
const WINDOW: u32 = 64 * 1024;

/// The client of the hub's service.
pub type Client = FleetLinkClient<Channel>;

/// Why there is no connection.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// TLS cannot be set up.
    #[error(transparent)]
    Tls(#[from] TlsError),
    /// The hub was not reached, or is not who it should be.
    #[error("cannot connect to the hub at {address}: {problem}")]
    Unreachable {
        /// Where.
        address: String,
        /// All causes, the outermost first.
        problem: String,
    },
}

/// Connects with the agent's certificate.
pub async fn connect(hub: &HubAddress, identity: &Identity) -> Result<Client, ConnectError> {
    let own = Arc::new(identity.certified()?);
    client(hub, tls::link_client(own, &identity.ca_pem)?).await
}

/// Connects without a certificate, to a hub of a known CA: to enrol again.
pub async fn connect_anonymous(hub: &HubAddress, ca_pem: &str) -> Result<Client, ConnectError> {
    client(hub, tls::anonymous_client(ca_pem, &[b"h2"])?).await
}

/// First contact: trusts the CA that the token names, and no other.
pub async fn connect_pinned(hub: &HubAddress, pin: Arc<PinnedCa>) -> Result<Client, ConnectError> {
    client(hub, tls::pinned_client(pin, &[b"h2"])?).await
}

async fn client(hub: &HubAddress, config: ClientConfig) -> Result<Client, ConnectError> {
    let connector = TlsConnector::from(Arc::new(config));
    let (host, port) = (hub.host.clone(), hub.port);
    let server_name = hub.server_name.clone();
    let dial = move |_: http::Uri| {
        let (connector, host) = (connector.clone(), host.clone());
        let server_name = server_name.clone();
        async move {
            let stream = TcpStream::connect((host.as_str(), port)).await?;
            stream.set_nodelay(true)?;
            let stream = connector.connect(server_name, stream).await?;
            Ok::<_, std::io::Error>(TokioIo::new(stream))
        }
    };
    // TLS is the connector's; the URI only carries the authority.
    let channel = Endpoint::from_static("http://hub.flagship")
        .connect_timeout(CONNECT_DEADLINE)
        .http2_keep_alive_interval(KEEPALIVE)
        .keep_alive_timeout(KEEPALIVE_DEADLINE)
        .keep_alive_while_idle(true)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .connect_with_connector(tower::service_fn(dial))
        .await
        .map_err(|error| ConnectError::Unreachable {
            address: hub.to_string(),
            problem: causes(&error),
        })?;
    Ok(FleetLinkClient::new(channel)
        .max_decoding_message_size(LARGEST_HEARD)
        .max_encoding_message_size(LARGEST_MESSAGE))
}

/// An error with what caused it, in one line.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let words = inner.to_string();
        if !text.contains(&words) {
            text.push_str(": ");
            text.push_str(&words);
        }
        cause = inner.source();
    }
    text
}
