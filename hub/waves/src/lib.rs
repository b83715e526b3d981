//! flagship-waves: the pure wave engine. It decides what a rollout does next over a fleet, and why.
//!
//! [`step`] is synchronous, total and deterministic: no clock, no randomness, no I/O, no `Result`.
//! A driver around it does: load the rollout's row and a [`FleetView`] → [`step`] → store
//! [`Decision::next`] together with what [`Decision::actions`] ask for, in one transaction that
//! compares the rollout's row (and the guard, P15) → look again after [`Decision::wake_after`] or
//! when something in the view changed.
//!
//! # How to call `step`
//! * Level-triggered: a lost or repeated call does no harm. Orders are derived again on each call
//!   from the state, and asked for only where the *stored* order ([`Member::order`]) differs; so an
//!   action that was not committed comes again.
//! * [`Decision::commit`] says whether the result is worth a transaction. `Nothing` may be thrown
//!   away together with its `next`; waits lose nothing, they are counted from the stored state.
//! * Requests of people stay on the row; the engine takes those above [`RolloutState::handled`].
//! * Step every rollout for which [`RolloutState::is_over`] is false. One that Succeeded may be
//!   stepped on while its clusters are unclaimed: that is the catch-up lane.
//! * Claims, budget and approvals are the caller's: [`members`] says whose claims a plan needs.

pub mod plan;

mod decision;
mod describe;
mod fleet;
mod reason;
mod request;
mod schedule;
mod state;
mod step;

pub use decision::{Action, Commit, Decision, OrderAction};
pub use describe::describe;
pub use fleet::{AbortEnd, FleetView, Freeze, LastGood, Member, OrderSeen, StandingAbort};
pub use plan::{
    Finding, Plan, Severity, check_plan, has_errors, lint_members, lint_offline, locate, parse_plan,
};
pub use reason::{Cause, Reason};
pub use request::{NotAllowed, Request, Wish, allowed};
pub use schedule::{Candidate, Membership, members};
pub use state::{
    Aborted, Accepted, Activity, CatchUp, ClusterPhase, ClusterState, FORMAT, Failure, FrozenBy,
    Paused, Retreat, RetreatScope, RolloutPhase, RolloutState, Stage, Times, Waiting, WaveState,
};
pub use step::{back::cannot_return, observe::is_served, step};
