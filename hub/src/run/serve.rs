//! `flagship-hub serve`: opens the folder, takes leadership, and runs all parts until the first ends.

use std::{fmt, net::SocketAddr, path::Path, sync::Arc, time::Duration};

use anyhow::Context as _;
use axum::Router;
use flagship_proto::{
    model::Term,
    process::{
        Clock, raise_open_files,
        traces::{Exporter, Tracer},
    },
    tls::{CurrentCert, PeopleCa, api_server},
    words::{count, count_with},
};
use serde::{Deserialize, Serialize};
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use super::{Folder, admin, people, uses};
use crate::{
    api::{self, ApiState, metrics::Metrics, types::SettingsView},
    args::{NameArgs, ServeArgs, check_public_url},
    ca::{Ca, SERVER_LIFE},
    door::Limits,
    driver::{self, Driver},
    enrol::Enrol,
    fleet::{Census, Config, Fleet, FleetHandle, handle::Running},
    grpc::{self, Agents},
    leader::{self, Leadership},
    leases::Leases,
    metrics::Counters,
    notify::{self, Notifier},
    ops::Ops,
    records::Stored,
    store::Store,
};

/// Where a hub listens; also the content of `addresses.json`.
#[derive(Debug, Clone, Copy, Serialize, Deserialize)]
pub struct Bound {
    /// For people.
    pub api: SocketAddr,
    /// For agents.
    pub agents: SocketAddr,
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { api, agents } = self;
        write!(
            f,
            "flagship-hub is ready: people at https://{api}, agents at {agents}"
        )
    }
}

/// A hub that listens and leads; [`Hub::run`] does the rest.
#[derive(Debug)]
pub struct Hub {
    folder: Folder,
    names: NameArgs,
    bound: Bound,
    people: TcpListener,
    people_ca: Option<Arc<PeopleCa>>,
    agents: TcpListener,
    ca: Arc<Ca>,
    certificate: Arc<CurrentCert>,
    store: Store,
    clock: Clock,
    leadership: Leadership,
    fleet: FleetHandle,
    running: Running,
    ops: Ops,
    leases: Leases,
    notifier: Option<Notifier>,
    metrics: Metrics,
    exporter: Option<Exporter>,
    settings: Arc<SettingsView>,
    stop: CancellationToken,
}

impl Hub {
    /// Opens everything and takes leadership; nothing is made that `init` makes. When it returns, the
    /// ports are bound and `addresses.json` says which.
    pub async fn open(args: ServeArgs, stop: CancellationToken) -> anyhow::Result<Self> {
        let ServeArgs {
            data,
            listen_api,
            listen_agents,
            lease_seconds,
            notifications,
            public_url,
            metrics_without_token,
            traces,
            people_ca,
            certificate_seconds,
            names,
        } = args;
        public_url.as_deref().map_or(Ok(()), check_public_url)?;
        let mut settings = SettingsView {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            data: data.data.display().to_string(),
            dns: names.dns.clone(),
            ip: names.ip.iter().map(ToString::to_string).collect(),
            lease_ms: lease_seconds * 1000,
            certificate_ms: certificate_seconds * 1000,
            notifications: notifications
                .as_ref()
                .map(|path| path.display().to_string()),
            public_url: public_url.clone(),
            metrics_without_token,
            people_ca: people_ca.as_ref().map(|path| path.display().to_string()),
            ..SettingsView::default()
        };
        match raise_open_files() {
            Ok(Some(most)) => tracing::debug!(most, "open files are limited"),
            Ok(None) => {}
            Err(error) => tracing::warn!(%error, "the limit on open files cannot be raised"),
        }
        let folder = Folder::new(&data.data);
        folder.protect()?;
        let store = Store::open(folder.path())?;
        let ca = Ca::open(folder.path())?;
        let ca = Arc::new(ca.with_agent_life(Duration::from_secs(certificate_seconds)));
        let key = Arc::new(folder.sign_key()?);
        let certificate = folder.certificate(&ca, &names)?;
        let notifier = notifications
            .map(|path| Notifier::open(&path, public_url.as_deref()))
            .transpose()?;
        let (tracer, exporter) = Tracer::new(&traces, "flagship-hub")?;
        let people_ca = people_ca.map(|path| trusted(&path, &ca)).transpose()?;
        let people = bind(listen_api, "--listen-api").await?;
        let agents = bind(listen_agents, "--listen-agents").await?;
        let bound = Bound {
            api: people.local_addr()?,
            agents: agents.local_addr()?,
        };
        settings.listen_api = bound.api.to_string();
        settings.listen_agents = bound.agents.to_string();
        settings.traces_to = exporter.as_ref().map(Exporter::receiver);
        let clock = Clock::new();
        let incarnation = leader::draw_incarnation();
        let lease = Duration::from_secs(lease_seconds);
        let now = clock.now();
        let leadership = leader::take(&store, incarnation, lease, now.wall).await?;
        let leases = Leases::after(lease, leadership.longest, now);
        let mut config = Config::new(
            leadership.fleet.fleet.clone(),
            &leadership.fleet.trust_domain,
            leadership.term.term,
            leadership.term.hub.clone(),
        );
        config.lease = leases;
        let (fleet, running) = FleetHandle::new(Fleet::new(config, key), store.clone(), clock)?;
        let ops = Ops::new(store.clone()).with_leases(leases);
        folder.write_addresses(bound)?;
        tracing::info!(fleet = %leadership.fleet.fleet, term = %leadership.term.term, api = %bound.api, agents = %bound.agents, "hub is ready");
        Ok(Self {
            folder,
            names,
            bound,
            people,
            people_ca,
            agents,
            ca,
            certificate,
            store,
            clock,
            leadership,
            fleet,
            running,
            ops,
            leases,
            notifier,
            metrics: Metrics::new(Counters::default(), metrics_without_token).tracing(tracer),
            exporter,
            settings: Arc::new(settings),
            stop,
        })
    }

