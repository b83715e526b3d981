//! Rows of aborts, of their ends, and of what clusters answered to them.

use std::collections::BTreeSet;

use flagship_proto::model::{
    Abort, AbortId, ClusterUid, Lift, Position, Reach, Scope, SignedReceipt,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Record, Stored, key};
use crate::store::Key;

/// So often an abort is narrowed one after the other, at most: nobody does it as often.
pub(crate) const MOST_NARROWED: usize = 1_000;

/// An abort without its position, which is where its row was created (P8), its reach beside it. It stands
/// until there is a [`LiftRow`] for it that has taken effect.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct AbortRow {
    abort: Abort,
    /// For a selector: who matched when it was stored, and who joined later and matches; who
    /// matched stays in it until the lift, whatever becomes of its labels (P9). None otherwise.
    pub matched: Option<BTreeSet<ClusterUid>>,
    /// Which clusters its author could stop then, where not all of them: no other joins it later.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reach: Option<Reach>,
    /// The longest lease of any order in its scope when it was stored, in milliseconds: the bound
    /// that was said before is the one that is said after (P5).
    pub lease_ms: u64,
    /// The abort that this one is what is left of (`lift --except`).
    pub narrowed_from: Option<AbortId>,
    /// Who asked, for what ticket.
    pub ticket: Option<String>,
}

impl AbortRow {
    /// For storing; whatever position the abort carries is dropped.
    pub fn new(mut abort: Abort, matched: Option<BTreeSet<ClusterUid>>, lease_ms: u64) -> Self {
        abort.position = None;
        let reach = abort.reach.take();
        Self {
            abort,
            matched,
            reach,
            lease_ms,
            narrowed_from: None,
            ticket: None,
        }
    }

    /// Its id.
    pub fn id(&self) -> &AbortId {
        &self.abort.id
    }

    /// Who ordered it.
    pub fn author(&self) -> &str {
        &self.abort.actor
    }

    /// The abort without its position and its reach.
    pub fn unplaced(&self) -> &Abort {
        &self.abort
    }

    /// The abort as agents are told it, without its position.
    pub fn provisional(&self) -> Abort {
        Abort {
            reach: self.reach.clone(),
            ..self.abort.clone()
        }
    }

    /// What it was ordered over, and how far its author's right reached.
    pub fn over(&self) -> (&Scope, Option<&Reach>) {
        (&self.abort.scope, self.reach.as_ref())
    }

    /// Whether a cluster is among those that it is sent to.
    pub fn concerns(&self, uid: &ClusterUid) -> bool {
        self.matched
            .as_ref()
            .is_none_or(|matched| matched.contains(uid))
    }
}

impl Stored<AbortRow> {
    /// The abort as it is sent, with its position.
    pub fn abort(&self) -> Abort {
        Abort {
            position: Some(self.created),
            ..self.provisional()
        }
    }
}

/// The end of an abort; never deleted, so that a lifted id stays dead (P7).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LiftRow {
    /// Which abort ends.
    pub abort: AbortId,
    /// When it was asked for.
    pub at: Timestamp,
    /// Who.
    pub actor: String,
    /// Why.
    pub reason: String,
    /// When it takes effect (P8): at once if all receipts were in, else at the end of the bound.
    /// The leader compares it with its clock; the abort stands until then.
    pub effective: Timestamp,
    /// The narrower aborts that were stored in the same transaction (`--except`).
    pub narrowed_to: Vec<AbortId>,
}

impl LiftRow {
    /// Whether the abort still stands. One that was over at once stays so, however far back a clock
    /// goes.
    pub fn pending(&self, now: Timestamp) -> bool {
        self.at < self.effective && now < self.effective
    }
}

impl Stored<LiftRow> {
    /// The lift as it is sent.
    pub fn lift(&self) -> Lift {
        Lift {
            abort: self.value.abort.clone(),
            position: self.position(),
            at: self.value.at,
            actor: self.value.actor.clone(),
            reason: self.value.reason.clone(),
        }
    }

    /// Where it stands in history.
    pub fn position(&self) -> Position {
        self.created
    }
}

/// A cluster's newest answer to an abort, as signed, with the certificate that proves it (S15).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ReceiptRow {
    /// When the first answer came that said that it has stopped for good: what the abort took.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settled: Option<Timestamp>,
    /// When something else was answered after that; another act did it, not the abort.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub changed: Option<Timestamp>,
    /// The signed bytes and what they say.
    pub receipt: SignedReceipt,
    /// The agent's certificate, DER.
    #[serde(with = "hex::serde")]
    pub certificate: Vec<u8>,
    /// When it came, by the hub's clock.
    pub received: Timestamp,
}

impl Record for AbortRow {
    fn key(&self) -> Key {
        key::abort(&self.abort.id)
    }
}

impl Record for LiftRow {
    fn key(&self) -> Key {
        key::lift(&self.abort)
    }
}

impl ReceiptRow {
    /// An answer as it came.
    pub fn new(receipt: SignedReceipt, certificate: Vec<u8>, received: Timestamp) -> Self {
        Self {
            settled: receipt.receipt.is_final().then_some(received),
            changed: None,
            receipt,
            certificate,
            received,
        }
    }

    /// The same after an earlier answer of the cluster: what was said for good then stays its answer
    /// to the abort.
    pub fn after(mut self, before: &Self) -> Self {
        let Some(settled) = before.settled else {
            return self;
        };
        self.settled = Some(settled);
        let states = |row: &Self| -> Vec<_> {
            let workloads = row.receipt.receipt.workloads.iter();
            workloads
                .map(|one| (one.workload.clone(), one.state.clone()))
                .collect()
        };
        let is_same = states(&self) == states(before);
        self.changed = before.changed.filter(|_| is_same);
        if !is_same {
            self.changed = Some(self.received);
        }
        self
    }
}

impl Record for ReceiptRow {
    fn key(&self) -> Key {
        key::receipt(&self.receipt.receipt.abort, &self.receipt.receipt.uid)
    }
}

#[cfg(test)]
mod tests;
