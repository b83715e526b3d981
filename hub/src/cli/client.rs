//! The client of the API: one connection to one hub, trusted by its pinned CA.

mod answer;
pub mod changes;
mod list;

use std::{io::IsTerminal as _, sync::Arc, time::Duration};

use flagship_proto::tls::{self, CurrentCert};
use reqwest::{Method, header};
use serde::{Serialize, de::DeserializeOwned};

use super::{
    exit::{CliError, Exit},
    output::remark,
};

/// How long an ordinary request may take.
const DEADLINE: Duration = Duration::from_secs(20);
/// After this time a person is told that the hub takes long.
const LONG: Duration = Duration::from_secs(3);

pub use crate::api::types::common::{REASON, TICKET};
pub use list::pages;

/// Why a mutation is made, and the key under which it happens only once.
#[derive(Debug, Clone, Default)]
pub struct Because {
    /// In words.
    pub reason: Option<String>,
    /// The ticket it belongs to.
    pub ticket: Option<String>,
    /// The idempotency key.
    pub key: String,
}

/// A hub's API.
#[derive(Clone)]
pub struct Client {
    http: reqwest::Client,
    base: String,
    token: Option<String>,
    /// What to do where the hub does not let in by it.
    remedy: Option<String>,
}

impl std::fmt::Debug for Client {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Client")
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

impl Client {
    /// A client that trusts this CA and no other. Plain HTTP is for loopback only: a token must not
    /// cross a network in the clear.
    pub fn new(base: &str, ca: Option<&str>, token: Option<String>) -> Result<Self, CliError> {
        Self::certified(base, ca, token, None)
    }

