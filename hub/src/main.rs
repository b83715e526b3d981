//! The hub's binary: reads the command line and runs what it says.

use std::process::ExitCode;

use clap::Parser as _;
use flagship_hub::{args::Cli, run};

fn main() -> ExitCode {
    run::start(Cli::parse())
}
