//! The hub's command line. Every flag has an environment variable `FLAGSHIP_HUB_…`; where traces go, the
//! standard's.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{Args, Parser, Subcommand};
use flagship_proto::{
    model::FleetId,
    process::{telemetry::LogArgs, traces::TraceArgs},
};

use crate::ca::AGENT_LIFE;

/// Drives global rollout plans, wave by wave, over a fleet of clusters.
#[derive(Debug, Parser)]
#[command(name = "flagship-hub", version)]
pub struct Cli {
    /// What to do
    #[command(subcommand)]
    pub command: Command,
    /// How logs are written
    #[command(flatten)]
    pub log: LogArgs,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Found a fleet in a new data folder: its store, its CA, and the first administrator's token,
    /// which is printed once
    Init(InitArgs),
    /// Run the hub on the data folder that `init` made
    Serve(ServeArgs),
    /// Go on after an older copy of the data folder was put back: begins a new epoch above all that
    /// was seen, pauses every rollout, and has every member confirmed again. The hub must not run
    Recover(RecoverArgs),
    /// Write everything a hub is made of into one file, also while it serves; it holds secrets
    Backup(BackupArgs),
    /// Make a data folder of a backup: a new epoch, every rollout paused, every member to be
    /// confirmed again
    Restore(RestoreArgs),
}

/// Where the hub keeps everything.
#[derive(Debug, Clone, Args)]
pub struct DataArgs {
    /// The data folder: store, keys and certificates; for the hub's user only
    #[arg(
        long,
        env = "FLAGSHIP_HUB_DATA",
        default_value = "/var/lib/flagship-hub",
        value_name = "DIR"
    )]
    pub data: PathBuf,
}

/// How a fleet is founded.
#[derive(Debug, Clone, Args)]
pub struct InitArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described where it is defined")]
    pub data: DataArgs,
    /// The fleet's id; drawn if none is given
    #[arg(long, env = "FLAGSHIP_HUB_FLEET", value_name = "NAME")]
    pub fleet: Option<FleetId>,
    /// The trust domain of the clusters' SPIFFE ids
    #[arg(
        long,
        env = "FLAGSHIP_HUB_TRUST_DOMAIN",
        default_value = "flagship.local",
        value_name = "DOMAIN"
    )]
    pub trust_domain: String,
    #[command(flatten)]
    #[allow(missing_docs, reason = "described where it is defined")]
    pub names: NameArgs,
}

/// How history goes on.
#[derive(Debug, Clone, Args)]
pub struct RecoverArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described where it is defined")]
    pub data: DataArgs,
    /// Why, in your words; the audit log keeps it
    #[arg(long, env = "FLAGSHIP_HUB_REASON", value_name = "TEXT")]
    pub reason: String,
}

/// Of what a backup is made.
#[derive(Debug, Clone, Args)]
pub struct BackupArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described where it is defined")]
    pub data: DataArgs,
    /// The file to write; it must not be there yet, and is for its owner only
    #[arg(long, env = "FLAGSHIP_HUB_BACKUP", value_name = "FILE")]
    pub to: PathBuf,
}

/// From what a folder is made.
#[derive(Debug, Clone, Args)]
pub struct RestoreArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described where it is defined")]
    pub data: DataArgs,
    /// The backup
    #[arg(long, env = "FLAGSHIP_HUB_BACKUP", value_name = "FILE")]
    pub from: PathBuf,
    /// Why, in your words; the audit log keeps it
    #[arg(long, env = "FLAGSHIP_HUB_REASON", value_name = "TEXT")]
    pub reason: String,
}

/// How people and agents reach the hub.
#[derive(Debug, Clone, Default, Args)]
pub struct NameArgs {
    /// A DNS name by which people and agents reach the hub, besides localhost; may be repeated
    #[arg(
        long,
        env = "FLAGSHIP_HUB_DNS",
        value_delimiter = ',',
        value_name = "NAME"
    )]
    pub dns: Vec<String>,
    /// An address by which they reach it, besides 127.0.0.1 and ::1; may be repeated
    #[arg(
        long,
        env = "FLAGSHIP_HUB_IP",
        value_delimiter = ',',
        value_name = "ADDRESS"
    )]
    pub ip: Vec<IpAddr>,
}

