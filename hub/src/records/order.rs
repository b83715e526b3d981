//! The row of an order: the hub's desired state for one workload in one cluster.

use flagship_proto::model::{Fence, Intent, Order, Position, Term};
use serde::{Deserialize, Serialize};

use super::{Record, Stored, key};
use crate::store::Key;

/// An order without its revision, which is where its row was last written (P12).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct OrderRow {
    order: Order,
}

impl OrderRow {
    /// For storing; whatever revision the order carries is dropped.
    pub fn new(mut order: Order) -> Self {
        order.fence.revision = Position::default();
        Self { order }
    }

    /// What supersedes an order of a history that was given up: the same under a new term, but
    /// nothing runs by it. A Run becomes a Hold with this reason; whoever was going back goes on.
    pub fn superseding(order: Order, term: Term, reason: impl FnOnce() -> String) -> Self {
        let mut order = Order {
            fence: Fence {
                term,
                ..order.fence
            },
            ..order
        };
        if order.intent == Intent::Run {
            order.intent = Intent::Hold;
            order.reason = reason();
        }
        Self::new(order)
    }

    /// The order without its revision.
    pub fn unplaced(&self) -> &Order {
        &self.order
    }
}

impl Stored<OrderRow> {
    /// The order as it is sent, with its revision.
    pub fn order(&self) -> Order {
        let mut order = self.value.order.clone();
        order.fence = Fence {
            term: order.fence.term,
            revision: self.modified,
        };
        order
    }
}

impl Record for OrderRow {
    fn key(&self) -> Key {
        key::order(&self.order.uid, &self.order.workload)
    }
}
