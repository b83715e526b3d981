//! `flagship explain`: the chain of reasons of a rollout, and why something has not happened.

use clap::Args;
use serde::Serialize;

use crate::{
    api::types::{HistoryView, List, RolloutCluster, RolloutView},
    cli::{
        client::pages,
        complete,
        context::Session,
        exit::{CliError, Exit},
        output::{cut, show},
        refs,
        render::explain,
    },
};

/// Examples for the help.
pub const EXAMPLES: &str = "\
Every decision has its reason, in the same words as in the log, the history and the API. Of what
has not happened it says what it waits for: the wave before, a place, a connection, a person.

Examples:
  flagship explain checkout
  flagship explain shop/checkout-3 eu-1";

/// What can be typed after `explain`.
#[derive(Debug, Args)]
pub struct Explain {
    /// The rollout, PROJECT/ID; or a plan, for its newest rollout
    #[arg(add = complete::rollout())]
    rollout: String,
    /// Only what concerns this cluster
    #[arg(add = complete::of(refs::Kind::Cluster))]
    cluster: Option<String>,
}

/// The same for programs.
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Explained<'a> {
    rollout: &'a RolloutView,
    history: &'a [HistoryView],
    not_yet: Vec<String>,
}

impl Explain {
    /// Explains it.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let found = refs::rollout(session, &self.rollout).await?;
        let view: RolloutView = session.client.get(&found.path()).await?;
        let history: List<HistoryView> =
            pages(&session.client, &format!("{}/history", found.path())).await?;
        let cluster = match &self.cluster {
            Some(name) => Some(member(&view, name)?),
            None => None,
        };
        let now = session.now();
        let answer = Explained {
            rollout: &view,
            history: &history.items,
            not_yet: explain::missing(&view, cluster, now),
        };
        show(session.format, &answer, || {
            explain::page(session.look, &view, &history.items, cluster, now)
        })?;
        Ok(Exit::Done)
    }
}

fn member<'a>(view: &'a RolloutView, name: &str) -> Result<&'a RolloutCluster, CliError> {
    let name = name.strip_prefix("cluster/").unwrap_or(name);
    // One that left and was enrolled again stands there twice.
    let found = view
        .clusters
        .iter()
        .filter(|cluster| cluster.cluster == name);
    let found = found.min_by_key(|cluster| cluster.state == "Left");
    found.ok_or_else(|| {
        let names: Vec<&str> = view.clusters.iter().map(|c| c.cluster.as_str()).collect();
        CliError::bad(format!(
            "cluster {name} is not in rollout {}/{}",
            view.project, view.id
        ))
        .remedy(format!(
            "it has: {}; who joins after a wave has started goes to the last good version by itself (flagship describe cluster {name})",
            cut(&names.join(", "), 400)
        ))
    })
}
