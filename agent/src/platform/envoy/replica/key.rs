//! Which process is meant, and whether it should run.

use flagship_proto::model::WorkloadRef;

/// Which process.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::platform::envoy) struct ReplicaKey {
    pub workload: WorkloadRef,
    pub version: String,
    pub number: u32,
}

/// Whether it should run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::platform::envoy) enum Wish {
    Run,
    End,
}
