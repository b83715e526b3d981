//! One decision as one transaction: the rollout's state, orders, claims, what is good and what is
//! rejected, history and audit, all or nothing.

use std::cell::OnceCell;

use flagship_proto::model::{Change, ClusterName, Document, Fence, FleetId, Intent, Order, Tick};
use flagship_waves::{Action, Commit, Decision, OrderAction};

use super::load::Loaded;
use crate::{
    audit::AuditEntry,
    records::{
        ClaimRow, GoodVersion, HistoryRow, LastGoodRow, OrderRow, Record as _, RejectedRow,
        RolloutRow, Stored, TermRow, key,
    },
    store::Txn,
};

/// Who an audit entry names for what the engine decided.
pub(super) const ACTOR: &str = "hub";

pub(super) struct Committing<'a> {
    pub(super) fleet: &'a FleetId,
    pub(super) term: &'a Stored<TermRow>,
    pub(super) loaded: &'a Loaded,
    pub(super) rollout: &'a Stored<RolloutRow>,
    pub(super) first_number: u64,
    pub(super) now: Tick,
    /// As it travels; made once for all orders of a decision.
    pub(super) canary: OnceCell<Document>,
}

impl Committing<'_> {
    /// The transaction, and how many history entries it writes.
    pub(super) fn txn(&self, decision: &Decision) -> (Txn, u64) {
        let mut row = self.rollout.to_value();
        row.state = decision.next.clone();
        row.requests
            .retain(|request| request.id > row.state.handled);
        let mut txn = Txn::new()
            .at(key::term(), self.term.modified)
            .unchanged(self.rollout)
            .put(&row);
        if decision.starts() && !flagship_proto::mutant("p15") {
            txn = match &self.loaded.guard {
                Some(guard) => txn.at(key::guard(), guard.modified),
                None => txn.absent(key::guard()),
            };
        } else if moves_traffic_back(decision) {
            txn = txn.urgent();
        }
        for action in &decision.actions {
            txn = self.add(txn, action);
        }
        if decision.commit == Commit::Checkpoint {
            return (txn, 0);
        }
        let mut number = self.first_number;
        for entry in self.entries(decision) {
            txn = txn.put(&HistoryRow {
                seq: number,
                ..entry
            });
            number += 1;
        }
        if let Some(entry) = self.audited(decision) {
            txn = txn.audit(entry);
        }
        (txn, number - self.first_number)
    }

    fn add(&self, txn: Txn, action: &Action) -> Txn {
        match action {
            Action::Order(order) => self.order(txn, order),
            Action::RecordGood { change, digest } => self.record_good(txn, change, *digest),
            Action::Reject {
                change,
                digest,
                reason,
            } => {
                let txn = self.forget_good(txn, change);
                match digest {
                    Some(digest) => txn.put(&RejectedRow {
                        workload: self.rollout.workload.clone(),
                        digest: *digest,
                        change: change.clone(),
                        at: self.now.wall,
                        rollout: self.rollout.id.clone(),
                        reason: reason.clone(),
                    }),
                    // Nobody ever ran it, so there is nothing to recognise it by.
                    None => txn,
                }
            }
            Action::ReleaseClaims => self.own_claims().fold(txn, |txn, claim| {
                txn.unchanged(claim).delete(claim.value.key())
            }),
        }
    }

    fn own_claims(&self) -> impl Iterator<Item = &Stored<ClaimRow>> {
        let mine = |claim: &&Stored<ClaimRow>| {
            claim.project == self.rollout.project && claim.rollout == self.rollout.id
        };
        let claims = self.loaded.claims.of(&self.rollout.workload);
        claims.filter(mine)
    }

    /// The order's row, and for a Run the claim: one writer per (cluster, workload).
    fn order(&self, mut txn: Txn, action: &OrderAction) -> Txn {
        let workload = &self.rollout.workload;
        txn = match self.loaded.orders.get(workload, &action.uid) {
            Some(row) => txn.unchanged(row),
            None => txn.absent(key::order(&action.uid, workload)),
        };
        if action.intent == Intent::Run {
            txn = match self.loaded.claims.get(workload, &action.uid) {
                Some(claim) => txn.unchanged(claim),
                None => txn
                    .absent(key::claim(workload, &action.uid))
                    .put(&ClaimRow {
                        workload: workload.clone(),
                        uid: action.uid.clone(),
                        cluster: action.cluster.clone(),
                        project: self.rollout.project.clone(),
                        rollout: self.rollout.id.clone(),
                        at: self.now.wall,
                    }),
            };
        }
        txn.put(&OrderRow::new(self.order_of(action)))
    }

    fn order_of(&self, action: &OrderAction) -> Order {
        let plan = &self.rollout.plan;
        Order {
            fleet: self.fleet.clone(),
            cluster: action.cluster.clone(),
            uid: action.uid.clone(),
            workload: self.rollout.workload.clone(),
            plan: self.rollout.plan_ref(),
            rollout: self.rollout.id.clone(),
            attempt: action.attempt,
            fence: Fence {
                term: self.term.term,
                ..Fence::default()
            },
            intent: action.intent,
            change: action.change.clone(),
            return_to: action.return_to.clone(),
            now: action.now,
            canary: self
                .canary
                .get_or_init(|| canary_document(self.rollout))
                .clone(),
            plan_digest: self.rollout.plan_digest,
            not_after: action.not_after,
            lease: plan.lease(),
            on_disconnect: plan.on_disconnect(),
            reason: action.reason.clone(),
        }
    }

    fn record_good(
        &self,
        txn: Txn,
        change: &Change,
        digest: Option<flagship_proto::digest::Digest>,
    ) -> Txn {
        let former = self.loaded.good(&self.rollout.workload);
        let mut before = former.map(|row| row.before.clone()).unwrap_or_default();
        if let Some(row) = former.filter(|row| row.good.change != *change) {
            before.insert(0, row.good.clone());
        }
        before.truncate(LastGoodRow::KEPT);
        let txn = match former {
            Some(row) => txn.unchanged(row),
            None => txn.absent(key::last_good(&self.rollout.workload)),
        };
        txn.put(&LastGoodRow {
            workload: self.rollout.workload.clone(),
            good: GoodVersion {
                change: change.clone(),
                digest,
                project: self.rollout.project.clone(),
                rollout: self.rollout.id.clone(),
            },
            at: self.now.wall,
            before,
        })
    }

    /// What is rejected is no longer good; what was good before it is again.
    fn forget_good(&self, txn: Txn, change: &Change) -> Txn {
        let Some(row) = self.loaded.good(&self.rollout.workload) else {
            return txn;
        };
        let mut next = row.to_value();
        next.before.retain(|other| other.change != *change);
        if next.good.change == *change {
            let Some(good) = next.before.first().cloned() else {
                return txn.unchanged(row).delete(row.value.key());
            };
            next.before.remove(0);
            next = LastGoodRow {
                good,
                at: self.now.wall,
                ..next
            };
        }
        if next == *row.value {
            txn
        } else {
            txn.unchanged(row).put(&next)
        }
    }

    fn entries(&self, decision: &Decision) -> Vec<HistoryRow> {
        let entry = |cluster: Option<ClusterName>, kind: &str, message: String| HistoryRow {
            project: self.rollout.project.clone(),
            rollout: self.rollout.id.clone(),
            seq: 0,
            at: self.now.wall,
            cluster,
            kind: kind.to_owned(),
            message,
            detail: serde_json::Value::Null,
            position: None,
        };
        let reasons = decision.reasons.iter();
        let reasons = reasons.map(|reason| entry(None, reason.code(), reason.to_string()));
        let orders = decision.actions.iter().filter_map(|action| match action {
            Action::Order(order) => Some(entry(
                Some(order.cluster.clone()),
                "Order",
                action.to_string(),
            )),
            Action::RecordGood { .. } | Action::Reject { .. } | Action::ReleaseClaims => None,
        });
        reasons.chain(orders).collect()
    }

    /// One entry a transaction: what the engine decided, in its words.
    fn audited(&self, decision: &Decision) -> Option<AuditEntry> {
        let mut words: Vec<String> = decision.reasons.iter().map(ToString::to_string).collect();
        words.extend(decision.actions.iter().map(ToString::to_string));
        if words.is_empty() {
            return None;
        }
        let object = format!("rollout {}/{}", self.rollout.project, self.rollout.id);
        let before = flagship_proto::digest::Digest::of_document(&self.rollout.state).ok();
        let after = flagship_proto::digest::Digest::of_document(&decision.next).ok();
        let entry = AuditEntry::new(
            self.now.wall,
            ACTOR,
            "rollout.decide",
            &object,
            &words.join("; "),
        );
        Some(AuditEntry {
            before,
            after,
            ..entry
        })
    }
}

fn moves_traffic_back(decision: &Decision) -> bool {
    decision.actions.iter().any(|action| match action {
        Action::Order(order) => match order.intent {
            Intent::Retreat | Intent::Hold => true,
            Intent::Run | Intent::Remove => false,
        },
        Action::RecordGood { .. } | Action::Reject { .. } | Action::ReleaseClaims => false,
    })
}

/// The canary's spec and its templates, as they travel (S14).
fn canary_document(rollout: &RolloutRow) -> Document {
    Document::of(&rollout.plan.canary_document())
        .expect("a canary document is maps, lists, texts and finite numbers")
}
