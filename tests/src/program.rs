//! What the programs of `tests/src/bin` share: run until done, or until told to stop.

use std::{fmt, process::ExitCode};

use flagship_proto::process::shutdown;

/// Runs until it ends or a signal comes; an error is said in one line after `what`.
pub async fn run_until_told(
    what: &str,
    work: impl Future<Output = Result<(), impl fmt::Display>>,
) -> ExitCode {
    let stop = match shutdown::on_signals() {
        Ok(stop) => stop,
        Err(error) => {
            eprintln!("signals cannot be listened to: {error}");
            return ExitCode::FAILURE;
        }
    };
    match stop.run_until_cancelled(work).await {
        Some(Ok(())) => ExitCode::SUCCESS,
        Some(Err(error)) => {
            eprintln!("{what}: {error:#}");
            ExitCode::FAILURE
        }
        None => ExitCode::from(130),
    }
}
