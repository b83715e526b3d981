//! Where in history something stands: terms, store positions, incarnations, and the fence made of them.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A hub leadership (P21): the epoch grows with `init`, `restore`, `migrate` and `recover`, the
/// counter in the transaction that takes leadership. Compared epoch first.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Term {
    /// Grows when history was set back or moved.
    pub epoch: u64,
    /// Grows with each leadership.
    pub counter: u64,
}

impl fmt::Display for Term {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.epoch, self.counter)
    }
}

/// A store position (P12): the epoch and the commit sequence of the transaction that wrote a row.
/// An order's revision is the position of its row.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Position {
    /// The store's epoch when the row was written.
    pub epoch: u64,
    /// The commit sequence; every committed transaction takes the next one.
    pub seq: u64,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.epoch, self.seq)
    }
}

/// What orders are compared by for one (uid, workload): term first, then revision (P12).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Fence {
    /// The term of the leader that wrote the order.
    pub term: Term,
    /// The store position of the order's row.
    pub revision: Position,
}

impl fmt::Display for Fence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "term {} revision {}", self.term, self.revision)
    }
}

/// Grows with each election (start) of an agent; the hub keeps the highest (P2).
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
pub struct Incarnation(pub u64);

/// Drawn at each hub start, 32 hexadecimal digits; an agent binds the first that it sees to a term (P21).
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct HubIncarnation(pub String);
