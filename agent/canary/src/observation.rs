//! What the engine is told: the order and the permission, and what the platform, the providers and
//! the hooks were seen to say. Platform neutral, and complete: nothing is inferred from what was
//! told before.

use std::collections::BTreeMap;

use flagship_proto::{
    digest::Digest,
    model::{Counts, Fence, Incarnation, Intent, Latency, ReturnTo, RolloutId, Weight},
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A version of a workload and what identifies it in this cluster (S6).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Revision {
    /// The version; processes, endpoints and statistics are kept by it.
    pub version: String,
    /// Its digest, where it is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub digest: Option<Digest>,
}

impl Revision {
    /// Whether both are the same release: by digest where both have one, else by version.
    pub fn is(&self, other: &Self) -> bool {
        match (self.digest, other.digest) {
            (Some(ours), Some(theirs)) => ours == theirs,
            (None, _) | (_, None) => self.version == other.version,
        }
    }
}

/// What the agent may do now: the order's intent after aborts, local holds, the lease and not-after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permission {
    /// What is wanted.
    pub intent: Intent,
    /// Intent Run under a live lease, before not-after: only then may anything advance.
    pub may_advance: bool,
    /// Why not, or why this intent, in words for people; empty if there is nothing to say.
    pub why: String,
}

impl Permission {
    /// Nothing may advance.
    pub fn hold(why: impl Into<String>) -> Self {
        Self {
            intent: Intent::Hold,
            may_advance: false,
            why: why.into(),
        }
    }
}

/// The part of the order that the engine needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The rollout.
    pub rollout: RolloutId,
    /// Its attempt; a higher one starts again from step 0 (S7).
    pub attempt: u32,
    /// Where the order stands in history.
    pub fence: Fence,
    /// What is being released.
    pub change: Revision,
    /// Where a Retreat goes.
    pub return_to: ReturnTo,
    /// Retreat: do not wait for full capacity.
    pub now: bool,
}

/// How many instances of a version are wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Scale {
    /// Enough for a canary's share.
    Canary,
    /// Enough for all traffic.
    Full,
}

/// A version that runs or should run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct VersionSeen {
    /// The scale that the platform was told last.
    pub scale: Scale,
    /// Instances wanted at that scale.
    pub wanted: u32,
    /// Instances that are ready.
    pub ready: u32,
    /// It crashes again and again: how, in words.
    pub crash_loop: Option<String>,
    /// It cannot be started at all: why, in words.
    pub not_startable: Option<String>,
    /// Requests in flight to it, where that is known.
    pub in_flight: Option<u64>,
}

/// The share of traffic of one version, over all proxies and all rules that name it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Share {
    /// The lowest that any proxy has.
    pub min: Weight,
    /// The highest that any proxy or rule has.
    pub max: Weight,
}

impl Share {
    /// The same everywhere.
    pub fn all(weight: Weight) -> Self {
        Self {
            min: weight,
            max: weight,
        }
    }
}

/// Which versions have which role and share: all that a route says about a release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Route {
    /// The version in the primary role.
    pub primary: String,
    /// The version in the canary role, if there is one.
    pub canary: Option<String>,
    /// The share of the canary role; the rest is the primary's.
    pub weight: Weight,
}

impl Route {
    /// The share of a version; none if the route does not name it.
    pub fn share(&self, version: &str) -> Weight {
        if self.primary == version {
            self.weight.rest()
        } else if self.canary.as_deref() == Some(version) {
            self.weight
        } else {
            Weight::ZERO
        }
    }
}

/// What the proxies were seen to have.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RouteSeen {
    /// The route that the platform serves now; none until one was set in this run of the process.
    pub told: Option<Route>,
    /// Shares read back by version; a version that is not in it has none. Meaningless unless `known`.
    pub shares: BTreeMap<String, Share>,
    /// The version in the primary role, if all proxies agree.
    pub primary: Option<String>,
    /// Whether every proxy of the workload was read back (and there is at least one).
    pub known: bool,
    /// Whether every proxy has acknowledged the route that the platform serves now: else what was
    /// read may be from before a route that is still on its way.
    pub settled: bool,
    /// How many proxies were read.
    pub proxies: u32,
    /// A proxy's refusal or absence, in its own words.
    pub trouble: Option<String>,
}

impl RouteSeen {
    /// Whether a version is known to have no traffic: every proxy was told so, took it, and was read.
    pub fn is_without(&self, version: &str) -> bool {
        let told = self.told.as_ref();
        let told = told.is_some_and(|told| told.share(version) == Weight::ZERO);
        told && self.settled && self.share(version) == Some(Share::all(Weight::ZERO))
    }

    /// The share of a version as read back; none if that is not known.
    pub fn share(&self, version: &str) -> Option<Share> {
        self.known.then(|| {
            self.shares
                .get(version)
                .copied()
                .unwrap_or(Share::all(Weight::ZERO))
        })
    }
}

/// Cumulative numbers of one version.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Sample {
    /// Requests.
    pub counts: Counts,
    /// Latencies.
    pub latency: Latency,
}

/// Cumulative numbers of both versions since the proxies started.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Totals {
    /// When the proxy that counted was started; the latest of several.
    pub proxy_started: Timestamp,
    /// When they were read.
    pub at: Timestamp,
    /// By version.
    pub versions: BTreeMap<String, Sample>,
}

/// What a query answered.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Measurement {
    /// The canary's value; none if there was no data.
    pub canary: Option<f64>,
    /// The primary's value in the same window, where it was asked for.
    pub primary: Option<f64>,
    /// The canary's requests in the window, where that is known.
    pub requests: Option<u64>,
    /// The primary's requests in the window, where that is known.
    pub primary_requests: Option<u64>,
    /// The query could not be answered: why.
    pub error: Option<String>,
}

/// What a question was answered with.
#[derive(Debug, Clone, PartialEq)]
pub enum Answer {
    /// A hook's.
    Hook {
        /// Any 2xx.
        passed: bool,
        /// A phrase that names the hook and says what it answered, or why it could not be asked.
        words: String,
    },
    /// A query's.
    Measured(Measurement),
}

/// All that was seen at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct Observation {
    /// The incarnation of the agent that sees it.
    pub incarnation: Incarnation,
    /// What may be done now.
    pub permission: Permission,
    /// The order that is obeyed; none where there never was one.
    pub target: Option<Target>,
    /// The version of the configuration: what serves where nothing was ever released.
    pub initial: Revision,
    /// Versions that the platform knows, by version.
    pub versions: BTreeMap<String, VersionSeen>,
    /// The proxies.
    pub route: RouteSeen,
    /// The proxies' counters, where they could be read.
    pub totals: Option<Totals>,
    /// Answers by the id of the question; ids that were not asked are dropped (trap 38).
    pub answers: BTreeMap<String, Answer>,
}
