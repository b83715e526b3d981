//! `flagship completion`: the script by which a shell completes verbs, options, and names from the hub.

use clap::{Args, ValueEnum};
use clap_complete::env::Shells;

use crate::cli::{
    complete,
    exit::{CliError, Exit},
    output::print,
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
Names of rollouts, plans, clusters, aborts and freezes are asked of the hub of the context, for
300 ms at most; without an answer only verbs and options are completed.

Examples:
  flagship completion bash > ~/.local/share/bash-completion/completions/flagship
  flagship completion zsh > ~/.zfunc/_flagship
  flagship completion fish > ~/.config/fish/completions/flagship.fish";

/// The shells that there is a script for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Shell {
    /// Bash 4 and later.
    Bash,
    /// Zsh.
    Zsh,
    /// Fish.
    Fish,
    /// Elvish.
    Elvish,
    /// PowerShell.
    Powershell,
}

impl Shell {
    fn name(self) -> &'static str {
        match self {
            Self::Bash => "bash",
            Self::Zsh => "zsh",
            Self::Fish => "fish",
            Self::Elvish => "elvish",
            Self::Powershell => "powershell",
        }
    }
}

/// What can be typed after `completion`.
#[derive(Debug, Args)]
pub struct Completion {
    /// The shell
    #[arg(value_enum)]
    shell: Shell,
}

impl Completion {
    /// Prints it.
    pub fn run(self) -> Result<Exit, CliError> {
        let name = self.shell.name();
        let failed =
            |what: &str| CliError::new(Exit::Error, format!("no script for {name}: {what}"));
        let shells = Shells::builtins();
        let shell = shells.completer(name).ok_or_else(|| failed("not known"))?;
        let mut script = Vec::new();
        shell
            .write_registration(
                complete::VARIABLE,
                "flagship",
                "flagship",
                "flagship",
                &mut script,
            )
            .map_err(|error| failed(&error.to_string()))?;
        print(&String::from_utf8_lossy(&script))?;
        Ok(Exit::Done)
    }
}
