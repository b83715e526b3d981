//! One request that a user saw fail: when, where, and how.

use serde::Serialize;

/// How many are remembered; more are only counted.
pub(super) const MOST: usize = 20_000;

/// A request that failed. Times are Unix milliseconds.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Failure {
    /// Where it was sent.
    pub target: String,
    /// When it was sent.
    pub began: u64,
    /// When its failure was known.
    pub ended: u64,
    /// The version that answered; none where the proxy did, or nobody.
    pub version: Option<String>,
    /// The status, or what happened instead of an answer.
    pub what: String,
}
