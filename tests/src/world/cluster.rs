//! A cluster of the World: versions, one proxy, and traffic that is computed instead of sent.
//!
//! It stands in for the Envoy platform below the agent's driver, and obeys the same actions. What it
//! counts is exact: requests by version, served and failed, up to any moment.

use std::{collections::BTreeMap, time::Duration};

use flagship_agent::platform::Seen;
use flagship_canary::{
    Action, Revision, Route, RouteSeen, Sample, Scale, Share, Totals, VersionSeen,
};
use flagship_proto::{
    digest::Digest,
    model::{Counts, Inventory, InventoryWorkload, Latency, Tick, Weight},
};
use jiff::Timestamp;

use super::WORKLOAD;

/// How a version behaves; a good one by default.
#[derive(Debug, Clone, Copy, Default)]
pub struct Behaviour {
    /// Failures per thousand requests.
    pub errors_per_mille: u32,
    /// It crashes again and again.
    pub crashes: bool,
    /// Requests take this long, in milliseconds; 10 where zero.
    pub latency_ms: u32,
}

/// Milliseconds from starting a version to its being ready.
const START_MS: u64 = 300;

#[derive(Debug)]
struct Instance {
    scale: Scale,
    ready_at: u64,
}

/// One cluster's workload.
#[derive(Debug)]
pub struct SimCluster {
    /// What serves where nothing was ever released.
    pub initial: Revision,
    /// Requests per second.
    pub rps: u32,
    /// Behaviour by version.
    pub behaviour: BTreeMap<String, Behaviour>,
    /// Whether the proxy hears the agent.
    pub proxy_connected: bool,
    instances: BTreeMap<String, Instance>,
    route: Option<Route>,
    told: Option<Route>,
    totals: BTreeMap<String, Counts>,
    fraction: BTreeMap<String, f64>,
    at_ms: u64,
    open: bool,
    /// Requests that met no ready instance.
    pub refused: u64,
}

/// The revision of a version: the same digest in every cluster (S6).
pub fn revision(version: &str) -> Revision {
    Revision {
        version: version.to_owned(),
        digest: Some(Digest::of(version.as_bytes())),
    }
}

/// What every agent says that its cluster is and has.
pub(super) fn inventory() -> Inventory {
    Inventory {
        agent: "0.1.0".into(),
        platform: "envoy".into(),
        features: vec!["change.version".into()],
        workloads: vec![InventoryWorkload {
            workload: WORKLOAD.parse().expect("a workload"),
            version: Some("1.0.0".into()),
            digest: Some(Digest::of(b"1.0.0")),
            initial: None,
        }],
        proxies: Vec::new(),
        components: BTreeMap::new(),
    }
}

impl SimCluster {
    /// A cluster that serves `version` from its configuration.
    pub fn new(version: &str, rps: u32) -> Self {
        Self {
            initial: revision(version),
            rps,
            behaviour: BTreeMap::new(),
            proxy_connected: true,
            instances: BTreeMap::new(),
            route: None,
            told: None,
            totals: BTreeMap::new(),
            fraction: BTreeMap::new(),
            at_ms: 0,
            open: false,
            refused: 0,
        }
    }

    /// The agent's process ended: what it told is forgotten, what runs goes on.
    pub fn agent_stopped(&mut self) {
        self.told = None;
    }

    /// Traffic up to a moment.
    pub fn advance(&mut self, now: Tick) {
        let millis = now.mono.millis.saturating_sub(self.at_ms);
        self.at_ms = now.mono.millis;
        let Some(route) = self.route.clone() else {
            return;
        };
        let requests = f64::from(self.rps) * millis as f64 / 1000.0;
        let mut shares = vec![(route.primary.clone(), route.weight.rest())];
        shares.extend(route.canary.clone().map(|canary| (canary, route.weight)));
        for (version, share) in shares {
            self.serve(&version, requests * f64::from(share.get()) / 100.0);
        }
    }

    fn serve(&mut self, version: &str, requests: f64) {
        let fraction = self.fraction.entry(version.to_owned()).or_default();
        *fraction += requests;
        let whole = fraction.floor();
        *fraction -= whole;
        let whole = whole as u64;
        let ready = self.ready(version);
        self.open |= ready;
        if !self.open {
            return; // users come once the first version is ready
        }
        let behaviour = self.behaviour.get(version).copied().unwrap_or_default();
        let counts = self.totals.entry(version.to_owned()).or_default();
        let before = counts.total;
        counts.total += whole;
        if !ready {
            counts.bad += whole;
            self.refused += whole;
            return;
        }
        // Exactly so many of each thousand, spread evenly.
        let failures = |total: u64| total * u64::from(behaviour.errors_per_mille) / 1000;
        counts.bad += failures(counts.total) - failures(before);
    }

