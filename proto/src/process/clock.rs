//! The only place where time is read.

use jiff::Timestamp;

use crate::model::{Mono, Tick};

/// Reads the wall clock and `CLOCK_BOOTTIME` (which counts sleep; trap 9). One per process run.
#[derive(Debug, Clone, Copy)]
pub struct Clock {
    run: u64,
}

impl Clock {
    /// A clock whose readings cannot be mistaken for those of an earlier run of the process.
    #[expect(
        clippy::new_without_default,
        reason = "two clocks of one process must not be equal by accident"
    )]
    pub fn new() -> Self {
        Self {
            run: rand::random(),
        }
    }

    /// This moment.
    pub fn now(&self) -> Tick {
        let reading = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        let seconds = u64::try_from(reading.tv_sec).unwrap_or_default();
        let nanos = u64::try_from(reading.tv_nsec).unwrap_or_default();
        let millis = seconds
            .saturating_mul(1000)
            .saturating_add(nanos / 1_000_000);
        Tick {
            wall: Timestamp::now(),
            mono: Mono {
                run: self.run,
                millis,
            },
        }
    }
}
