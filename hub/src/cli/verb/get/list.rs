//! All things of a kind, as a table or as the API's own list.

use serde::{Serialize, de::DeserializeOwned};

use crate::{
    api::types::{
        AbortView, ClusterView, EnrolTokenView, FreezeView, List, PlanView, RolloutView, TokenView,
    },
    cli::{
        client::{pages, segment},
        context::Session,
        exit::CliError,
        output::show,
        refs::Kind,
        render::{abort, fleet, freeze, lists, rollout},
        select::Select,
    },
};

/// Lists all of a kind; `ended` adds what has ended.
pub(super) async fn list(
    session: &Session,
    kind: Kind,
    ended: bool,
    select: &Select,
) -> Result<(), CliError> {
    let (look, now) = (session.look, session.now());
    let project = session.project.iter();
    let project: String = project
        .map(|p| format!("&project={}", segment(p)))
        .collect();
    let or = |none, of_all| if ended { of_all } else { none };
    match kind {
        Kind::Plan => {
            let path = format!("plans?{}", bare(&project));
            let list: List<PlanView> = fetch(session, select, &path).await?;
            let none = "No plan is stored; `flagship apply -f FILE` stores one.";
            tell(session, &list, none, |items| lists::plans(look, items, now))
        }
        Kind::Rollout => {
            let path = format!("rollouts?all={ended}{project}");
            let list: List<RolloutView> = fetch(session, select, &path).await?;
            let none = or(
                "No rollout is under way; --all lists those that ended.",
                "There is no rollout.",
            );
            tell(session, &list, none, |items| {
                rollout::list(look, items, now)
            })
        }
        Kind::Cluster => {
            let list: List<ClusterView> = fetch(session, select, "clusters").await?;
            tell(session, &list, fleet::NO_CLUSTER, |items| {
                fleet::clusters(look, items, now)
            })
        }
        Kind::Abort => {
            let path = format!("aborts?all={ended}");
            let list: List<AbortView> = fetch(session, select, &path).await?;
            let none = or(
                "No abort stands; --all lists those that were lifted.",
                "There was no abort.",
            );
            tell(session, &list, none, |items| abort::list(look, items, now))
        }
        Kind::Freeze => {
            let path = format!("freezes?all={ended}");
            let list: List<FreezeView> = fetch(session, select, &path).await?;
            let none = or(
                "No freeze stands; --all lists those that have ended.",
                "There was no freeze.",
            );
            tell(session, &list, none, |items| freeze::list(look, items, now))
        }
        Kind::Token => {
            let list: List<TokenView> = fetch(session, select, "tokens").await?;
            tell(session, &list, "There is no token.", |items| {
                lists::tokens(look, items, now)
            })
        }
        Kind::EnrolToken => {
            let list: List<EnrolTokenView> = fetch(session, select, "enrol-tokens").await?;
            tell(session, &list, "There is no enrolment token.", |items| {
                lists::enrol_tokens(look, items, now)
            })
        }
    }
}

/// A query's first parameter has no `&` before it.
fn bare(parameter: &str) -> &str {
    parameter.strip_prefix('&').unwrap_or(parameter)
}

async fn fetch<T: DeserializeOwned>(
    session: &Session,
    select: &Select,
    what: &str,
) -> Result<List<T>, CliError> {
    let path = select.onto(&format!("/api/v1/{what}"));
    pages(&session.client, &path).await
}

fn tell<T: Serialize>(
    session: &Session,
    list: &List<T>,
    none: &str,
    text: impl FnOnce(&[T]) -> String,
) -> Result<(), CliError> {
    show(session.format, list, || {
        if list.items.is_empty() {
            return format!("{none}\n");
        }
        let mut page = text(&list.items);
        if list.next.is_some() {
            page += "There are more: narrow the list, or use the API's cursor.\n";
        }
        page
    })
}
