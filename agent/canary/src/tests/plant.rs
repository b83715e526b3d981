//! A platform in memory: it does what the engine decides, one look after the other, and lets a test
//! break what it wants to see broken.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use flagship_proto::{
    digest::Digest,
    model::{
        Fence, Intent, Mono, Phase, Position, ReturnTo, RolloutId, Term, Tick, Weight,
        canary::{CanarySpec, WebhookType},
    },
};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::*;

pub(super) fn revision(version: &str) -> Revision {
    Revision {
        version: version.to_owned(),
        digest: Some(Digest::of(version.as_bytes())),
    }
}

pub(super) fn spec(analysis: Value) -> CanarySpec {
    let spec: CanarySpec = serde_json::from_value(json!({ "analysis": analysis })).unwrap();
    assert_eq!(spec.validate(), []);
    spec
}

/// Steps 20, 50 each 10 s, success rate at least 99.
pub(super) fn usual() -> CanarySpec {
    spec(json!({
        "interval": "10s", "threshold": 2, "stepWeights": [20, 50],
        "metrics": [{"name": "request-success-rate", "thresholdRange": {"min": 99}}]
    }))
}

pub(super) struct Plant {
    pub(super) spec: CanarySpec,
    pub(super) status: CanaryStatus,
    pub(super) now: Tick,
    pub(super) permission: Permission,
    pub(super) target: Option<Target>,
    pub(super) versions: BTreeMap<String, VersionSeen>,
    pub(super) told: Option<Route>,
    /// What each proxy has; one that is not connected keeps its route and is not read.
    pub(super) proxies: Vec<(bool, Route)>,
    /// What the canary's success rate is by version; absent: no values.
    pub(super) rates: BTreeMap<String, f64>,
    pub(super) requests: u64,
    /// Hooks that refuse, by name.
    pub(super) closed: BTreeSet<String>,
    /// Versions that never become ready.
    pub(super) stuck: BTreeSet<String>,
    /// Answers that are on their way.
    answers: BTreeMap<String, Answer>,
    pub(super) asked: Vec<String>,
    pub(super) log: Vec<String>,
    pub(super) last: Option<Decision>,
    started: Timestamp,
}

impl Plant {
    pub(super) fn new(spec: CanarySpec) -> Self {
        let start = Timestamp::from_second(1_700_000_000).unwrap();
        let mono = Mono { run: 1, millis: 0 };
        let old = Route {
            primary: "1.0.0".to_owned(),
            canary: None,
            weight: Weight::ZERO,
        };
        Self {
            spec,
            status: CanaryStatus::new(start),
            now: Tick { wall: start, mono },
            permission: Permission::hold("no order yet"),
            target: None,
            versions: BTreeMap::new(),
            told: None,
            proxies: vec![(true, old)],
            rates: BTreeMap::new(),
            requests: 100,
            closed: BTreeSet::new(),
            stuck: BTreeSet::new(),
            answers: BTreeMap::new(),
            asked: Vec::new(),
            log: Vec::new(),
            last: None,
            started: start,
        }
    }

    /// A plant whose primary 1.0.0 serves.
    pub(super) fn serving(spec: CanarySpec) -> Self {
        let mut plant = Self::new(spec);
        plant.run_until(Duration::from_secs(10), |status| {
            status.phase == Phase::Initialized
        });
        plant
    }

    pub(super) fn order(&mut self, version: &str, attempt: u32) {
        self.target = Some(Target {
            rollout: "checkout-1".parse::<RolloutId>().unwrap(),
            attempt,
            fence: Fence {
                term: Term::default(),
                revision: Position {
                    epoch: 1,
                    seq: u64::from(attempt),
                },
            },
            change: revision(version),
            return_to: ReturnTo::LastPromoted,
            now: false,
        });
        self.permit();
    }

    pub(super) fn permit(&mut self) {
        self.permission = Permission {
            intent: Intent::Run,
            may_advance: true,
            why: String::new(),
        };
    }

    pub(super) fn intent(&mut self, intent: Intent, why: &str) {
        self.permission = Permission {
            intent,
            may_advance: false,
            why: why.to_owned(),
        };
    }

    /// The process dies and comes back: only the stored status is left.
    pub(super) fn restart(&mut self) {
        let stored = serde_json::to_string(&self.status).unwrap();
        self.status = serde_json::from_str(&stored).unwrap();
        self.told = None;
        self.now.mono = Mono {
            run: self.now.mono.run + 1,
            millis: 1_000_000,
        };
        self.permission.may_advance = false;
        self.answers.clear();
    }

    pub(super) fn observe(&self) -> Observation {
        let known = !self.proxies.is_empty() && self.proxies.iter().all(|(up, _)| *up);
        let mut shares: BTreeMap<String, Share> = BTreeMap::new();
        for version in self.versions.keys() {
            let seen = self.proxies.iter().map(|(_, route)| route.share(version));
            let min = seen.clone().min().unwrap_or_default();
            let max = seen.max().unwrap_or_default();
            shares.insert(version.clone(), Share { min, max });
        }
        let primary = self.proxies.first().map(|(_, route)| route.primary.clone());
        Observation {
            incarnation: Default::default(),
            permission: self.permission.clone(),
            target: self.target.clone(),
            initial: revision("1.0.0"),
            versions: self.versions.clone(),
            route: RouteSeen {
                told: self.told.clone(),
                shares,
                primary: primary
                    .filter(|role| self.proxies.iter().all(|(_, route)| route.primary == *role)),
                known,
                settled: known
                    && self.told.as_ref().is_some_and(|told| {
                        let as_told = |version: &String| {
                            let mut has = self.proxies.iter().map(|(_, has)| has.share(version));
                            has.all(|share| share == told.share(version))
                        };
                        self.versions.keys().all(as_told)
                    }),
                proxies: u32::try_from(self.proxies.len()).unwrap(),
                trouble: (!known).then(|| "a proxy is not connected".to_owned()),
            },
            totals: None,
            answers: self.answers.clone(),
        }
    }

