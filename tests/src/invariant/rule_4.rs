//! Rule 4: nothing delays a retreat. A cluster that hears its hub and was told to go back has no
//! traffic on the change within a short time.

use std::collections::BTreeMap;

use flagship_hub::records::{OrderRow, key};
use flagship_proto::model::{Change, Intent, Weight};

use super::Invariant;
use crate::world::World;

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

    fn check(&mut self, world: &World) -> Result<(), String> {
        let orders = world
            .store()
            .read_all::<OrderRow>(key::ORDERS)
            .map_err(|e| e.to_string())?;
        for order in orders.iter().map(|row| row.unplaced()) {
            let name = order.cluster.to_string();
            let agent = &world.agents[&name];
            let Change::Version(version) = &order.change else {
                continue;
            };
            let told = order.intent == Intent::Retreat && agent.is_connected();
            let back = agent.cluster.share(version) == Weight::ZERO;
            if !told || back || !agent.cluster.proxy_connected {
                self.since.remove(&name);
                continue;
            }
            let since = *self.since.entry(name.clone()).or_insert(world.millis());
            if world.millis() - since > SOON {
                return Err(format!(
                    "{name} was ordered back {SOON} ms ago and still serves {version}"
                ));
            }
        }
        Ok(())
    }
}
