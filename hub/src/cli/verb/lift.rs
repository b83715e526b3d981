//! `flagship lift`: ends an abort; it moves nothing by itself.

use clap::Args;

use super::abort::{ScopeArgs, standing};
use crate::{
    api::types::{AbortView, LiftRequest},
    cli::{
        args::Why,
        client::segment,
        context::Session,
        exit::{CliError, Exit},
        output::show,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
New orders are allowed again; what the abort voided stays void. After it, somebody retries, starts
or retreats. With a scope the abort is narrowed: only that scope is free again.

Examples:
  flagship lift ab12 --reason 'cause found, fixed in 1.9.1'
  flagship lift ab12 --except --project shop --reason 'hotfix for the shop only'
  flagship lift --reason 'false alarm'";

/// What can be typed after `lift`.
#[derive(Debug, Args)]
pub struct Lift {
    /// The abort's id; may be left out where only one stands
    abort: Option<String>,
    /// Lift only for the scope that follows; the rest stays stopped
    #[arg(long)]
    except: bool,
    #[command(flatten)]
    scope: ScopeArgs,
    #[command(flatten)]
    why: Why,
}

impl Lift {
    /// Lifts it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let except = if self.except {
            let scope = self.scope.scope(session).await?;
            Some(scope.ok_or_else(|| {
                CliError::bad("--except needs a scope")
                    .remedy("add one, as in --except --project shop")
            })?)
        } else if self.scope.is_given() {
            return Err(CliError::bad("a scope without --except is not clear")
                .remedy("write --except before it to free only that scope"));
        } else {
            None
        };
        let id = match self.abort {
            Some(id) => id.strip_prefix("abort/").unwrap_or(&id).to_owned(),
            None => standing(session).await?,
        };
        session.confirm(&format!("Lift abort {id}?"))?;
        let path = format!("/api/v1/aborts/{}/lift", segment(&id));
        let view: AbortView = session
            .client
            .post(&path, &LiftRequest { except }, &self.why.because())
            .await?;
        show(session.format, &view, || words(&view))?;
        Ok(Exit::Done)
    }
}

fn words(view: &AbortView) -> String {
    let mut text = if view.standing {
        format!(
            "abort {} is to be lifted: it ends when all receipts are in, or after its bound\n",
            view.id
        )
    } else {
        format!("abort {} is lifted; nothing moves by itself\n", view.id)
    };
    let mut rollouts: Vec<&str> = view
        .not_fixed
        .iter()
        .filter_map(|c| c.rollout.as_deref())
        .collect();
    rollouts.sort_unstable();
    rollouts.dedup();
    for rollout in rollouts {
        text += &format!("  flagship retreat {rollout}   takes back who is Done\n");
        text += &format!("  flagship retry {rollout}     goes on, from step 0\n");
    }
    text
}
