//! The harness: a sample application, load with exact counts, and real processes under test.

pub mod load;
pub mod process;
pub mod sample;
