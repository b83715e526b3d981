//! `flagship-hub init`: a new fleet in a new folder, and the first administrator's token.

use std::{fmt, net::SocketAddr, path::PathBuf};

use anyhow::Context as _;
use flagship_proto::{digest::Digest, model::FleetId, process::Clock};

use super::Folder;
use crate::{
    args::{InitArgs, NameArgs},
    auth::Grants,
    ca::Ca,
    leader,
    ops::{Caller, CreateToken, Ops},
    store::Store,
};

/// The port for people, unless `serve` is told another.
const PEOPLE: u16 = 8440;

/// What a person needs after `init`.
#[derive(Debug)]
pub struct Founded {
    /// Where everything lies.
    pub data: PathBuf,
    /// By what name people reach the hub.
    pub name: String,
    /// The new fleet.
    pub fleet: FleetId,
    /// SHA-256 of the CA's certificate.
    pub ca_hash: Digest,
    /// The first administrator's token; nowhere else.
    pub token: String,
}

/// Founds a fleet. The folder must hold nothing of a hub yet.
pub async fn init(args: InitArgs) -> anyhow::Result<Founded> {
    let InitArgs {
        data,
        fleet,
        trust_domain,
        names,
    } = args;
    let clock = Clock::new();
    let folder = Folder::new(&data.data);
    folder.create()?;
    check_trust_domain(&trust_domain)?;
    let fleet = fleet.unwrap_or_else(leader::draw_fleet);
    let now = clock.now();
    let ca = Ca::create(folder.path(), fleet.as_str(), now.wall)?;
    folder.create_sign_key()?;
    folder.write_names(&names)?;
    folder
        .certificate(&ca, &names)
        .context("a name of the hub cannot stand in its certificate")?;
    let store = Store::init(folder.path())?;
    folder.protect()?;
    leader::found(&store, fleet.clone(), &trust_domain, now.wall).await?;
    let wanted = CreateToken {
        name: "admin".to_owned(),
        grants: Grants::everything(),
        certificate: false,
        ttl: None,
    };
    let caller = Caller::new("init").because("the first administrator");
    let created = Ops::new(store).create_token(&caller, wanted, now).await?;
    Ok(Founded {
        data: data.data,
        name: reached_by(&names),
        fleet,
        ca_hash: ca.hash(),
        token: created.secret.reveal(),
    })
}

/// The first name or address that the certificate was asked to hold; otherwise this machine's own.
fn reached_by(names: &NameArgs) -> String {
    let name = names.dns.first().cloned();
    let address = || names.ip.first().map(|ip| SocketAddr::new(*ip, PEOPLE));
    match name {
        Some(name) => format!("{name}:{PEOPLE}"),
        None => address()
            .unwrap_or_else(|| SocketAddr::from(([127, 0, 0, 1], PEOPLE)))
            .to_string(),
    }
}

fn check_trust_domain(domain: &str) -> anyhow::Result<()> {
    let fits = !domain.is_empty()
        && domain.len() <= 255
        && domain
            .chars()
            .all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || "-._".contains(c));
    anyhow::ensure!(
        fits,
        "trust domain {domain:?} is not valid: use lower case letters, digits, '-', '.' and '_'"
    );
    Ok(())
}

impl fmt::Display for Founded {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            data,
            name,
            fleet,
            ca_hash,
            token,
        } = self;
        let data = data.display();
        writeln!(f, "Founded fleet {fleet} in {data}")?;
        writeln!(f)?;
        writeln!(f, "  administrator's token   {token}")?;
        writeln!(
            f,
            "                          (shown this once; kept as a hash)"
        )?;
        writeln!(f, "  hash of the CA          {ca_hash}")?;
        writeln!(f)?;
        writeln!(f, "Next:")?;
        writeln!(f, "  flagship-hub serve --data {data}")?;
        writeln!(f, "  flagship login https://{name} --ca-hash {ca_hash}")
    }
}
