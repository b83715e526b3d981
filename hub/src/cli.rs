//! The `flagship` command line: what people and scripts type, on top of the hub's API.
//!
//! `args` says what can be typed, `run` leads to the verb, `verb` has one file a verb, `render` turns
//! answers into text.

pub mod args;
pub mod client;
pub mod common;
pub mod complete;
pub mod config;
pub mod context;
pub mod exit;
pub mod offered;
pub mod output;
pub mod refs;
mod refusal;
pub mod render;
pub mod run;
pub mod select;
pub mod topics;
mod typed;
pub mod verb;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::FromArgMatches as _;
use clap_complete::CompleteEnv;

use args::Cli;
use exit::Exit;
use output::{Look, remark};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    CompleteEnv::with_factory(args::command)
        .var(complete::VARIABLE)
        .complete();
    let all = args::shaped(args::command(), Look::of_stdout(true).width);
    let read = all.try_get_matches();
    let cli = match read.and_then(|read| Cli::from_arg_matches(&read)) {
        Ok(cli) => cli,
        Err(error) => {
            return ExitCode::from(refusal::usage(&error).code());
        }
    };
    let runtime = match tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            remark(&format!("error: cannot start: {error}"));
            return ExitCode::from(Exit::Error.code());
        }
    };
    let (no_colour, format) = (cli.global.no_color, cli.global.output);
    let exit = match runtime.block_on(run::run(cli)) {
        Ok(exit) => exit,
        Err(error) => {
            refusal::complain(&error, no_colour, format);
            error.exit
        }
    };
    // A request that still hangs must not keep the process.
    runtime.shutdown_background();
    ExitCode::from(exit.code())
}
