//! Leases: the permission to advance, how long it lasts, and the bound that follows from it (P4, P5, S10).

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::{abort::Abort, audit::AuditMark, order::millis, position::Position};

/// The lease length where a plan says nothing.
pub const DEFAULT_LEASE: Duration = Duration::from_secs(30);

/// The deadline of one action of an agent (D in P5).
pub const ACTION_DEADLINE: Duration = Duration::from_secs(5);

/// An agent asks for its lease. The lease counts from *before* it asked, on the agent's clock.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct LeaseRequest {
    /// Ties the grant to the moment of asking.
    pub nonce: u64,
    /// Whether some workload's status has changed and is in no report yet: then this message does
    /// not say that all is as it was last told (P31).
    pub unsaid: bool,
}

/// The hub's answer: how long, up to which orders, under which aborts (P4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Grant {
    /// The request that it answers.
    pub nonce: u64,
    /// How long it lasts from the moment before the request; zero means that nothing is granted.
    #[serde(with = "millis")]
    pub length: Duration,
    /// The highest revision among this cluster's orders; live only once that was applied.
    pub watermark: Position,
    /// Every standing abort that concerns this cluster; live only once all are kept.
    pub aborts: Vec<Abort>,
    /// Why nothing is granted, in words; empty otherwise.
    pub refused: String,
    /// Where the hub's audit log ends; none of a hub that does not say.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audit: Option<AuditMark>,
}

/// The worst case after an abort is stored, which holds even under partition (P5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// L, the lease length.
    pub lease: Duration,
}

impl Bound {
    /// L + D + 1% of L for clock drift: 35.3 s with the defaults.
    pub fn length(self) -> Duration {
        self.lease + ACTION_DEADLINE + self.lease / 100
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn p05_the_bound_with_the_defaults_is_35_300_ms() {
        assert_eq!(
            Bound {
                lease: DEFAULT_LEASE
            }
            .length(),
            Duration::from_millis(35_300)
        );
    }
}
