//! Puts the process together: files, link, platform and drivers, and what happens when one ends.

mod check;
pub(crate) mod ctl;
mod port;
mod watch;
mod work;

use std::{io::Write as _, process::ExitCode, sync::Arc, time::Duration};

use anyhow::Context as _;
use clap::CommandFactory as _;
use clap_complete::Shell;
use flagship_proto::{
    model::{EnrolToken, Inventory},
    process::{
        Clock, files, shutdown, supervisor, telemetry,
        traces::{NotTraced, Tracer},
    },
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use crate::{
    args::{Cli, Command, RunArgs, TokenArgs},
    config::{AgentConfig, ConfigError, HubAddress},
    link::{
        Link,
        enrol::enrol,
        handle::LinkHandle,
        identity::{Identity, IdentityFolder},
        run::SessionTask,
    },
    metrics::Counters,
    release::{Kept, files::Files},
};

use watch::Watched;
use work::Work;

/// Exit status of bad input, as everywhere in Flagship.
const BAD_INPUT: u8 = 2;

/// How long tasks may take to end.
const DRAIN: Duration = Duration::from_secs(5);

/// What the agent can do, as `Hello` says it.
const FEATURES: [&str; 3] = ["change.version", "router.weight", "metrics.envoy"];

/// Does what the command line says; logs have not been started yet.
pub fn start(cli: Cli) -> ExitCode {
    let Cli { command, run, log } = cli;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .max_blocking_threads(4)
        .enable_all()
        .build();
    let outcome = telemetry::init(&log).and_then(|()| {
        let runtime = runtime.context("the runtime cannot be started")?;
        runtime.block_on(async {
            match command.unwrap_or(Command::Run(run)) {
                Command::Run(args) => {
                    let shutdown = shutdown::on_signals().context("cannot listen for signals")?;
                    serve(args, shutdown).await.map(|()| ExitCode::SUCCESS)
                }
                Command::Enroll(args) => enroll(args).await.map(|()| ExitCode::SUCCESS),
                Command::Ctl(args) => ctl::client::run(args).await,
                Command::Completion { shell } => completion(shell).map(|()| ExitCode::SUCCESS),
                Command::Check(args) => Ok(check::check(&args).await),
                Command::Version => {
                    say(concat!("flagship-agent ", env!("CARGO_PKG_VERSION")));
                    Ok(ExitCode::SUCCESS)
                }
            }
        })
    });
    outcome.unwrap_or_else(|error| {
        eprintln!("flagship-agent: {error:#}");
        if error.is::<ConfigError>() || error.is::<NotTraced>() {
            ExitCode::from(BAD_INPUT)
        } else {
            ExitCode::FAILURE
        }
    })
}

fn completion(shell: Shell) -> anyhow::Result<()> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Cli::command(), "flagship-agent", &mut script);
    std::io::stdout()
        .write_all(&script)
        .context("cannot write to the terminal")
}

/// Runs the agent until shutdown. What it runs (the proxies and the versions) goes on without it
/// and is adopted at the next start.
pub async fn serve(args: RunArgs, shutdown: CancellationToken) -> anyhow::Result<()> {
    let RunArgs {
        config,
        listen_metrics,
        traces,
        token,
    } = args;
    let config = AgentConfig::load(&config)?;
    let hub = config.hub_address()?;
    let (files, kept) = Files::open(&config.data)?;
    let folder = IdentityFolder::new(&config.data);
    let identity = folder.load()?;
    let clock = Clock::new();
    let link = LinkHandle::new(clock);
    let counters = Counters::default();
    let (tracer, exporter) = Tracer::new(&traces, "flagship-agent")?;
    let joining = Joining::new(&config, token, hub, folder, identity.is_some())?;

    let tasks = TaskTracker::new();
    let ended = CancellationToken::new();
    let work = Work::start(&config, clock, ended.clone()).await?;
    let joining = Joining {
        inventory: work.inventory(),
        counters: counters.clone(),
        tracer: tracer.clone(),
        ..joining
    };
    work.drive(&config.data, &link, (&counters, &tracer), &tasks, &shutdown)?;
    if let Some(exporter) = exporter {
        tasks.spawn(exporter.run(shutdown.clone()));
    }
    if let Some(address) = listen_metrics {
        let watched = Watched {
            platform: Arc::clone(&work.platform),
            link: link.clone(),
            counters,
            tracer,
        };
        let bound = watch::serve(address, watched, &tasks, &shutdown).await;
        let bound = bound.with_context(|| {
            format!("cannot listen on {address}: choose another address with --listen-metrics")
        })?;
        tracing::info!(address = %bound, "metrics and health are served");
    }
    ctl::serve(&config.data, &link, &tasks, &shutdown)
        .context("cannot listen for local control in the data folder")?;
    let keeper = tasks.spawn({
        let (link, shutdown) = (link.clone(), shutdown.clone());
        async move { link.keep(files, shutdown).await }
    });
    let member = tasks.spawn({
        let (link, shutdown) = (link.clone(), shutdown.clone());
        async move { joining.run(link, identity, kept, shutdown).await }
    });
    tasks.spawn(supervisor::accompany(
        {
            let link = link.clone();
            move || ctl::standing_of(&link)
        },
        shutdown.clone(),
    ));
    tasks.close();
    tracing::info!(workloads = config.workloads.len(), "agent started");

    let outcome = tokio::select! {
        () = shutdown.cancelled() => Ok(()),
        () = ended.cancelled() => Err(anyhow::anyhow!("the platform ended early")),
        kept = keeper => kept.context("the task that keeps releases ended early"),
        joined = member => joined.context("the task of the hub ended early").and_then(|outcome| outcome),
    };
    shutdown.cancel();
    work.platform.stop_soon();
    if tokio::time::timeout(DRAIN, tasks.wait()).await.is_err() {
        tracing::warn!("some tasks did not end in time");
    }
    tracing::info!("agent stopped; the proxies and the versions go on");
    outcome
}

