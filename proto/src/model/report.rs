//! What an agent says of itself: `Hello`, its inventory, and reports of its workloads.

use std::{collections::BTreeMap, fmt};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    audit::Witness,
    evidence::Evidence,
    id::{AbortId, FleetId, RolloutId, WorkloadRef},
    local::{self, LocalAct},
    order::Intent,
    position::{Fence, HubIncarnation, Incarnation, Term},
    weight::Weight,
};
use crate::digest::Digest;

/// Most workloads that one cluster can have: longer lists are refused.
pub const MOST_WORKLOADS: usize = 4096;

/// Most bytes of a version: one that is an image's reference has 456 at most.
pub const LONGEST_VERSION: usize = 512;

/// A canary's phase, by Flagger's names (flagger.md §1.4).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub enum Phase {
    /// The primary is being made.
    #[default]
    Initializing,
    /// The primary serves; nothing was released yet.
    Initialized,
    /// A change was seen; the confirm-rollout gate is closed.
    Waiting,
    /// The canary takes traffic by steps and is analysed.
    Progressing,
    /// The analysis passed; the confirm-promotion gate is closed.
    WaitingPromotion,
    /// The new version becomes the primary.
    Promoting,
    /// Traffic is on the new primary; the old version is being stopped.
    Finalising,
    /// The change is the primary and has all traffic.
    Succeeded,
    /// The change was taken back.
    Failed,
    /// The canary object is being deleted.
    Terminating,
    /// It is deleted.
    Terminated,
}

impl Phase {
    /// Whether a canary is in flight: it has, or may get, traffic on the change.
    pub fn is_active(self) -> bool {
        match self {
            Self::Waiting
            | Self::Progressing
            | Self::WaitingPromotion
            | Self::Promoting
            | Self::Finalising => true,
            Self::Initializing
            | Self::Initialized
            | Self::Succeeded
            | Self::Failed
            | Self::Terminating
            | Self::Terminated => false,
        }
    }
}

impl fmt::Display for Phase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self, f)
    }
}

/// One workload that an agent can release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct InventoryWorkload {
    /// Which.
    pub workload: WorkloadRef,
    /// The version that serves now, where it is known.
    pub version: Option<String>,
    /// Its digest.
    pub digest: Option<Digest>,
    /// The version that it began with, which no order brought; agents of before do not say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub initial: Option<String>,
}

/// A proxy of the cluster.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EnvoyInfo {
    /// Its node id.
    pub node: String,
    /// Its version, as it says it.
    pub version: String,
    /// Whether its xDS stream is open.
    pub connected: bool,
}

/// What a cluster is and has, so that the hub can show skew and refuse what cannot work.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// The agent's version.
    pub agent: String,
    /// `envoy` or `kube`.
    pub platform: String,
    /// Names of what the agent can do (`change.version`, `router.weight`, …).
    pub features: Vec<String>,
    /// The workloads of its configuration.
    pub workloads: Vec<InventoryWorkload>,
    /// Its proxies.
    pub proxies: Vec<EnvoyInfo>,
    /// Other versions by component (kernel, CRDs, meshes).
    pub components: BTreeMap<String, String>,
}

/// What a hub signed, as an agent kept it; not verified yet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Proof {
    /// Canonical JSON bytes.
    #[serde(with = "hex::serde")]
    pub body: Vec<u8>,
    /// The hub's signature over them.
    #[serde(with = "hex::serde")]
    pub signature: Vec<u8>,
    /// Which of the hub's keys.
    pub key_id: String,
}

/// An order as an agent holds it: the hub sends only what differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldWorkload {
    /// Which workload.
    pub workload: WorkloadRef,
    /// The (term, revision) held.
    pub fence: Fence,
    /// The newest order's bytes as the hub signed them (P21, P22).
    pub proof: Option<Proof>,
}

/// The first message of a session.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// The fleet that the agent belongs to, once it knows.
    pub fleet: Option<FleetId>,
    /// The agent's incarnation (P2).
    pub incarnation: Incarnation,
    /// The highest term seen.
    pub term: Term,
    /// The hub incarnation bound to that term.
    pub hub: HubIncarnation,
    /// Per workload what it holds.
    pub held: Vec<HeldWorkload>,
    /// Aborts that it keeps, with their bytes as signed where it has them.
    pub aborts: Vec<(AbortId, Option<Proof>)>,
    /// What it is and has.
    pub inventory: Inventory,
    /// What the agent was shown of the hub's audit log; none of one that keeps nothing of it.
    pub witness: Option<Witness>,
}

/// A workload's state, as its canary engine sees it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WorkloadStatus {
    /// Which workload.
    pub workload: WorkloadRef,
    /// The order that it obeys.
    pub fence: Fence,
    /// The rollout of that order.
    pub rollout: Option<RolloutId>,
    /// The attempt of that order.
    pub attempt: u32,
    /// The intent it obeys now: the order's, or a stronger one (abort, local hold, ended lease).
    pub intent: Option<Intent>,
    /// The canary's phase.
    pub phase: Phase,
    /// The step, from 0.
    pub step: u32,
    /// The weight that the agent wants.
    pub weight: Weight,
    /// The highest weight read back over all proxies and rules.
    pub observed: Option<Weight>,
    /// Failed checks so far.
    pub failed_checks: u32,
    /// The version of the change.
    pub version: Option<String>,
    /// The digest of the change.
    pub digest: Option<Digest>,
    /// The version that is the primary.
    pub primary_version: Option<String>,
    /// Its digest.
    pub primary_digest: Option<Digest>,
    /// Digests that this cluster can return to, newest first.
    pub can_return_to: Vec<Digest>,
    /// A stable word for why it is where it is (`MetricFailed`, `WaitingForLease`, …).
    pub reason: String,
    /// The same in words, with the numbers.
    pub message: String,
    /// Since when the reason holds, by the agent's clock.
    pub since: Timestamp,
    /// The abort that made it stop, if one did.
    pub aborted_by: Option<AbortId>,
    /// Acts of local control, oldest first; the newest that the agent keeps.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub local: Vec<LocalAct>,
}

impl WorkloadStatus {
    /// About how many bytes it takes to keep it.
    pub fn size(&self) -> usize {
        let versions = [&self.version, &self.primary_version].into_iter().flatten();
        let words = versions.chain([&self.reason, &self.message]);
        let acts = self.local.iter().map(LocalAct::size);
        let digests = self.can_return_to.len() * size_of::<Digest>();
        let rest = size_of::<Self>() + digests;
        rest + words.map(String::len).sum::<usize>() + acts.sum::<usize>()
    }

    /// The share of traffic on the change: as it was read back, else as it is wanted.
    pub fn share(&self) -> Weight {
        self.observed.unwrap_or(self.weight)
    }

    /// The local hold or retreat that stands, if one does.
    pub fn local_control(&self) -> Option<&LocalAct> {
        local::standing(&self.local)
    }
}

/// One report; it carries the latest status of what changed. Acknowledged after its commit.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Report {
    /// The agent's incarnation.
    pub incarnation: Incarnation,
    /// Grows with each report of this incarnation.
    pub seq: u64,
    /// The agent's wall clock when it was sent.
    pub at: Timestamp,
    /// What changed.
    pub workloads: Vec<WorkloadStatus>,
    /// Evidence that goes with it.
    pub evidence: Vec<(WorkloadRef, Evidence)>,
}
