//! Rule 5: a gate is open only on positive evidence. No cluster succeeds with a version of which it
//! never served the requests that the plan's metrics ask for, and no wave is done without one
//! cluster that succeeded in it.

use std::collections::BTreeSet;

use flagship_hub::records::RolloutRow;
use flagship_proto::model::{Change, RolloutId};

use super::Invariant;
use crate::{eyes::Eyes, world::World};

/// Remembers what was found good once.
#[derive(Debug, Default)]
pub struct Evidence {
    clusters: BTreeSet<(RolloutId, String)>,
    waves: BTreeSet<(RolloutId, usize)>,
}

impl Invariant for Evidence {
    fn rule(&self) -> &'static str {
        "5: a gate is open only on positive evidence"
    }

    fn check(&mut self, eyes: &Eyes, world: &World) -> Result<(), String> {
        if !eyes.changed {
            return Ok(());
        }
        for rollout in eyes.rollouts.values() {
            self.clusters_served(rollout, world)?;
            self.waves_proved_something(rollout)?;
        }
        Ok(())
    }
}

impl Evidence {
    fn clusters_served(&mut self, rollout: &RolloutRow, world: &World) -> Result<(), String> {
        let Change::Version(version) = &rollout.change else {
            return Ok(());
        };
        let analysis = rollout.plan.canary_document().spec.analysis;
        let metrics = analysis.iter().flat_map(|analysis| &analysis.metrics);
        let asked = metrics.filter_map(|metric| metric.min_requests);
        let least = asked.max().unwrap_or_default();
        for cluster in rollout.state.clusters.values() {
            let name = cluster.name.to_string();
            let here = (rollout.id.clone(), name.clone());
            if !cluster.phase.succeeded() || !self.clusters.insert(here) {
                continue;
            }
            let Some(agent) = world.agents.get(&name) else {
                continue;
            };
            let served = agent.cluster.counts().get(version).map_or(0, |c| c.total);
            if served < least {
                return Err(format!(
                    "{name} succeeded with {version} after {served} requests of it, {least} are asked for"
                ));
            }
        }
        Ok(())
    }

    fn waves_proved_something(&mut self, rollout: &RolloutRow) -> Result<(), String> {
        for (index, wave) in rollout.state.waves.iter().enumerate() {
            if wave.finished.is_none() || !self.waves.insert((rollout.id.clone(), index)) {
                continue;
            }
            let mut of_wave = rollout.state.clusters.values().filter(|c| c.wave == index);
            if !of_wave.any(|cluster| cluster.phase.succeeded()) {
                return Err(format!(
                    "wave {} of {} is done without one cluster that succeeded",
                    wave.name, rollout.id
                ));
            }
        }
        Ok(())
    }
}
