//! Rule 4: nothing delays a retreat. A cluster that hears its hub and was told to go back has no
//! traffic on the change within a short time, with a full disk too.

use std::collections::BTreeMap;

use flagship_proto::model::{Change, Intent, ReturnTo, Weight};

use super::Invariant;
use crate::{eyes::Eyes, world::World};

/// Connected, and ordered back for so long (ms), it must have gone back.
const SOON: u64 = 5_000;

/// Remembers since when a cluster could have gone back.
#[derive(Debug, Default)]
pub struct Retreats {
    since: BTreeMap<String, u64>,
}

impl Invariant for Retreats {
    fn rule(&self) -> &'static str {
        "4: nothing delays a retreat"
    }

    fn check(&mut self, eyes: &Eyes, world: &World) -> Result<(), String> {
        let told = eyes
            .orders
            .values()
            .map(|row| row.unplaced())
            .filter(|order| order.intent == Intent::Retreat);
        let before = std::mem::take(&mut self.since);
        // An agent has seen more than this hub knows: it refuses what is lower (P22).
        if world.has_gone_back() {
            return Ok(());
        }
        for order in told {
            let name = order.cluster.as_str();
            let Some(agent) = world.agents.get(name) else {
                continue;
            };
            let Change::Version(version) = &order.change else {
                continue;
            };
            let back = agent.cluster.share(version) == Weight::ZERO
                || order.return_to == ReturnTo::Version(version.clone());
            let could = world.hears_hub(name) && agent.cluster.proxy_connected;
            if back || !could || agent.peer.uid != order.uid {
                continue;
            }
            let since = before.get(name).copied().unwrap_or(world.millis());
            if world.millis() - since > SOON {
                return Err(format!(
                    "{name} was ordered back {SOON} ms ago and still serves {version}"
                ));
            }
            self.since.insert(name.to_owned(), since);
        }
        Ok(())
    }
}
