//! `flagship status`: the fleet at a glance.

use clap::Args;

use crate::{
    api::types::StatusView,
    cli::{
        context::Session,
        exit::{CliError, Exit},
        output::show,
        render::fleet,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
Examples:
  flagship status
  flagship status -o json";

/// What can be typed after `status`.
#[derive(Debug, Args)]
pub struct Status {}

impl Status {
    /// Shows it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let view: StatusView = session.client.get("/api/v1/status").await?;
        show(session.format, &view, || {
            fleet::status(session.look, &view, session.now())
        })?;
        Ok(Exit::Done)
    }
}
