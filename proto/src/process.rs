//! What both binaries need to run: the clock, files that are never torn, retries, limits, logs,
//! metrics, traces, shutdown, what a supervisor is told, and for people a socket on the same machine and
//! lines that fit their terminal.

pub mod clock;
pub mod files;
pub mod limits;
pub mod metrics;
pub mod retry;
pub mod shutdown;
pub mod socket;
pub mod supervisor;
pub mod telemetry;
pub mod terminal;
pub mod traces;

pub use clock::Clock;
pub use limits::raise_open_files;
