//! One small HTTP request: the health checks of processes and the admin interface of Envoy.

use std::{net::SocketAddr, time::Duration};

use axum::body::Body;
use bytes::Bytes;
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// The largest answer that is read.
const LARGEST: usize = 8 << 20;

/// Asks once, with a deadline for everything. The words of a failure are for people.
pub(super) async fn get(
    address: SocketAddr,
    path: &str,
    deadline: Duration,
) -> Result<(u16, Bytes), String> {
    match tokio::time::timeout(deadline, ask(address, path)).await {
        Ok(answer) => answer.map_err(|error| format!("{address}{path}: {error}")),
        Err(_) => Err(format!("{address}{path}: no answer within {deadline:?}")),
    }
}

async fn ask(address: SocketAddr, path: &str) -> Result<(u16, Bytes), String> {
    let words = |error: &dyn std::fmt::Display| error.to_string();
    let stream = TcpStream::connect(address).await.map_err(|e| words(&e))?;
    let (mut sender, connection) = hyper::client::conn::http1::Builder::new()
        .max_buf_size(64 * 1024)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|e| words(&e))?;
    let request = http::Request::get(path)
        .header(http::header::HOST, address.to_string())
        .header(http::header::CONNECTION, "close")
        .body(Body::empty())
        .map_err(|e| words(&e))?;
    let exchange = async move {
        let answer = sender.send_request(request).await.map_err(|e| words(&e))?;
        let status = answer.status().as_u16();
        let body = axum::body::to_bytes(Body::new(answer.into_body()), LARGEST)
            .await
            .map_err(|e| words(&e))?;
        Ok((status, body))
    };
    // The connection's own error shows in the exchange; it ends with it.
    let (answer, _) = tokio::join!(exchange, connection);
    answer
}
