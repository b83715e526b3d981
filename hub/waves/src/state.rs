//! What a rollout remembers: its phase, its waves, its clusters, its waits.
//!
//! Written only by [`crate::step`]; stored as JSON. Maps are ordered, so equal states have equal
//! bytes. Times of day are for people; everything that is waited for is a [`Stopwatch`] (P27).

mod cluster;
mod times;

use std::{collections::BTreeMap, fmt};

use flagship_proto::{
    digest::Digest,
    model::{
        AbortId, AbortMode, Change, ClusterName, ClusterUid, FreezeId, Mono, PlanRef, ReturnTo,
        RolloutId, Stopwatch, WaveName,
    },
    words::given,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    plan::Plan,
    reason::{Cause, Reason},
};

pub use cluster::{CatchUp, ClusterPhase, ClusterState};
pub use times::{Activity, Times};

/// The format of [`RolloutState`] that this engine writes.
pub const FORMAT: u32 = 1;

/// One rollout.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RolloutState {
    /// The format of this record.
    pub format: u32,
    /// The plan that it executes.
    pub plan: PlanRef,
    /// Its id.
    pub rollout: RolloutId,
    /// What is released.
    pub change: Change,
    /// The digest of the change, from the first cluster that reported it; all others must agree.
    pub digest: Option<Digest>,
    /// From 1; grows with each `retry`.
    pub attempt: u32,
    /// The highest request that was handled.
    pub handled: u64,
    /// Where it stands.
    pub phase: RolloutPhase,
    /// Since when.
    pub since: Timestamp,
    /// When it began.
    pub started: Timestamp,
    /// When it ended, if it has.
    pub ended: Option<Timestamp>,
    /// A person's pause, while it lasts.
    pub paused: Option<Paused>,
    /// The abort that stopped it, also after its lift.
    pub aborted: Option<Aborted>,
    /// Who takes what back, once something does.
    pub retreat: Option<Retreat>,
    /// Why it failed, once it has.
    pub failed: Option<Cause>,
    /// Who took the mixed state as final.
    pub accepted: Option<Accepted>,
    /// Who superseded it.
    pub superseded_by: Option<RolloutId>,
    /// The plan's waves, in order.
    pub waves: Vec<WaveState>,
    /// Every cluster of every wave, and those that came too late for theirs.
    pub clusters: BTreeMap<ClusterUid, ClusterState>,
    /// The one cluster in the catch-up lane.
    pub catch_up: Option<CatchUp>,
    /// Failures of this attempt, borne ones too.
    pub failures: Vec<Failure>,
    /// What counts against the plan's deadline.
    pub deadline: Stopwatch,
    /// How long it advanced, how long it waited, and for what.
    pub times: Times,
    /// What it waits for now.
    pub waiting: Vec<Waiting>,
    /// Freezes that bind it, or some of its clusters, now.
    #[serde(default)]
    pub freezes: Vec<FrozenBy>,
}

/// Where a rollout stands (DESIGN §5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "name")]
pub enum RolloutPhase {
    /// Stored, not yet looked at.
    Pending,
    /// Going through its waves.
    Progressing {
        /// The wave's name.
        wave: WaveName,
        /// What the wave is doing.
        stage: Stage,
    },
    /// Every cluster was seen at the new version and soaked, or is listed as skipped.
    Succeeded,
    /// A person paused it.
    Paused,
    /// Clusters go back.
    Retreating,
    /// All have gone back.
    RolledBack,
    /// An abort stopped it; it stays so after the lift, until a person acts.
    Aborted,
    /// It stopped by its failure policy; a person decides.
    Failed,
    /// Another rollout took over.
    Superseded,
}

/// What a wave is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Stage {
    /// It has not started: its gates are closed.
    Gate,
    /// Its clusters are being released.
    Running,
    /// All have succeeded; it waits out its soak.
    Soaking,
}

/// One wave.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct WaveState {
    /// Its name.
    pub name: WaveName,
    /// When it started; from then on its members are frozen (P25).
    pub started: Option<Timestamp>,
    /// Time soaked since its last success (S5).
    pub soak: Stopwatch,
    /// When its soak was over; each member must have been heard after that (P31).
    pub soaked: Option<Mono>,
    /// When it was done.
    pub finished: Option<Timestamp>,
}

/// A person's pause.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Paused {
    /// Since when.
    pub at: Timestamp,
    /// By whom.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// The abort that stopped a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Aborted {
    /// Which.
    pub id: AbortId,
    /// What it does to traffic.
    pub mode: AbortMode,
    /// By whom.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When.
    pub at: Timestamp,
    /// Whether one stands no more; nothing moves by that alone.
    pub lifted: bool,
}

/// A freeze that binds a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct FrozenBy {
    /// Which.
    pub id: FreezeId,
    /// By whom.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// Until when, in words.
    pub ends: String,
    /// Whether it binds every cluster of the rollout.
    pub whole: bool,
}

