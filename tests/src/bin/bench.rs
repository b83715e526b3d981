//! `flagship-bench`: what `tests/bench` builds for.

use std::process::ExitCode;

use clap::Parser;
use flagship_proto::process::shutdown;
use flagship_tests::bench::{Args, run};

#[tokio::main]
async fn main() -> ExitCode {
    let stop = match shutdown::on_signals() {
        Ok(stop) => stop,
        Err(error) => {
            eprintln!("signals cannot be listened to: {error}");
            return ExitCode::FAILURE;
        }
    };
    match stop.run_until_cancelled(run(Args::parse())).await {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("the bench failed: {error:#}");
            ExitCode::FAILURE
        }
        None => ExitCode::from(130),
    }
}
