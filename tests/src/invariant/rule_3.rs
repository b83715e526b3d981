//! Rule 3: once an abort is stored and the bound of P5 has passed, no weight grows in its scope,
//! whoever is cut off; and from the moment on at which it is stored no Run order is written in it.

use std::collections::BTreeMap;

use flagship_hub::records::{AbortRow, Stored};
use flagship_proto::model::{
    AbortId, Bound, Change, Intent, Order, RolloutId, Weight, lease::DEFAULT_LEASE,
};

use super::Invariant;
use crate::{eyes::Eyes, world::World};

/// Remembers since when each abort stands, and for those that are past their bound the shares seen.
#[derive(Debug, Default)]
pub struct Aborts {
    /// By the World's clock; a store that is put back forgets.
    since: BTreeMap<AbortId, u64>,
    seen: BTreeMap<(String, RolloutId, u32), Weight>,
}

impl Invariant for Aborts {
    fn rule(&self) -> &'static str {
        "3: after an abort and its bound no weight grows in its scope"
    }

    fn check(&mut self, eyes: &Eyes, world: &World) -> Result<(), String> {
        if eyes.changed {
            self.note(eyes, world);
            no_run_is_written(eyes)?;
        }
        self.nothing_grows(eyes, world)
    }
}

impl Aborts {
    fn note(&mut self, eyes: &Eyes, world: &World) {
        let stands = |abort: &&Stored<AbortRow>| eyes.lift_of(abort).is_none();
        let standing = eyes.aborts.values().filter(stands);
        let before = std::mem::take(&mut self.since);
        for abort in standing {
            let since = before.get(abort.id()).copied().unwrap_or(world.millis());
            self.since.insert(abort.id().clone(), since);
        }
    }

    fn nothing_grows(&mut self, eyes: &Eyes, world: &World) -> Result<(), String> {
        let bound = Bound {
            lease: DEFAULT_LEASE,
        };
        let bound = u64::try_from(bound.length().as_millis()).unwrap_or(u64::MAX);
        let is_past = |abort: &&Stored<AbortRow>| {
            let since = self.since.get(abort.id());
            since.is_some_and(|since| world.millis() - since >= bound)
        };
        let past: Vec<_> = eyes.aborts.values().filter(is_past).collect();
        if past.is_empty() {
            self.seen.clear();
            return Ok(());
        }
        let mut seen = BTreeMap::new();
        for (name, agent) in &world.agents {
            let Some(permission) = world.permission(name) else {
                continue;
            };
            let order = permission.order();
            let Change::Version(version) = &order.change else {
                continue;
            };
            if !past.iter().any(|abort| covers(abort, order)) {
                continue;
            }
            let share = agent.cluster.share(version);
            let here = (name.clone(), order.rollout.clone(), order.attempt);
            let before = self.seen.get(&here).copied().unwrap_or(share);
            if share > before {
                return Err(format!("{version} in {name} grew from {before} to {share}"));
            }
            seen.insert(here, share);
        }
        self.seen = seen;
        Ok(())
    }
}

fn covers(abort: &AbortRow, order: &Order) -> bool {
    let scope = &abort.unplaced().scope;
    abort.concerns(&order.uid) && scope.covers(&order.workload, &order.plan, &order.rollout)
}

fn no_run_is_written(eyes: &Eyes) -> Result<(), String> {
    for row in &eyes.written {
        let order = row.unplaced();
        let above = |abort: &&Stored<AbortRow>| {
            let lift = eyes.lift_of(abort);
            covers(abort, order)
                && abort.created < row.modified
                && lift.is_none_or(|lift| lift.created > row.modified)
        };
        let under = eyes.aborts.values().find(above);
        if let (Intent::Run, Some(abort)) = (order.intent, under) {
            return Err(format!(
                "a Run order for {} was written under abort {}",
                order.cluster,
                abort.id()
            ));
        }
    }
    Ok(())
}
