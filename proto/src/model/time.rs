//! Time as the engines see it: an argument, never a clock.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// A reading of a clock that never jumps and counts sleep (`CLOCK_BOOTTIME`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Mono {
    /// Which run of the process took the reading; readings of two runs cannot be compared.
    pub run: u64,
    /// Milliseconds.
    pub millis: u64,
}

impl Mono {
    /// Time since `earlier`; nothing if that was another run or lies ahead.
    pub fn since(self, earlier: Self) -> Option<Duration> {
        if self.run != earlier.run {
            return None;
        }
        self.millis
            .checked_sub(earlier.millis)
            .map(Duration::from_millis)
    }

    /// The reading `wait` later, in the same run.
    pub fn plus(self, wait: Duration) -> Self {
        let millis = u64::try_from(wait.as_millis()).unwrap_or(u64::MAX);
        Self {
            run: self.run,
            millis: self.millis.saturating_add(millis),
        }
    }
}

/// One moment, read once and handed to everything that is decided at it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tick {
    /// For people and records; it may jump, so nothing waits by it.
    pub wall: Timestamp,
    /// For waits and leases.
    pub mono: Mono,
}

impl Tick {
    /// The moment `wait` later.
    pub fn plus(self, wait: Duration) -> Self {
        let wall = self.wall.saturating_add(wait).unwrap_or(self.wall);
        Self {
            wall,
            mono: self.mono.plus(wait),
        }
    }
}

/// Accumulated waiting time (P27): checkpointed in stored state; a gap counts zero.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stopwatch {
    /// Milliseconds that count.
    pub elapsed_ms: u64,
    /// The reading up to which they were counted; none while stopped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mark: Option<Mono>,
}

impl Stopwatch {
    /// Counts the time since the last call. The first call after a restart of the process, after
    /// [`Stopwatch::stop`], or after more than `longest_gap` adds nothing.
    pub fn run(&mut self, now: Mono, longest_gap: Duration) {
        let gap = self
            .mark
            .and_then(|mark| now.since(mark))
            .unwrap_or_default();
        if gap <= longest_gap {
            self.elapsed_ms = self
                .elapsed_ms
                .saturating_add(u64::try_from(gap.as_millis()).unwrap_or(u64::MAX));
        }
        self.mark = Some(now);
    }

    /// Stops counting; what was counted stays.
    pub fn stop(&mut self) {
        self.mark = None;
    }

    /// Time counted so far.
    pub fn elapsed(&self) -> Duration {
        Duration::from_millis(self.elapsed_ms)
    }

    /// What is left of `wait`.
    pub fn remaining(&self, wait: Duration) -> Duration {
        wait.saturating_sub(self.elapsed())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GAP: Duration = Duration::from_secs(10);

    fn at(run: u64, millis: u64) -> Mono {
        Mono { run, millis }
    }

    #[test]
    fn trap_10_a_wait_counts_only_time_that_was_seen_to_pass() {
        let mut wait = Stopwatch::default();
        wait.run(at(1, 5_000), GAP);
        wait.run(at(1, 8_000), GAP);
        assert_eq!(wait.elapsed(), Duration::from_secs(3));
        wait.run(at(1, 60_000), GAP);
        assert_eq!(wait.elapsed(), Duration::from_secs(3), "a gap counts zero");
        wait.run(at(2, 61_000), GAP);
        assert_eq!(
            wait.elapsed(),
            Duration::from_secs(3),
            "another run counts zero"
        );
        wait.run(at(2, 60_000), GAP);
        assert_eq!(
            wait.elapsed(),
            Duration::from_secs(3),
            "a clock that goes back counts zero"
        );
    }
}
