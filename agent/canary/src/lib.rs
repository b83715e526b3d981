//! flagship-canary: the PURE canary engine and judge: what a canary does next in one cluster, and why.
//!
//! [`step`] is synchronous, total and deterministic: no clock, no randomness, no I/O. It is
//! level-triggered: a repeated or lost call does no harm. The agent's driver loads the status,
//! observes, steps, stores the next status, and only then acts.

pub mod ask;
pub mod decision;
pub mod judge;
pub mod observation;
pub mod reason;
pub mod status;

pub use decision::{Action, Decision, Direction, Severity};
pub use observation::{
    Answer, Measurement, Observation, Permission, Revision, Route, RouteSeen, Sample, Scale, Share,
    Target, Totals, VersionSeen,
};
pub use reason::Reason;
pub use status::CanaryStatus;
