//! `flagship`: the command line for people and scripts.

use std::process::ExitCode;

fn main() -> ExitCode {
    flagship_hub::cli::main()
}
