//! Steady load with exact counts: what was sent, what was answered by whom, and what users saw fail.

mod failure;
mod totals;

use std::{
    collections::BTreeMap,
    fs::File,
    io::Write,
    net::SocketAddr,
    path::PathBuf,
    str::FromStr,
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::{Request, Uri};
use hyper_util::{
    client::legacy::{Client, connect::HttpConnector},
    rt::{TokioExecutor, TokioTimer},
};
use tokio::time;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::sample::VERSION_HEADER;
pub use failure::Failure;
pub use totals::{Line, Totals, unix_millis};

/// Longer than any user waits: past it a request has failed.
const PATIENCE: Duration = Duration::from_secs(10);
/// How often the driver writes a line.
const LINE_EVERY: Duration = Duration::from_millis(250);

/// What the load driver is told at its start.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "flagship-load",
    about = "Steady requests at addresses, counted exactly"
)]
pub struct Args {
    /// Where the requests go, each target at the full rate: `NAME=ADDRESS:PORT`.
    #[arg(long = "target", required = true)]
    pub targets: Vec<Target>,
    /// Requests a second at each target.
    #[arg(long, default_value_t = 50)]
    pub rate: u32,
    /// When it ends by itself, in seconds; never later than an hour.
    #[arg(long, default_value_t = 600, value_parser = clap::value_parser!(u64).range(1..=3600))]
    pub seconds: u64,
    /// The file for the lines of JSON; standard output unless given.
    #[arg(long)]
    pub out: Option<PathBuf>,
}

/// A place that load is sent to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// What the counts call it.
    pub name: String,
    /// Its address; on loopback.
    pub address: SocketAddr,
}

impl FromStr for Target {
    type Err = anyhow::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let (name, address) = text.split_once('=').context("write NAME=ADDRESS:PORT")?;
        let address: SocketAddr = address.parse().context("write NAME=ADDRESS:PORT")?;
        anyhow::ensure!(address.ip().is_loopback(), "load stays on this machine");
        Ok(Self {
            name: name.to_owned(),
            address,
        })
    }
}

/// Runs the driver until `stop` or the end of its time, writing lines; the last one is marked final.
///
/// # Errors
/// The file cannot be written.
pub async fn run(args: Args, stop: CancellationToken) -> anyhow::Result<()> {
    let mut out: Box<dyn Write> = match &args.out {
        Some(path) => Box::new(
            File::create(path).with_context(|| format!("cannot create {}", path.display()))?,
        ),
        None => Box::new(std::io::stdout()),
    };
    let load = Load::start(args.targets, args.rate);
    let mut ticks = time::interval(LINE_EVERY);
    let end = time::sleep(Duration::from_secs(args.seconds));
    tokio::pin!(end);
    loop {
        tokio::select! {
            _ = ticks.tick() => write_line(&mut out, load.totals(), false)?,
            () = &mut end => break,
            () = stop.cancelled() => break,
        }
    }
    write_line(&mut out, load.stop().await, true)
}

fn write_line(
    out: &mut dyn Write,
    targets: BTreeMap<String, Totals>,
    last: bool,
) -> anyhow::Result<()> {
    let line = Line {
        at: unix_millis(),
        last,
        targets,
    };
    let mut text = serde_json::to_vec(&line)?;
    text.push(b'\n');
    out.write_all(&text)
        .and_then(|()| out.flush())
        .context("cannot write a line")
}

type Shared = Arc<Mutex<Totals>>;
type Failures = Arc<Mutex<Vec<Failure>>>;

/// Load that runs in tasks until it is stopped.
#[derive(Debug)]
pub struct Load {
    counts: BTreeMap<String, Shared>,
    failures: Failures,
    stop: CancellationToken,
    tasks: TaskTracker,
}

