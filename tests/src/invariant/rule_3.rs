//! Rule 3: once an abort is stored and the bound of P5 has passed, no weight grows in its scope,
//! whoever is cut off.

use std::collections::BTreeMap;

use flagship_hub::records::{AbortRow, LiftRow, key};
use flagship_proto::model::{Bound, Weight, lease::DEFAULT_LEASE};

use super::Invariant;
use crate::world::World;

/// Remembers, for a standing abort of the fleet that is past its bound, the shares seen since.
#[derive(Debug, Default)]
pub struct Aborts {
    seen: BTreeMap<(String, String), Weight>,
}

impl Invariant for Aborts {
    fn rule(&self) -> &'static str {
        "3: after an abort and its bound no weight grows in its scope"
    }

    fn check(&mut self, world: &World) -> Result<(), String> {
        let read = |error: flagship_hub::store::StoreError| error.to_string();
        let aborts = world
            .store()
            .read_all::<AbortRow>(key::ABORTS)
            .map_err(read)?;
        let lifts = world
            .store()
            .read_all::<LiftRow>(key::LIFTS)
            .map_err(read)?;
        let lifted = |abort: &AbortRow| lifts.iter().any(|lift| lift.abort == *abort.id());
        let bound = Bound {
            lease: DEFAULT_LEASE,
        }
        .length();
        let past = aborts.iter().any(|abort| {
            let age = world.wall().duration_since(abort.unplaced().at);
            !lifted(abort) && age.unsigned_abs() >= bound
        });
        if !past {
            self.seen.clear();
            return Ok(());
        }
        for agent in world.agents.values() {
            for version in ["1.1.0", "1.2.0", "1.3.0"] {
                let share = agent.cluster.share(version);
                let here = (agent.name().to_owned(), version.to_owned());
                let before = *self.seen.entry(here.clone()).or_insert(share);
                if share > before {
                    return Err(format!(
                        "{version} in {} grew from {before} to {share}",
                        here.0
                    ));
                }
                self.seen.insert(here, share);
            }
        }
        Ok(())
    }
}
