//! `flagship-quickstart`: plays the three acts that `deploy/quickstart` builds for.

use std::process::ExitCode;

use clap::Parser;
use flagship_tests::{
    program::run_until_told,
    quickstart::{Args, run},
};

#[tokio::main]
async fn main() -> ExitCode {
    run_until_told("\nthe quickstart failed", run(Args::parse())).await
}
