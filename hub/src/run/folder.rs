//! The hub's data folder: which files lie in it and what they are for.
//!
//! `flagship.redb` the store, `ca.key.pem` and `ca.pem` the CA, `sign.key.pem` the key that signs orders and
//! aborts, `hub.json` the names of the hub, `addresses.json` where it listens now.

use std::{
    net::IpAddr,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    sync::Arc,
};

use anyhow::{Context as _, bail};
use flagship_proto::{
    process::files::{self, PRIVATE},
    sign::SignKey,
    tls::CurrentCert,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::Bound;
use crate::{args::NameArgs, backup, ca::Ca};

const SIGN_KEY: &str = "sign.key.pem";
const NAMES: &str = "hub.json";
const ADDRESSES: &str = "addresses.json";
const MOST: u64 = 64 * 1024;
/// What others may read.
const PUBLIC: &[&str] = &["ca.pem", NAMES, ADDRESSES];

/// A data folder.
#[derive(Debug, Clone)]
pub struct Folder(PathBuf);

/// By which names the hub is reached, besides the loopback's.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Names {
    dns: Vec<String>,
    ip: Vec<IpAddr>,
}

impl Folder {
    /// Names the folder; nothing is read or made.
    pub fn new(path: &Path) -> Self {
        Self(path.to_owned())
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// Makes it, for its owner only; refused where something of a hub lies in it.
    pub fn create(&self) -> anyhow::Result<()> {
        files::private_folder(&self.0)?;
        let content = std::fs::read_dir(&self.0)
            .with_context(|| format!("cannot read {}", self.0.display()))?;
        for entry in content.flatten() {
            let name = entry.file_name();
            let name = name.to_string_lossy();
            if name == NAMES || name.ends_with(".redb") || name.ends_with(".pem") {
                bail!(
                    "{} already holds {name}: `flagship-hub serve --data {}` runs the hub that is there; init wants an empty folder",
                    self.0.display(),
                    self.0.display()
                );
            }
        }
        Ok(())
    }

    /// Closes to others what holds secrets, where it stands open; refused where that cannot be done.
    pub fn protect(&self) -> anyhow::Result<()> {
        let mut paths = vec![self.0.clone()];
        let content = std::fs::read_dir(&self.0);
        for entry in content.into_iter().flatten().flatten() {
            let name = entry.file_name();
            if !PUBLIC.iter().any(|public| name == *public) {
                paths.push(entry.path());
            }
        }
        files::tighten_all(paths.iter().map(PathBuf::as_path)).context(
            "the data folder holds keys: it has to belong to the user that the hub runs as",
        )
    }

    /// Makes and keeps the key that signs orders and aborts.
    pub fn create_sign_key(&self) -> anyhow::Result<()> {
        let pem = SignKey::generate()?.to_pem();
        files::write_atomic(&self.0.join(SIGN_KEY), pem.as_bytes(), PRIVATE)?;
        Ok(())
    }

    /// The key that signs orders and aborts.
    pub fn sign_key(&self) -> anyhow::Result<SignKey> {
        let path = self.0.join(SIGN_KEY);
        let bytes = files::read(&path, MOST)?.with_context(|| {
            format!(
                "{} is missing: put it back, or found a new fleet with `flagship-hub init`",
                path.display()
            )
        })?;
        let pem = String::from_utf8(bytes)?;
        SignKey::from_pem(&pem).with_context(|| format!("{} cannot be used", path.display()))
    }

    /// Keeps the hub's names.
    pub fn write_names(&self, names: &NameArgs) -> anyhow::Result<()> {
        let names = Names {
            dns: names.dns.clone(),
            ip: names.ip.clone(),
        };
        let text = serde_json::to_vec_pretty(&names)?;
        files::write_atomic(&self.0.join(NAMES), &text, 0o644)?;
        Ok(())
    }

    /// A fresh certificate of the hub for the names that `init` kept and those given now.
    pub fn certificate(&self, ca: &Ca, more: &NameArgs) -> anyhow::Result<Arc<CurrentCert>> {
        let made = self.server_certificate(ca, more)?;
        Ok(Arc::new(CurrentCert::new(&made.chain_pem, &made.key_pem)?))
    }

    /// The same for who holds one already.
    pub fn renew(&self, held: &CurrentCert, ca: &Ca, more: &NameArgs) -> anyhow::Result<()> {
        let made = self.server_certificate(ca, more)?;
        held.replace(&made.chain_pem, &made.key_pem)?;
        Ok(())
    }

    fn server_certificate(
        &self,
        ca: &Ca,
        more: &NameArgs,
    ) -> anyhow::Result<crate::ca::ServerCert> {
        let path = self.0.join(NAMES);
        let kept: Names = match files::read(&path, MOST)? {
            Some(bytes) => serde_json::from_slice(&bytes)
                .with_context(|| format!("{} cannot be read", path.display()))?,
            None => Names::default(),
        };
        let mut dns = vec!["localhost".to_owned()];
        dns.extend(kept.dns.into_iter().chain(more.dns.clone()));
        let loopback = [
            IpAddr::from([127, 0, 0, 1]),
            IpAddr::from([0, 0, 0, 0, 0, 0, 0, 1]),
        ];
        let mut ips = loopback.to_vec();
        ips.extend(kept.ip.into_iter().chain(more.ip.clone()));
        dns.dedup();
        Ok(ca.server(&dns, &ips, Timestamp::now())?)
    }

    /// The files that a backup holds beside the store: keys, certificates, names. **Secrets.**
    pub fn kept_files(&self) -> anyhow::Result<Vec<backup::File>> {
        let mut kept = Vec::new();
        let content = std::fs::read_dir(&self.0)
            .with_context(|| format!("cannot read {}", self.0.display()))?;
        for entry in content {
            let entry = entry?;
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_kept = name == NAMES || name.ends_with(".pem");
            if name.starts_with('.') || !is_kept {
                continue;
            }
            let mode = entry.metadata()?.permissions().mode() & 0o777;
            let content = files::read(&entry.path(), MOST)?.unwrap_or_default();
            kept.push(backup::File {
                name,
                mode,
                content,
            });
        }
        kept.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(kept)
    }

    /// Says where the hub listens.
    pub fn write_addresses(&self, bound: Bound) -> anyhow::Result<()> {
        let text = serde_json::to_vec_pretty(&bound)?;
        files::write_atomic(&self.0.join(ADDRESSES), &text, 0o644)?;
        Ok(())
    }

    /// Nobody listens any more.
    pub fn remove_addresses(&self) {
        // A file that stays only says where a hub listened once.
        let _ = files::remove(&self.0.join(ADDRESSES));
    }
}
