//! Aborts, lifts and receipts: an order to stop that stands until a person lifts it (P7–P11).

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    id::{AbortId, ClusterName, ClusterUid, WorkloadRef},
    position::{Fence, Incarnation, Position},
    reach::Reach,
    scope::Scope,
    weight::Weight,
};
use crate::digest::Digest;

/// What an abort does to traffic in its scope (P11).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum AbortMode {
    /// Unfinished canaries go back; Done stays.
    #[default]
    Return,
    /// All weights stay (`--hold`).
    Hold,
    /// Unfinished canaries and Done clusters go back (`--retreat`).
    RetreatDone,
}

impl fmt::Display for AbortMode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Return => "return",
            Self::Hold => "hold",
            Self::RetreatDone => "retreat",
        })
    }
}

/// A stored order to stop.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abort {
    /// Its id; receipts and the lift name it.
    pub id: AbortId,
    /// Whom it stops.
    pub scope: Scope,
    /// What it does to traffic.
    pub mode: AbortMode,
    /// Where it was stored; none while provisional (the store could not be written, P7).
    pub position: Option<Position>,
    /// When the hub took it.
    pub at: Timestamp,
    /// Who ordered it.
    pub actor: String,
    /// Why, in that person's words.
    pub reason: String,
    /// For a selector: which clusters its author could stop, where not all of them; no other joins it
    /// later (P9). It is signed with the rest, so that a hub that lost the abort learns it again.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
}

impl Abort {
    /// Whether an order with this fence is void because of this abort (P8): a Run order at a lower
    /// store position. A provisional abort voids every Run that is held at its receipt.
    pub fn voids(&self, order: Fence) -> bool {
        self.position
            .is_none_or(|position| order.revision < position)
    }
}

/// The end of an abort; it stays as a tombstone, so that a lifted id stays dead.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lift {
    /// The abort that ends.
    pub abort: AbortId,
    /// Where the lift was stored; it counts only above the abort's own position.
    pub position: Position,
    /// When.
    pub at: Timestamp,
    /// Who lifted it.
    pub actor: String,
    /// Why, in that person's words.
    pub reason: String,
}

/// How far one workload has stopped. Every text that says "stopped" uses these words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", tag = "state")]
pub enum ReceiptState {
    /// No traffic on the change: read back as 0 from every proxy and rule.
    Returned,
    /// On the way back, limited by ready old capacity.
    Returning {
        /// Per cent of traffic that the old version carries now.
        capacity: Weight,
    },
    /// The weight stays, as the abort asked (`--hold`).
    Held,
    /// Finished before the abort; it stays and still serves the change.
    Done,
    /// Nothing was in flight.
    Idle,
    /// The weight could not be lowered, or not be read back.
    NotStopped {
        /// Why, with the proxy's own words.
        reason: String,
        /// What others decide by. Left out where it is [`Hindrance::Other`], as it was before there were kinds.
        #[serde(default, skip_serializing_if = "Hindrance::is_other")]
        kind: Hindrance,
    },
}

/// What kind of thing stands in the way of a stop.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum Hindrance {
    /// The canary has yet to be told, or what it has to be read back, which takes a moment: nothing is wrong
    /// so far.
    Untold,
    /// What the reason says, a kind too that this version does not know.
    #[default]
    #[serde(other)]
    Other,
}

impl Hindrance {
    fn is_other(&self) -> bool {
        *self == Self::Other
    }
}

/// What is said of a canary that is to hold, and was not told yet.
const UNTOLD_TO_HOLD: &str = "the canary has not been told to hold yet";
/// The same of one that is to go back.
const UNTOLD_TO_RETURN: &str = "the canary has not been told to go back yet";

impl ReceiptState {
    /// The weight could not be lowered, or not be read back.
    pub fn not_stopped(reason: impl Into<String>) -> Self {
        let (reason, kind) = (reason.into(), Hindrance::Other);
        Self::NotStopped { reason, kind }
    }

    /// The canary has yet to be told what this abort asks of it.
    pub fn untold(mode: AbortMode) -> Self {
        let reason = match mode {
            AbortMode::Hold => UNTOLD_TO_HOLD,
            AbortMode::Return | AbortMode::RetreatDone => UNTOLD_TO_RETURN,
        };
        Self::NotStopped {
            reason: reason.to_owned(),
            kind: Hindrance::Untold,
        }
    }

    /// What came of it has yet to be read back, as these words say.
    pub fn unread(reason: impl Into<String>) -> Self {
        let (reason, kind) = (reason.into(), Hindrance::Untold);
        Self::NotStopped { reason, kind }
    }

