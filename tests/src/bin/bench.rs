//! `flagship-bench`: what `tests/bench` builds for.

use std::process::ExitCode;

use clap::Parser;
use flagship_tests::{
    bench::{Args, run},
    program::run_until_told,
};

/// Thousands of agents share this process: each would write its files alone, and not by hundreds of
/// threads at once.
const WRITERS: usize = 4;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .max_blocking_threads(WRITERS)
        .enable_all()
        .build();
    match runtime {
        Ok(runtime) => runtime.block_on(run_until_told("the bench failed", run(Args::parse()))),
        Err(error) => {
            eprintln!("the bench failed: {error}");
            ExitCode::FAILURE
        }
    }
}
