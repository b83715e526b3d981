//! The verbs, one file each (those that act on one rollout share one).

pub mod abort;
pub mod access;
pub mod apply;
pub mod audit;
pub mod changes;
pub mod cluster;
pub mod completion;
pub mod context;
pub mod explain;
pub mod freeze;
pub mod get;
pub mod help;
pub mod lift;
pub mod lint;
pub mod login;
pub mod man;
pub mod notify;
pub mod plan;
pub mod rollout;
pub mod start;
pub mod status;
pub mod support;
pub mod token;
pub mod watch;
