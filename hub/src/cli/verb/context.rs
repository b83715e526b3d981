//! `flagship context list | use | add | remove`: several hubs in one configuration file.

use std::path::Path;

use clap::{Args, Subcommand};
use serde::Serialize;

use super::login::{absolute, token_of};
use crate::cli::{
    client::Client,
    common::Global,
    config::{self, Config},
    context::{no_context, read, warn_if_exposed},
    exit::{CliError, Exit},
    offered,
    output::{show, table, tell},
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
A context is a hub, how to trust it, the token for it, and the project that is meant there. All
stand in ~/.config/flagship/config.yaml (FLAGSHIP_CONFIG), readable by you alone; tokens are never
printed. `flagship login` makes one and checks it; --context NAME or FLAGSHIP_CONTEXT picks one for
one command.

Examples:
  flagship context list
  flagship context use prod
  flagship context add ci --hub https://hub:8440 --ca hub-ca.pem --token-file token
  flagship context remove old";

/// What can be typed after `context`.
#[derive(Debug, Args)]
pub struct Context {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The hubs of the configuration file; * is the one that is used
    List,
    /// Use this hub from now on
    Use {
        /// Its name
        #[arg(add = offered::context())]
        name: String,
    },
    /// Keep a hub without asking it: --hub, --ca, and --token-file, --token-stdin or --client-cert
    Add {
        /// What it is to be called
        name: String,
        /// Read the token from stdin
        #[arg(long)]
        token_stdin: bool,
    },
    /// Forget a hub and the token for it
    Remove {
        /// Its name
        #[arg(add = offered::context())]
        name: String,
    },
}

/// A context as it is shown: whether there is a token, never the token.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Shown {
    name: String,
    current: bool,
    hub: String,
    project: Option<String>,
    has_token: bool,
    has_ca: bool,
    has_certificate: bool,
}

impl Context {
    /// Does it.
    pub fn run(self, global: &Global) -> Result<Exit, CliError> {
        let path = config::path()?;
        let mut config = config::load(&path)?;
        warn_if_exposed(&path);
        match self.verb {
            Verb::List => return list(global, &config, &path),
            Verb::Use { name } => {
                let context = config.contexts.get(&name);
                let context = context.ok_or_else(|| no_context(&config, &name, &path))?;
                let words = format!("context {name}: {}\n", context.hub);
                config.current_context = Some(name);
                config::save(&path, &config)?;
                tell(&words)?;
            }
            Verb::Add { name, token_stdin } => {
                if name.is_empty() || name.chars().any(|c| c.is_whitespace() || c.is_control()) {
                    return Err(CliError::bad(format!("{name:?} is no name for a context"))
                        .remedy("use letters, digits, - and ."));
                }
                if config.contexts.contains_key(&name) {
                    return Err(CliError::bad(format!("there is a context {name} already"))
                        .remedy(format!(
                            "remove it first, or log in again: flagship login URL --context {name}"
                        )));
                }
                let hub = global.hub.clone().ok_or_else(|| {
                    CliError::bad("which hub is not said").remedy("give --hub https://host:port")
                })?;
                let ca = global.ca.as_deref().map(read).transpose()?;
                let token = token_of(global, token_stdin, false)?;
                // Address and certificate are checked here, the token by the hub.
                let client = Client::new(&hub, ca.as_deref(), None)?;
                let context = config::Context {
                    hub: client.base().to_owned(),
                    ca,
                    token,
                    client_certificate: absolute(global.client_cert.as_deref()),
                    client_key: absolute(global.client_key.as_deref()),
                    project: global.project.clone(),
                };
                config.contexts.insert(name.clone(), context);
                config.current_context.get_or_insert_with(|| name.clone());
                config::save(&path, &config)?;
                tell(&format!(
                    "context {name} is kept in {}; flagship context use {name}\n",
                    path.display()
                ))?;
            }
            Verb::Remove { name } => {
                if config.contexts.remove(&name).is_none() {
                    return Err(no_context(&config, &name, &path));
                }
                let mut words = format!("context {name} is removed\n");
                if config.current_context.as_deref() == Some(name.as_str()) {
                    config.current_context = None;
                    words += "no context is used now: flagship context use NAME\n";
                }
                config::save(&path, &config)?;
                tell(&words)?;
            }
        }
        Ok(Exit::Done)
    }
}

fn list(global: &Global, config: &Config, path: &Path) -> Result<Exit, CliError> {
    let used = global.context.as_ref().or(config.current_context.as_ref());
    let contexts: Vec<Shown> = config
        .contexts
        .iter()
        .map(|(name, context)| Shown {
            name: name.clone(),
            current: Some(name) == used,
            hub: context.hub.clone(),
            project: context.project.clone(),
            has_token: context.token.is_some(),
            has_ca: context.ca.is_some(),
            has_certificate: context.client_certificate.is_some(),
        })
        .collect();
    show(global.output, &contexts, || {
        if contexts.is_empty() {
            let path = path.display();
            return format!("No hub is known in {path}: flagship login https://host:port\n");
        }
        let word = |has| if has { "kept" } else { "-" }.to_owned();
        let rows = contexts.iter().map(|context| {
            vec![
                if context.current { "*" } else { "" }.to_owned(),
                context.name.clone(),
                context.hub.clone(),
                context.project.clone().unwrap_or_else(|| "-".to_owned()),
                word(context.has_token),
                word(context.has_ca),
                word(context.has_certificate),
            ]
        });
        let head = ["", "CONTEXT", "HUB", "PROJECT", "TOKEN", "CA", "CERT"];
        table(global.look(), &head, rows.collect())
    })?;
    Ok(Exit::Done)
}
