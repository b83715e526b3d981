//! `flagship token create | list | revoke`: tokens of people, and with which clusters enrol.

use std::{collections::BTreeMap, time::Duration};

use clap::{Args, Subcommand};

use super::{get::Get, watch};
use crate::{
    api::types::{
        BindingRequest, CreatedEnrolToken, CreatedToken, EnrolTokenRequest, EnrolTokenView,
        TokenRequest, TokenView,
    },
    auth::{Role, UnknownRole},
    cli::{
        client::segment,
        common::Why,
        context::Session,
        exit::{CliError, Exit},
        output::{print, show},
        refs,
        render::{lists::in_words, words::clock},
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
A token is shown once, on stdout; everything else goes to stderr, so that
`flagship token create … > file` holds the token alone.

Examples:
  flagship token create --cluster eu-1 --label region=eu --ttl 24h
  flagship token create --cluster 'eu-*' --uses 20 --approval --reason 'new region'
  flagship token create --name ci --role operator --project shop --expires 90d
  flagship token create --name oncall --role responder --selector region=eu --lift
  flagship token create --certificate --name alice --role responder --lift
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
    /// What it may do: viewer, responder, operator, approver or admin; see flagship help rights
    #[arg(long, value_name = "ROLE", requires = "name")]
    role: Option<Role>,
    /// Only plans and clusters with this label; repeat it for more
    #[arg(long, short = 'l', value_name = "KEY=VALUE", requires = "role")]
    selector: Vec<String>,
    /// No token: people who come with a certificate of this name may do this (serve --people-ca)
    #[arg(long, requires = "name")]
    certificate: bool,
    /// It may also end aborts, freezes and local control
    #[arg(long, requires = "role")]
    lift: bool,
    /// One more role, as ROLE, ROLE@PROJECT or ROLE@PROJECT,PROJECT; repeat it for more
    #[arg(long, value_name = "ROLE@PROJECT", requires = "name", value_parser = bound)]
    also: Vec<BindingRequest>,
    /// How long it can be used: 24h, 90d (enrolment: 24h unless told; else until revoked)
    #[arg(long, visible_alias = "expires", value_name = "TIME", value_parser = watch::duration)]
    ttl: Option<Duration>,
    #[command(flatten)]
    why: Why,
}

/// `ROLE@PROJECT,PROJECT`.
fn bound(text: &str) -> Result<BindingRequest, String> {
    let (role, projects) = match text.split_once('@') {
        Some((role, projects)) => (role, projects.split(',').map(ToOwned::to_owned).collect()),
        None => (text, Vec::new()),
    };
    Ok(BindingRequest {
        role: role
            .parse()
            .map_err(|error: UnknownRole| error.to_string())?,
        projects,
        selector: None,
        lift: false,
    })
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
            let first = BindingRequest {
                role,
                projects: typed(session.named_project.as_deref()),
                selector: match self.selector.as_slice() {
                    [] => None,
                    labels => Some(refs::selector(labels)?),
                },
                lift: self.lift,
            };
            let request = TokenRequest {
                name,
                certificate: self.certificate,
                role: None,
                bindings: std::iter::once(first).chain(self.also).collect(),
                ttl_seconds,
            };
            let made: CreatedToken = session
                .client
                .post("/api/v1/tokens", &request, &because)
                .await?;
            if made.token.certificate {
                session.say(&format!(
                    "grant {} for certificates of {}: {}",
                    made.token.id,
                    made.token.name,
                    in_words(&made.token.bindings)
                ));
                if !session.format.for_people() {
                    show(session.format, &made, String::new)?;
                }
                return Ok(Exit::Done);
            }
            session.say(&format!(
                "token {} for {}: {}; it is shown this once:",
                made.token.id,
                made.token.name,
                in_words(&made.token.bindings)
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
            made.token.id,
            made.token.cluster,
            clock(made.token.expires_at, session.now())
        ));
        reveal(session, &made, made.secret.as_deref())
    }
}

/// Projects as `--project` names them, with commas between.
fn typed(projects: Option<&str>) -> Vec<String> {
    let projects = projects.into_iter().flat_map(|text| text.split(','));
    projects.map(|name| name.trim().to_owned()).collect()
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
