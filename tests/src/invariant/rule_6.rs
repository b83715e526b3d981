//! Rule 6: one writer per (cluster, workload). A Run order is written only by the rollout that holds
//! the claim there, and no cluster is in flight for two rollouts.

use std::collections::BTreeMap;

use flagship_proto::model::{ClusterUid, Intent};

use super::Invariant;
use crate::{eyes::Eyes, world::World};

/// Looks at orders and claims as they are stored.
#[derive(Debug, Default)]
pub struct OneWriter;

impl Invariant for OneWriter {
    fn rule(&self) -> &'static str {
        "6: one writer per cluster and workload"
    }

    fn check(&mut self, eyes: &Eyes, _world: &World) -> Result<(), String> {
        if !eyes.changed {
            return Ok(());
        }
        for row in &eyes.written {
            let order = row.unplaced();
            if order.intent != Intent::Run {
                continue;
            }
            let mut claims = eyes.claims.values();
            let claim = claims.find(|c| c.uid == order.uid && c.workload == order.workload);
            let holder = claim.map(|claim| &claim.rollout);
            // A claim that was written later, or released at an end, says nothing of this order.
            let later = claim.is_some_and(|claim| claim.modified > row.modified);
            let over = eyes.rollout_of(row).is_none_or(|of| of.state.is_over());
            if holder == Some(&order.rollout) || later || (holder.is_none() && over) {
                continue;
            }
            return Err(format!(
                "{} ordered {} to run while {} held it",
                order.rollout,
                order.cluster,
                holder.map_or_else(|| "nobody".to_owned(), ToString::to_string)
            ));
        }
        one_in_flight(eyes)
    }
}

fn one_in_flight(eyes: &Eyes) -> Result<(), String> {
    let mut flying: BTreeMap<&ClusterUid, &str> = BTreeMap::new();
    let open = eyes.rollouts.values().filter(|row| !row.state.is_over());
    for rollout in open {
        for (uid, cluster) in &rollout.state.clusters {
            if !cluster.phase.in_flight() {
                continue;
            }
            if let Some(other) = flying.insert(uid, rollout.id.as_str()) {
                return Err(format!(
                    "{} is in flight for {other} and for {}",
                    cluster.name, rollout.id
                ));
            }
        }
    }
    Ok(())
}
