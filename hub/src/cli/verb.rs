//! The verbs, one file each (those that act on one rollout share one), and the way to them.

pub mod abort;
pub mod access;
pub mod apply;
pub mod audit;
pub mod changes;
pub mod cluster;
pub mod completion;
pub mod context;
pub mod explain;
pub mod freeze;
pub mod get;
pub mod help;
pub mod lift;
pub mod lint;
pub mod login;
pub mod man;
pub mod notify;
pub mod plan;
pub mod rollout;
pub mod start;
pub mod status;
pub mod support;
pub mod token;
pub mod watch;

use super::{
    args::{Cli, Verb},
    context::Session,
    exit::{CliError, Exit, beside_hub},
};

/// Does what was typed.
pub async fn run(cli: Cli) -> Result<Exit, CliError> {
    let global = cli.global;
    let open = || Session::open(&global);
    match cli.verb {
        Verb::Apply(verb) => verb.run(&open()?).await,
        Verb::Diff(verb) => verb.run(&open()?).await,
        Verb::Get(verb) => verb.run(&open()?).await,
        Verb::Describe(verb) => verb.run(&open()?).await,
        Verb::Explain(verb) => verb.run(&open()?).await,
        Verb::Changes(verb) => verb.run(&open()?).await,
        Verb::Start(verb) => verb.run(&open()?).await,
        Verb::Status(verb) => verb.run(&open()?).await.map_err(beside_hub),
        Verb::Watch(verb) => verb.run(&open()?).await,
        Verb::Pause(verb) => verb.run(&open()?).await,
        Verb::Resume(verb) => verb.run(&open()?).await,
        Verb::Freeze(verb) => verb.run(&open()?).await,
        Verb::Unfreeze(verb) => verb.run(&open()?).await,
        Verb::Abort(verb) => verb.run(&open()?).await,
        Verb::Lift(verb) => verb.run(&open()?).await.map_err(beside_hub),
        Verb::Retreat(verb) => verb.run(&open()?).await,
        Verb::Retry(verb) => verb.run(&open()?).await,
        Verb::Accept(verb) => verb.run(&open()?).await,
        Verb::Cluster(verb) => verb.run(&open()?).await,
        Verb::Access(verb) => verb.run(&open()?).await,
        Verb::Token(verb) => verb.run(&open()?).await,
        Verb::Notify(verb) => verb.run(&open()?).await,
        Verb::SupportBundle(verb) => verb.run(&open()?).await,
        Verb::Audit(verb) => verb.run(&global).await,
        Verb::Lint(verb) => verb.run(&global),
        Verb::Login(verb) => verb.run(&global).await,
        Verb::Context(verb) => verb.run(&global),
        Verb::Plan(verb) => verb.run(&global),
        Verb::Man(verb) => verb.run(),
        Verb::Completion(verb) => verb.run(),
        Verb::Help(verb) => verb.run(),
    }
}
