//! `flagship-bench`: what `tests/bench` builds for.

use std::process::ExitCode;

use clap::Parser;
use flagship_tests::{
    bench::{Args, run},
    program::run_until_told,
};

#[tokio::main]
async fn main() -> ExitCode {
    run_until_told("the bench failed", run(Args::parse())).await
}
