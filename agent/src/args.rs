//! The command line. Every flag has an environment variable `FLAGSHIP_AGENT_…`; where traces go, the
//! standard's.

use std::{net::SocketAddr, path::PathBuf};

use clap::{Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;
use flagship_proto::{
    model::ClusterName,
    process::{telemetry::LogArgs, traces::TraceArgs},
};

/// Where the configuration file is unless it is said.
pub const CONFIG: &str = "/etc/flagship/agent.yaml";

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
    /// Hold or take back what is released here, on the spot: works while the hub is away
    ///
    /// Talks to the agent that runs on this machine. Only in the safe direction: a hold keeps
    /// traffic where it is, a retreat takes back what is in flight (and what was just finished),
    /// and while either stands nothing starts here. It is kept through a restart of the agent,
    /// reported to the hub and audited there. A release moves nothing by itself.
    #[command(after_help = CTL_EXAMPLES)]
    Ctl(CtlArgs),
    /// Print the completion script of a shell
    #[command(after_help = COMPLETION_EXAMPLES)]
    Completion {
        /// The shell
        shell: Shell,
    },
    /// Print the version
    Version,
}

const CTL_EXAMPLES: &str = "\
Examples:
  flagship-agent ctl status
  flagship-agent ctl hold checkout --reason 'errors in this region'
  flagship-agent ctl retreat shop/Deployment/checkout --reason 'errors' --wait
  flagship-agent ctl retreat --all --reason 'the hub is away and it burns'
  flagship-agent ctl release checkout --reason 'fixed'

Exit status: 0 done, 2 bad input, 3 refused, 4 no agent answers, 7 not back in time (--wait),
12 in force but not on disk.";

const COMPLETION_EXAMPLES: &str = "\
Examples:
  flagship-agent completion bash > /etc/bash_completion.d/flagship-agent
  flagship-agent completion zsh > ~/.zfunc/_flagship-agent";

/// Which agent, and what it is told.
#[derive(Debug, Clone, Args)]
pub struct CtlArgs {
    /// The agent's configuration file, which says where its data folder is
    #[arg(
        long,
        short,
        global = true,
        env = "FLAGSHIP_AGENT_CONFIG",
        default_value = CONFIG,
        value_name = "FILE"
    )]
    pub config: PathBuf,
    /// The agent's data folder; wins over the configuration file
    #[arg(long, global = true, env = "FLAGSHIP_AGENT_DATA", value_name = "DIR")]
    pub data: Option<PathBuf>,
    /// What it is told
    #[command(subcommand)]
    pub verb: CtlVerb,
}

/// What an agent is told on the spot.
#[derive(Debug, Clone, Subcommand)]
pub enum CtlVerb {
    /// How each workload stands, and what local control stands
    Status {
        /// How the answer is printed
        #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
        output: Format,
    },
    /// Keep traffic where it is; nothing starts
    Hold(OverArgs),
    /// Take back what is in flight, and what was just finished; nothing starts
    Retreat {
        /// Over what
        #[command(flatten)]
        over: OverArgs,
        /// Wait until no traffic is left on the change
        #[arg(long)]
        wait: bool,
        /// How long to wait, in seconds
        #[arg(long, default_value_t = 60, value_name = "SECONDS", requires = "wait")]
        timeout: u64,
    },
    /// End a hold or a retreat; moves nothing by itself
    Release(OverArgs),
    /// Only of an agent without a hub: skip the rest of the analysis
    Promote {
        /// Which workload
        workload: String,
    },
    /// Only of an agent without a hub: begin a failed canary again
    Retry {
        /// Which workload
        workload: String,
    },
}

/// Over what a local control is, and why.
#[derive(Debug, Clone, Args)]
pub struct OverArgs {
    /// Which workloads: NAMESPACE/KIND/NAME, NAMESPACE/NAME, or NAME where only one has it
    #[arg(
        required_unless_present = "all",
        conflicts_with = "all",
        value_name = "WORKLOAD"
    )]
    pub workloads: Vec<String>,
    /// All workloads of this agent
    #[arg(long)]
    pub all: bool,
    /// Why, in your words; the hub's audit log keeps it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// How the answer is printed
    #[arg(long, short, value_enum, default_value_t, value_name = "FORMAT")]
    pub output: Format,
}

/// How an answer is printed.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, ValueEnum)]
pub enum Format {
    /// For people.
    #[default]
    Table,
    /// For programs.
    Json,
}

/// How to run.
#[derive(Debug, Clone, Args)]
pub struct RunArgs {
    /// The configuration file
    #[arg(
        long,
        short,
        env = "FLAGSHIP_AGENT_CONFIG",
        default_value = CONFIG,
        value_name = "FILE"
    )]
    pub config: PathBuf,
    /// Where `/metrics`, `/healthz` and `/readyz` are served, without a token and without TLS; nowhere
    /// unless it is said. Port 0 takes a free one, which the log names
    #[arg(long, env = "FLAGSHIP_AGENT_LISTEN_METRICS", value_name = "ADDRESS")]
    pub listen_metrics: Option<SocketAddr>,
    /// Where rollouts are traced
    #[command(flatten)]
    pub traces: TraceArgs,
    /// How to join
    #[command(flatten)]
    pub token: TokenArgs,
}

/// How to join the fleet, the first time.
#[derive(Debug, Clone, Args)]
pub struct TokenArgs {
    /// A file with the token that `flagship token create` printed; or give the token itself in the
    /// environment, as FLAGSHIP_AGENT_TOKEN
    #[arg(long, env = "FLAGSHIP_AGENT_TOKEN_FILE", value_name = "FILE")]
    pub token_file: Option<PathBuf>,
    /// The token itself; no flag, since everybody on the machine sees command lines
    #[arg(skip = std::env::var("FLAGSHIP_AGENT_TOKEN").ok())]
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
                if matches!(name, "help" | "version") || flag.is_positional() {
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
