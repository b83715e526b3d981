//! What can be typed: the verbs with their help, on top of all of them.

use clap::{Arg, Command, CommandFactory as _, Parser, Subcommand};

use super::{
    common::Global,
    complete,
    output::{page, set, with_whole_commands},
    verb,
};

const ABOUT: &str = "Releases over a fleet of clusters, wave by wave; and stops them";

const AFTER: &str = "\
Start here:
  flagship login https://hub:8440 --ca-hash sha256:… --token-stdin
  flagship apply -f plan.yaml
  flagship start shop/checkout --to-version 1.9.0 --reason 'release 1.9' --wait
  flagship abort --fleet --reason 'errors everywhere' --wait

More: flagship help stop | plan | gates | exit-codes | rights | limits | VERB";

/// The command line.
#[derive(Debug, Parser)]
#[command(
    name = "flagship",
    version,
    about = ABOUT,
    after_help = AFTER,
    disable_help_subcommand = true,
    arg_required_else_help = true
)]
pub struct Cli {
    /// Options of every verb.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Check plans and store them on the hub
    #[command(after_help = verb::apply::EXAMPLES)]
    Apply(verb::apply::Apply),
    /// Show how plan files differ from what the hub has
    #[command(after_help = verb::apply::DIFF_EXAMPLES)]
    Diff(verb::apply::Diff),
    /// List plans, rollouts, clusters, aborts, freezes or tokens
    #[command(after_help = verb::get::GET_EXAMPLES)]
    Get(verb::get::Get),
    /// Say in words how one thing stands and what it waits for
    #[command(after_help = verb::get::DESCRIBE_EXAMPLES)]
    Describe(verb::get::Describe),
    /// Say why: the chain of reasons from a rollout's start to now, and why something has not happened
    #[command(after_help = verb::explain::EXAMPLES)]
    Explain(verb::explain::Explain),
    /// What was changed in the last hour, by whom and why
    #[command(after_help = verb::changes::EXAMPLES)]
    Changes(verb::changes::Changes),
    /// Start a rollout of a plan
    #[command(after_help = verb::start::EXAMPLES)]
    Start(verb::start::Start),
    /// The fleet at a glance: standing aborts and freezes, clusters, rollouts under way
    #[command(after_help = verb::status::EXAMPLES)]
    Status(verb::status::Status),
    /// Follow a rollout live
    #[command(after_help = verb::watch::EXAMPLES)]
    Watch(verb::watch::Watch),
    /// Hold a rollout: weights stay, nothing new starts
    #[command(after_help = verb::rollout::PAUSE_EXAMPLES)]
    Pause(verb::rollout::Pause),
    /// Let a paused rollout go on
    #[command(after_help = verb::rollout::RESUME_EXAMPLES)]
    Resume(verb::rollout::Resume),
    /// Let nothing advance in a scope for a time: weights stay, nothing starts
    #[command(after_help = verb::freeze::EXAMPLES)]
    Freeze(verb::freeze::Freeze),
    /// End a freeze before its time; what it held goes on
    #[command(after_help = verb::freeze::UNFREEZE_EXAMPLES)]
    Unfreeze(verb::freeze::Unfreeze),
    /// Stop everything in a scope, now, until it is lifted
    #[command(after_help = verb::abort::EXAMPLES)]
    Abort(verb::abort::Abort),
    /// End an abort; moves nothing by itself
    #[command(after_help = verb::lift::EXAMPLES)]
    Lift(verb::lift::Lift),
    /// Take every cluster of a rollout back, Done ones too
    #[command(after_help = verb::rollout::RETREAT_EXAMPLES)]
    Retreat(verb::rollout::Retreat),
    /// Run a failed or aborted rollout again; Done clusters stay
    #[command(after_help = verb::rollout::RETRY_EXAMPLES)]
    Retry(verb::rollout::Retry),
    /// Take a mixed state as final
    #[command(after_help = verb::rollout::ACCEPT_EXAMPLES)]
    Accept(verb::rollout::Accept),
    /// List, approve or remove clusters; end local control of one
    #[command(after_help = verb::cluster::EXAMPLES)]
    Cluster(verb::cluster::Cluster),
    /// Who may do what
    #[command(after_help = verb::access::EXAMPLES)]
    Access(verb::access::Access),
    /// Make, list and revoke tokens: of people, and with which clusters enrol
    #[command(after_help = verb::token::EXAMPLES)]
    Token(verb::token::Token),
    /// What people are told: list it, and test the channels
    #[command(after_help = verb::notify::EXAMPLES)]
    Notify(verb::notify::Notify),
    /// Read, verify and export the audit log
    #[command(after_help = verb::audit::EXAMPLES)]
    Audit(verb::audit::Audit),
    /// Collect what somebody who helps has to see into one file, without secrets
    #[command(after_help = verb::support::EXAMPLES)]
    SupportBundle(verb::support::SupportBundle),
    /// Check a plan file without a hub
    #[command(after_help = verb::lint::EXAMPLES)]
    Lint(verb::lint::Lint),
    /// Trust a hub by the hash of its CA and keep a token for it
    #[command(after_help = verb::login::EXAMPLES)]
    Login(verb::login::Login),
    /// List, choose, add and remove hubs of the configuration file
    #[command(after_help = verb::context::EXAMPLES)]
    Context(verb::context::Context),
    /// Write a plan to begin with
    #[command(after_help = verb::plan::EXAMPLES)]
    Plan(verb::plan::Plan),
    /// Write the manual pages
    #[command(after_help = verb::man::EXAMPLES)]
    Man(verb::man::Man),
    /// Print the completion script of a shell
    #[command(after_help = verb::completion::EXAMPLES)]
    Completion(verb::completion::Completion),
    /// Explain a verb or a topic: stop, plan, gates, exit-codes, rights, limits
    #[command(after_help = verb::help::EXAMPLES)]
    Help(verb::help::Help),
}

/// The same with its helps set for so many columns: clap breaks lines at spaces, also those in a command.
/// What is printed of it goes through [`printed`](super::output::printed).
pub fn shaped(command: Command, width: usize) -> Command {
    let width = width.min(WIDEST);
    let after = command.get_after_help().map(ToString::to_string);
    let command = match after {
        Some(text) => command.after_help(set(&page(width, &text))),
        None => command,
    };
    let whole = |arg: Arg| match arg.get_help().map(ToString::to_string) {
        Some(help) => arg.help(with_whole_commands(&help)),
        None => arg,
    };
    command
        .term_width(width)
        .next_line_help(width < NARROW)
        .mut_args(whole)
        .mut_subcommands(|verb| shaped(verb, width))
}

/// In fewer columns what an option does stands below it: beside the longest there would be no room.
const NARROW: usize = 70;

/// Helps are never wider, so that they are read.
const WIDEST: usize = 100;

/// All that can be typed, for help, manual pages and completion.
pub fn command() -> Command {
    let command = Cli::command();
    let verbs = command.get_subcommands();
    let verbs: Vec<String> = verbs.map(|verb| verb.get_name().to_owned()).collect();
    command.mut_subcommand("help", |help| {
        help.mut_arg("words", |words| words.add(complete::topic(verbs)))
    })
}
