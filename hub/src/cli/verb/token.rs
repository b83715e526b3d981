//! `flagship token create | list | revoke`: tokens of people, and with which clusters enrol.

use std::{collections::BTreeMap, time::Duration};

use clap::{Args, Subcommand};

use super::{get::Get, watch};
use crate::{
    api::types::{
        CreatedEnrolToken, CreatedToken, EnrolTokenRequest, EnrolTokenView, TokenRequest, TokenView,
    },
    auth::Role,
    cli::{
        args::Why,
        client::segment,
        context::Session,
        exit::{CliError, Exit},
        output::{print, show},
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
A token is shown once, on stdout; everything else goes to stderr, so that
`flagship token create … > file` holds the token alone.

Examples:
  flagship token create --cluster eu-1 --label region=eu --ttl 24h
  flagship token create --cluster 'eu-*' --uses 20 --approval --reason 'new region'
  flagship token create --name ci --role operator --ttl 90d
  flagship token list --enrol
  flagship token revoke 1f0c2ab344";

/// What can be typed after `token`.
#[derive(Debug, Args)]
pub struct Token {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Make a token: --cluster for enrolment, --name and --role for people and programs
    Create(Create),
    /// List the tokens of people and programs
    List {
        /// List enrolment tokens instead
        #[arg(long)]
        enrol: bool,
    },
    /// End a token at once
    Revoke {
        /// Its id, as `token list` shows it
        id: String,
        /// It is an enrolment token
        #[arg(long)]
        enrol: bool,
        #[command(flatten)]
        why: Why,
    },
}

#[derive(Debug, Args)]
struct Create {
    /// The cluster that may enrol with it, or a pattern as in 'eu-*'
    #[arg(long, value_name = "NAME", required_unless_present = "name")]
    cluster: Option<String>,
    /// A label that the cluster gets; repeat it for more
    #[arg(long, value_name = "KEY=VALUE", requires = "cluster", value_parser = label)]
    label: Vec<(String, String)>,
    /// How many clusters can use it
    #[arg(long, value_name = "N", requires = "cluster")]
    uses: Option<u32>,
    /// Each cluster waits for `flagship cluster approve`
    #[arg(long, requires = "cluster")]
    approval: bool,
    /// Who uses it; the audit log names it
    #[arg(
        long,
        value_name = "NAME",
        conflicts_with = "cluster",
        requires = "role"
    )]
    name: Option<String>,
    /// What it may do: viewer, responder, operator or admin
    #[arg(long, value_name = "ROLE", requires = "name")]
    role: Option<Role>,
    /// How long it can be used: 24h, 90d (enrolment: 24h unless told; else until revoked)
    #[arg(long, value_name = "TIME", value_parser = watch::duration)]
    ttl: Option<Duration>,
    #[command(flatten)]
    why: Why,
}

fn label(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.is_empty() => Ok((key.to_owned(), value.to_owned())),
        Some(_) | None => Err("write it as key=value".to_owned()),
    }
}

impl Token {
    /// Does it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        match self.verb {
            Verb::Create(create) => return create.run(session).await,
            Verb::List { enrol: true } => return Get::all_of("enrol-tokens").run(session).await,
            Verb::List { enrol: false } => return Get::all_of("tokens").run(session).await,
            Verb::Revoke {
                id,
                enrol: true,
                why,
            } => {
                let path = format!("/api/v1/enrol-tokens/{}", segment(&id));
                let view: EnrolTokenView = session.client.delete(&path, &why.because()).await?;
                show(session.format, &view, || {
                    format!("enrolment token {} is revoked\n", view.id)
                })?;
            }
            Verb::Revoke {
                id,
                enrol: false,
                why,
            } => {
                session.confirm(&format!("Revoke token {id}?"))?;
                let path = format!("/api/v1/tokens/{}", segment(&id));
                let view: TokenView = session.client.delete(&path, &why.because()).await?;
                show(session.format, &view, || {
                    format!("token {} of {} is revoked\n", view.id, view.name)
                })?;
            }
        }
        Ok(Exit::Done)
    }
}

impl Create {
    async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let ttl_seconds = self.ttl.map(|ttl| ttl.as_secs());
        let because = self.why.because();
        if let (Some(name), Some(role)) = (self.name, self.role) {
            let request = TokenRequest {
                name,
                role,
                ttl_seconds,
            };
            let made: CreatedToken = session
                .client
                .post("/api/v1/tokens", &request, &because)
                .await?;
            session.say(&format!(
                "token {} for {} as {}; it is shown this once:",
                made.token.id, made.token.name, made.token.role
            ));
            return reveal(session, &made, made.secret.as_deref());
        }
        let request = EnrolTokenRequest {
            cluster: self.cluster.unwrap_or_default(),
            labels: self.label.into_iter().collect::<BTreeMap<_, _>>(),
            ttl_seconds,
            uses: self.uses,
            approval: self.approval,
        };
        let made: CreatedEnrolToken = session
            .client
            .post("/api/v1/enrol-tokens", &request, &because)
            .await?;
        session.say(&format!(
            "enrolment token {} for {}, until {}; it is shown this once:",
            made.token.id, made.token.cluster, made.token.expires_at
        ));
        reveal(session, &made, made.secret.as_deref())
    }
}

fn reveal<T: serde::Serialize>(
    session: &Session,
    made: &T,
    secret: Option<&str>,
) -> Result<Exit, CliError> {
    if !session.format.for_people() {
        show(session.format, made, String::new)?;
        return Ok(Exit::Done);
    }
    match secret {
        Some(secret) => print(&format!("{secret}\n")).map(|()| Exit::Done),
        None => Err(CliError::new(
            Exit::Refused,
            "this token was made by an earlier command with the same key; the hub does not keep secrets",
        )
        .remedy("revoke it and make another one")),
    }
}
