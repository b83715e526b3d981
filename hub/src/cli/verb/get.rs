//! `flagship get` and `flagship describe`: lists, and one thing in words.

use clap::Args;

use crate::{
    api::types::{
        AbortView, Banner, ClusterView, EnrolTokenView, FreezeView, HistoryView, List, PlanView,
        RolloutView, TokenView,
    },
    cli::{
        client::segment,
        context::Session,
        exit::{CliError, Exit},
        output::{Format, print, show},
        refs::{self, Kind},
        render::{abort, fleet, freeze, lists, rollout, words},
    },
};

/// Examples for the help.
pub const GET_EXAMPLES: &str = "\
Examples:
  flagship get rollouts --project shop
  flagship get cluster/eu-1 -o yaml
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
    kind: String,
    /// One by name
    name: Option<String>,
    /// What has ended too: rollouts that ended, aborts that were lifted, freezes that ended
    #[arg(long, short)]
    all: bool,
}

/// What can be typed after `describe`.
#[derive(Debug, Args)]
pub struct Describe {
    /// KIND/NAME, as in rollout/checkout-3, plan/shop/checkout, cluster/eu-1, abort/ID, freeze/ID
    what: String,
    /// The name, if the kind stands alone
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
        }
    }

    /// Lists, or shows one.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        if self.name.is_some() || self.kind.contains('/') {
            let (kind, name) = Kind::with_name(&self.kind, self.name.as_deref())?;
            return one(session, kind, &name, true).await;
        }
        let (look, now) = (session.look, session.now());
        let (client, form) = (&session.client, session.format);
        let in_project = match &session.project {
            Some(project) => format!("&project={}", segment(project)),
            None => String::new(),
        };
        let kind = Kind::parse(&self.kind)?;
        say_what_stands(session, kind).await?;
        match kind {
            Kind::Plan => {
                let path = format!("/api/v1/plans?limit=1000{in_project}");
                let list: List<PlanView> = client.get(&path).await?;
                let none = "No plan is stored; flagship apply -f FILE stores one.";
                show(form, &list, || {
                    some(&list, none, |items| lists::plans(look, items, now))
                })?;
            }
            Kind::Rollout => {
                let path = format!("/api/v1/rollouts?limit=1000&all={}{in_project}", self.all);
                let list: List<RolloutView> = client.get(&path).await?;
                let none = if self.all {
                    "There is no rollout."
                } else {
                    "No rollout is under way; --all lists those that ended."
                };
                show(form, &list, || {
                    some(&list, none, |items| rollout::list(look, items, now))
                })?;
            }
            Kind::Cluster => {
                let list: List<ClusterView> = client.get("/api/v1/clusters?limit=10000").await?;
                let none = "No cluster is enrolled; flagship token create --cluster NAME makes a token for one.";
                show(form, &list, || {
                    some(&list, none, |items| fleet::clusters(look, items, now))
                })?;
            }
            Kind::Abort => {
                let path = format!("/api/v1/aborts?all={}", self.all);
                let list: List<AbortView> = client.get(&path).await?;
                let none = if self.all {
                    "There was no abort."
                } else {
                    "No abort stands; --all lists those that were lifted."
                };
                show(form, &list, || {
                    some(&list, none, |items| abort::list(look, items, now))
                })?;
            }
            Kind::Freeze => {
                let path = format!("/api/v1/freezes?all={}", self.all);
                let list: List<FreezeView> = client.get(&path).await?;
                let none = if self.all {
                    "There was no freeze."
                } else {
                    "No freeze stands; --all lists those that have ended."
                };
                show(form, &list, || {
                    some(&list, none, |items| freeze::list(look, items, now))
                })?;
            }
            Kind::Token => {
                let list: List<TokenView> = client.get("/api/v1/tokens").await?;
                show(form, &list, || {
                    some(&list, "There is no token.", |items| {
                        lists::tokens(look, items, now)
                    })
                })?;
            }
            Kind::EnrolToken => {
                let list: List<EnrolTokenView> = client.get("/api/v1/enrol-tokens").await?;
                show(form, &list, || {
                    some(&list, "There is no enrolment token.", |items| {
                        lists::enrol_tokens(look, items, now)
                    })
                })?;
            }
        }
        Ok(Exit::Done)
    }
}

impl Describe {
    /// Says in words how one thing stands.
    pub async fn run(self, session: &Session) -> Result<Exit, CliError> {
        let (kind, name) = Kind::with_name(&self.what, self.name.as_deref())?;
        let exit = one(session, kind, &name, false).await?;
        if self.history && kind == Kind::Rollout {
            let found = refs::rollout(session, &name).await?;
            let list: List<HistoryView> = session
                .client
                .get(&format!("{}/history", found.path()))
                .await?;
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

/// Standing aborts and freezes, above what is read for people. Who lists these sees them anyway.
async fn say_what_stands(session: &Session, kind: Kind) -> Result<(), CliError> {
    match kind {
        Kind::Plan | Kind::Rollout | Kind::Cluster if session.format == Format::Table => {
            let list: List<Banner> = session.client.get("/api/v1/banners").await?;
            print(&words::banners(session.look, &list.items, session.now()))
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

fn some<T>(list: &List<T>, none: &str, text: impl FnOnce(&[T]) -> String) -> String {
    if list.items.is_empty() {
        return format!("{none}\n");
    }
    let mut page = text(&list.items);
    if list.next.is_some() {
        page += "There are more: narrow the list, or use the API's cursor.\n";
    }
    page
}
