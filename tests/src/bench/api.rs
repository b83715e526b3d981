//! The hub as the bench asks it: its API, and its stream of changes with the moment at which each came.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context as _;
use eventsource_stream::Eventsource as _;
use flagship_hub::{
    api::types::EventView,
    cli::client::{Because, Client},
};
use flagship_proto::tls;
use futures::StreamExt as _;
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
        let config = tls::anonymous_client(&self.ca, &[b"h2", b"http/1.1"])?;
        let http = reqwest::Client::builder()
            .no_proxy()
            .tls_backend_preconfigured(config)
            .build()?;
        let request = http
            .get(format!("{}/api/v1/events", self.url))
            .bearer_auth(&self.token);
        let answer = request.send().await?.error_for_status()?;
        let mut events = answer.bytes_stream().eventsource();
        let (sender, came) = mpsc::unbounded_channel();
        let reader = tokio::spawn(async move {
            while let Some(Ok(event)) = events.next().await {
                let Ok(view) = serde_json::from_str::<EventView>(&event.data) else {
                    continue;
                };
                if view.kind == kind && sender.send((view.name, Timestamp::now())).is_err() {
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
