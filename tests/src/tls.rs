//! A CA of one's own, and routes served over TLS to whoever trusts it.

use std::sync::Arc;

use axum::Router;
use flagship_proto::tls::{CurrentCert, api_server};
use hyper::{Request, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo},
    server::conn::auto::Builder,
};
use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::mpsc,
};
use tokio_rustls::{TlsAcceptor, server::TlsStream};
use tower::Service as _;

/// A CA that nobody trusts unless told to.
#[derive(Debug)]
pub struct Ca {
    /// Its certificate, PEM.
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Ca {
    /// A new one.
    ///
    /// # Errors
    /// The machine has no randomness.
    pub fn new(name: &str) -> anyhow::Result<Self> {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate()?;
        let pem = params.self_signed(&key)?.pem();
        Ok(Self {
            pem,
            issuer: Issuer::new(params, key),
        })
    }

    /// A certificate of it and its key, both PEM.
    ///
    /// # Errors
    /// What is asked for is no certificate.
    pub fn issue(&self, params: &CertificateParams) -> anyhow::Result<(String, String)> {
        let key = KeyPair::generate()?;
        let made = params.signed_by(&key, &self.issuer)?;
        Ok((made.pem(), key.serialize_pem()))
    }

    /// For a server on this machine.
    ///
    /// # Errors
    /// The machine has no randomness.
    pub fn server(&self) -> anyhow::Result<TlsAcceptor> {
        let names = ["127.0.0.1", "localhost"].map(str::to_owned);
        let (chain, key) = self.issue(&CertificateParams::new(names)?)?;
        acceptor(&chain, &key)
    }
}

/// What takes connections with a certificate and its key, both PEM.
///
/// # Errors
/// They do not belong together.
pub fn acceptor(chain: &str, key: &str) -> anyhow::Result<TlsAcceptor> {
    let own = Arc::new(CurrentCert::new(chain, key)?);
    Ok(TlsAcceptor::from(Arc::new(api_server(own, None)?)))
}

/// Accepts over TLS until nobody takes what is accepted.
pub async fn accept(
    listener: TcpListener,
    acceptor: TlsAcceptor,
    ready: mpsc::Sender<std::io::Result<TlsStream<TcpStream>>>,
) {
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, ready) = (acceptor.clone(), ready.clone());
        tokio::spawn(async move {
            let _slow_without_it = stream.set_nodelay(true);
            if let Ok(stream) = acceptor.accept(stream).await {
                let _server_ended = ready.send(Ok(stream)).await;
            }
        });
    }
}

/// Serves routes until the process ends.
pub fn serve(listener: TcpListener, acceptor: TlsAcceptor, routes: Router) {
    let (ready, mut accepted) = mpsc::channel(64);
    tokio::spawn(accept(listener, acceptor, ready));
    tokio::spawn(async move {
        while let Some(Ok(stream)) = accepted.recv().await {
            let routes = routes.clone();
            let service =
                service_fn(move |request: Request<Incoming>| routes.clone().call(request));
            tokio::spawn(async move {
                let protocol = Builder::new(TokioExecutor::new());
                protocol
                    .serve_connection(TokioIo::new(stream), service)
                    .await
            });
        }
    });
}
