//! Keeps a fleet's view at the store's state: list, then watch, and list again when the watch lost its
//! place (P3). Synchronous; the edge waits, the simulation polls.

use flagship_proto::model::{Position, Tick};

use super::{Fleet, rows};
use crate::{
    records::key,
    store::{Events, Store, StoreError, Watch, WatchError},
};

/// A fleet's place in the store's history.
#[derive(Debug)]
pub struct Follower {
    store: Store,
    watch: Watch,
}

impl Follower {
    /// Loads the view and stands where it was listed.
    pub fn start(store: &Store, fleet: &mut Fleet, now: Tick) -> Result<Self, StoreError> {
        let watch = load(store, fleet, now)?;
        let store = store.clone();
        Ok(Self { store, watch })
    }

    /// Takes in what changed, and says that the view is as fresh as `now`, which must be the moment at
    /// which the call began.
    pub fn catch_up(&mut self, fleet: &mut Fleet, now: Tick) -> Result<(), StoreError> {
        let found = self.watch.poll();
        self.take_in(found, fleet, now)
    }

    /// Waits for a change; hand what comes to [`Follower::take_in`]. Cancelling loses nothing.
    pub async fn next(&mut self) -> Result<Events, WatchError> {
        self.watch.next().await
    }

    /// Takes in what [`Follower::next`] found. `now` is the moment of the call.
    pub fn take_in(
        &mut self,
        found: Result<Events, WatchError>,
        fleet: &mut Fleet,
        now: Tick,
    ) -> Result<(), StoreError> {
        let position = self.store.position();
        match found {
            Ok(events) => {
                let mut changes = Vec::with_capacity(events.events.len());
                for event in &events.events {
                    changes.extend(rows::change(&event.key, event.row.as_ref())?);
                }
                let at = Position {
                    epoch: position.epoch,
                    seq: events.at,
                };
                fleet.apply(changes, at, now);
            }
            Err(WatchError::TooOld { .. } | WatchError::Ahead { .. }) => {
                fleet.lost();
                self.watch = load(&self.store, fleet, now)?;
            }
            Err(WatchError::Closed) => return Err(StoreError::Closed),
            Err(WatchError::Store(error)) => return Err(error),
        }
        fleet.read(now.mono, position);
        fleet.audited(position.epoch, self.store.audit_head());
        Ok(())
    }
}

fn load(store: &Store, fleet: &mut Fleet, now: Tick) -> Result<Watch, StoreError> {
    loop {
        let (changes, at) = rows::listing(store)?;
        match store.watch(key::ALL, at.seq) {
            Ok(watch) => {
                fleet.load(changes, at, now);
                fleet.read(now.mono, at);
                fleet.audited(at.epoch, store.audit_head());
                return Ok(watch.without_values_on_disk());
            }
            // More was written during the listing than the log keeps: list again.
            Err(WatchError::TooOld { .. } | WatchError::Ahead { .. }) => {}
            Err(WatchError::Closed) => return Err(StoreError::Closed),
            Err(WatchError::Store(error)) => return Err(error),
        }
    }
}
