//! The harness: a sample application, load with exact counts, and real processes under test.

pub mod bench;
pub mod browser;
pub mod cut;
pub mod decoders;
pub mod eyes;
pub mod faults;
pub mod fleet;
pub mod history;
pub mod invariant;
pub mod load;
pub mod page;
pub mod peer;
pub mod play;
pub mod process;
pub mod program;
pub mod prometheus;
pub mod quickstart;
pub mod raw;
pub mod sample;
pub mod tls;
pub mod tools;
pub mod transcript;
pub mod world;
