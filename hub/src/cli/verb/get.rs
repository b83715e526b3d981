//! `flagship get` and `flagship describe`: lists, and one thing in words.

mod list;

use clap::Args;

use crate::{
    api::types::{
        AbortView, Banner, ClusterView, FreezeView, HistoryView, List, PlanView, RolloutView,
    },
    cli::{
        client::{pages, segment},
        complete,
        context::Session,
        exit::{CliError, Exit},
        output::{show, tell},
        refs::{self, Kind},
        render::{abort, fleet, freeze, lists, rollout, words},
        select::Select,
    },
};

/// Examples for the help.
pub const GET_EXAMPLES: &str = "\
A list as JSON is {items, seq}: -o jsonpath='$.items[*].name' picks names (RFC 9535; texts are
printed without quotes). -o wide has more columns and cuts nothing.

--selector picks by what a list shows and, for plans, their rollouts and clusters, by labels:
KEY=VALUE, KEY!=VALUE, 'KEY in (A,B)', 'KEY notin (A,B)', KEY, '!KEY'. All must hold.

Examples:
  flagship get rollouts --project shop
  flagship get clusters --selector region=eu -o wide
  flagship get rollouts --all -l 'state in (Failed,Aborted),team=payments'
  flagship get cluster/eu-1 -o yaml
  flagship get clusters -o jsonpath='$.items[?@.connected==false].name'
  flagship get aborts --all";

/// Examples for the help.
pub const DESCRIBE_EXAMPLES: &str = "\
Examples:
  flagship describe rollout/shop/checkout-3
  flagship describe rollout checkout --history
  flagship describe cluster eu-1";

/// What can be typed after `get`.
#[derive(Debug, Args)]
pub struct Get {
    /// plans, rollouts, clusters, aborts, freezes, tokens or enrol-tokens; or KIND/NAME
    #[arg(add = complete::kind_and_name())]
    kind: String,
    /// One by name
    #[arg(add = complete::name_after_kind())]
    name: Option<String>,
    /// What has ended too: rollouts that ended, aborts that were lifted, freezes that ended
    #[arg(long, short)]
    all: bool,
    #[command(flatten)]
    select: Select,
}

/// What can be typed after `describe`.
#[derive(Debug, Args)]
pub struct Describe {
    /// KIND/NAME, as in rollout/checkout-3, plan/shop/checkout, cluster/eu-1, abort/ID, freeze/ID
    #[arg(add = complete::kind_and_name())]
    what: String,
    /// The name, if the kind stands alone
    #[arg(add = complete::name_after_kind())]
    name: Option<String>,
    /// A rollout's history too
    #[arg(long)]
    history: bool,
}

impl Get {
    /// All of a kind, for verbs that list.
    pub fn all_of(kind: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            name: None,
            all: true,
            select: Select::default(),
        }
    }

    /// Lists, or shows one.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        if self.name.is_some() || self.kind.contains('/') {
            let (kind, name) = Kind::with_name(&self.kind, self.name.as_deref())?;
            if self.select.is_said() {
                let what = format!("{name:?} is one thing, and --selector picks from a list");
                return Err(CliError::bad(what).remedy("leave out the name, or --selector"));
            }
            return one(session, kind, &name, true).await;
        }
        let kind = Kind::parse(&self.kind)?;
        say_what_stands(session, kind).await?;
        list::list(session, kind, self.all, &self.select).await?;
        Ok(Exit::Done)
    }
}

impl Describe {
    /// Says in words how one thing stands.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let (kind, name) = match (&self.name, Kind::parse(&self.what)) {
            (None, Ok(kind)) => (kind, the_one(session, kind).await?),
            (name, _) => Kind::with_name(&self.what, name.as_deref())?,
        };
        let exit = one(session, kind, &name, false).await?;
        if self.history && kind == Kind::Rollout {
            let found = refs::rollout(session, &name).await?;
            let list: List<HistoryView> =
                pages(&session.client, &format!("{}/history", found.path())).await?;
            show(session.format, &list, || {
                format!(
                    "\nHistory:\n{}",
                    lists::history(session.look, &list.items, session.now())
                )
            })?;
        }
        Ok(exit)
    }
}

