//! Rule 7: a joiner or returner goes to the last version that Succeeded and was never retreated; who
//! left gets no order.

use std::collections::BTreeSet;

use flagship_hub::records::{OrderRow, RolloutRow, Stored};
use flagship_proto::model::{Change, Intent};

use super::Invariant;
use crate::{eyes::Eyes, world::World};

/// Remembers what was good at the last look: an order may rest on what has just been replaced.
#[derive(Debug, Default)]
pub struct Membership {
    good: BTreeSet<String>,
}

impl Invariant for Membership {
    fn rule(&self) -> &'static str {
        "7: joiners and returners go to the last good version"
    }

    fn check(&mut self, eyes: &Eyes, _world: &World) -> Result<(), String> {
        if !eyes.changed {
            return Ok(());
        }
        let good: BTreeSet<String> = eyes
            .good
            .values()
            .map(|row| row.good.change.to_string())
            .collect();
        for row in &eyes.written {
            let order = row.unplaced();
            let Some(rollout) = eyes.rollout_of(row) else {
                continue;
            };
            if order.intent != Intent::Run {
                continue;
            }
            if !eyes.is_member(&order.uid) {
                return Err(format!("{} left and was ordered to run", order.cluster));
            }
            let allowed = |change: &Change| {
                let change = change.to_string();
                good.contains(&change) || self.good.contains(&change)
            };
            if is_catching_up(row, rollout) && !allowed(&order.change) {
                return Err(format!(
                    "{} catches up to {}, which is not the last good version ({good:?})",
                    order.cluster, order.change
                ));
            }
        }
        self.good = good;
        Ok(())
    }
}

/// Whether an order is of the catch-up lane: for who came late, or after the rollout's end, or to
/// another version than the rollout's own.
fn is_catching_up(row: &OrderRow, rollout: &Stored<RolloutRow>) -> bool {
    let order = row.unplaced();
    let lane = rollout.state.catch_up.as_ref();
    let cluster = rollout.state.clusters.get(&order.uid);
    lane.is_some_and(|lane| lane.uid == order.uid)
        || cluster.is_some_and(|cluster| cluster.late)
        || order.change != rollout.change
}
