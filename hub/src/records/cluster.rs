//! Rows of clusters: the member itself, and what it last reported.

use flagship_proto::model::{
    ClusterName, ClusterUid, Incarnation, Inventory, Labels, Order, Phase, RolloutId, TokenId,
    Weight, WorkloadRef, WorkloadStatus,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Record, key};
use crate::{auth::Object, store::Key};

/// Whether a cluster takes part.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum ClusterState {
    /// Enrolled, waits for `flagship cluster approve`.
    Pending,
    /// A member.
    Active,
    /// Two live keys, or claims that nothing proves: a person has to look.
    Quarantined {
        /// Why.
        reason: String,
    },
    /// No longer a member; its certificates are refused. The name may be enrolled again.
    Removed {
        /// When.
        at: Timestamp,
        /// What was in flight there then.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        left: Vec<LeftCanary>,
    },
}

/// A canary that was in flight in a cluster when it was removed: nothing orders it back any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeftCanary {
    /// Of which workload.
    pub workload: WorkloadRef,
    /// Which rollout had ordered it.
    pub rollout: Option<RolloutId>,
    /// Where it stood when it was last heard.
    pub phase: Phase,
    /// The share of traffic on the change.
    pub weight: Weight,
    /// Until when it may advance by itself: its agent is not told to stop (P5, P6).
    pub until: Timestamp,
}

impl LeftCanary {
    /// What a report tells of one; none where nothing is in flight.
    pub fn of(status: &WorkloadStatus, until: Timestamp) -> Option<Self> {
        status.phase.is_active().then(|| Self {
            until,
            workload: status.workload.clone(),
            rollout: status.rollout.clone(),
            phase: status.phase,
            weight: status.share(),
        })
    }

    /// What was ordered and has not been taken up: it begins yet.
    pub fn ordered(order: &Order, until: Timestamp) -> Self {
        Self {
            until,
            workload: order.workload.clone(),
            rollout: Some(order.rollout.clone()),
            phase: Phase::Waiting,
            weight: Weight::ZERO,
        }
    }
}

impl ClusterState {
    /// One word for tables.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Pending => "Pending",
            Self::Active => "Active",
            Self::Quarantined { .. } => "Quarantined",
            Self::Removed { .. } => "Removed",
        }
    }

    /// Whether it is of the fleet: it counts as a member, is sent orders and is stopped by aborts.
    pub fn is_member(&self) -> bool {
        match self {
            Self::Active => true,
            Self::Pending | Self::Quarantined { .. } | Self::Removed { .. } => false,
        }
    }
}

/// A public key that a cluster has, or had.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PublicKey {
    /// SubjectPublicKeyInfo, DER.
    #[serde(with = "hex::serde")]
    pub spki: Vec<u8>,
    /// The certificate's serial, hexadecimal.
    pub serial: String,
    /// The certificate, DER: receipts are verified with it.
    #[serde(with = "hex::serde")]
    pub certificate: Vec<u8>,
    /// When the certificate ends.
    pub not_after: Timestamp,
    /// Refused from now on, whatever its end.
    pub revoked: bool,
}

/// How a cluster came in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    /// When.
    pub at: Timestamp,
    /// By which token; none if it was put there by a test or by a restore.
    pub token: Option<TokenId>,
}

/// A member of the fleet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ClusterRow {
    /// Its name.
    pub name: ClusterName,
    /// Drawn at enrolment; the same name enrolled again has another (P1).
    pub uid: ClusterUid,
    /// Given by the token.
    pub labels: Labels,
    /// Whether it takes part.
    pub state: ClusterState,
    /// Its keys, newest first.
    pub keys: Vec<PublicKey>,
    /// How it came in.
    pub enrolled: Enrolled,
    /// Uids that this name had before; their certificates are refused.
    pub former: Vec<ClusterUid>,
    /// What it last said that it has.
    pub inventory: Inventory,
    /// The highest incarnation seen (P2).
    pub incarnation: Incarnation,
    /// Since when a person has to confirm that it is a member, after history went back (P22): until
    /// then nothing advances there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unconfirmed: Option<Timestamp>,
    /// When a session of it last opened or closed; the moment-to-moment presence is in memory.
    pub last_seen: Option<Timestamp>,
}

impl ClusterRow {
    /// The cluster, for who may do what to it.
    pub fn object(&self) -> Object<'_> {
        Object::Cluster(&self.name, &self.labels)
    }

    /// Whether its agent said that it has a workload.
    pub fn has_workload(&self, workload: &WorkloadRef) -> bool {
        let mut workloads = self.inventory.workloads.iter();
        workloads.any(|has| has.workload == *workload)
    }

    /// A new member without keys and inventory.
    pub fn new(name: ClusterName, uid: ClusterUid, labels: Labels, enrolled: Enrolled) -> Self {
        Self {
            name,
            uid,
            labels,
            state: ClusterState::Pending,
            keys: Vec::new(),
            enrolled,
            former: Vec::new(),
            inventory: Inventory::default(),
            incarnation: Incarnation::default(),
            unconfirmed: None,
            last_seen: None,
        }
    }
}

/// The last report about one workload of one cluster that was worth storing (a transition).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReportRow {
    /// Whose.
    pub uid: ClusterUid,
    /// The incarnation that reported.
    pub incarnation: Incarnation,
    /// The report's number in it; compared by the transaction that stores the next one (P23).
    pub seq: u64,
    /// When it came, by the hub's clock.
    pub at: Timestamp,
    /// What it said.
    pub status: WorkloadStatus,
}

impl Record for ClusterRow {
    fn key(&self) -> Key {
        key::cluster(&self.name)
    }
}

impl Record for ReportRow {
    fn key(&self) -> Key {
        key::report(&self.uid, &self.status.workload)
    }
}
