//! `flagship support-bundle`: what somebody who helps has to see, in one file, without what he must not.
//!
//! It asks the hub what a viewer may ask, leaves out plans (their hooks and queries may hold secrets), and
//! masks in every text what looks like a secret. What could not be had is named in the manifest.

pub mod redact;

use std::{collections::BTreeMap, path::PathBuf};

use clap::Args;
use flagship_proto::{
    digest::Digest,
    process::files::{PRIVATE, write_atomic},
    words::{count, count_with},
};
use flate2::{Compression, write::GzEncoder};
use jiff::Timestamp;
use serde::Serialize;
use serde_json::{Value, json};

use crate::cli::{
    client::segment,
    config,
    context::Session,
    exit::{CliError, Exit},
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
The file holds versions, the hub's settings, health, metrics, clusters, rollouts and their
last history, aborts, freezes, notifications and the end of the audit log. It holds no
token, no key, no plan, and no address of a channel; what looks like a secret in a reason or
a message is masked. MANIFEST.json names every file with its SHA-256, and what could not be
had.

Examples:
  flagship support-bundle
  flagship support-bundle --to /tmp/ticket-4711.tar.gz --history 20";

/// How many rollouts are listed.
const ROLLOUTS: usize = 200;
/// How many entries of the audit log are taken.
const AUDIT: usize = 1000;

/// What can be typed after `support-bundle`.
#[derive(Debug, Args)]
pub struct SupportBundle {
    /// The file to write; it must not be there yet, and is for its owner only
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
    /// Of how many rollouts the history is taken, newest first
    #[arg(long, default_value_t = 10, value_name = "N", value_parser = clap::value_parser!(u16).range(0..=1000))]
    history: u16,
}

/// What is asked, and under which name it is kept.
const ASKED: [(&str, &str); 13] = [
    ("healthz.txt", "/healthz"),
    ("readyz.txt", "/readyz"),
    ("metrics.txt", "/metrics"),
    ("whoami.json", "/api/v1/whoami"),
    ("settings.json", "/api/v1/settings"),
    ("status.json", "/api/v1/status"),
    ("clusters.json", "/api/v1/clusters?limit=10000"),
    ("aborts.json", "/api/v1/aborts?limit=10000"),
    ("freezes.json", "/api/v1/freezes?limit=10000"),
    ("notices.json", "/api/v1/notices?limit=10000"),
    ("channels.json", "/api/v1/notify-channels"),
    ("audit-verify.json", "/api/v1/audit/verify"),
    ("openapi-paths.json", "/api/v1/openapi.json"),
];

/// One file of the bundle.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Part {
    name: String,
    from: String,
    bytes: usize,
    sha256: String,
    /// How many texts were masked in it.
    masked: usize,
}

/// What could not be had, and why.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Missing {
    name: String,
    from: String,
    why: String,
}

#[derive(Debug, Default)]
struct Bundle {
    files: BTreeMap<String, String>,
    parts: Vec<Part>,
    missing: Vec<Missing>,
    /// How a request failed for the first time.
    failed: Option<Exit>,
}

impl SupportBundle {
    /// Makes it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let now = session.now();
        let path = self.to.unwrap_or_else(|| {
            PathBuf::from(format!(
                "flagship-support-{}.tar.gz",
                now.strftime("%Y%m%dT%H%M%SZ")
            ))
        });
        if path.exists() {
            let there = format!("{} is there already", path.display());
            return Err(CliError::bad(there).remedy("give another name with --to"));
        }
        let mut bundle = Bundle::default();
        bundle.keep("client.json", "this machine", &client(session));
        for (name, from) in ASKED {
            bundle.ask(session, name, from).await;
        }
        let from = format!("/api/v1/audit?limit={AUDIT}");
        bundle.ask(session, "audit.json", &from).await;
        let from = format!("/api/v1/rollouts?all=true&limit={ROLLOUTS}");
        bundle.ask(session, "rollouts.json", &from).await;
        for (name, from) in bundle.histories(self.history.into()) {
            bundle.ask(session, &name, &from).await;
        }
        let packed = bundle.pack(session.client.base(), now);
        let packed = packed.and_then(|bytes| {
            let write = write_atomic(&path, &bytes, PRIVATE);
            write.map(|()| bytes.len()).map_err(std::io::Error::other)
        });
        let size = packed.map_err(|error| CliError::new(Exit::Error, error.to_string()))?;
        bundle.tell(session, &path, size);
        match bundle.failed {
            Some(exit) if bundle.parts.len() == 1 => Ok(exit),
            Some(_) | None => Ok(Exit::Done),
        }
    }
}

