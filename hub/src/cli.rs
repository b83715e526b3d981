//! The `flagship` command line: what people and scripts type, on top of the hub's API.
//!
//! `args` says what can be typed, `verb` has one file a verb, `render` turns answers into text.

pub mod args;
pub mod client;
pub mod complete;
pub mod config;
pub mod context;
pub mod exit;
pub mod output;
pub mod refs;
pub mod render;
pub mod select;
pub mod topics;
mod typed;
pub mod verb;

#[cfg(test)]
mod tests;

use std::process::ExitCode;

use clap::{CommandFactory as _, Parser as _};
use clap_complete::CompleteEnv;

use args::Cli;
use exit::{CliError, Exit};
use output::{Format, Look, Tone, remark};

/// Runs the command line of this process.
pub fn main() -> ExitCode {
    CompleteEnv::with_factory(Cli::command)
        .var(complete::VARIABLE)
        .complete();
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // What clap says is for people already; that its own printing fails changes nothing.
            error.print().ok();
            let exit = if error.use_stderr() {
                Exit::BadInput
            } else {
                Exit::Done
            };
            return ExitCode::from(exit.code());
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
    let exit = match runtime.block_on(verb::run(cli)) {
        Ok(exit) => exit,
        Err(error) => {
            complain(&error, no_colour, format);
            error.exit
        }
    };
    // A request that still hangs must not keep the process.
    runtime.shutdown_background();
    ExitCode::from(exit.code())
}

fn complain(error: &CliError, no_colour: bool, format: Format) {
    if !format.for_people()
        && let Ok(text) = match format {
            Format::Yaml => format.encode(&error.told(), String::new),
            Format::Table | Format::Wide | Format::Json | Format::Path(_) => {
                Format::Json.encode(&error.told(), String::new)
            }
        }
    {
        remark(text.trim_end());
        return;
    }
    let look = Look::of_stderr(no_colour);
    if !error.notes.is_empty() {
        remark(render::lists::findings(look, "plan", &error.notes).trim_end());
    }
    remark(&format!("{} {error}", look.paint(Tone::Bad, "error:")));
}