    /// One look: observe, step, store, act. What is done shows at the next look.
    pub(super) fn look(&mut self) -> Decision {
        let seen = self.observe();
        let decision = step(&self.spec, &self.status, &seen, self.now);
        let line = format!(
            "{:>5.1}s {:<16} {:>4} step {} {}",
            (self.now.wall - self.started)
                .total(jiff::Unit::Second)
                .unwrap(),
            decision.next.phase.to_string(),
            decision.next.weight.to_string(),
            decision.next.step,
            decision.reason
        );
        let short = |line: &str| line.split_once("s ").map(|(_, rest)| rest.to_owned());
        if self.log.last().and_then(|last| short(last)) != short(&line) {
            self.log.push(line);
        }
        self.status = decision.next.clone();
        for action in decision.actions.clone() {
            self.act(action);
        }
        self.now = self.now.plus(Duration::from_millis(500));
        for (version, seen) in &mut self.versions {
            if !self.stuck.contains(version) && seen.crash_loop.is_none() {
                seen.ready = seen.wanted;
            }
        }
        self.last = Some(decision.clone());
        decision
    }

    fn act(&mut self, action: Action) {
        match action {
            Action::SetRoute { route, .. } => {
                for version in std::iter::once(&route.primary).chain(&route.canary) {
                    assert!(
                        self.versions.contains_key(version),
                        "refused, {version} does not run: start it first\n{}",
                        self.log.join("\n")
                    );
                }
                for (up, has) in &mut self.proxies {
                    if *up {
                        has.clone_from(&route);
                    }
                }
                self.told = Some(route);
            }
            Action::EnsureVersion { revision, scale } => {
                let entry = self
                    .versions
                    .entry(revision.version)
                    .or_insert(VersionSeen {
                        scale,
                        wanted: 0,
                        ready: 0,
                        crash_loop: None,
                        not_startable: None,
                        in_flight: None,
                    });
                entry.scale = scale;
                entry.wanted = match scale {
                    Scale::Canary => 1,
                    Scale::Full => 2,
                };
                entry.ready = entry.ready.min(entry.wanted);
            }
            Action::StopVersion { version } => {
                assert!(
                    self.proxies
                        .iter()
                        .all(|(_, route)| route.share(&version) == Weight::ZERO)
                );
                self.versions.remove(&version);
            }
            Action::RunHook { id, kind, name, .. } => {
                let refuses = self.closed.contains(&name);
                let passed = (kind != WebhookType::Rollback) ^ refuses;
                let code = if passed { "200" } else { "403" };
                let words = format!("{kind} hook {name} answered {code}");
                self.note(&id, &format!("{kind} {name}"));
                self.answers.insert(id, Answer::Hook { passed, words });
            }
            Action::Query { id, metric, .. } => {
                self.note(&id, &metric);
                let rate = |version: Option<&String>| {
                    version.and_then(|version| self.rates.get(version)).copied()
                };
                let change = self
                    .status
                    .change
                    .as_ref()
                    .map(|change| change.version.clone());
                let measured = Measurement {
                    canary: rate(change.as_ref()),
                    primary: self.rates.get("1.0.0").copied(),
                    requests: Some(self.requests),
                    primary_requests: Some(self.requests),
                    error: None,
                };
                self.answers.insert(id, Answer::Measured(measured));
            }
            Action::Event { .. } => {}
        }
    }

    fn note(&mut self, id: &str, what: &str) {
        if !self.answers.contains_key(id) {
            self.asked.push(what.to_owned());
        }
    }

    pub(super) fn run_for(&mut self, time: Duration) {
        let end = self.now.wall.saturating_add(time).unwrap();
        while self.now.wall < end {
            self.look();
        }
    }

    /// Looks until the status is as wanted; fails the test if it is not after that time.
    pub(super) fn run_until(&mut self, within: Duration, wanted: impl Fn(&CanaryStatus) -> bool) {
        let end = self.now.wall.saturating_add(within).unwrap();
        while !wanted(&self.status) {
            assert!(self.now.wall < end, "not reached:\n{}", self.log.join("\n"));
            self.look();
        }
    }

    pub(super) fn run_to(&mut self, phase: Phase) {
        self.run_until(Duration::from_secs(600), |status| status.phase == phase);
    }

    /// Looks until nothing is under way.
    pub(super) fn settle(&mut self) {
        self.look();
        self.run_until(Duration::from_secs(60), |status| {
            !status.in_flight() && status.stopping.is_empty() && status.asking.is_empty()
        });
        self.look();
    }

    /// The highest share of a version that any proxy has.
    pub(super) fn live(&self, version: &str) -> u8 {
        let shares = self
            .proxies
            .iter()
            .map(|(_, route)| route.share(version).get());
        shares.max().unwrap_or_default()
    }
}