/// The person's side: which version, on what, and which hubs are known (no tokens).
fn client(session: &Session) -> String {
    let system = rustix::system::uname();
    let known = config::path().and_then(|path| config::load(&path));
    let contexts = known.map(|known| {
        let hubs = known.contexts.iter();
        hubs.map(|(name, of)| (name.clone(), of.hub.clone()))
            .collect::<BTreeMap<_, _>>()
    });
    let words = json!({
        "flagship": env!("CARGO_PKG_VERSION"),
        "system": system.sysname().to_string_lossy(),
        "release": system.release().to_string_lossy(),
        "machine": system.machine().to_string_lossy(),
        "hub": session.client.base(),
        "contexts": contexts.unwrap_or_default(),
    });
    pretty(&words)
}

fn pretty(value: &Value) -> String {
    format!("{value:#}\n")
}

impl Bundle {
    async fn ask(&mut self, session: &Session, name: &str, from: &str) {
        match session.client.get_text(from).await {
            Ok(text) => self.keep(name, from, &readable(name, text)),
            Err(error) => {
                self.failed.get_or_insert(error.exit);
                self.missing.push(Missing {
                    name: name.to_owned(),
                    from: from.to_owned(),
                    why: redact::redact(&error.to_string()).0,
                });
            }
        }
    }

    fn keep(&mut self, name: &str, from: &str, text: &str) {
        let (text, masked) = redact::redact(text);
        self.parts.push(Part {
            name: name.to_owned(),
            from: from.to_owned(),
            bytes: text.len(),
            sha256: Digest::of(text.as_bytes()).hex(),
            masked,
        });
        self.files.insert(name.to_owned(), text);
    }

    /// Where the histories of the newest rollouts are.
    fn histories(&self, most: usize) -> Vec<(String, String)> {
        let list = self.files.get("rollouts.json");
        let list = list.and_then(|text| serde_json::from_str::<Value>(text).ok());
        let items = list.as_ref().and_then(|list| list["items"].as_array());
        let mut items: Vec<&Value> = items.into_iter().flatten().collect();
        items.sort_by_key(|item| std::cmp::Reverse(item["startedAt"].as_str()));
        let places = items.into_iter().take(most).filter_map(|item| {
            let (project, id) = (item["project"].as_str()?, item["id"].as_str()?);
            let (project, id) = (segment(project), segment(id));
            let name = format!("history/{project}-{id}.json");
            let from = format!("/api/v1/projects/{project}/rollouts/{id}/history?limit=10000");
            Some((name, from))
        });
        places.collect()
    }

    fn pack(&self, hub: &str, now: Timestamp) -> std::io::Result<Vec<u8>> {
        let manifest = json!({
            "kind": "flagship-support-bundle",
            "format": 1,
            "made": now,
            "by": concat!("flagship ", env!("CARGO_PKG_VERSION")),
            "hub": redact::redact(hub).0,
            "files": self.parts,
            "missing": self.missing,
            "leftOut": ["plans", "tokens", "keys", "addresses of channels"],
        });
        let mut archive = tar::Builder::new(GzEncoder::new(Vec::new(), Compression::default()));
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let mut add = |name: &str, text: &str| {
            let mut header = tar::Header::new_gnu();
            header.set_size(u64::try_from(text.len()).unwrap_or(u64::MAX));
            header.set_mode(0o600);
            header.set_mtime(seconds);
            let place = format!("flagship-support/{name}");
            archive.append_data(&mut header, place, text.as_bytes())
        };
        add("MANIFEST.json", &pretty(&manifest))?;
        for (name, text) in &self.files {
            add(name, text)?;
        }
        archive.into_inner()?.finish()
    }

    fn tell(&self, session: &Session, path: &std::path::Path, size: usize) {
        let (files, kib) = (count(self.parts.len(), "file"), size.div_ceil(1024));
        let masked: usize = self.parts.iter().map(|part| part.masked).sum();
        let masked = count_with(masked, "likely secret", ["is", "are"]);
        session.say(&format!(
            "{}: {files}, {kib} KiB; {masked} masked",
            path.display()
        ));
        for missing in &self.missing {
            session.say(&format!("missing: {}: {}", missing.name, missing.why));
        }
        session.say("look through it before it leaves the house: reasons and messages are people's own words");
    }
}

/// JSON with line ends; of the API's document only which routes there are.
fn readable(name: &str, text: String) -> String {
    if !name.ends_with(".json") {
        return text;
    }
    match serde_json::from_str::<Value>(&text) {
        Ok(Value::Object(document)) if name == "openapi-paths.json" => {
            let paths = document.get("paths").and_then(Value::as_object);
            let routes: Vec<&String> = paths
                .map(|paths| paths.keys().collect())
                .unwrap_or_default();
            pretty(&json!(routes))
        }
        Ok(value) => pretty(&value),
        Err(_) => text,
    }
}