/// How the hub runs.
#[derive(Debug, Clone, Args)]
pub struct ServeArgs {
    #[command(flatten)]
    #[allow(missing_docs, reason = "described where it is defined")]
    pub data: DataArgs,
    /// Where people and CI reach the API; port 0 takes a free one
    #[arg(
        long,
        env = "FLAGSHIP_HUB_LISTEN_API",
        default_value = "127.0.0.1:8440",
        value_name = "ADDRESS"
    )]
    pub listen_api: SocketAddr,
    /// Where agents reach the hub; port 0 takes a free one
    #[arg(
        long,
        env = "FLAGSHIP_HUB_LISTEN_AGENTS",
        default_value = "127.0.0.1:8441",
        value_name = "ADDRESS"
    )]
    pub listen_agents: SocketAddr,
    /// How long a cluster may advance after it was last heard, in seconds (L); the worst case after an
    /// abort follows from it
    #[arg(
        long,
        env = "FLAGSHIP_HUB_LEASE_SECONDS",
        default_value_t = 30,
        value_parser = clap::value_parser!(u64).range(3..=3600),
        value_name = "SECONDS"
    )]
    pub lease_seconds: u64,
    /// Who is told what: a YAML file with channels, routes and links; nobody is told without it
    #[arg(long, env = "FLAGSHIP_HUB_NOTIFICATIONS", value_name = "FILE")]
    pub notifications: Option<PathBuf>,
    /// The hub's address as people reach it, for links in messages (https://hub.example.com:8440)
    #[arg(
        long,
        env = "FLAGSHIP_HUB_PUBLIC_URL",
        value_name = "URL",
        hide_env_values = true
    )]
    pub public_url: Option<String>,
    /// Show `/metrics` on the port for people without a token too; else a scraper needs one with the
    /// role viewer (`flagship token create --name prometheus --role viewer`)
    #[arg(long, env = "FLAGSHIP_HUB_METRICS_WITHOUT_TOKEN")]
    pub metrics_without_token: bool,
    #[command(flatten)]
    #[allow(missing_docs, reason = "described where it is defined")]
    pub traces: TraceArgs,
    /// A CA whose certificates let people in, besides tokens (PEM): the way in when all else is down. Who
    /// may do what is granted by name: `flagship token create --certificate --name NAME --role ROLE`
    #[arg(long, env = "FLAGSHIP_HUB_PEOPLE_CA", value_name = "FILE")]
    pub people_ca: Option<PathBuf>,
    /// How long an agent's certificate lives, in seconds; it renews at two thirds of its life
    #[arg(
        long,
        env = "FLAGSHIP_HUB_CERTIFICATE_SECONDS",
        default_value_t = AGENT_LIFE.as_secs(),
        value_parser = clap::value_parser!(u64).range(10..=AGENT_LIFE.as_secs()),
        value_name = "SECONDS"
    )]
    pub certificate_seconds: u64,
    #[command(flatten)]
    #[allow(missing_docs, reason = "described where it is defined")]
    pub names: NameArgs,
}

/// Refuses an address that not everybody may see: it stands in messages and settings. What is refused is not
/// repeated: it may hold a secret.
pub(crate) fn check_public_url(text: &str) -> anyhow::Result<()> {
    let uri: http::Uri = text.parse().unwrap_or_default();
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    anyhow::ensure!(
        !authority.contains('@'),
        "--public-url has a user or a password in it, and is shown in every message: leave them out"
    );
    let is_plain = matches!(uri.scheme_str(), Some("https" | "http")) && uri.query().is_none();
    anyhow::ensure!(
        is_plain && !authority.is_empty(),
        "--public-url is not the address of a hub: write it as https://hub.example.com:8440"
    );
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_public_address_has_no_secret_in_it() {
        for (text, is_taken) in [
            ("https://hub.example.com:8440", true),
            ("https://hub.example.com/flagship/", true),
            ("http://127.0.0.1:8440", true),
            ("https://user:secret@hub.example.com", false),
            ("https://token@hub.example.com", false),
            ("https://hub.example.com/?token=x", false),
            ("hub.example.com", false),
            ("javascript:alert(1)", false),
            ("", false),
        ] {
            let read = check_public_url(text);
            assert_eq!(read.is_ok(), is_taken, "{text}: {read:?}");
            let said = read.err().map(|error| error.to_string());
            assert!(!said.unwrap_or_default().contains("secret"));
        }
    }
}
