//! What verbs share of what can be typed: the options of every verb, and why something is changed.

use std::path::PathBuf;

use clap::Args;

use super::{
    client::Because,
    offered,
    output::{Format, Look},
};

/// Options of every verb.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Options of every verb")]
pub struct Global {
    /// The hub's address, https://host:port; otherwise that of the context
    #[arg(
        long,
        global = true,
        hide_env_values = true,
        env = "FLAGSHIP_HUB",
        value_name = "URL"
    )]
    pub hub: Option<String>,
    /// A file with the token; otherwise FLAGSHIP_TOKEN, otherwise that of the context
    #[arg(
        long,
        global = true,
        hide_env_values = true,
        env = "FLAGSHIP_TOKEN_FILE",
        value_name = "FILE"
    )]
    pub token_file: Option<PathBuf>,
    /// The hub's CA certificate (PEM); otherwise the one pinned at login
    #[arg(
        long,
        global = true,
        hide_env_values = true,
        env = "FLAGSHIP_CA",
        value_name = "FILE"
    )]
    pub ca: Option<PathBuf>,
    /// Your certificate (PEM), where the hub lets people in by one; otherwise that of the context
    #[arg(
        long,
        global = true,
        hide_env_values = true,
        env = "FLAGSHIP_CLIENT_CERT",
        value_name = "FILE",
        requires = "client_key"
    )]
    pub client_cert: Option<PathBuf>,
    /// Its key (PEM)
    #[arg(
        long,
        global = true,
        hide_env_values = true,
        env = "FLAGSHIP_CLIENT_KEY",
        value_name = "FILE",
        requires = "client_cert"
    )]
    pub client_key: Option<PathBuf>,
    /// The project that is meant where none is named; otherwise FLAGSHIP_PROJECT or the context's
    #[arg(long, global = true, value_name = "PROJECT")]
    pub project: Option<String>,
    /// Which hub of the configuration file
    #[arg(long, global = true, hide_env_values = true, env = "FLAGSHIP_CONTEXT", value_name = "NAME", add = offered::context())]
    pub context: Option<String>,
    /// How answers are printed
    #[arg(
        long,
        short,
        global = true,
        hide_env_values = true, env = "FLAGSHIP_OUTPUT",
        default_value = "table",
        hide_default_value = true,
        add = offered::format(),
        value_name = "table|wide|json|yaml|jsonpath=PATH"
    )]
    pub output: Format,
    /// Do not ask before what is dangerous
    #[arg(long, short, global = true)]
    pub yes: bool,
    /// No colours (NO_COLOR does the same)
    #[arg(long, global = true)]
    pub no_color: bool,
}

impl Global {
    /// How text may look: what stdout is, and whether everything is wanted.
    pub fn look(&self) -> Look {
        let look = Look::of_stdout(self.no_color);
        match self.output {
            Format::Wide => look.everything(),
            Format::Table | Format::Json | Format::Yaml | Format::Path(_) => look,
        }
    }
}

/// Why something is changed; it is kept in the audit log.
#[derive(Debug, Clone, Default, Args)]
pub struct Why {
    /// Why, in your words; the audit log keeps it
    #[arg(long, value_name = "TEXT")]
    pub reason: Option<String>,
    /// The ticket that this belongs to
    #[arg(long, value_name = "TICKET")]
    pub ticket: Option<String>,
    /// The same key makes a repeated command happen only once
    #[arg(long, value_name = "KEY")]
    pub idempotency_key: Option<String>,
}

impl Why {
    /// With a key of its own unless one was given, so that a request sent twice happens once.
    pub fn because(&self) -> Because {
        let drawn = || hex::encode(rand::random::<[u8; 16]>());
        Because {
            reason: self.reason.clone(),
            ticket: self.ticket.clone(),
            key: self.idempotency_key.clone().unwrap_or_else(drawn),
        }
    }
}
