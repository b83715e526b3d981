//! The book of local control: what people on the spot told this agent, by workload.

use std::collections::BTreeMap;

use flagship_proto::model::{
    LocalAct, Order, RolloutId, WorkloadRef,
    local::{self, LOCAL_ACTS},
};
use serde::{Deserialize, Serialize};

/// One attempt of one rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Run {
    /// The rollout.
    pub rollout: RolloutId,
    /// The attempt.
    pub attempt: u32,
}

impl Run {
    /// The run that an order is of.
    pub fn of(order: &Order) -> Self {
        Self {
            rollout: order.rollout.clone(),
            attempt: order.attempt,
        }
    }
}

/// Local control of one workload.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct LocalRecord {
    /// The newest acts, oldest first.
    pub acts: Vec<LocalAct>,
    /// What a standing retreat takes back: the runs that were ordered when it came. A later one is
    /// held, so that nothing starts.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub runs: Vec<Run>,
}

impl LocalRecord {
    /// The hold or retreat that stands, if one does.
    pub fn standing(&self) -> Option<&LocalAct> {
        local::standing(&self.acts)
    }

    /// Adds an act; the oldest gives way.
    pub fn add(&mut self, act: LocalAct, runs: Vec<Run>) {
        self.acts.push(act);
        let surplus = self.acts.len().saturating_sub(LOCAL_ACTS);
        self.acts.drain(..surplus);
        self.runs = runs;
    }
}

/// Local control of all workloads that ever had any.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LocalBook(pub BTreeMap<WorkloadRef, LocalRecord>);

impl LocalBook {
    /// One workload's acts, oldest first.
    pub fn acts(&self, workload: &WorkloadRef) -> &[LocalAct] {
        self.0.get(workload).map_or(&[], |record| &record.acts)
    }
}
