//! `flagship lift`: ends an abort; it moves nothing by itself.

use clap::Args;

use super::abort::standing;
use crate::{
    api::types::{AbortView, LiftRequest},
    cli::{
        client::segment,
        common::Why,
        complete,
        context::Session,
        exit::{CliError, Exit},
        output::show,
        refs,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
New orders are allowed again; what the abort voided stays void. After it, somebody retries, starts
or retreats. With --except the abort is narrowed: what is named stays stopped, the rest is free.

Examples:
  flagship lift ab12 --reason 'cause found, fixed in 1.9.1'
  flagship lift ab12 --except plan/shop/checkout --reason 'only checkout is broken'
  flagship lift --reason 'false alarm'";

/// What can be typed after `lift`.
#[derive(Debug, Args)]
pub struct Lift {
    /// The abort's id; may be left out where only one stands
    #[arg(add = complete::of(refs::Kind::Abort))]
    abort: Option<String>,
    /// What stays stopped, while all else is freed: project/P, plan/P/N, rollout/P/ID, workload/NS/KIND/NAME or
    /// KEY=VALUE for clusters with a label; repeat it for more
    #[arg(long, value_name = "SCOPE")]
    except: Vec<String>,
    #[command(flatten)]
    why: Why,
}

impl Lift {
    /// Lifts it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let except = self.except.iter().map(|text| refs::scope(text));
        let except = except.collect::<Result<Vec<_>, CliError>>()?;
        let id = match self.abort {
            Some(id) => id.strip_prefix("abort/").unwrap_or(&id).to_owned(),
            None => standing(session).await?,
        };
        let but = match self.except.as_slice() {
            [] => String::new(),
            except => format!(" All of it is freed but {}.", except.join(", ")),
        };
        session.confirm(&format!("Lift abort {id}?{but}"))?;
        let path = format!("/api/v1/aborts/{}/lift", segment(&id));
        let view: AbortView = session
            .client
            .post(&path, &LiftRequest { except }, &self.why.because())
            .await?;
        show(session.format, &view, || words(&view, &self.except))?;
        Ok(Exit::Done)
    }
}

/// `except` is what stays stopped, as it was typed.
fn words(view: &AbortView, except: &[String]) -> String {
    let mut text = if view.standing {
        let at = view.lifted.as_ref().map(|lift| lift.at);
        let at = at.unwrap_or(view.bound_at).strftime("%H:%M:%SZ");
        format!(
            "abort {} is lifted: as not all have answered it ends at {at}, when its bound has passed\n",
            view.id
        )
    } else {
        format!("abort {} is lifted; nothing moves by itself\n", view.id)
    };
    let narrowed = view.lifted.iter().flat_map(|lift| &lift.narrowed_to);
    let narrowed: Vec<&String> = narrowed.collect();
    for (number, rest) in narrowed.iter().enumerate() {
        let what = except.get(number).map_or("a part of it", String::as_str);
        text +=
            &format!("  {what} stays stopped, by abort {rest}: flagship describe abort {rest}\n");
    }
    if !narrowed.is_empty() {
        text += &format!(
            "  nothing else of {} is stopped by it then: flagship get aborts   # what is by others\n",
            view.scope
        );
        return text;
    }
    let mut rollouts: Vec<&str> = view
        .not_fixed
        .iter()
        .filter_map(|c| c.rollout.as_deref())
        .collect();
    rollouts.sort_unstable();
    rollouts.dedup();
    for rollout in &rollouts {
        text +=
            &format!("  flagship explain {rollout}   how it stands, and what you can do with it\n");
    }
    if rollouts.is_empty() {
        text += "  flagship status   what else stands, and which rollouts wait for a word\n";
    }
    text
}
