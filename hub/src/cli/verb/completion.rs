//! `flagship completion`: the completion script of a shell.

use clap::{Args, CommandFactory as _};
use clap_complete::Shell;

use crate::cli::{
    args::Cli,
    exit::{CliError, Exit},
    output::print,
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
Examples:
  flagship completion bash > /etc/bash_completion.d/flagship
  flagship completion zsh > ~/.zfunc/_flagship";

/// What can be typed after `completion`.
#[derive(Debug, Args)]
pub struct Completion {
    /// The shell
    shell: Shell,
}

impl Completion {
    /// Prints it.
    pub fn run(self) -> Result<Exit, CliError> {
        let mut script = Vec::new();
        clap_complete::generate(self.shell, &mut Cli::command(), "flagship", &mut script);
        print(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
