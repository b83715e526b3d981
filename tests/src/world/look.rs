//! What can be seen of a World from outside: time, rows, phases.

use std::collections::BTreeMap;

use flagship_hub::{
    records::{ClusterRow, ReceiptRow, RolloutRow, Stored, key},
    store::Store,
};
use flagship_proto::model::{ClusterUid, RolloutId};
use jiff::Timestamp;

use super::{World, wire::Way};

impl World {
    /// The wall clock, where it is right.
    pub fn wall(&self) -> Timestamp {
        self.now(0, 0).wall
    }

    /// Milliseconds since the beginning.
    pub fn millis(&self) -> u64 {
        self.now_ms
    }

    /// The store, to look at.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Grows each time that another store is put in place.
    pub fn store_generation(&self) -> u64 {
        self.store_generation
    }

    /// Whether an older copy is in the store's place and nobody has recovered since.
    pub fn has_gone_back(&self) -> bool {
        self.has_gone_back
    }

    /// The members that the store knows.
    pub fn members(&self) -> BTreeMap<String, ClusterUid> {
        let rows = self.store.read_all::<ClusterRow>(key::CLUSTERS);
        let rows = rows.expect("memory can be read").into_iter();
        rows.filter(|row| row.state.is_member())
            .map(|row| (row.name.to_string(), row.uid.clone()))
            .collect()
    }

    /// Whether the hub has seen that its store is behind what it once signed (P22).
    pub fn is_behind(&self) -> bool {
        let hub = self.hub.as_ref();
        hub.is_some_and(|hub| hub.fleet.behind().is_some())
    }

    /// What a cluster's agent may do now; none while it is down or nothing is ordered.
    pub fn permission(&self, name: &str) -> Option<flagship_agent::link::Permission> {
        let now = self.agent_now(name);
        self.agents[name].permission(now)
    }

    /// Whether a copy of the store was set aside.
    pub fn has_copy(&self) -> bool {
        self.copy.is_some()
    }

    /// Whether a cluster's agent runs, was welcomed, and what the hub says reaches it in usual time. Who
    /// was not heard since the hub started gets nothing from it yet.
    pub fn hears_hub(&self, name: &str) -> bool {
        self.hub.is_some()
            && self
                .agents
                .get(name)
                .is_some_and(|agent| agent.is_welcomed())
            && !self.wire.is_unusual(name, Way::Down)
    }

    /// A rollout's row.
    pub fn rollout(&self, id: &str) -> RolloutRow {
        let id: RolloutId = id.parse().expect("a rollout id");
        let key = key::rollout(&"shop".parse().expect("a name"), &id);
        let row: Option<Stored<RolloutRow>> = self.store.read(&key).expect("memory can be read");
        row.expect("the rollout was started").into_value()
    }

    /// One word for a rollout's state.
    pub fn phase(&self, id: &str) -> &'static str {
        self.rollout(id).state.phase.word()
    }

    /// Who said of an abort, finally, that all has stopped.
    pub fn final_receipts(&self, id: &str) -> Vec<String> {
        let prefix = key::receipts_of(&id.parse().expect("an id"));
        let rows = self
            .store
            .read_all::<ReceiptRow>(&prefix)
            .expect("memory can be read");
        let last = rows.iter().filter(|row| row.receipt.receipt.is_final());
        last.map(|row| row.receipt.receipt.cluster.to_string())
            .collect()
    }
}
