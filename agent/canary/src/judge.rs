//! PURE: turns measurements into Pass, Fail or Inconclusive, always with the numbers and the reason.
//! It does not count rounds; `crate::tally` does.

pub mod threshold;

use std::fmt;

use flagship_proto::words::count;
use serde::{Deserialize, Serialize};

pub use threshold::judge;

/// What a check says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Verdict {
    /// Good, on positive evidence.
    Pass,
    /// It could not be judged.
    Inconclusive,
    /// Bad.
    Fail,
}

impl Verdict {
    /// One word for metrics and traces.
    pub fn word(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::Inconclusive => "inconclusive",
            Self::Fail => "fail",
        }
    }
}

/// A verdict with what it rests on.
#[derive(Debug, Clone, PartialEq)]
pub struct Judgement {
    /// The metric.
    pub metric: String,
    /// The verdict.
    pub verdict: Verdict,
    /// The canary's value.
    pub canary: Option<f64>,
    /// The primary's value.
    pub primary: Option<f64>,
    /// The canary's requests in the window.
    pub requests: Option<u64>,
    /// The rule that decided, with its bound.
    pub rule: String,
}

impl fmt::Display for Judgement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.metric, self.rule)?;
        if let Some(requests) = self.requests {
            write!(f, " ({})", count(requests, "request"))?;
        }
        Ok(())
    }
}