    /// Where it listens.
    pub fn bound(&self) -> Bound {
        self.bound
    }

    /// How it stands, in a line, whenever that is asked.
    pub fn words(&self) -> impl Fn() -> String + use<> {
        let (fleet, term) = (self.fleet.clone(), self.term());
        move || {
            let census = fleet.census();
            let Census {
                connected,
                members,
                aborts,
                is_behind,
                ..
            } = census;
            let behind = if is_behind {
                ", BEHIND: no orders, no leases"
            } else {
                ""
            };
            format!(
                "term {term}, {connected} of {} connected, {}{behind}",
                count(members, "cluster"),
                count_with(aborts, "abort", ["stands", "stand"])
            )
        }
    }

    /// The term in which it leads.
    pub fn term(&self) -> Term {
        self.leadership.term.term
    }

    /// Runs until told to stop. A part that ends by itself ends the hub: half a hub is none.
    pub async fn run(self) -> anyhow::Result<()> {
        let routes = self.routes();
        let Self {
            folder,
            names,
            bound: _,
            people,
            people_ca,
            agents,
            ca,
            certificate,
            store,
            clock,
            leadership,
            fleet,
            running,
            ops,
            leases,
            notifier,
            metrics,
            exporter,
            settings: _,
            stop,
        } = self;
        // The fleet outlives the ports, so that last words are told and last reports stored.
        let last = CancellationToken::new();
        let mut parts: JoinSet<(&'static str, anyhow::Result<()>)> = JoinSet::new();
        let enrol = Enrol::new(
            store.clone(),
            ca.clone(),
            leadership.fleet.fleet.clone(),
            &leadership.fleet.trust_domain,
        );
        let port = Agents {
            listener: agents,
            certificate: certificate.clone(),
            enrol: Arc::new(enrol),
            fleet: fleet.clone(),
            limits: Limits::AGENTS,
        };
        let serving = grpc::serve(port, stop.clone());
        parts.spawn(async { ("the port for agents", serving.await.map_err(Into::into)) });
        let tls = api_server(certificate.clone(), people_ca)?;
        let serving = people::serve(people, tls, Limits::PEOPLE, routes, stop.clone());
        parts.spawn(async { ("the port for people", serving.await.map_err(Into::into)) });
        let driving = drive(
            &leadership,
            store.clone(),
            fleet.clone(),
            clock,
            metrics,
            stop.clone(),
        );
        parts.spawn(async { ("the driver", driving.await.map_err(Into::into)) });
        if let Some(exporter) = exporter {
            let of = &leadership.fleet.fleet;
            let sending = exporter.about("flagship.fleet", of).run(stop.clone());
            parts.spawn(async {
                sending.await;
                ("the traces", Ok(()))
            });
        }
        if let Some(notifier) = notifier {
            let telling = notify::run(notifier, store.clone(), clock, stop.clone())?;
            parts.spawn(async { ("the notifications", telling.await) });
        }
        let listening = admin::listen(&folder)
            .context("cannot listen on the hub's own socket in the data folder")?;
        let answering = admin::serve(listening, folder.clone(), store.clone(), stop.clone());
        parts.spawn(async { ("the hub's own socket", answering.await) });
        let noting = uses::keep(ops, stop.clone());
        parts.spawn(async { ("the last use of tokens", noting.await) });
        let forgetting = leases.forget(store.clone(), leadership.clone(), clock, stop.clone());
        parts.spawn(async { ("the leases of before", forgetting.await) });
        let renewing = renew(folder.clone(), certificate, ca, names, stop.clone());
        parts.spawn(async { ("the hub's certificate", renewing.await) });
        let mut keeping = tokio::spawn(fleet.run(running, last.clone()));

        let mut ended: anyhow::Result<()> = Ok(());
        loop {
            tokio::select! {
                part = parts.join_next() => {
                    let Some(part) = part else { break };
                    let (name, outcome) = part.context("a part of the hub panicked")?;
                    let outcome = outcome.with_context(|| format!("{name} failed"));
                    if !stop.is_cancelled() {
                        let early = outcome.and_then(|()| anyhow::bail!("{name} ended early"));
                        ended = ended.and(early);
                        stop.cancel();
                    }
                }
                outcome = &mut keeping => {
                    stop.cancel();
                    folder.remove_addresses();
                    outcome.context("the fleet panicked")?.context("the fleet failed")?;
                    anyhow::bail!("the fleet ended early");
                }
            }
        }
        last.cancel();
        keeping.await.context("the fleet panicked")??;
        folder.remove_addresses();
        tracing::info!("hub has stopped");
        ended
    }

    /// The API's routes.
    fn routes(&self) -> Router {
        api::router(ApiState {
            ops: self.ops.clone(),
            fleet: self.fleet.clone(),
            ca_hash: self.ca.hash(),
            notifier: self.notifier.clone(),
            people: self.people_ca.clone(),
            costs: Arc::default(),
            metrics: self.metrics.clone(),
            settings: self.settings.clone(),
            stop: self.stop.clone(),
        })
    }
}

/// The CA for people's certificates: never the hub's own, whose certificates agents have.
fn trusted(path: &Path, own: &Ca) -> anyhow::Result<Arc<PeopleCa>> {
    let shown = path.display();
    let pem = std::fs::read_to_string(path)
        .with_context(|| format!("--people-ca: {shown} cannot be read"))?;
    let people = PeopleCa::new(&pem).with_context(|| format!("--people-ca: {shown}"))?;
    anyhow::ensure!(
        !people.trusts(&own.hash()),
        "--people-ca: {shown} is the hub's own CA, which agents have certificates of: make one for people"
    );
    Ok(Arc::new(people))
}

async fn bind(address: SocketAddr, flag: &str) -> anyhow::Result<TcpListener> {
    TcpListener::bind(address)
        .await
        .with_context(|| format!("cannot listen on {address}: choose another address with {flag}"))
}

fn drive(
    leadership: &Leadership,
    store: Store,
    fleet: FleetHandle,
    clock: Clock,
    metrics: Metrics,
    stop: CancellationToken,
) -> impl Future<Output = Result<(), driver::DriverError>> + use<> {
    let term = Stored {
        value: leadership.term.clone().into(),
        created: leadership.position,
        modified: leadership.position,
    };
    let of = leadership.fleet.fleet.clone();
    let driver = Driver::new(store.clone(), of, term, clock.now())
        .counting(metrics.counters)
        .tracing(metrics.tracer);
    driver::run(driver, move || fleet.presences(), clock, stop)
}

/// Makes the hub's own certificate anew long before it ends.
async fn renew(
    folder: Folder,
    certificate: Arc<CurrentCert>,
    ca: Arc<Ca>,
    names: NameArgs,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut due = tokio::time::interval(SERVER_LIFE / 4);
    due.tick().await;
    loop {
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            _ = due.tick() => {
                folder.renew(&certificate, &ca, &names)?;
                tracing::info!("the hub's certificate was made anew");
            }
        }
    }
}