impl Load {
    /// Sends `rate` requests a second to each target from now on.
    pub fn start(targets: Vec<Target>, rate: u32) -> Self {
        let (stop, tasks) = (CancellationToken::new(), TaskTracker::new());
        let (mut counts, failures) = (BTreeMap::new(), Failures::default());
        for target in targets {
            let shared = Shared::default();
            let pace = Duration::from_secs(1) / rate.max(1);
            let lane = Lane::new(&target, Arc::clone(&shared), Arc::clone(&failures));
            tasks.spawn(lane.drive(pace, stop.clone(), tasks.clone()));
            counts.insert(target.name, shared);
        }
        Self {
            counts,
            failures,
            stop,
            tasks,
        }
    }

    /// What was counted so far, by target.
    pub fn totals(&self) -> BTreeMap<String, Totals> {
        let copy = |shared: &Shared| shared.lock().expect("no holder panics").clone();
        self.counts
            .iter()
            .map(|(name, shared)| (name.clone(), copy(shared)))
            .collect()
    }

    /// What was counted so far at one target.
    ///
    /// # Panics
    /// There is no target of that name.
    pub fn at(&self, name: &str) -> Totals {
        self.totals().remove(name).expect("a target of that name")
    }

    /// What failed so far, in the order in which it was known.
    ///
    /// # Panics
    /// A task of the load panicked.
    pub fn failures(&self) -> Vec<Failure> {
        self.failures.lock().expect("no holder panics").clone()
    }

    /// Sends nothing more, waits for every answer, and tells the final counts.
    pub async fn stop(self) -> BTreeMap<String, Totals> {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        self.totals()
    }
}

impl Drop for Load {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[derive(Clone)]
struct Lane {
    client: Client<HttpConnector, Empty<Bytes>>,
    uri: Uri,
    name: String,
    totals: Shared,
    failures: Failures,
}

impl Lane {
    fn new(target: &Target, totals: Shared, failures: Failures) -> Self {
        let address = target.address;
        let mut connector = HttpConnector::new();
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(Duration::from_secs(2)));
        let client = Client::builder(TokioExecutor::new())
            .pool_timer(TokioTimer::new())
            .pool_idle_timeout(Duration::from_secs(20))
            .build(connector);
        let uri = Uri::try_from(format!("http://{address}/")).expect("an address makes a URI");
        Self {
            client,
            uri,
            name: target.name.clone(),
            totals,
            failures,
        }
    }

    async fn drive(self, pace: Duration, stop: CancellationToken, tasks: TaskTracker) {
        let mut ticks = time::interval(pace);
        ticks.set_missed_tick_behavior(time::MissedTickBehavior::Skip);
        while stop.run_until_cancelled(ticks.tick()).await.is_some() {
            self.totals.lock().expect("no holder panics").sent += 1;
            tasks.spawn(self.clone().send());
        }
    }

    async fn send(self) {
        let (began, sent) = (Instant::now(), unix_millis());
        let answer = time::timeout(PATIENCE, self.exchange()).await;
        let took = began.elapsed();
        let mut totals = self.totals.lock().expect("no holder panics");
        let failed = match answer {
            Ok(Ok((status, version))) => {
                let failed = (status >= 400).then(|| (status.to_string(), version.clone()));
                totals.answered(status, version, took);
                failed
            }
            Ok(Err(error)) => Some((totals.lost(format!("{error:#}")), None)),
            Err(_) => {
                let words = format!("no answer in {} s", PATIENCE.as_secs());
                Some((totals.lost(words), None))
            }
        };
        drop(totals);
        let Some((what, version)) = failed else {
            return;
        };
        let mut failures = self.failures.lock().expect("no holder panics");
        if failures.len() < failure::MOST {
            failures.push(Failure {
                target: self.name.clone(),
                began: sent,
                ended: unix_millis(),
                version,
                what,
            });
        }
    }

    async fn exchange(&self) -> anyhow::Result<(u16, Option<String>)> {
        let request = Request::get(self.uri.clone()).body(Empty::new())?;
        let answer = self.client.request(request).await?;
        let status = answer.status().as_u16();
        let version = answer.headers().get(VERSION_HEADER);
        let version = version.and_then(|v| v.to_str().ok()).map(ToOwned::to_owned);
        answer
            .into_body()
            .collect()
            .await
            .context("the answer was cut")?;
        Ok((status, version))
    }
}

#[cfg(test)]
mod tests;
