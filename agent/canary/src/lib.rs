//! flagship-canary: the PURE canary engine and judge: what a canary does next in one cluster, and why.
//!
//! [`step`] is synchronous, total and deterministic: no clock, no randomness, no I/O. It is
//! level-triggered: a repeated or lost call does no harm. The agent's driver loads the status,
//! observes, steps, stores the next status, and only then acts.

mod analyse;
pub mod ask;
mod back;
mod begin;
pub mod decision;
pub mod judge;
pub mod observation;
mod phase;
mod promote;
pub mod reason;
mod shift;
mod soak;
pub mod status;
mod tally;
#[cfg(test)]
mod tests;
mod work;

use flagship_proto::model::{Tick, canary::CanarySpec};

pub use decision::{Action, Decision, Direction, Severity};
pub use observation::{
    Answer, Measurement, Observation, Permission, Revision, Route, RouteSeen, Sample, Scale, Share,
    Target, Totals, VersionSeen,
};
pub use reason::Reason;
pub use status::CanaryStatus;

/// One look at one workload: the next status, what to do, when to look again, and why.
///
/// Guarantees: the change's recorded weight grows only if the permission says so at this moment, by
/// one step of the spec at a time, and only while every proxy has the weight recorded before; a
/// failure only ever lowers it. Assumes that the next status is stored before the actions are done.
pub fn step(spec: &CanarySpec, status: &CanaryStatus, seen: &Observation, now: Tick) -> Decision {
    let mut work = work::Work::new(spec, status, seen, now);
    work.take_answers();
    let reason = work.decide();
    work.stop_old();
    work.route();
    work.finish(reason)
}
