//! The command line. Every flag has an environment variable `FLAGSHIP_AGENT_…`.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use flagship_proto::{model::ClusterName, process::telemetry::LogArgs};

/// Runs canaries in one cluster under the orders of a Flagship hub.
///
/// Without a command it runs the agent.
#[derive(Debug, Parser)]
#[command(
    name = "flagship-agent",
    version,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Option<Command>,
    /// How to run, where no command is given
    #[command(flatten)]
    pub run: RunArgs,
    /// How logs are written
    #[command(flatten)]
    pub log: LogArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run the agent; it enrols first where it has to and can
    Run(RunArgs),
    /// Join the fleet with a token, then end
    Enroll(RunArgs),
    /// Say what is amiss with the configuration, the hub and the tools, one line each
    Check(RunArgs),
    /// Print the version
    Version,
}

/// How to run.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The configuration file
    #[arg(
        long,
        short,
        env = "FLAGSHIP_AGENT_CONFIG",
        default_value = "/etc/flagship/agent.yaml",
        value_name = "FILE"
    )]
    pub config: PathBuf,
    /// How to join
    #[command(flatten)]
    pub token: TokenArgs,
}

/// How to join the fleet, the first time.
#[derive(Debug, Clone, Args)]
pub struct TokenArgs {
    /// A file with the token that `flagship token create` printed
    #[arg(long, env = "FLAGSHIP_AGENT_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The token itself; better in the environment or in a file, as others see command lines
    #[arg(
        long,
        env = "FLAGSHIP_AGENT_TOKEN",
        value_name = "TOKEN",
        hide_env_values = true,
        conflicts_with = "token_file"
    )]
    pub token: Option<String>,
    /// The cluster's name, where the token serves several; wins over the configuration file
    #[arg(long, env = "FLAGSHIP_AGENT_CLUSTER", value_name = "NAME")]
    pub cluster: Option<ClusterName>,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_command_line_is_well_formed_and_every_flag_has_a_variable() {
        Cli::command().debug_assert();
        for command in [Cli::command()]
            .iter()
            .chain(Cli::command().get_subcommands())
        {
            for flag in command.get_arguments() {
                let name = flag.get_id().as_str();
                if matches!(name, "help" | "version") {
                    continue;
                }
                assert!(flag.get_env().is_some(), "--{name} has no variable");
            }
        }
    }

    #[test]
    fn without_a_command_it_runs() {
        let cli = Cli::parse_from(["flagship-agent", "--config", "a.yaml", "--token-file", "t"]);
        assert!(cli.command.is_none());
        assert_eq!(cli.run.config, PathBuf::from("a.yaml"));
    }
}
