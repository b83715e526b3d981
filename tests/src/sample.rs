//! The sample application: it knows its version, misbehaves on command, and counts what it served.
//!
//! `/` answers the version; `/version` does so without being counted and always well; `/healthz` is
//! ready or not; `/counts` tells the counts; `POST /behave` changes the behaviour. The counts go to a file with every answer, so that they survive a kill.

mod behaviour;
mod counts;

use std::{
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use anyhow::Context;
use axum::{
    Json, Router,
    extract::State,
    http::{HeaderValue, StatusCode},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use tokio::{net::TcpListener, sync::RwLock, time};
use tokio_util::sync::CancellationToken;

pub use behaviour::{Behaviour, Rule};
pub use counts::{Counts, read_counts};
use counts::{CountsFile, unix_millis};

/// The header that names the version that answered.
pub const VERSION_HEADER: &str = "x-version";

/// What a sample application is told at its start.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "flagship-sample",
    about = "A small HTTP service that misbehaves on command"
)]
pub struct Args {
    /// The version that it is.
    #[arg(long)]
    pub version: String,
    /// The port to listen on; 0 takes a free one and prints it.
    #[arg(long, default_value_t = 0)]
    pub port: u16,
    /// How a version behaves: `VERSION:errors=0.1,latency=300ms,crash-at-start,crash-after=2s,slow-start=5s`.
    #[arg(long = "when", env = "SAMPLE_WHEN", value_delimiter = ';')]
    pub when: Vec<Rule>,
    /// The folder for the file of counts, `VERSION-PORT-PID.json`.
    #[arg(long, env = "SAMPLE_COUNTS")]
    pub counts: Option<PathBuf>,
}

struct App {
    version: HeaderValue,
    started: Instant,
    behaviour: RwLock<Behaviour>,
    received: AtomicU64,
    counts: CountsFile,
}

/// Serves until `stop`, then answers what it has taken and writes the last counts.
///
/// # Errors
/// The port is taken, the counts cannot be written, or the version crashes as it was told to.
pub async fn run(args: Args, stop: CancellationToken) -> anyhow::Result<()> {
    let behaviour = behaviour::of_version(&args.when, &args.version);
    anyhow::ensure!(
        !behaviour.crash_at_start,
        "version {} crashes at its start, as it was told to",
        args.version
    );
    let listener = TcpListener::bind(("127.0.0.1", args.port))
        .await
        .with_context(|| format!("cannot listen on port {}", args.port))?;
    let port = listener.local_addr()?.port();
    println!("listening on 127.0.0.1:{port}");
    let app = Arc::new(App {
        version: HeaderValue::from_str(&args.version).context("the version must fit a header")?,
        started: Instant::now(),
        behaviour: RwLock::new(behaviour),
        received: AtomicU64::new(0),
        counts: CountsFile::create(args.counts.as_deref(), &args.version, port)?,
    });
    let crash = crash(Arc::clone(&app));
    let serve = axum::serve(listener, router(Arc::clone(&app)))
        .with_graceful_shutdown(stop.cancelled_owned());
    tokio::select! {
        served = serve => served.context("serving failed")?,
        () = crash => anyhow::bail!("version {} crashes, as it was told to", args.version),
    }
    app.counts.sync()
}

fn router(app: Arc<App>) -> Router {
    Router::new()
        .route("/healthz", get(health))
        .route("/version", get(version))
        .route("/counts", get(counts))
        .route("/behave", post(behave))
        .fallback(answer)
        .with_state(app)
}

/// Ends when the behaviour says that the process has lived long enough.
async fn crash(app: Arc<App>) {
    loop {
        let crash_after = app.behaviour.read().await.crash_after;
        if crash_after.is_some_and(|limit| app.started.elapsed() >= limit) {
            return;
        }
        time::sleep(Duration::from_millis(50)).await;
    }
}

async fn health(State(app): State<Arc<App>>) -> Response {
    let slow_start = app.behaviour.read().await.slow_start;
    if app.started.elapsed() < slow_start.unwrap_or_default() {
        return (StatusCode::SERVICE_UNAVAILABLE, "starting\n").into_response();
    }
    "ok\n".into_response()
}

async fn version(State(app): State<Arc<App>>) -> Response {
    (
        [(VERSION_HEADER, app.version.clone())],
        app.version.as_bytes().to_vec(),
    )
        .into_response()
}

async fn counts(State(app): State<Arc<App>>) -> Json<Counts> {
    Json(app.counts.get())
}

async fn behave(State(app): State<Arc<App>>, rule: String) -> Response {
    match rule.parse::<Behaviour>() {
        Ok(behaviour) => {
            *app.behaviour.write().await = behaviour;
            "done\n".into_response()
        }
        Err(error) => (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
    }
}

async fn answer(State(app): State<Arc<App>>) -> Response {
    let number = app.received.fetch_add(1, Ordering::Relaxed);
    let (errors, latency) = {
        let behaviour = app.behaviour.read().await;
        (behaviour.errors, behaviour.latency)
    };
    if let Some(latency) = latency {
        time::sleep(latency).await;
    }
    let status = if behaviour::fails(number, errors) {
        StatusCode::INTERNAL_SERVER_ERROR
    } else {
        StatusCode::OK
    };
    app.counts.add(status.as_u16(), unix_millis());
    let headers = [(VERSION_HEADER, app.version.clone())];
    (status, headers, app.version.as_bytes().to_vec()).into_response()
}

#[cfg(test)]
mod tests;
