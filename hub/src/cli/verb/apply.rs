//! `flagship apply`: checks a plan and stores it.

use std::{io::Read as _, path::PathBuf};

use clap::Args;

use crate::{
    api::types::{ApplyAnswer, ApplyOutcome},
    cli::{
        args::Why,
        context::{Session, read},
        exit::{CliError, Exit},
        output::{Format, remark, show},
        render::{lists, words::count},
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
The plan is checked on the hub against the fleet as it is now. What is wrong is said with line and
column, and then nothing is stored. A running rollout keeps the plan that it started with.

Examples:
  flagship apply -f plan.yaml --reason 'a pilot wave first'
  flagship apply -f plan.yaml --dry-run";

/// What can be typed after `apply`.
#[derive(Debug, Args)]
pub struct Apply {
    /// The plan's file (YAML or JSON); - reads stdin
    #[arg(long, short, value_name = "FILE")]
    file: PathBuf,
    /// Check only; store nothing
    #[arg(long)]
    dry_run: bool,
    #[command(flatten)]
    why: Why,
}

impl Apply {
    /// Sends the text as it was written, so that places in findings are the author's own.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let name = self.file.display().to_string();
        let text = source(&self.file)?;
        let path = format!("/api/v1/plans?dryRun={}", self.dry_run);
        let sent = session
            .client
            .post_document::<ApplyAnswer>(&path, text, &self.why.because())
            .await;
        let answer = match sent {
            Ok(answer) => answer,
            Err(mut error) => {
                if !error.notes.is_empty() {
                    remark(lists::findings(session.look, &name, &error.notes).trim_end());
                    let faults = error.notes.len();
                    error.notes.clear();
                    error.what = format!(
                        "the plan is refused ({}): nothing was stored",
                        count(faults, "finding")
                    );
                }
                return Err(error);
            }
        };
        if session.format == Format::Table && !answer.notes.is_empty() {
            remark(lists::findings(session.look, &name, &answer.notes).trim_end());
        }
        show(session.format, &answer, || words(&answer))?;
        Ok(Exit::Done)
    }
}

fn words(answer: &ApplyAnswer) -> String {
    let what = match (answer.outcome, answer.dry_run) {
        (ApplyOutcome::Created, false) => "created",
        (ApplyOutcome::Changed, false) => "changed",
        (ApplyOutcome::Created, true) => "would be created (nothing was stored)",
        (ApplyOutcome::Changed, true) => "would be changed (nothing was stored)",
        (ApplyOutcome::Unchanged, _) => "unchanged",
    };
    format!("plan {}/{} {what}\n", answer.project, answer.name)
}

/// A document from a file or from stdin.
pub fn source(path: &std::path::Path) -> Result<String, CliError> {
    if path.as_os_str() != "-" {
        return read(path);
    }
    let mut text = String::new();
    std::io::stdin()
        .read_to_string(&mut text)
        .map_err(|error| CliError::bad(format!("cannot read stdin: {error}")))?;
    Ok(text)
}
