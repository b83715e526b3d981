//! The way from what was typed to the verb that does it.

use super::{
    args::{Cli, Verb, command},
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
        Verb::Describe(verb) => verb.run(&open()?).await.map_err(beside_hub),
        Verb::Explain(verb) => verb.run(&open()?).await.map_err(beside_hub),
        Verb::Changes(verb) => verb.run(&open()?).await,
        Verb::Start(verb) => verb.run(&open()?).await,
        Verb::Status(verb) => verb.run(&open()?).await.map_err(beside_hub),
        Verb::Watch(verb) => verb.run(&open()?).await.map_err(beside_hub),
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
        Verb::Man(verb) => verb.run(command()),
        Verb::Completion(verb) => verb.run(),
        Verb::Help(verb) => verb.run(command()),
    }
}
