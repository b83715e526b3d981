//! Orders: the hub's desired state for one (cluster, workload), as stored and as sent.

use std::{fmt, time::Duration};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    id::{ClusterName, ClusterUid, FleetId, PlanRef, RolloutId, WorkloadRef},
    position::Fence,
};
use crate::digest::Digest;

/// What the hub wants of a cluster (P14).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Intent {
    /// Go on towards the change.
    Run,
    /// Weight stays; checks go on, failures still retreat.
    Hold,
    /// Return to what `return_to` names.
    Retreat,
    /// Settle what is in flight, then forget the workload.
    Remove,
}

impl fmt::Display for Intent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Run => "Run",
            Self::Hold => "Hold",
            Self::Retreat => "Retreat",
            Self::Remove => "Remove",
        })
    }
}

/// What is to be released.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Change {
    /// Envoy platform: the command of a version, with `{version}` filled.
    Version(String),
    /// Kubernetes: an image of a container.
    Image {
        /// The container's name.
        container: String,
        /// The image reference.
        image: String,
    },
    /// Kubernetes: a strategic-merge patch, as canonical JSON text.
    Patch(String),
    /// Others deliver; the revision that is waited for.
    Delivered(String),
}

impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version(version) => f.write_str(version),
            Self::Image { container, image } => write!(f, "{container}={image}"),
            Self::Patch(_) => f.write_str("a patch"),
            Self::Delivered(revision) => f.write_str(revision),
        }
    }
}

/// Where a Retreat goes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ReturnTo {
    /// What was last promoted and not taken back in this cluster before this order's change.
    LastPromoted,
    /// A digest that this cluster can still return to.
    Digest(Digest),
    /// A version that this cluster can still return to.
    Version(String),
}

/// What an agent does when its lease ends and no new one comes (DESIGN §4).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum OnDisconnect {
    /// The weight stays.
    #[default]
    Hold,
    /// Unfinished canaries go back after this many milliseconds without a lease (P20).
    Retreat {
        /// Milliseconds.
        after_ms: u64,
    },
    /// Goes on until the order's not-after (P6).
    Continue,
}

/// A document on the wire: canonical JSON bytes and their digest (S14).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Document {
    /// Canonical JSON text.
    pub json: String,
    /// SHA-256 of the text.
    pub digest: Digest,
}

/// A document's bytes do not have the digest that came with them.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("document has digest {found}, not {stated} as stated")]
pub struct DigestMismatch {
    /// What was stated.
    pub stated: Digest,
    /// What the bytes have.
    pub found: Digest,
}

impl Document {
    /// Makes the canonical form of a value.
    pub fn of<T: Serialize>(value: &T) -> Result<Self, serde_json::Error> {
        let bytes = crate::digest::canonical(value)?;
        let digest = Digest::of(&bytes);
        let json = String::from_utf8(bytes).expect("canonical JSON is UTF-8");
        Ok(Self { json, digest })
    }

    /// Checks that the bytes have the digest that came with them.
    pub fn verified(json: String, stated: Digest) -> Result<Self, DigestMismatch> {
        let found = Digest::of(json.as_bytes());
        if found == stated {
            Ok(Self {
                json,
                digest: found,
            })
        } else {
            Err(DigestMismatch { stated, found })
        }
    }

    /// Reads the document as a type.
    pub fn read<T: for<'de> Deserialize<'de>>(&self) -> Result<T, serde_json::Error> {
        serde_json::from_str(&self.json)
    }
}

/// The hub's desired state for one (cluster, workload). It is complete: nothing is inferred from
/// an order that came before, and nothing from one that did not come.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Order {
    /// The fleet that speaks.
    pub fleet: FleetId,
    /// Whom it is for, by name (for people).
    pub cluster: ClusterName,
    /// Whom it is for; an agent refuses an order for another uid.
    pub uid: ClusterUid,
    /// Which workload.
    pub workload: WorkloadRef,
    /// On behalf of which plan.
    pub plan: PlanRef,
    /// On behalf of which rollout.
    pub rollout: RolloutId,
    /// Which attempt of the rollout (S7), from 1; a higher one starts again from step 0.
    pub attempt: u32,
    /// Where it stands in history.
    pub fence: Fence,
    /// What is wanted.
    pub intent: Intent,
    /// What is being released.
    pub change: Change,
    /// Where a Retreat goes.
    pub return_to: ReturnTo,
    /// Retreat: skip pacing and the wait for capacity.
    pub now: bool,
    /// The canary's spec and its metric templates ([`crate::model`] types of the canary), as a document.
    pub canary: Document,
    /// Digest of the frozen plan.
    pub plan_digest: Digest,
    /// Run is not begun or continued after this time; in mid-canary it becomes Hold (P13).
    pub not_after: Timestamp,
    /// The plan's lease length; the shorter of this and the grant's counts (S10).
    #[serde(with = "millis")]
    pub lease: Duration,
    /// What follows when the lease ends.
    pub on_disconnect: OnDisconnect,
    /// Why this order was written, in words for people.
    pub reason: String,
}

/// Durations as whole milliseconds in stored and sent records.
pub mod millis {
    use std::time::Duration;

    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes milliseconds.
    pub fn serialize<S: Serializer>(value: &Duration, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_u64(u64::try_from(value.as_millis()).unwrap_or(u64::MAX))
    }

    /// Reads milliseconds.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Duration, D::Error> {
        u64::deserialize(deserializer).map(Duration::from_millis)
    }
}