    fn crashes(&self, version: &str) -> bool {
        self.behaviour
            .get(version)
            .is_some_and(|behaviour| behaviour.crashes)
    }

    fn ready(&self, version: &str) -> bool {
        let started = self.instances.get(version);
        started.is_some_and(|instance| instance.ready_at <= self.at_ms) && !self.crashes(version)
    }

    /// How long until something changes that nobody caused: a version becomes ready.
    pub fn changes_after(&self, now: Tick) -> Option<Duration> {
        let ready = self.instances.values().map(|instance| instance.ready_at);
        let next = ready.filter(|at| *at > now.mono.millis).min()?;
        Some(Duration::from_millis(next - now.mono.millis))
    }

    /// Carries an action out, as the platform would.
    pub fn act(&mut self, action: &Action, now: Tick) {
        self.advance(now);
        match action {
            Action::SetRoute { route, .. } => {
                self.told = Some(route.clone());
                self.sync();
            }
            Action::EnsureVersion { revision, scale } => {
                let ready_at = now.mono.millis + START_MS;
                let instance = self
                    .instances
                    .entry(revision.version.clone())
                    .or_insert(Instance {
                        scale: *scale,
                        ready_at,
                    });
                instance.scale = *scale;
            }
            Action::StopVersion { version } => {
                let named = self
                    .route
                    .as_ref()
                    .is_some_and(|route| route.share(version) > Weight::ZERO);
                if !named {
                    self.instances.remove(version);
                }
            }
            Action::RunHook { .. } | Action::Query { .. } | Action::Event { .. } => {}
        }
    }

    /// The proxy takes what the agent told, if it hears it.
    pub fn sync(&mut self) {
        if self.proxy_connected && self.told.is_some() {
            self.route.clone_from(&self.told);
        }
    }

    /// What the platform sees.
    pub fn observe(&mut self, now: Tick) -> Seen {
        self.advance(now);
        let seen = |(version, instance): (&String, &Instance)| {
            let wanted = match instance.scale {
                Scale::Canary => 1,
                Scale::Full => 2,
            };
            let seen = VersionSeen {
                scale: instance.scale,
                wanted,
                ready: if self.ready(version) { wanted } else { 0 },
                crash_loop: self
                    .crashes(version)
                    .then(|| "exited with 1, 3 times in 10 s".to_owned()),
                not_startable: None,
                in_flight: Some(0),
            };
            (version.clone(), seen)
        };
        Seen {
            initial: self.initial.clone(),
            versions: self.instances.iter().map(seen).collect(),
            digests: BTreeMap::new(),
            route: self.route_seen(),
            totals: Some(self.totals(now.wall)),
            proxies: Vec::new(),
        }
    }

    fn route_seen(&self) -> RouteSeen {
        let shares = self.route.iter().flat_map(|route| {
            let canary = route
                .canary
                .clone()
                .map(|canary| (canary, Share::all(route.weight)));
            std::iter::once((route.primary.clone(), Share::all(route.weight.rest()))).chain(canary)
        });
        RouteSeen {
            told: self.told.clone(),
            shares: shares.collect(),
            primary: self.route.as_ref().map(|route| route.primary.clone()),
            known: self.proxy_connected,
            settled: self.proxy_connected && self.route == self.told,
            proxies: u32::from(self.proxy_connected),
            trouble: (!self.proxy_connected).then(|| "proxy is not connected".to_owned()),
        }
    }

    fn totals(&self, at: Timestamp) -> Totals {
        let sample = |(version, counts): (&String, &Counts)| {
            let latency = self
                .behaviour
                .get(version)
                .map_or(10, |b| b.latency_ms.max(10));
            let upper = f64::from(latency);
            let sample = Sample {
                counts: *counts,
                latency: Latency {
                    buckets: vec![
                        (upper / 2.0, 0),
                        (upper, counts.total),
                        (f64::INFINITY, counts.total),
                    ],
                },
            };
            (version.clone(), sample)
        };
        Totals {
            proxy_started: Timestamp::UNIX_EPOCH,
            at,
            versions: self.totals.iter().map(sample).collect(),
        }
    }

    /// Requests by version so far.
    pub fn counts(&self) -> &BTreeMap<String, Counts> {
        &self.totals
    }

    /// Share of traffic of a version now.
    pub fn share(&self, version: &str) -> Weight {
        self.route
            .as_ref()
            .map_or(Weight::ZERO, |route| route.share(version))
    }

    /// The version in the primary role now.
    pub fn primary(&self) -> Option<&str> {
        self.route.as_ref().map(|route| route.primary.as_str())
    }
}
