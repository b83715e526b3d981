//! `flagship lint`: checks plan files without a hub.

use std::path::PathBuf;

use clap::Args;
use flagship_waves::lint_offline;

use flagship_proto::words::count;

use super::apply::files::source;
use crate::{
    api::types::{LintLevel, LintNote},
    cli::{
        common::Global,
        exit::{CliError, Exit},
        output::show,
        render::lists,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
It checks the form: fields, types, waves, durations, and what is not yet supported. Whether clusters
match the waves is checked by the hub: flagship apply --dry-run.

Examples:
  flagship lint plan.yaml
  flagship lint plans/checkout.yaml plans/cart.yaml -o json";

/// What can be typed after `lint`.
#[derive(Debug, Args)]
pub struct Lint {
    /// Plan files; - reads stdin
    #[arg(required = true, value_name = "FILE")]
    files: Vec<PathBuf>,
}

impl Lint {
    /// Checks all, and fails if any has an error.
    pub fn run(self, global: &Global) -> Result<Exit, CliError> {
        let look = global.look();
        let mut errors = 0;
        for file in &self.files {
            let name = file.display().to_string();
            let text = source(file)?;
            let notes: Vec<LintNote> = lint_offline(&text).into_iter().map(Into::into).collect();
            let bad = notes
                .iter()
                .filter(|note| note.level == LintLevel::Error)
                .count();
            errors += bad;
            show(global.output, &notes, || {
                let verdict = if bad == 0 {
                    format!("{name}: ok\n")
                } else {
                    String::new()
                };
                lists::findings(look, &name, &notes) + &verdict
            })?;
        }
        if errors == 0 {
            return Ok(Exit::Done);
        }
        let told = if global.output.for_people() {
            "see above"
        } else {
            "see the output"
        };
        Err(CliError::bad(format!(
            "{} in {}; {told}",
            count(errors, "error"),
            count(self.files.len(), "file")
        )))
    }
}
