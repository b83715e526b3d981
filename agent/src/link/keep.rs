//! How much of a value is on disk: one write in flight, failed writes tried again.

use std::time::Duration;

use flagship_proto::model::Mono;

/// How long a failed write waits before it is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// A value, and which of its states is durable. States are numbered by generations.
#[derive(Debug)]
pub(super) struct Keep<T> {
    value: T,
    generation: u64,
    durable: u64,
    writing: Option<u64>,
    again_at: Option<Mono>,
}

impl<T> Keep<T> {
    /// A value as it was read from disk.
    pub(super) fn loaded(value: T) -> Self {
        Self {
            value,
            generation: 0,
            durable: 0,
            writing: None,
            again_at: None,
        }
    }

    /// A value that is not on disk yet.
    pub(super) fn fresh(value: T) -> Self {
        let mut keep = Self::loaded(value);
        keep.generation = 1;
        keep
    }

    pub(super) fn value(&self) -> &T {
        &self.value
    }

    /// Changes the value; it has to be written again.
    pub(super) fn change(&mut self) -> &mut T {
        self.generation += 1;
        &mut self.value
    }

    /// The number of the current state.
    pub(super) fn generation(&self) -> u64 {
        self.generation
    }

    /// Whether the state with this number, or a later one, is on disk.
    pub(super) fn has(&self, generation: u64) -> bool {
        self.durable >= generation
    }

    /// Whether the current state is on disk.
    pub(super) fn is_durable(&self) -> bool {
        self.has(self.generation)
    }

    /// The state to write now, if one is due.
    pub(super) fn due(&mut self, now: Mono) -> Option<u64> {
        let waits = self.again_at.is_some_and(|at| !reached(at, now));
        if self.is_durable() || self.writing.is_some() || waits {
            return None;
        }
        self.writing = Some(self.generation);
        self.again_at = None;
        self.writing
    }

    /// A write ended.
    pub(super) fn written(&mut self, generation: u64, succeeded: bool, now: Mono) {
        if self.writing != Some(generation) {
            return;
        }
        self.writing = None;
        if succeeded {
            self.durable = self.durable.max(generation);
        } else {
            self.again_at = Some(now.plus(AGAIN));
        }
    }

    /// When a failed write is tried again.
    pub(super) fn again_at(&self) -> Option<Mono> {
        self.again_at.filter(|_| !self.is_durable())
    }
}

/// Whether a reading has been reached. A reading of another run is.
pub(super) fn reached(at: Mono, now: Mono) -> bool {
    now.run != at.run || now.millis >= at.millis
}
