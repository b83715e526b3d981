//! The baseline: a server that answers with bytes that it has, and tells what it is told; over the same
//! TLS, without a store, tokens or limits.

use std::{convert::Infallible, fs, path::PathBuf};

use anyhow::Context as _;
use axum::{
    Router,
    body::Bytes,
    http::header::CONTENT_TYPE,
    response::sse::{Event, Sse},
    routing::get,
};
use flagship_hub::{api::types::EventView, ca::Ca};
use flagship_proto::process::Clock;
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, sync::broadcast};
use tokio_stream::wrappers::BroadcastStream;

use crate::{
    bench::{child, stage::Stage},
    tls,
};

/// What it serves.
#[derive(Debug, Clone, clap::Args)]
pub struct Bare {
    /// The hub's data folder, for its CA.
    #[arg(long)]
    data: PathBuf,
    /// A file with the page.
    #[arg(long)]
    body: PathBuf,
}

/// What it says first.
#[derive(Debug, Serialize, Deserialize)]
pub struct Listening {
    /// Where it is reached.
    pub url: String,
}

/// What it answers to the name of something that changed.
#[derive(Debug, Serialize, Deserialize)]
pub struct Open {
    /// To how many it was told.
    pub streams: usize,
}

impl Bare {
    pub(in crate::bench) async fn serve(self) -> anyhow::Result<()> {
        let ca = Ca::open(&self.data)?;
        let made = ca.server(&["localhost".into()], &[], Clock::new().now().wall)?;
        let acceptor = tls::acceptor(&made.chain_pem, &made.key_pem)?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let port = listener.local_addr()?.port();
        let page = Bytes::from(fs::read(&self.body)?);
        let (tell, _) = broadcast::channel::<Event>(64);
        let events = tell.clone();
        let json = [(CONTENT_TYPE, "application/json")];
        let routes = Router::new()
            .route("/api/v1/rollouts", get(async move || (json, page)))
            .route(
                "/api/v1/events",
                get(async move || {
                    let events = BroadcastStream::new(events.subscribe());
                    Sse::new(events.filter_map(async |event| event.ok().map(Ok::<_, Infallible>)))
                }),
            );
        tls::serve(listener, acceptor, routes);
        let url = format!("https://localhost:{port}");
        println!("{}", serde_json::to_string(&Listening { url })?);
        child::answer(async |name| {
            let view = EventView {
                seq: 0,
                kind: "freeze".to_owned(),
                name: name.to_owned(),
                deleted: false,
            };
            let data = serde_json::to_string(&view).unwrap_or_default();
            let event = Event::default().event("change").id("1-1").data(data);
            Open {
                streams: tell.send(event).unwrap_or_default(),
            }
        })
        .await
    }
}

/// Its process.
#[derive(Debug)]
pub(super) struct Server(child::Child);

impl Server {
    pub(super) async fn start(stage: &Stage, page: &str) -> anyhow::Result<(Self, Listening)> {
        let body = stage.folder.join("page.json");
        fs::write(&body, page)?;
        let (data, body) = (stage.hub.data.to_string_lossy(), body.to_string_lossy());
        let arguments = ["--data", &data, "--body", &body];
        let mut server = child::Child::start("bare-api", &stage.folder, &arguments)?;
        let listening = server.answer().await.context("it says where it listens")?;
        Ok((Self(server), listening))
    }

    /// Tells everybody that something has changed.
    pub(super) async fn tell(&mut self, name: &str) -> anyhow::Result<Open> {
        self.0.ask(name).await
    }
}
