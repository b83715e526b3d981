//! `flagship-faults`: plays the table of faults that `tests/faults` builds for.

use std::process::ExitCode;

use clap::Parser;
use flagship_tests::{
    faults::{Args, run},
    program::run_until_told,
};

#[tokio::main]
async fn main() -> ExitCode {
    run_until_told("flagship-faults", run(Args::parse())).await
}
