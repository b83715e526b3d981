//! `flagship access list`: who may do what.

use clap::{Args, Subcommand};

use crate::{
    api::types::{AccessView, List},
    cli::{
        client::{pages, segment},
        context::Session,
        exit::{CliError, Exit},
        output::show,
        render::lists,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
A line for each role that somebody holds now: by a token, or by a certificate. What ended or was
revoked is not listed; `flagship token list` and the audit log have it. `flagship help rights` says
what each role may.

Examples:
  flagship access list
  flagship access list --project shop
  flagship access list --who ci -o json";

/// What can be typed after `access`.
#[derive(Debug, Args)]
pub struct Access {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Who may do what, and where: all of them, or with --project what holds in one
    List {
        /// Only of this name
        #[arg(long, value_name = "NAME")]
        who: Option<String>,
    },
}

impl Access {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let Verb::List { who } = self.verb;
        let asked = [("project", &session.named_project), ("who", &who)];
        let asked = asked.into_iter().filter_map(|(name, value)| {
            let value = value.as_ref()?;
            Some(format!("{name}={}", segment(value)))
        });
        let query = asked.collect::<Vec<_>>().join("&");
        let path = match query.as_str() {
            "" => "/api/v1/access".to_owned(),
            query => format!("/api/v1/access?{query}"),
        };
        let list: List<AccessView> = pages(&session.client, &path).await?;
        show(session.format, &list, || {
            lists::access(session.look, &list.items, session.now())
        })?;
        Ok(Exit::Done)
    }
}