    /// The same with a person's certificate, if there is one.
    pub fn certified(
        base: &str,
        ca: Option<&str>,
        token: Option<String>,
        own: Option<Arc<CurrentCert>>,
    ) -> Result<Self, CliError> {
        let base = checked(base)?;
        let mut builder = reqwest::Client::builder()
            .user_agent(concat!("flagship/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5));
        if let Some(ca) = ca {
            let alpn: &[&[u8]] = &[b"h2", b"http/1.1"];
            let config = match own {
                Some(own) => tls::person_client(own, ca, alpn),
                None => tls::anonymous_client(ca, alpn),
            };
            let config = config.map_err(|error| {
                CliError::bad(format!("the hub's CA is not valid: {error}"))
                    .remedy("log in again with `flagship login`, or give --ca a PEM file")
            })?;
            builder = builder.tls_backend_preconfigured(config);
        } else if base.starts_with("https:") {
            return Err(
                CliError::bad(format!("the CA of {base} is not known")).remedy(
                    "run `flagship login URL --ca-hash sha256:…` (flagship-hub init printed the hash), or give --ca FILE",
                ),
            );
        }
        Self::with(builder, base, token)
    }

    /// A client with prepared TLS, for the first contact.
    pub fn with_tls(
        base: &str,
        config: rustls::ClientConfig,
        token: Option<String>,
    ) -> Result<Self, CliError> {
        let builder = reqwest::Client::builder()
            .user_agent(concat!("flagship/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .connect_timeout(Duration::from_secs(5))
            .tls_backend_preconfigured(config);
        Self::with(builder, checked(base)?, token)
    }

    fn with(
        builder: reqwest::ClientBuilder,
        base: String,
        token: Option<String>,
    ) -> Result<Self, CliError> {
        let http = builder
            .build()
            .map_err(|error| CliError::new(Exit::Error, format!("cannot set up TLS: {error}")))?;
        Ok(Self {
            http,
            base,
            token,
            remedy: None,
        })
    }

    /// The same with what to do where the hub does not let in by what this one shows.
    pub fn mended(mut self, remedy: String) -> Self {
        self.remedy = Some(remedy);
        self
    }

    /// The hub's address.
    pub fn base(&self) -> &str {
        &self.base
    }

    /// Reads.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, CliError> {
        let answer = match self.send(self.request(Method::GET, path)).await {
            Ok(answer) => self.read(answer).await,
            Err(error) => Err(error),
        };
        // Who only reads changes nothing, whatever became of it.
        answer.map_err(|error| CliError {
            unsent: true,
            ..error
        })
    }

    /// Reads text as it is.
    pub async fn get_text(&self, path: &str) -> Result<String, CliError> {
        let request = self.request(Method::GET, path).timeout(DEADLINE * 15);
        let answer = self.send(request).await?;
        answer
            .text()
            .await
            .map_err(|error| self.unreachable(&error))
    }

    /// Asks without changing anything, with a body.
    pub async fn ask<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> Result<T, CliError> {
        let answer = self
            .send(self.request(Method::POST, path).json(body))
            .await?;
        self.read(answer).await
    }

    /// Changes something.
    pub async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
        because: &Because,
    ) -> Result<T, CliError> {
        let request = self.request(Method::POST, path).json(body);
        let answer = self.send(because.onto(request)).await?;
        self.read(answer).await
    }

    /// Sends a document as it was written.
    pub async fn post_document<T: DeserializeOwned>(
        &self,
        path: &str,
        document: String,
        because: &Because,
    ) -> Result<T, CliError> {
        let request = self
            .request(Method::POST, path)
            .header(header::CONTENT_TYPE, "application/yaml")
            .body(document);
        let answer = self.send(because.onto(request)).await?;
        self.read(answer).await
    }

    /// Removes something.
    pub async fn delete<T: DeserializeOwned>(
        &self,
        path: &str,
        because: &Because,
    ) -> Result<T, CliError> {
        let request = self.request(Method::DELETE, path);
        let answer = self.send(because.onto(request)).await?;
        self.read(answer).await
    }

    fn request(&self, method: Method, path: &str) -> reqwest::RequestBuilder {
        let request = self
            .http
            .request(method, format!("{}{path}", self.base))
            .timeout(DEADLINE);
        match &self.token {
            Some(token) => request.bearer_auth(token),
            None => request,
        }
    }

    /// Waits for an answer; a person at a terminal is told that it takes long.
    async fn patiently<T>(&self, sending: impl Future<Output = T>) -> T {
        let mut sending = std::pin::pin!(sending);
        if let Ok(answer) = tokio::time::timeout(LONG, &mut sending).await {
            return answer;
        }
        if std::io::stderr().is_terminal() {
            let seconds = LONG.as_secs();
            remark(&format!(
                "{} has not answered for {seconds} s; waiting",
                self.base
            ));
        }
        sending.await
    }

    async fn send(&self, request: reqwest::RequestBuilder) -> Result<reqwest::Response, CliError> {
        let answer = self.patiently(request.send()).await;
        let answer = answer.map_err(|error| self.unreachable(&error))?;
        let status = answer.status();
        if status.is_success() {
            return Ok(answer);
        }
        let body = answer.bytes().await.unwrap_or_default();
        Err(self.refused(status, &body).await)
    }
}

impl Because {
    /// The same for one of several things that one command changes: each has a key of its own.
    pub fn about(&self, name: &str) -> Self {
        Self {
            key: format!("{}/{name}", self.key),
            ..self.clone()
        }
    }

    fn onto(&self, request: reqwest::RequestBuilder) -> reqwest::RequestBuilder {
        let mut request = request.header("idempotency-key", &self.key);
        for (name, value) in [(REASON, &self.reason), (TICKET, &self.ticket)] {
            if let Some(value) = value {
                request = request.header(name, segment(value));
            }
        }
        request
    }
}

/// A text as one segment of a path, or as a value in a query or header.
pub fn segment(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

fn checked(base: &str) -> Result<String, CliError> {
    let base = base.trim_end_matches('/');
    let (_, rest) = base.split_once("://").unwrap_or_default();
    if rest
        .split(['/', '?', '#'])
        .next()
        .is_some_and(|host| host.contains('@'))
    {
        return Err(
            CliError::bad("the hub's address has a user or a password in it".to_owned())
                .remedy("write it as https://host:port, and log in with `flagship login`"),
        );
    }
    let host = |rest: &str| {
        let rest = rest.split('/').next().unwrap_or(rest);
        rest.strip_prefix('[')
            .and_then(|rest| rest.split(']').next())
            .unwrap_or_else(|| rest.split(':').next().unwrap_or(rest))
            .to_owned()
    };
    if base
        .strip_prefix("https://")
        .is_some_and(|rest| !host(rest).is_empty())
    {
        return Ok(base.to_owned());
    }
    match base.strip_prefix("http://").map(host).as_deref() {
        Some("127.0.0.1" | "::1" | "localhost") => Ok(base.to_owned()),
        Some(_) => Err(CliError::bad(format!("{base} is not encrypted"))
            .remedy("use https:// (plain http is for 127.0.0.1 only)")),
        None => Err(
            CliError::bad(format!("{base:?} is not the address of a hub"))
                .remedy("write it as https://host:port"),
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_never_sent_in_the_clear_to_another_machine() {
        assert!(checked("http://127.0.0.1:8443/").is_ok());
        assert!(checked("http://[::1]:8443").is_ok());
        assert!(checked("https://hub.example:8443").is_ok());
        for wrong in [
            "http://hub.example",
            "http://localhost.evil",
            "http://127.0.0.1:1@evil.example",
            "https://user:secret@hub.example:8443",
            "hub:8443",
            "",
            "https://",
        ] {
            assert_eq!(checked(wrong).unwrap_err().exit, Exit::BadInput, "{wrong}");
        }
    }
}
