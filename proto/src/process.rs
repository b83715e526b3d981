//! What both binaries need to run: the clock, files that are never torn, retries, logs, shutdown.

pub mod clock;
pub mod files;
pub mod retry;
pub mod shutdown;
pub mod telemetry;

pub use clock::Clock;
