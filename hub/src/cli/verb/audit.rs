//! `flagship audit list | verify | export`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use flagship_proto::words::count;

use crate::{
    api::types::{AuditEntryView, AuditVerdict, List},
    audit::verify,
    cli::{
        common::Global,
        context::{Session, read},
        exit::{CliError, Exit},
        output::{Format, print, show},
        render::lists,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
Every change is one entry, in a chain: who, what, to which thing, why. An export states its head and
count, and is checked without the hub.

Examples:
  flagship audit list --limit 50
  flagship audit export > audit.jsonl
  flagship audit verify --head sha256:5d3f…
  flagship audit verify --file audit.jsonl";

/// What can be typed after `audit`.
#[derive(Debug, Args)]
pub struct Audit {
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// The newest entries, newest first
    List {
        /// How many at most
        #[arg(long, default_value_t = 50, value_name = "N")]
        limit: u32,
    },
    /// Check the chain, on the hub or in an export
    Verify {
        /// An export, checked here without a hub
        #[arg(long, value_name = "FILE")]
        file: Option<PathBuf>,
        /// The head's hash as you noted it; finds a tail that was cut
        #[arg(long, value_name = "HASH")]
        head: Option<String>,
    },
    /// Print the whole log, one JSON object a line
    Export,
}

impl Audit {
    /// Does it.
    pub async fn run(self, global: &Global) -> Result<Exit, CliError> {
        match self.verb {
            Verb::List { limit } => {
                let session = Session::open(global)?;
                let path = format!("/api/v1/audit?limit={limit}");
                let list: List<AuditEntryView> = session.client.get(&path).await?;
                show(session.format, &list, || {
                    lists::audit(session.look, &list.items, session.now())
                })?;
                Ok(Exit::Done)
            }
            Verb::Verify { file: None, head } => {
                let session = Session::open(global)?;
                if head.is_some() {
                    // Entries may have come since: the whole chain shows whether it is still in it.
                    let export = session.client.get_text("/api/v1/audit/export").await?;
                    return check(&export, head.as_deref(), session.format);
                }
                let verdict: AuditVerdict = session.client.get("/api/v1/audit/verify").await?;
                tell(session.format, &verdict)
            }
            Verb::Verify {
                file: Some(file),
                head,
            } => check(&read(&file)?, head.as_deref(), global.output),
            Verb::Export => {
                let session = Session::open(global)?;
                let text = session.client.get_text("/api/v1/audit/export").await?;
                print(&text)?;
                Ok(Exit::Done)
            }
        }
    }
}

fn check(text: &str, noted: Option<&str>, format: Format) -> Result<Exit, CliError> {
    let kept = noted
        .map(str::parse)
        .transpose()
        .map_err(|error| CliError::bad(format!("--head: {error}")))?;
    let verified = verify(text, kept).map_err(|broken| {
        CliError::new(Exit::Failed, format!("the export does not hold: {broken}"))
            .remedy("keep it as it is, and make another export to compare")
    })?;
    let verdict = AuditVerdict {
        intact: true,
        entries: verified.count,
        head: verified.head.to_string(),
        fault: None,
    };
    show(format, &verdict, || words(&verdict))?;
    Ok(Exit::Done)
}

fn tell(format: Format, verdict: &AuditVerdict) -> Result<Exit, CliError> {
    show(format, verdict, || words(verdict))?;
    if let Some(fault) = &verdict.fault {
        return Err(CliError::new(
            Exit::Failed,
            format!("the audit log does not hold: {fault}"),
        )
        .remedy("keep a copy of the hub's data and of every export before anything else"));
    }
    Ok(Exit::Done)
}

fn words(verdict: &AuditVerdict) -> String {
    let state = if verdict.intact {
        "holds"
    } else {
        "DOES NOT HOLD"
    };
    format!(
        "the chain {state}: {}, head {}\n",
        count(verdict.entries, "entry"),
        if verdict.head.is_empty() {
            "-"
        } else {
            &verdict.head
        }
    )
}
