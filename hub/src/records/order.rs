//! The row of an order: the hub's desired state for one workload in one cluster.

use flagship_proto::model::{Fence, Order, Position};
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
