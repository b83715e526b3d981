//! Views as text: pure functions of a view, a width and the time, so that snapshots can hold them.

pub mod abort;
pub mod diff;
pub mod explain;
pub mod fleet;
pub mod freeze;
pub mod lists;
pub mod rollout;
mod standing;
pub mod watching;
pub mod words;

#[cfg(test)]
pub(super) mod tests;
