//! `flagship pause`, `resume`, `retreat`, `retry`, `accept`: what people ask of one rollout.

use std::time::Duration;

use clap::Args;
use serde::Serialize;

use super::watch::{self, Until};
use crate::{
    api::types::{AcceptRequest, Empty, RetreatRequest, RolloutView},
    cli::{
        common::Why,
        complete,
        context::Session,
        exit::{CliError, Exit, Stop},
        output::show,
        refs,
        render::{rollout, words},
    },
};

/// Examples for the help.
pub const PAUSE_EXAMPLES: &str = "\
Weights stay where they are; checks go on, and a failure still takes its cluster back. It waits for
`flagship resume`. To stop with proof, use `flagship abort`.

Examples:
  flagship pause shop/checkout-3 --reason 'odd latencies, looking'
  flagship pause checkout";

/// Examples for the help.
pub const RESUME_EXAMPLES: &str = "\
Examples:
  flagship resume shop/checkout-3
  flagship resume checkout --reason 'it was the load test'";

/// Examples for the help.
pub const RETREAT_EXAMPLES: &str = "\
Traffic goes back first and at once; rebuilding is paced unless --now is given. The rollout ends as
RolledBack. It needs no lift: an abort never stops a retreat.

Examples:
  flagship retreat shop/checkout-3 --reason 'wrong prices'
  flagship retreat checkout --to 1.8.2 --now --wait";

/// Examples for the help.
pub const RETRY_EXAMPLES: &str = "\
The same rollout and the same frozen plan: Done clusters stay, the others begin again at step 0.
After an abort it is possible once the abort is lifted.

Examples:
  flagship retry shop/checkout-3 --reason 'the database was down'
  flagship retry checkout";

/// Examples for the help.
pub const ACCEPT_EXAMPLES: &str = "\
Clusters stay as they are, some on the new version and some on the old; the rollout ends and lets go
of its clusters. Those that were told to go back and are not heard still go back once they are.

Examples:
  flagship accept shop/checkout-3 --reason 'eu keeps 1.8 until spring'
  flagship accept checkout --yes";

/// The rollout that is meant, and why.
#[derive(Debug, Args)]
pub struct Target {
    /// The rollout, PROJECT/ID; or a plan, for its newest rollout
    #[arg(add = complete::rollout())]
    rollout: String,
    #[command(flatten)]
    why: Why,
}

/// What can be typed after `pause`.
#[derive(Debug, Args)]
pub struct Pause {
    #[command(flatten)]
    target: Target,
}

/// What can be typed after `resume`.
#[derive(Debug, Args)]
pub struct Resume {
    #[command(flatten)]
    target: Target,
}

/// What can be typed after `retreat`.
#[derive(Debug, Args)]
pub struct Retreat {
    #[command(flatten)]
    target: Target,
    /// Return to this version or digest, instead of what was promoted last
    #[arg(long, value_name = "VERSION|DIGEST")]
    to: Option<String>,
    /// Do not pace the way back
    #[arg(long)]
    now: bool,
    /// Follow it until it ended; exit 0 if everything is back
    #[arg(long, short)]
    wait: bool,
    /// Give up waiting after this time: 90s, 30m, 2h
    #[arg(long, value_name = "TIME", value_parser = watch::duration, requires = "wait")]
    timeout: Option<Duration>,
}

/// What can be typed after `retry`.
#[derive(Debug, Args)]
pub struct Retry {
    #[command(flatten)]
    target: Target,
}

/// What can be typed after `accept`.
#[derive(Debug, Args)]
pub struct Accept {
    #[command(flatten)]
    target: Target,
}

impl Pause {
    /// Asks for it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        self.target
            .ask(session, "pause", "asked to pause", &Empty {})
            .await?;
        Ok(Exit::Done)
    }
}

impl Resume {
    /// Asks for it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        self.target
            .ask(session, "resume", "asked to go on", &Empty {})
            .await?;
        Ok(Exit::Done)
    }
}

impl Retreat {
    /// Asks for it, and follows it if wanted.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        session.confirm(&format!(
            "Take every cluster of {} back, Done ones too?",
            self.target.rollout
        ))?;
        let request = RetreatRequest {
            to: self.to,
            now: self.now,
        };
        let view = self
            .target
            .ask(session, "retreat", "asked to retreat", &request)
            .await?;
        if !self.wait {
            return Ok(Exit::Done);
        }
        let name = refs::RolloutRef {
            project: view.project,
            id: view.id,
        };
        watch::follow(session, &name, &Until::Back, self.timeout).await
    }
}

impl Retry {
    /// Asks for it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        self.target
            .ask(session, "retry", "asked to try again", &Empty {})
            .await?;
        Ok(Exit::Done)
    }
}

impl Accept {
    /// Asks for it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        session.confirm(&format!(
            "Take the state of {} as final, mixed as it is?",
            self.target.rollout
        ))?;
        self.target
            .ask(session, "accept", "accepted as it is", &AcceptRequest {})
            .await?;
        Ok(Exit::Done)
    }
}

impl Target {
    async fn ask<B: Serialize>(
        &self,
        session: &Session,
        verb: &str,
        done: &str,
        body: &B,
    ) -> Result<RolloutView, CliError> {
        let stop = match verb {
            "pause" => Some(Stop::Pause),
            "retreat" => Some(Stop::Retreat),
            _ => None,
        };
        let asked = self.put(session, verb, done, body).await;
        asked.map_err(|error| match stop {
            Some(stop) => stop.without_hub(true, error),
            None => error,
        })
    }

    async fn put<B: Serialize>(
        &self,
        session: &Session,
        verb: &str,
        done: &str,
        body: &B,
    ) -> Result<RolloutView, CliError> {
        let name = refs::rollout(session, &self.rollout).await?;
        let path = format!("{}/{verb}", name.path());
        let view: RolloutView = session
            .client
            .post(&path, body, &self.why.because())
            .await?;
        show(session.format, &view, || {
            let banners = words::banners(session.look, &view.banners, session.now());
            let next = match verb {
                "accept" => format!("how it ended: flagship explain {name}"),
                _ => format!("follow it: flagship watch {name}"),
            };
            let back = match verb {
                "accept" => rollout::still_go_back(&view),
                _ => String::new(),
            };
            format!("{banners}rollout {name} {done}\n{back}{next}\n")
        })?;
        Ok(view)
    }
}
