//! `flagship freeze` and `unfreeze`: nothing advances in a scope for a time, and its end.

use std::time::Duration;

use clap::Args;
use jiff::Timestamp;

use super::{
    abort::{ScopeArgs, no_scope},
    watch,
};
use crate::{
    api::types::{AbortPreview, AbortRequest, Empty, FreezeRequest, FreezeView, List},
    cli::{
        client::segment,
        common::Why,
        complete,
        context::Session,
        exit::{CliError, Exit, Stop},
        output::show,
        refs::Kind,
        render::{abort, freeze as text},
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
What is in flight holds its weight, nothing starts; checks go on, and a failure still takes its
cluster back. It ends by itself at its end, or by `flagship unfreeze`: flagship help stop.

Examples:
  flagship freeze --fleet --until 2026-11-30T08:00:00Z --reason 'black friday'
  flagship freeze --project shop --for 2h --reason 'database migration'
  flagship freeze --selector region=eu --for 30m --dry-run";

/// Examples for the help.
pub const UNFREEZE_EXAMPLES: &str = "\
What it held goes on from where it is.

Examples:
  flagship unfreeze f-12ab34cd --reason 'the migration is done'
  flagship unfreeze --reason 'false alarm'";

/// What can be typed after `freeze`.
#[derive(Debug, Args)]
pub struct Freeze {
    #[command(flatten)]
    scope: ScopeArgs,
    /// It ends by itself after this time: 90s, 30m, 2h, 3d
    #[arg(long = "for", value_name = "TIME", value_parser = watch::duration, conflicts_with = "until")]
    length: Option<Duration>,
    /// It ends by itself at this time, as in 2026-11-30T08:00:00Z or 2026-11-30T09:00:00+01:00
    #[arg(long, value_name = "TIME", value_parser = time)]
    until: Option<Timestamp>,
    /// Say what it would hit; order nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    why: Why,
}

fn time(text: &str) -> Result<Timestamp, String> {
    text.parse().map_err(|_| {
        "write date, time and zone, as in 2026-11-30T08:00:00Z or 2026-11-30T09:00:00+01:00"
            .to_owned()
    })
}

impl Freeze {
    /// Orders it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let is_ordering = !self.dry_run && self.scope.is_said(session);
        let ordered = self.order(session).await;
        ordered.map_err(|error| Stop::Freeze.without_hub(is_ordering, error))
    }

    async fn order(self, session: &Session) -> Result<Exit, CliError> {
        let Some(scope) = self.scope.scope(session).await? else {
            return no_scope(session, "freeze", "nothing was frozen").await;
        };
        if self.dry_run {
            let request = AbortRequest {
                scope,
                mode: flagship_proto::model::AbortMode::Hold,
            };
            let found: AbortPreview = session
                .client
                .ask("/api/v1/abort-preview", &request)
                .await?;
            show(session.format, &found, || {
                abort::preview(session.look, "A freeze", &found, session.now())
            })?;
            return Ok(Exit::Done);
        }
        let millis = |length: Duration| u64::try_from(length.as_millis()).unwrap_or(u64::MAX);
        let request = FreezeRequest {
            scope,
            for_ms: self.length.map(millis),
            until: self.until,
        };
        let view: FreezeView = session
            .client
            .post("/api/v1/freezes", &request, &self.why.because())
            .await?;
        show(session.format, &view, || {
            text::page(session.look, &view, session.now())
        })?;
        Ok(Exit::Done)
    }
}

/// What can be typed after `unfreeze`.
#[derive(Debug, Args)]
pub struct Unfreeze {
    /// The freeze's id; may be left out where only one stands
    #[arg(add = complete::of(Kind::Freeze))]
    freeze: Option<String>,
    #[command(flatten)]
    why: Why,
}

impl Unfreeze {
    /// Ends it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let id = match self.freeze {
            Some(id) => id.strip_prefix("freeze/").unwrap_or(&id).to_owned(),
            None => standing(session).await?,
        };
        session.confirm(&format!("End freeze {id}? What it holds goes on."))?;
        let path = format!("/api/v1/freezes/{}/end", segment(&id));
        let view: FreezeView = session
            .client
            .post(&path, &Empty {}, &self.why.because())
            .await?;
        show(session.format, &view, || {
            format!(
                "freeze {} of {} has ended; what it held goes on, unless something else stops it\n  \
                 flagship status   what else stands\n",
                view.id, view.scope
            )
        })?;
        Ok(Exit::Done)
    }
}

/// The one freeze that stands.
async fn standing(session: &Session) -> Result<String, CliError> {
    let list: List<FreezeView> = session.client.get("/api/v1/freezes?limit=10000").await?;
    let ids: Vec<&str> = list.items.iter().map(|freeze| freeze.id.as_str()).collect();
    super::abort::only(&ids, "freeze", "several freezes need as many ends")
}
