//! The rows of a World's store, decoded once a change, for those who ask after every event.

use std::collections::BTreeMap;

use flagship_hub::{
    records::{
        self, AbortRow, ClaimRow, ClusterRow, LastGoodRow, LiftRow, OrderRow, Record, RejectedRow,
        RolloutRow, Stored, key,
    },
    store::{Event, Key, Watch},
};

use crate::world::World;

/// Rows of one kind by key.
pub type Rows<R> = BTreeMap<Key, Stored<R>>;

/// What the store holds now.
#[derive(Debug, Default)]
pub struct Eyes {
    watch: Option<(u64, Watch)>,
    /// Whether the last look found anything new.
    pub changed: bool,
    /// Rollouts.
    pub rollouts: Rows<RolloutRow>,
    /// Orders.
    pub orders: Rows<OrderRow>,
    /// Orders that the last look found new or changed.
    pub written: Vec<Stored<OrderRow>>,
    /// Aborts, standing and lifted.
    pub aborts: Rows<AbortRow>,
    /// Lifts.
    pub lifts: Rows<LiftRow>,
    /// Claims.
    pub claims: Rows<ClaimRow>,
    /// What Succeeded last, by workload.
    pub good: Rows<LastGoodRow>,
    /// What was rejected.
    pub rejected: Rows<RejectedRow>,
    /// Clusters, those that left too.
    pub clusters: Rows<ClusterRow>,
}

impl Eyes {
    /// Takes in what changed since the last look.
    pub fn look(&mut self, world: &World) {
        let generation = world.store_generation();
        if self.watch.as_ref().is_none_or(|(of, _)| *of != generation) {
            let watch = world.store().watch(key::ALL, 0);
            *self = Self {
                watch: Some((generation, watch.expect("a World keeps its whole log"))),
                ..Self::default()
            };
        }
        let Some((_, watch)) = &mut self.watch else {
            return;
        };
        let found = watch.poll().expect("a World keeps its whole log");
        self.changed = !found.events.is_empty();
        self.written.clear();
        for event in &found.events {
            self.take_in(event);
        }
    }

    fn take_in(&mut self, event: &Event) {
        let Some((kind, _)) = key::parse(&event.key) else {
            return;
        };
        match kind {
            "rollout" => put(&mut self.rollouts, event),
            "order" => {
                put(&mut self.orders, event);
                self.written.extend(self.orders.get(&event.key).cloned());
            }
            "abort" => put(&mut self.aborts, event),
            "lift" => put(&mut self.lifts, event),
            "claim" => put(&mut self.claims, event),
            "lastgood" => put(&mut self.good, event),
            "rejected" => put(&mut self.rejected, event),
            "cluster" => put(&mut self.clusters, event),
            _ => {}
        }
    }

    /// The lift of an abort, if there is one.
    pub fn lift_of(&self, abort: &AbortRow) -> Option<&Stored<LiftRow>> {
        self.lifts.get(&key::lift(abort.id()))
    }

    /// The rollout of an order.
    pub fn rollout_of(&self, order: &OrderRow) -> Option<&Stored<RolloutRow>> {
        let order = order.unplaced();
        let key = key::rollout(&order.plan.project, &order.rollout);
        self.rollouts.get(&key)
    }

    /// Whether a uid is a member's.
    pub fn is_member(&self, uid: &flagship_proto::model::ClusterUid) -> bool {
        let mut rows = self.clusters.values();
        rows.any(|row| row.uid == *uid && row.state.is_member())
    }
}

fn put<R: Record>(rows: &mut Rows<R>, event: &Event) {
    match &event.row {
        Some(row) => {
            let row = records::decode(&event.key, row).expect("the hub wrote it");
            rows.insert(event.key.clone(), row);
        }
        None => {
            rows.remove(&event.key);
        }
    }
}
