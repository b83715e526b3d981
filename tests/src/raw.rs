//! HTTP by hand over TLS: what no client library would send, and what the hub answers to it.

use std::{io, net::SocketAddr, sync::Arc, time::Duration};

use flagship_proto::tls::anonymous_client;
use rustls_pki_types::ServerName;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};
use tokio_rustls::{TlsConnector, client::TlsStream};

/// The longest answer that is kept.
const LONGEST: usize = 1 << 20;

/// Speaks with the port for people of one hub.
#[derive(Debug, Clone)]
pub struct Raw {
    /// Where it is.
    pub address: SocketAddr,
    ca_pem: String,
}

/// What came back.
#[derive(Debug, Clone)]
pub struct Reply {
    /// The status; 0 where the connection ended without an answer.
    pub status: u16,
    /// Everything, head and body.
    pub text: String,
}

impl Raw {
    /// For a hub's address and its CA.
    pub fn new(address: SocketAddr, ca_pem: &str) -> Self {
        Self {
            address,
            ca_pem: ca_pem.to_owned(),
        }
    }

    /// A connection after its handshake.
    ///
    /// # Errors
    /// The hub does not let it in.
    ///
    /// # Panics
    /// The CA is none.
    pub async fn dial(&self, alpn: &[u8]) -> io::Result<TlsStream<TcpStream>> {
        let config = anonymous_client(&self.ca_pem, &[alpn]).expect("the hub's CA can be used");
        let stream = TcpStream::connect(self.address).await?;
        let name = ServerName::from(self.address.ip());
        TlsConnector::from(Arc::new(config))
            .connect(name, stream)
            .await
    }

    /// Sends a head and some blocks of a body, and reads what comes back, even if the hub stops
    /// reading before all was sent.
    ///
    /// # Errors
    /// The hub does not let it in.
    pub async fn send(&self, head: &str, blocks: &[&[u8]]) -> io::Result<Reply> {
        let stream = self.dial(b"http/1.1").await?;
        let (mut answers, mut asks) = tokio::io::split(stream);
        let writing = async {
            asks.write_all(head.as_bytes()).await?;
            for block in blocks {
                asks.write_all(block).await?;
            }
            asks.flush().await
        };
        // That the hub closed while we wrote is an answer too.
        let (_closed, reply) = tokio::join!(writing, read_reply(&mut answers));
        Ok(reply)
    }
}

/// Reads to the end, at most a minute.
pub async fn read_reply(stream: &mut (impl AsyncReadExt + Unpin)) -> Reply {
    let mut bytes = Vec::new();
    let reading = async {
        let mut buffer = [0; 8192];
        while bytes.len() < LONGEST {
            match stream.read(&mut buffer).await {
                Ok(0) | Err(_) => break,
                Ok(count) => bytes.extend_from_slice(&buffer[..count]),
            }
        }
    };
    let _late = timeout(Duration::from_secs(60), reading).await;
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok());
    Reply {
        status: status.unwrap_or(0),
        text,
    }
}

/// The head of a request with a token, for a body of this length.
pub fn head(method: &str, path: &str, token: &str, kind: &str, length: usize) -> String {
    format!(
        "{method} {path} HTTP/1.1\r\nhost: hub\r\nauthorization: Bearer {token}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    )
}
