//! The hub's only loop over rollouts: load → step → one transaction → the store's watch tells the
//! fleet. It decides nothing; `flagship-waves` does. Every transaction compares the term, so that a
//! deposed leader writes nothing, and the rollout's row, so that nothing asked meanwhile is lost;
//! one that starts something also compares the guard (P15).

mod commit;
mod edge;
mod freezes;
mod load;
#[cfg(test)]
mod tests;
mod traces;

use std::{
    cell::{LazyCell, OnceCell},
    collections::BTreeMap,
    time::Duration,
};

use flagship_proto::{
    model::{ACTION_DEADLINE, ClusterUid, FleetId, Mono, Tick},
    process::traces::Tracer,
};
use flagship_waves::{Commit, FleetView, RolloutState};

use crate::{
    fleet::Presence,
    metrics::Counters,
    records::{RolloutRow, Stored, TermRow},
    store::{Outcome, Store, StoreError},
};
use commit::Committing;
pub use edge::run;
use load::{Dirty, Loaded};

/// Looks again at least this often, whatever the engine says: presence changes without a commit.
pub const LONGEST_WAIT: Duration = Duration::from_secs(1);

/// How often a decision is derived again within one pass when someone else wrote in between.
const TRIES: u32 = 5;

/// What drives rollouts, in one term.
#[derive(Debug)]
pub struct Driver {
    store: Store,
    fleet: FleetId,
    term: Stored<TermRow>,
    started: Tick,
    /// The number of the last history entry by rollout.
    numbers: BTreeMap<String, u64>,
    loaded: load::Cache,
    /// When all rollouts are looked at again, whatever changed; none before the first pass.
    all_at: Option<Mono>,
    frozen: freezes::FirstSeen,
    counters: Counters,
    tracer: Tracer,
}

/// Why a pass could not be finished.
#[derive(Debug, thiserror::Error)]
pub enum DriverError {
    /// The store could not answer.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Another hub has taken leadership; this one must stop deciding.
    #[error("term {0} is over: another hub has taken the lead")]
    Deposed(flagship_proto::model::Term),
}

impl Driver {
    /// A driver for the term that `term` records. Leases of an earlier process may still run until
    /// the bound after `now`.
    pub fn new(store: Store, fleet: FleetId, term: Stored<TermRow>, now: Tick) -> Self {
        Self {
            store,
            fleet,
            term,
            started: now,
            numbers: BTreeMap::new(),
            loaded: load::Cache::default(),
            all_at: None,
            frozen: freezes::FirstSeen::default(),
            counters: Counters::default(),
            tracer: Tracer::default(),
        }
    }

    /// Counts there what it decides.
    pub fn counting(self, counters: Counters) -> Self {
        Self { counters, ..self }
    }

    /// Tells there what it decides.
    pub fn tracing(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }

    fn took(&self, time: Duration) {
        self.counters.pass_seconds.observe(time.as_secs_f64());
    }

    /// One pass over the rollouts that a change is about and, when it is time, over all. Who is here is
    /// asked for only where there are some. Returns when to look again even if nothing changes.
    pub async fn pass(
        &mut self,
        presence: impl FnOnce() -> BTreeMap<ClusterUid, Presence>,
        now: Tick,
    ) -> Result<Duration, DriverError> {
        let presence = LazyCell::new(presence);
        self.end_freezes(now).await?;
        let loaded = self.loaded.load(&self.store)?;
        let mut dirty = self.loaded.take_dirty();
        // A reading of another run is past as well.
        let left = self.all_at.and_then(|at| at.since(now.mono));
        let left = left.filter(|left| !left.is_zero() && *left <= LONGEST_WAIT);
        if left.is_none() {
            dirty = Dirty::all();
        }
        let mut wake = left.unwrap_or(LONGEST_WAIT);
        let keys = loaded.open_rollouts(&dirty, now);
        drop(loaded);
        // What fails half-way is looked at again, with all others.
        self.all_at = None;
        for key in keys {
            for _ in 0..TRIES {
                let loaded = self.loaded.load(&self.store)?;
                let Some(rollout) = loaded.rollouts.get(&key) else {
                    break;
                };
                let view = loaded.view(rollout, &presence, self.started, now);
                match self.step(&loaded, rollout, &view, now).await? {
                    Stepped::Settled(after) => {
                        wake = wake.min(after.unwrap_or(wake));
                        break;
                    }
                    Stepped::Again => {}
                }
            }
        }
        self.all_at = Some(now.mono.plus(wake));
        Ok(wake)
    }