/// The only one of a kind; where there are several, which.
async fn the_one(session: &Session, kind: Kind) -> Result<String, CliError> {
    let mut names = complete::names_of(kind, session).await?;
    if let [one] = names.as_slice() {
        return Ok(one.clone());
    }
    let word = kind.word();
    if names.is_empty() {
        return Err(
            CliError::bad(format!("there is no {word} to describe")).remedy(format!(
                "`flagship get {word}s --all` lists what has ended too"
            )),
        );
    }
    let more = names.len().saturating_sub(NAMED);
    names.truncate(NAMED);
    let more = match more {
        0 => String::new(),
        more => format!(" and {more} more (flagship get {word}s)"),
    };
    Err(CliError::bad(format!(
        "which {word} is meant? There are {}{more}",
        names.join(", ")
    ))
    .remedy(format!("as in `flagship describe {word} {}`", names[0])))
}

/// So many names are told where one has to be chosen.
const NAMED: usize = 12;

/// Standing aborts and freezes, above what is read for people. Who lists these sees them anyway.
async fn say_what_stands(session: &Session, kind: Kind) -> Result<(), CliError> {
    match kind {
        Kind::Plan | Kind::Rollout | Kind::Cluster if session.format.for_people() => {
            let list: List<Banner> = session.client.get("/api/v1/banners").await?;
            tell(&words::banners(session.look, &list.items, session.now()))
        }
        Kind::Plan
        | Kind::Rollout
        | Kind::Cluster
        | Kind::Abort
        | Kind::Freeze
        | Kind::Token
        | Kind::EnrolToken => Ok(()),
    }
}

async fn one(session: &Session, kind: Kind, name: &str, brief: bool) -> Result<Exit, CliError> {
    let (look, now) = (session.look, session.now());
    let (client, form) = (&session.client, session.format);
    // A rollout's own page begins with what stands over it.
    if brief || kind != Kind::Rollout {
        say_what_stands(session, kind).await?;
    }
    match kind {
        Kind::Plan => {
            let plan = refs::plan(session, name).await?;
            let path = format!("/api/v1/projects/{}/plans/{}", plan.project, plan.name);
            let view: PlanView = client.get(&path).await?;
            show(form, &view, || {
                if brief {
                    lists::plans(look, std::slice::from_ref(&view), now)
                } else {
                    lists::plan(&view, now)
                }
            })?;
        }
        Kind::Rollout => {
            let found = refs::rollout(session, name).await?;
            let view: RolloutView = client.get(&found.path()).await?;
            show(form, &view, || {
                if brief {
                    rollout::list(look, std::slice::from_ref(&view), now)
                } else {
                    rollout::describe(look, &view, now)
                }
            })?;
        }
        Kind::Cluster => {
            let view: ClusterView = client
                .get(&format!("/api/v1/clusters/{}", segment(name)))
                .await?;
            show(form, &view, || {
                if brief {
                    fleet::clusters(look, std::slice::from_ref(&view), now)
                } else {
                    fleet::cluster(look, &view, now)
                }
            })?;
        }
        Kind::Abort => {
            let view: AbortView = client
                .get(&format!("/api/v1/aborts/{}", segment(name)))
                .await?;
            show(form, &view, || {
                if brief {
                    abort::list(look, std::slice::from_ref(&view), now)
                } else {
                    abort::page(look, &view, now)
                }
            })?;
        }
        Kind::Freeze => {
            let view: FreezeView = client
                .get(&format!("/api/v1/freezes/{}", segment(name)))
                .await?;
            show(form, &view, || {
                if brief {
                    freeze::list(look, std::slice::from_ref(&view), now)
                } else {
                    freeze::page(look, &view, now)
                }
            })?;
        }
        Kind::Token | Kind::EnrolToken => {
            return Err(CliError::bad("tokens have no page of their own")
                .remedy("`flagship get tokens` and `flagship get enrol-tokens` list them"));
        }
    }
    Ok(Exit::Done)
}
