//! Live changes: what server-sent events carry as data.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// One change. The event's id is the store's epoch and sequence; `Last-Event-ID` continues after it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct EventView {
    /// The store sequence of the change.
    pub seq: u64,
    /// What changed: `plan`, `rollout`, `cluster`, `abort`, `lift`, `freeze`, `receipt`, `report`, `order`.
    pub kind: String,
    /// Which one: the rest of its key, readable (`shop/checkout-3`).
    pub name: String,
    /// Whether it is gone.
    pub deleted: bool,
}
