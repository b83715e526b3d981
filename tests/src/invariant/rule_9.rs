//! Rule 9: success means that every cluster was seen at the new revision with weight 100 and soaked,
//! or is listed as skipped.

use std::collections::BTreeSet;

use flagship_hub::records::RolloutRow;
use flagship_proto::model::{Change, RolloutId, Weight};
use flagship_waves::{ClusterPhase, RolloutPhase};

use super::Invariant;
use crate::{eyes::Eyes, world::World};

/// Remembers the successes that it has looked into.
#[derive(Debug, Default)]
pub struct Success {
    seen: BTreeSet<RolloutId>,
}

impl Invariant for Success {
    fn rule(&self) -> &'static str {
        "9: success means that all traffic of every cluster is on the change"
    }

    fn check(&mut self, eyes: &Eyes, world: &World) -> Result<(), String> {
        if !eyes.changed {
            return Ok(());
        }
        for rollout in eyes.rollouts.values() {
            let over = rollout.state.phase == RolloutPhase::Succeeded;
            if over && self.seen.insert(rollout.id.clone()) {
                is_true(rollout, world)?;
            }
        }
        Ok(())
    }
}

fn is_true(rollout: &RolloutRow, world: &World) -> Result<(), String> {
    let Change::Version(version) = &rollout.change else {
        return Ok(());
    };
    for (uid, cluster) in &rollout.state.clusters {
        match &cluster.phase {
            ClusterPhase::Done => {}
            ClusterPhase::Skipped { .. } | ClusterPhase::Left => continue,
            other @ (ClusterPhase::Waiting
            | ClusterPhase::Ordered
            | ClusterPhase::Running { .. }
            | ClusterPhase::Soaking
            | ClusterPhase::Failed { .. }
            | ClusterPhase::Retreating { .. }
            | ClusterPhase::RolledBack
            | ClusterPhase::Unreachable) => {
                let lane = rollout.state.catch_up.as_ref();
                if lane.is_none_or(|lane| lane.uid != *uid) && !cluster.late {
                    return Err(format!(
                        "{} succeeded with {} {other}",
                        rollout.id, cluster.name
                    ));
                }
                continue;
            }
        }
        let agent = world.agents.get(cluster.name.as_str());
        let share = agent
            .filter(|agent| agent.peer.uid == *uid)
            .map(|agent| agent.cluster.share(version));
        if share.is_some_and(|share| share != Weight::FULL) {
            return Err(format!(
                "{} succeeded while {} serves {version} with {share:?}",
                rollout.id, cluster.name
            ));
        }
    }
    Ok(())
}