    /// What is said once such an answer has lasted longer than one action may: that something is in the way.
    /// `not_told` is said of a canary that was not told.
    pub fn overdue(&self, not_told: &str) -> Self {
        match self {
            Self::NotStopped { reason, .. }
                if ![UNTOLD_TO_HOLD, UNTOLD_TO_RETURN].contains(&reason.as_str()) =>
            {
                Self::not_stopped(reason.as_str())
            }
            Self::NotStopped { .. } => Self::not_stopped(not_told),
            Self::Returned | Self::Returning { .. } | Self::Held | Self::Done | Self::Idle => {
                self.clone()
            }
        }
    }

    /// Whether all that is missing is that the canary is told, or read back. Receipts that were kept before there were
    /// kinds say it in words alone.
    pub fn is_untold(&self) -> bool {
        match self {
            Self::NotStopped { reason, kind } => match kind {
                Hindrance::Untold => true,
                Hindrance::Other => [UNTOLD_TO_HOLD, UNTOLD_TO_RETURN].contains(&reason.as_str()),
            },
            Self::Returned | Self::Returning { .. } | Self::Held | Self::Done | Self::Idle => false,
        }
    }

    /// Whether nothing more will advance and nothing more is to come back.
    pub fn is_final(&self) -> bool {
        match self {
            Self::Returned | Self::Held | Self::Done | Self::Idle => true,
            Self::Returning { .. } | Self::NotStopped { .. } => false,
        }
    }
}

/// What one workload answers to an abort.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WorkloadReceipt {
    /// Which workload.
    pub workload: WorkloadRef,
    /// The order it held.
    pub fence: Fence,
    /// How far it has stopped.
    pub state: ReceiptState,
    /// The weight read back, the highest over all proxies and rules that name the canary.
    pub read_back: Option<Weight>,
    /// How many proxies were read.
    pub proxies: u32,
    /// The digest of the change, where it is known.
    pub digest: Option<Digest>,
}

/// An agent's answer to an abort, signed as S15 says. A later receipt of the same agent replaces it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Receipt {
    /// The abort that is answered.
    pub abort: AbortId,
    /// Who answers, by name.
    pub cluster: ClusterName,
    /// Who answers.
    pub uid: ClusterUid,
    /// The agent's incarnation; with `seq` it orders the receipts of one agent.
    pub incarnation: Incarnation,
    /// Grows with each receipt of this incarnation.
    pub seq: u64,
    /// When, by the agent's clock.
    pub at: Timestamp,
    /// Whether the agent holds the abort durably; a final receipt needs it (P7).
    pub durable: bool,
    /// Every workload of the cluster in scope.
    pub workloads: Vec<WorkloadReceipt>,
}

impl Receipt {
    /// Whether a workload of this agent could not stop; one that is being told may yet.
    pub fn could_not_stop(&self) -> bool {
        let states = self.workloads.iter().map(|workload| &workload.state);
        let mut open = states.filter(|state| !state.is_untold());
        open.any(|state| matches!(state, ReceiptState::NotStopped { .. }))
    }

    /// Whether this agent has stopped for good.
    pub fn is_final(&self) -> bool {
        self.durable
            && self
                .workloads
                .iter()
                .all(|workload| workload.state.is_final())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_untold_canary_is_known_by_its_kind_and_in_receipts_from_before_by_its_words() {
        let now = ReceiptState::untold(AbortMode::Return);
        let text = serde_json::to_string(&now).unwrap();
        assert!(text.contains(r#""kind":"untold""#), "{text}");
        assert_eq!(serde_json::from_str::<ReceiptState>(&text).unwrap(), now);
        for (text, untold) in [
            (
                r#"{"state":"notStopped","reason":"the canary has not been told to go back yet"}"#,
                true,
            ),
            (
                r#"{"state":"notStopped","reason":"the canary has not been told to hold yet"}"#,
                true,
            ),
            (
                r#"{"state":"notStopped","reason":"envoy edge-2 is not connected"}"#,
                false,
            ),
            (
                r#"{"state":"notStopped","reason":"of later","kind":"somethingNew"}"#,
                false,
            ),
            (r#"{"state":"held"}"#, false),
        ] {
            let state: ReceiptState = serde_json::from_str(text).unwrap();
            assert_eq!(state.is_untold(), untold, "{text}");
        }
        let other = ReceiptState::not_stopped("envoy edge-2 is not connected");
        let text = serde_json::to_string(&other).unwrap();
        assert!(!text.contains("kind"), "as an older hub knows it: {text}");
    }
}
