//! Rule 1: no cluster starts before all earlier waves are done, and never more at once than its wave
//! allows.

use std::collections::BTreeMap;

use flagship_hub::{
    records::{OrderRow, Record as _, RolloutRow, Stored},
    store::Key,
};
use flagship_proto::model::{ClusterUid, Intent};

use super::Invariant;
use crate::{eyes::Eyes, world::World};

/// Remembers the attempts that were started, to see which are new.
#[derive(Debug, Default)]
pub struct Waves {
    started: BTreeMap<(Key, ClusterUid), u32>,
}

impl Invariant for Waves {
    fn rule(&self) -> &'static str {
        "1: waves in order, never more than maxConcurrent at once"
    }

    fn check(&mut self, eyes: &Eyes, _world: &World) -> Result<(), String> {
        for order in &eyes.written {
            let Some(rollout) = eyes.rollout_of(order) else {
                continue;
            };
            if self.is_start(order, rollout) {
                is_in_its_wave(order, rollout)?;
            }
        }
        Ok(())
    }
}

impl Waves {
    /// A Run of an attempt that was not seen before, outside of the catch-up lane.
    fn is_start(&mut self, row: &OrderRow, rollout: &Stored<RolloutRow>) -> bool {
        let order = row.unplaced();
        let lane = rollout.state.catch_up.as_ref();
        let catches_up = lane.is_some_and(|lane| lane.uid == order.uid);
        if order.intent != Intent::Run || catches_up || rollout.state.is_over() {
            return false;
        }
        let here = (rollout.value.key(), order.uid.clone());
        self.started.insert(here, order.attempt) != Some(order.attempt)
    }
}

fn is_in_its_wave(row: &OrderRow, rollout: &RolloutRow) -> Result<(), String> {
    let order = row.unplaced();
    let Some(cluster) = rollout.state.clusters.get(&order.uid) else {
        return Err(format!(
            "{} is ordered and not in {}",
            order.cluster, rollout.id
        ));
    };
    let wave = &rollout.state.waves[cluster.wave];
    let mut earlier = rollout.state.waves[..cluster.wave].iter();
    if let Some(open) = earlier.find(|earlier| earlier.finished.is_none()) {
        return Err(format!(
            "{} of wave {} starts while wave {} is not done",
            order.cluster, wave.name, open.name
        ));
    }
    let lane = rollout.state.catch_up.as_ref().map(|lane| &lane.uid);
    let all = rollout.state.clusters.iter();
    let of_wave = all.filter(|(uid, c)| c.wave == cluster.wave && lane != Some(*uid));
    let members = of_wave
        .clone()
        .filter(|(_, c)| !c.late && c.phase != flagship_waves::ClusterPhase::Left);
    let members = members.count();
    let at_once = of_wave.filter(|(_, c)| c.holds_slot()).count();
    let limit = rollout.plan.spec.waves[cluster.wave]
        .max_concurrent
        .limit(members);
    if at_once > limit {
        return Err(format!(
            "{} starts as number {at_once} at once of wave {}, {limit} may",
            order.cluster, wave.name
        ));
    }
    Ok(())
}
