//! `flagship changes`: who and what changed something in the last minutes or hours, oldest first.

use clap::Args;
use flagship_proto::words::moment;
use jiff::Timestamp;

use super::watch;
use crate::{
    api::types::{AuditEntryView, List},
    cli::{
        client::segment,
        context::Session,
        exit::{CliError, Exit},
        output::show,
        render::lists,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
What people changed and what the hub decided, from the audit log. The first question when
something broke: what was changed just before?

Examples:
  flagship changes --since 2h
  flagship changes shop/checkout --since 2026-11-25T09:00:00Z
  flagship changes --since 1d --by dana -o wide";

/// How many entries are asked for at a time.
const PAGE: usize = 500;

/// What can be typed after `changes`.
#[derive(Debug, Args)]
pub struct Changes {
    /// Only what concerns this: a part of its name, as in shop/checkout or eu-1
    about: Option<String>,
    /// From when on: a time before now (90s, 30m, 2h, 1d), or 2026-11-25T09:00:00Z
    #[arg(long, value_name = "TIME", default_value = "1h", value_parser = since)]
    since: Timestamp,
    /// Only what this person, token or the hub did
    #[arg(long, value_name = "NAME")]
    by: Option<String>,
}

/// Reads a time, or how long ago it was.
fn since(text: &str) -> Result<Timestamp, String> {
    if let Ok(time) = text.parse() {
        return Ok(time);
    }
    let length = watch::duration(text)
        .map_err(|_| "write 90s, 30m, 2h or 1d, or a time as in 2026-11-25T09:00:00Z".to_owned())?;
    Timestamp::now()
        .checked_sub(length)
        .map_err(|_| "that is too long ago".to_owned())
}

impl Changes {
    /// Lists them.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let mut found: Vec<AuditEntryView> = Vec::new();
        let mut cursor: Option<String> = None;
        let seq = loop {
            let from = cursor.iter();
            let from: String = from.map(|at| format!("&cursor={}", segment(at))).collect();
            let path = format!("/api/v1/audit?limit={PAGE}{from}");
            let page: List<AuditEntryView> = session.client.get(&path).await?;
            let reached = page.items.iter().any(|entry| entry.at < self.since);
            let new = page
                .items
                .into_iter()
                .filter(|entry| self.wants(session, entry));
            found.extend(new);
            cursor = page.next;
            if reached || cursor.is_none() {
                break page.seq;
            }
        };
        found.reverse();
        let list = List {
            items: found,
            next: None,
            seq,
        };
        show(session.format, &list, || {
            if list.items.is_empty() {
                return format!("Nothing was changed since {}.\n", moment(self.since));
            }
            lists::audit(session.look, &list.items, session.now())
        })?;
        Ok(Exit::Done)
    }

    fn wants(&self, session: &Session, entry: &AuditEntryView) -> bool {
        let about = |text: &str| entry.object.contains(text) || entry.reason.contains(text);
        let project = session.named_project.as_deref();
        entry.at >= self.since
            && self.by.as_ref().is_none_or(|by| entry.actor == *by)
            && self.about.as_deref().is_none_or(about)
            && project.is_none_or(|project| entry.object.contains(&format!(" {project}/")))
    }
}
