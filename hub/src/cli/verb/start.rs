//! `flagship start`: starts a rollout, and follows it if asked to.

use std::time::Duration;

use clap::Args;

use super::watch::{self, Until};
use crate::{
    api::types::{RolloutView, StartRequest},
    cli::{
        common::Why,
        complete,
        context::Session,
        exit::{CliError, Exit},
        output::show,
        refs::{self, Kind, RolloutRef},
        render::words,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
Examples:
  flagship start shop/checkout --to-version 1.9.0 --reason 'release 1.9'
  flagship start checkout --to-version 1.9.0 --wait --timeout 2h
  flagship start shop/checkout --to-version 1.9.1 --supersede --reason hotfix";

/// What can be typed after `start`.
#[derive(Debug, Args)]
pub struct Start {
    /// The plan, PROJECT/NAME
    #[arg(add = complete::of(Kind::Plan))]
    plan: String,
    /// The version to release
    #[arg(long, value_name = "VERSION")]
    to_version: Option<String>,
    /// Release a version again that was rejected before; say why with --reason
    #[arg(long, requires = "reason")]
    again: bool,
    /// Take over from the rollout that holds these clusters
    #[arg(long)]
    supersede: bool,
    /// Follow it; exit 0 only if it succeeded (help exit-codes)
    #[arg(long, short)]
    wait: bool,
    /// Give up waiting after this time: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = watch::duration, requires = "wait")]
    timeout: Option<Duration>,
    #[command(flatten)]
    why: Why,
}

impl Start {
    /// Starts it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let plan = refs::plan(session, &self.plan).await?;
        let request = StartRequest {
            to_version: self.to_version,
            again: self.again,
            supersede: self.supersede,
        };
        let path = format!(
            "/api/v1/projects/{}/plans/{}/start",
            plan.project, plan.name
        );
        let view: RolloutView = session
            .client
            .post(&path, &request, &self.why.because())
            .await?;
        let name = RolloutRef {
            project: view.project.clone(),
            id: view.id.clone(),
        };
        if self.wait {
            session.say(&format!("rollout {name} started"));
            return watch::follow(session, &name, &Until::Done, self.timeout).await;
        }
        show(session.format, &view, || {
            format!(
                "{}rollout {name} started: {} of {}\nfollow it: flagship watch {name}\n",
                words::banners(session.look, &view.banners, session.now()),
                view.change,
                view.workload
            )
        })?;
        Ok(Exit::Done)
    }
}