/// Clusters that go back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Retreat {
    /// Which clusters.
    pub scope: RetreatScope,
    /// Where to.
    pub to: ReturnTo,
    /// Not paced.
    pub now: bool,
    /// Who asked, if a person did.
    pub actor: Option<String>,
    /// Why, in words.
    pub reason: String,
    /// The abort that takes back what had ended (`--retreat`), if one does.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<AbortId>,
}

impl Retreat {
    /// Who asked, if a person did, and why.
    pub fn why(&self) -> String {
        match &self.actor {
            Some(actor) => format!("{actor}: {}", given(&self.reason)),
            None => self.reason.clone(),
        }
    }
}

/// Which clusters go back.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum RetreatScope {
    /// All that ever got an order of this rollout.
    All,
    /// Those of one wave, by its place in the plan.
    Wave(usize),
}

/// A person took the mixed state as final.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Accepted {
    /// When.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
}

/// One cluster that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// Which.
    pub uid: ClusterUid,
    /// By name.
    pub cluster: ClusterName,
    /// When.
    pub at: Timestamp,
    /// Why, with the agent's numbers.
    pub reason: String,
}

/// Something that is waited for, and since when.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// What, without numbers that change by themselves.
    pub reason: Reason,
    /// Since when.
    pub since: Timestamp,
}

impl RolloutState {
    /// A rollout that is to start.
    pub fn new(plan: &Plan, rollout: RolloutId, change: Change, at: Timestamp) -> Self {
        let waves = plan.spec.waves.iter().map(|wave| WaveState {
            name: wave.name.clone(),
            started: None,
            soak: Stopwatch::default(),
            soaked: None,
            finished: None,
        });
        Self {
            format: FORMAT,
            plan: plan.id(),
            rollout,
            change,
            digest: None,
            attempt: 1,
            handled: 0,
            phase: RolloutPhase::Pending,
            since: at,
            started: at,
            ended: None,
            paused: None,
            aborted: None,
            retreat: None,
            failed: None,
            accepted: None,
            superseded_by: None,
            waves: waves.collect(),
            clusters: BTreeMap::new(),
            catch_up: None,
            failures: Vec::new(),
            deadline: Stopwatch::default(),
            times: Times::default(),
            waiting: Vec::new(),
            freezes: Vec::new(),
        }
    }

    /// Whether it has ended and released its claims (S7). A Succeeded one may still catch up.
    pub fn is_over(&self) -> bool {
        self.accepted.is_some()
            || match self.phase {
                RolloutPhase::Succeeded | RolloutPhase::RolledBack | RolloutPhase::Superseded => {
                    true
                }
                RolloutPhase::Pending
                | RolloutPhase::Progressing { .. }
                | RolloutPhase::Paused
                | RolloutPhase::Retreating
                | RolloutPhase::Aborted
                | RolloutPhase::Failed => false,
            }
    }

    /// Clusters that were not taken back with the others, since another rollout had been ordered there by
    /// then: when that one goes back, they have this one's change again.
    pub fn left_behind(&self) -> impl Iterator<Item = (&ClusterUid, &ClusterState)> {
        let is_back = self.phase == RolloutPhase::RolledBack;
        let clusters = self.clusters.iter();
        clusters.filter(move |(_, cluster)| is_back && cluster.touched && cluster.phase.succeeded())
    }

    /// The same as the end of a sentence on what was taken back and why; empty where none was.
    pub fn but_left_behind(&self) -> String {
        let left = self.left_behind();
        let mut left: Vec<&str> = left.map(|(_, cluster)| cluster.name.as_str()).collect();
        left.sort_unstable();
        if left.is_empty() {
            return String::new();
        }
        format!(
            "; not {}, where another rollout had been ordered since",
            left.join(", ")
        )
    }

    /// The first wave that is not done.
    pub fn current_wave(&self) -> Option<usize> {
        self.waves.iter().position(|wave| wave.finished.is_none())
    }
}

impl RolloutPhase {
    /// Every word that [`RolloutPhase::word`] says.
    pub const WORDS: [&'static str; 9] = [
        "Pending",
        "Progressing",
        "Succeeded",
        "Paused",
        "Retreating",
        "RolledBack",
        "Aborted",
        "Failed",
        "Superseded",
    ];

    /// One word for tables and metrics.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Progressing { .. } => "Progressing",
            Self::Succeeded => "Succeeded",
            Self::Paused => "Paused",
            Self::Retreating => "Retreating",
            Self::RolledBack => "RolledBack",
            Self::Aborted => "Aborted",
            Self::Failed => "Failed",
            Self::Superseded => "Superseded",
        }
    }
}

impl fmt::Display for RolloutPhase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Progressing { wave, stage } => write!(f, "Progressing ({wave}: {stage})"),
            Self::Pending
            | Self::Succeeded
            | Self::Paused
            | Self::Retreating
            | Self::RolledBack
            | Self::Aborted
            | Self::Failed
            | Self::Superseded => f.write_str(self.word()),
        }
    }
}

impl fmt::Display for Stage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Gate => "gate",
            Self::Running => "running",
            Self::Soaking => "soaking",
        })
    }
}