    /// Waits until something that rollouts rest on has changed since the last pass looked. Cancelling
    /// loses nothing.
    pub async fn changed(&mut self) -> Result<(), StoreError> {
        self.loaded.changed(&self.store).await
    }

    async fn step(
        &mut self,
        loaded: &Loaded,
        rollout: &Stored<RolloutRow>,
        view: &FleetView,
        now: Tick,
    ) -> Result<Stepped, DriverError> {
        let decision = flagship_waves::step(&rollout.plan, &rollout.state, view, now);
        for reason in &decision.reasons {
            self.counters.decided(reason.code());
            tracing::info!(rollout = %rollout.id, project = %rollout.project, code = reason.code(), %reason, "decided");
        }
        if decision.commit == Commit::Nothing {
            return Ok(Stepped::Settled(decision.wake_after));
        }
        let first = self.next_number(rollout)?;
        let committing = Committing {
            fleet: &self.fleet,
            term: &self.term,
            loaded,
            rollout,
            first_number: first,
            now,
            canary: OnceCell::new(),
        };
        let (txn, entries) = committing.txn(&decision);
        match self.store.txn(txn).await? {
            Outcome::Committed { position } => {
                traces::tell(&self.tracer, &self.fleet, rollout, &decision, position, now);
                let name = rollout.full_name();
                self.numbers.insert(name, first + entries);
                let changed = decision.commit == Commit::Change
                    && changes_what_follows(&rollout.state, &decision.next);
                Ok(if changed {
                    Stepped::Again
                } else {
                    Stepped::Settled(decision.wake_after)
                })
            }
            Outcome::Conflict { key } if key == crate::records::key::term() => {
                Err(DriverError::Deposed(self.term.term))
            }
            Outcome::Conflict { key } => {
                self.counters.conflicts.inc();
                tracing::debug!(%key, rollout = %rollout.id, "written by another in between, deciding again");
                Ok(Stepped::Again)
            }
        }
    }

    fn next_number(&self, rollout: &RolloutRow) -> Result<u64, StoreError> {
        let name = rollout.full_name();
        if let Some(number) = self.numbers.get(&name) {
            return Ok(*number);
        }
        let prefix = crate::records::key::history_of(&rollout.project, &rollout.id);
        let last = self.store.list(&prefix)?.rows.len();
        Ok(u64::try_from(last).unwrap_or(u64::MAX))
    }
}

enum Stepped {
    Settled(Option<Duration>),
    Again,
}

/// Orders that were written are answered by agents, not by another step; a change of phase or wave
/// may let the next thing happen at once.
fn changes_what_follows(before: &RolloutState, after: &RolloutState) -> bool {
    before.phase != after.phase || before.current_wave() != after.current_wave()
}

/// Whether nothing advances any more by itself in a cluster that is not heard (P5). Leases that a
/// former process granted are not known here, so its bound counts from this process's start.
fn is_bound_over(presence: &Presence, lease: Duration, started: Tick, now: Tick) -> bool {
    let margin = ACTION_DEADLINE + lease / 100;
    let former = now.mono.since(started.mono).unwrap_or_default() >= lease + margin;
    let own = presence.lease_until.is_none_or(|until| {
        now.mono
            .since(until.mono)
            .is_some_and(|over| over >= margin)
    });
    former && own
}
