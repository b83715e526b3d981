//! Rule 1: no cluster starts before all earlier waves are done, and never more at once than its wave
//! allows.

use flagship_hub::records::{OrderRow, RolloutRow, key};
use flagship_proto::model::Intent;

use super::Invariant;
use crate::world::World;

/// Looks at the stored orders, which are what was started.
#[derive(Debug)]
pub struct Waves;

impl Invariant for Waves {
    fn rule(&self) -> &'static str {
        "1: waves in order, never more than maxConcurrent at once"
    }

    fn check(&mut self, world: &World) -> Result<(), String> {
        let rollouts = world
            .store()
            .read_all::<RolloutRow>(key::ROLLOUTS)
            .map_err(|e| e.to_string())?;
        let orders = world
            .store()
            .read_all::<OrderRow>(key::ORDERS)
            .map_err(|e| e.to_string())?;
        for rollout in rollouts.iter().filter(|rollout| !rollout.state.is_over()) {
            let running = orders
                .iter()
                .map(|row| row.unplaced())
                .filter(|order| order.rollout == rollout.id && order.intent == Intent::Run);
            let mut by_wave = std::collections::BTreeMap::new();
            for order in running {
                let Some(cluster) = rollout.state.clusters.get(&order.uid) else {
                    return Err(format!(
                        "{} is ordered and not in {}",
                        order.cluster, rollout.id
                    ));
                };
                if cluster.phase.in_flight() {
                    *by_wave.entry(cluster.wave).or_insert(0_usize) += 1;
                }
                let wave = &rollout.state.waves[cluster.wave];
                let earlier = rollout.state.waves[..cluster.wave].iter();
                if let Some(open) = earlier.clone().find(|earlier| earlier.finished.is_none()) {
                    return Err(format!(
                        "{} of wave {} runs while wave {} is not done",
                        order.cluster, wave.name, open.name
                    ));
                }
            }
            for (wave, count) in by_wave {
                let members = rollout
                    .state
                    .clusters
                    .values()
                    .filter(|c| c.wave == wave)
                    .count();
                let limit = rollout.plan.spec.waves[wave].max_concurrent.limit(members);
                if count > limit {
                    return Err(format!("{count} clusters run in wave {wave}, {limit} may"));
                }
            }
        }
        Ok(())
    }
}