/// Becoming a member, and then the session.
struct Joining {
    hub: HubAddress,
    folder: IdentityFolder,
    token: Option<EnrolToken>,
    cluster: Option<flagship_proto::model::ClusterName>,
    inventory: Inventory,
    counters: Counters,
    tracer: Tracer,
}

impl Joining {
    fn new(
        config: &AgentConfig,
        args: TokenArgs,
        hub: HubAddress,
        folder: IdentityFolder,
        enrolled: bool,
    ) -> anyhow::Result<Self> {
        let cluster = args.cluster.clone().or(config.hub.cluster.clone());
        // A member needs no token any more; one that is still given may have been removed.
        let token = if enrolled { None } else { Some(token(&args)?) };
        Ok(Self {
            hub,
            folder,
            token,
            cluster,
            inventory: Inventory::default(),
            counters: Counters::default(),
            tracer: Tracer::default(),
        })
    }

    async fn run(
        self,
        link: LinkHandle,
        identity: Option<Identity>,
        kept: Kept,
        shutdown: CancellationToken,
    ) -> anyhow::Result<()> {
        let identity = match (identity, &self.token) {
            (Some(identity), _) => identity,
            (None, Some(token)) => {
                let tell = |line: String| tracing::info!("{line}");
                let joined = enrol(&self.hub, token, self.cluster.as_ref(), &self.folder, tell);
                tokio::select! {
                    () = shutdown.cancelled() => return Ok(()),
                    joined = joined => joined.context("cannot join the fleet")?,
                }
            }
            (None, None) => anyhow::bail!("no identity and no token"),
        };
        let member = identity.member.clone();
        tracing::info!(cluster = %member.cluster, uid = %member.uid, fleet = %member.fleet, "member of the fleet");
        let keys = identity.keys().context("the agent's key cannot sign")?;
        link.install(Link::new(member, kept, self.inventory, Box::new(keys)));
        let session = SessionTask {
            counters: self.counters,
            tracer: self.tracer,
            link,
            hub: self.hub,
            identity,
            folder: self.folder,
            shutdown,
        };
        session.run().await;
        Ok(())
    }
}

/// Joins the fleet and ends.
async fn enroll(args: RunArgs) -> anyhow::Result<()> {
    let RunArgs {
        config,
        listen_metrics: _,
        traces: _,
        token: args,
    } = args;
    let config = AgentConfig::load(&config)?;
    let (_lock, _) = Files::open(&config.data)?;
    let folder = IdentityFolder::new(&config.data);
    if let Some(identity) = folder.load()? {
        let (cluster, until) = (identity.member.cluster, identity.not_after);
        let place = config.data.join("identity");
        let place = place.display();
        say(&format!(
            "already a member as {cluster}, certificate good until {until}; where the hub has removed it, move {place} away and enrol again"
        ));
        return Ok(());
    }
    let hub = config.hub_address()?;
    let cluster = args.cluster.clone().or(config.hub.cluster.clone());
    let tell = |line: String| eprintln!("{line}");
    let identity = enrol(&hub, &token(&args)?, cluster.as_ref(), &folder, tell).await?;
    let (cluster, until) = (identity.member.cluster, identity.not_after);
    say(&format!(
        "joined as {cluster}, certificate good until {until}"
    ));
    Ok(())
}

fn token(args: &TokenArgs) -> anyhow::Result<EnrolToken> {
    let text = match (&args.token, &args.token_file) {
        (Some(_), Some(path)) => anyhow::bail!(
            "two tokens: one in FLAGSHIP_AGENT_TOKEN, one in {}; give one of them",
            path.display()
        ),
        (Some(token), None) => token.clone(),
        (None, Some(path)) => {
            if files::stands_open(path) {
                tracing::warn!(path = %path.display(), "others can read the token: chmod 600");
            }
            std::fs::read_to_string(path)
                .with_context(|| format!("cannot read the token in {}", path.display()))?
        }
        (None, None) => anyhow::bail!(
            "not a member of a fleet yet: give --token-file (or FLAGSHIP_AGENT_TOKEN) with what `flagship token create` printed"
        ),
    };
    Ok(text.trim().parse::<EnrolToken>()?)
}

/// Says a line. That nobody reads it changes nothing.
fn say(line: &str) {
    let _ = writeln!(std::io::stdout(), "{line}");
}
