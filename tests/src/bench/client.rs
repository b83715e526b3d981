//! The hub as the bench asks it: its API, and its stream of changes with the moment at which each came.

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use anyhow::Context as _;
use eventsource_stream::Eventsource as _;
use flagship_hub::{
    api::types::EventView,
    cli::client::{Because, Client},
};
use flagship_proto::tls;
use futures::{Stream, StreamExt as _};
use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use tokio::{sync::mpsc, task::JoinHandle, time};

use crate::fleet::Hub;

/// A hub's API.
#[derive(Debug)]
pub struct Api {
    client: Client,
    url: String,
    token: String,
    ca: String,
}

impl Api {
    /// As the first administrator.
    ///
    /// # Errors
    /// The hub's CA cannot be read.
    pub fn of(hub: &Hub) -> anyhow::Result<Self> {
        let ca = std::fs::read_to_string(hub.data.join("ca.pem"))?;
        let (url, token) = (hub.url(), hub.admin_token.clone());
        let client = Client::new(&url, Some(&ca), Some(token.clone()));
        Ok(Self {
            client: client.map_err(|error| anyhow::anyhow!("{error}"))?,
            url,
            token,
            ca,
        })
    }

    /// Where it is.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The administrator's token.
    pub fn token(&self) -> &str {
        &self.token
    }

    /// The CA that it is trusted by, PEM.
    pub fn ca(&self) -> &str {
        &self.ca
    }

    /// Reads.
    ///
    /// # Errors
    /// The hub refuses or is not there.
    pub async fn get<T: DeserializeOwned>(&self, path: &str) -> anyhow::Result<T> {
        let answer = self.client.get(path).await;
        answer.map_err(|error| anyhow::anyhow!("{path}: {error}"))
    }

    /// Changes something.
    ///
    /// # Errors
    /// The hub refuses or is not there.
    pub async fn post<B: Serialize, T: DeserializeOwned>(
        &self,
        path: &str,
        body: &B,
    ) -> anyhow::Result<T> {
        let answer = self.client.post(path, body, &because()).await;
        answer.map_err(|error| anyhow::anyhow!("{path}: {error}"))
    }

    /// Applies a plan.
    ///
    /// # Errors
    /// The hub refuses it or is not there.
    pub async fn apply(&self, plan: String) -> anyhow::Result<()> {
        let path = "/api/v1/plans";
        let answer = self.client.post_document(path, plan, &because()).await;
        let _applied: serde_json::Value =
            answer.map_err(|error| anyhow::anyhow!("{path}: {error}"))?;
        Ok(())
    }

    /// Follows changes of one kind from now on.
    ///
    /// # Errors
    /// The stream cannot be opened.
    pub async fn follow(&self, kind: &'static str) -> anyhow::Result<Changes> {
        let http = http(&self.ca, None)?;
        let mut events = Box::pin(events(&http, &self.url, &self.token).await?);
        let (sender, came) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            while let Some((view, at)) = events.next().await {
                if view.kind == kind && sender.send((view.name, at)).is_err() {
                    return;
                }
            }
        });
        Ok(Changes {
            came,
            reader,
            seen: BTreeMap::new(),
        })
    }
}

/// A client of its own, from an address of its own if need be, that trusts this CA.
///
/// # Errors
/// The CA cannot be read.
pub fn http(ca: &str, from: Option<IpAddr>) -> anyhow::Result<reqwest::Client> {
    let config = tls::anonymous_client(ca, &[b"h2", b"http/1.1"])?;
    let client = reqwest::Client::builder()
        .no_proxy()
        .local_address(from)
        .tls_backend_preconfigured(config);
    Ok(client.build()?)
}

/// Every change that a hub tells, with the moment at which it came.
///
/// # Errors
/// The stream cannot be opened.
pub async fn events(
    http: &reqwest::Client,
    url: &str,
    token: &str,
) -> anyhow::Result<impl Stream<Item = (EventView, Timestamp)> + Send + use<>> {
    let request = http.get(format!("{url}/api/v1/events")).bearer_auth(token);
    let answer = request.send().await?.error_for_status()?;
    let events = answer.bytes_stream().eventsource();
    Ok(events.filter_map(async |event| {
        let view = serde_json::from_str(&event.ok()?.data).ok()?;
        Some((view, Timestamp::now()))
    }))
}

fn because() -> Because {
    Because {
        reason: Some("measured".to_owned()),
        ticket: None,
        key: format!("{:032x}", rand::random::<u128>()),
    }
}

/// Changes of one kind as they come.
#[derive(Debug)]
pub struct Changes {
    came: mpsc::UnboundedReceiver<(String, Timestamp)>,
    reader: JoinHandle<()>,
    /// When each row changed last.
    seen: BTreeMap<String, Timestamp>,
}

impl Changes {
    /// Waits until so many different rows have changed in all and nothing came for a while; answers with
    /// the moment of the last change.
    ///
    /// # Errors
    /// Not in time.
    pub async fn settled(
        &mut self,
        rows: usize,
        quiet: Duration,
        deadline: Duration,
    ) -> anyhow::Result<Timestamp> {
        let Self { came, seen, .. } = self;
        let waited = time::timeout(deadline, async {
            loop {
                match time::timeout(quiet, came.recv()).await {
                    Ok(Some((name, at))) => {
                        seen.insert(name, at);
                    }
                    Ok(None) => anyhow::bail!("the hub closed its stream of changes"),
                    Err(_) if seen.len() >= rows => return Ok(()),
                    Err(_) => {}
                }
            }
        });
        let waited = waited.await;
        let count = seen.len();
        waited.with_context(|| format!("{count} of {rows} rows changed in {deadline:?}"))??;
        let last = seen.values().max().copied();
        last.context("nothing was waited for")
    }
}

impl Drop for Changes {
    fn drop(&mut self) {
        self.reader.abort();
    }
}
