//! The end of the hub's audit log as agents are shown it: whoever saw a later end knows when it was cut.

use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// The end of the audit log at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditMark {
    /// The epoch of history; only `recover` and `restore` raise it (P21).
    pub epoch: u64,
    /// How many entries there are.
    pub count: u64,
    /// SHA-256 of the last one's bytes.
    pub head: Digest,
}

impl AuditMark {
    /// Whether a log that once ended at `self` cannot end at `shown`: it has fewer entries, or another
    /// last one. In a higher epoch it may, since history was put back with a person's knowledge.
    pub fn contradicts(&self, shown: &Self) -> bool {
        let is_shorter = shown.count < self.count;
        let is_other = shown.count == self.count && shown.head != self.head;
        shown.epoch <= self.epoch && (is_shorter || is_other)
    }
}

impl fmt::Display for AuditMark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { epoch, count, head } = self;
        let entries = crate::words::count(*count, "entry");
        write!(f, "{entries}, head {} (epoch {epoch})", head.short())
    }
}

/// An audit log that went back: what was seen, and what was shown after it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditComplaint {
    /// The later end, seen first.
    pub seen: AuditMark,
    /// The end that contradicts it.
    pub shown: AuditMark,
    /// When that was, by the clock of who saw it.
    pub at: Timestamp,
}

impl fmt::Display for AuditComplaint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { seen, shown, at } = self;
        write!(
            f,
            "the audit log went back: {seen} was shown first, {shown} at {}",
            at.strftime("%F %H:%M:%SZ")
        )
    }
}

/// What an agent knows of the hub's audit log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Witness {
    /// The last end that contradicted nothing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seen: Option<AuditMark>,
    /// What it complains of; it stands until history goes on in a higher epoch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub complaint: Option<AuditComplaint>,
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mark(epoch: u64, count: u64, head: &[u8]) -> AuditMark {
        AuditMark {
            epoch,
            count,
            head: Digest::of(head),
        }
    }

    #[test]
    fn a_log_contradicts_what_was_seen_if_it_is_shorter_or_ends_otherwise() {
        let seen = mark(1, 10, b"a");
        for (shown, contradicts) in [
            (mark(1, 10, b"a"), false),
            (mark(1, 11, b"b"), false),
            (mark(1, 9, b"c"), true),
            (mark(1, 10, b"b"), true),
            (mark(2, 3, b"d"), false),
        ] {
            assert_eq!(seen.contradicts(&shown), contradicts, "{shown}");
        }
    }
}
