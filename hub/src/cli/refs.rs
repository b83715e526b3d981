//! Names as people type them: `rollout/checkout-3`, `shop/checkout-3`, `checkout` for its newest rollout.

use flagship_proto::{
    command::{Command, OPEN},
    model::{InvalidId, PlanRef, ProjectName, Scope, Selector},
};

use super::{
    client::{pages, segment},
    context::Session,
    exit::{CliError, Exit},
};
use crate::api::types::{List, PlanView, RolloutView};

/// Kinds of things that can be listed and described.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Plans.
    Plan,
    /// Rollouts.
    Rollout,
    /// Clusters.
    Cluster,
    /// Aborts.
    Abort,
    /// Freezes.
    Freeze,
    /// Tokens of the API.
    Token,
    /// Enrolment tokens.
    EnrolToken,
}

impl Kind {
    /// The words for kinds, for completion.
    pub const WORDS: &[&str] = &[
        "plans",
        "rollouts",
        "clusters",
        "aborts",
        "freezes",
        "tokens",
        "enrol-tokens",
    ];

    /// Its word, of one.
    pub fn word(self) -> &'static str {
        match self {
            Self::Plan => "plan",
            Self::Rollout => "rollout",
            Self::Cluster => "cluster",
            Self::Abort => "abort",
            Self::Freeze => "freeze",
            Self::Token => "token",
            Self::EnrolToken => "enrol-token",
        }
    }

    /// Reads a kind in singular, plural or short.
    pub fn parse(text: &str) -> Result<Self, CliError> {
        match text {
            "plan" | "plans" => Ok(Self::Plan),
            "rollout" | "rollouts" | "ro" => Ok(Self::Rollout),
            "cluster" | "clusters" => Ok(Self::Cluster),
            "abort" | "aborts" => Ok(Self::Abort),
            "freeze" | "freezes" => Ok(Self::Freeze),
            "token" | "tokens" => Ok(Self::Token),
            "enrol-token" | "enrol-tokens" => Ok(Self::EnrolToken),
            _ => Err(CliError::bad(format!("there is no kind {text:?}"))
                .remedy("use plans, rollouts, clusters, aborts, freezes, tokens or enrol-tokens")),
        }
    }

    /// Reads `KIND/NAME` or `KIND NAME`.
    pub fn with_name(first: &str, second: Option<&str>) -> Result<(Self, String), CliError> {
        match (first.split_once('/'), second) {
            (_, Some(name)) => Ok((Self::parse(first)?, name.to_owned())),
            (Some((kind, name)), None) if !name.is_empty() => {
                Ok((Self::parse(kind)?, name.to_owned()))
            }
            (Some(_) | None, None) => {
                Err(CliError::bad(format!("{first:?} names no single thing"))
                    .remedy("write KIND/NAME, as in rollout/checkout-3 or cluster/eu-1"))
            }
        }
    }
}

/// A rollout by project and id.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolloutRef {
    /// Its project.
    pub project: String,
    /// Its id.
    pub id: String,
}

impl RolloutRef {
    /// Its path in the API.
    pub fn path(&self) -> String {
        format!(
            "/api/v1/projects/{}/rollouts/{}",
            segment(&self.project),
            segment(&self.id)
        )
    }
}

impl std::fmt::Display for RolloutRef {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.project, self.id)
    }
}

/// Finds the rollout that was meant: by id, or the newest of a plan; the project may be left out
/// where only one fits.
pub async fn rollout(session: &Session, text: &str) -> Result<RolloutRef, CliError> {
    let text = text.strip_prefix("rollout/").unwrap_or(text);
    let (project, name) = match text.split_once('/') {
        Some((project, name)) => (Some(project.to_owned()), name),
        None => (session.project.clone(), text),
    };
    let mut path = format!("/api/v1/rollouts?limit=1000&name={}", segment(name));
    if let Some(project) = &project {
        path += &format!("&project={}", segment(project));
    }
    let list: List<RolloutView> = session.client.get(&path).await?;
    choose(&list.items, name).map_err(|error| match &project {
        Some(project) => CliError::new(error.exit, format!("{} in project {project}", error.what))
            .remedy(error.remedy.unwrap_or_default()),
        None => error,
    })
}

fn choose(rollouts: &[RolloutView], name: &str) -> Result<RolloutRef, CliError> {
    let by_id: Vec<_> = rollouts.iter().filter(|r| r.id == name).collect();
    let found = if by_id.is_empty() {
        let mut of_plan: Vec<_> = rollouts.iter().filter(|r| r.plan == name).collect();
        of_plan.sort_by(|a, b| (&a.project, b.started_at).cmp(&(&b.project, a.started_at)));
        of_plan.dedup_by(|later, first| later.project == first.project);
        of_plan
    } else {
        by_id
    };
    match found.as_slice() {
        [one] => Ok(RolloutRef {
            project: one.project.clone(),
            id: one.id.clone(),
        }),
        [] => Err(CliError::bad(format!(
            "there is no rollout {name}, and no plan of that name has one"
        ))
        .remedy("`flagship get rollouts` lists them")),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|r| format!("{}/{}", r.project, r.id))
                .collect();
            Err(CliError::bad(format!(
                "{name} is in several projects: {}",
                names.join(", ")
            ))
            .remedy("name one as PROJECT/ID, or give --project"))
        }
    }
}

/// Finds the plan that was meant; the project may be left out where only one fits.
pub async fn plan(session: &Session, text: &str) -> Result<PlanRef, CliError> {
    let text = text.strip_prefix("plan/").unwrap_or(text);
    if text.contains('/') {
        return text
            .parse()
            .map_err(|error: InvalidId| CliError::bad(error.to_string()));
    }
    if let Some(project) = &session.project {
        return format!("{project}/{text}")
            .parse()
            .map_err(|error: InvalidId| CliError::bad(error.to_string()));
    }
    let list: List<PlanView> = pages(&session.client, "/api/v1/plans").await?;
    let found: Vec<_> = list.items.iter().filter(|plan| plan.name == text).collect();
    match found.as_slice() {
        [one] => format!("{}/{}", one.project, one.name)
            .parse()
            .map_err(|error: InvalidId| CliError::new(Exit::Error, error.to_string())),
        [] => Err(CliError::bad(format!("there is no plan {text}"))
            .remedy("`flagship get plans` lists them; `flagship apply -f FILE` stores one")),
        several => {
            let names: Vec<String> = several
                .iter()
                .map(|plan| format!("{}/{}", plan.project, plan.name))
                .collect();
            Err(CliError::bad(format!(
                "{text} is in several projects: {}",
                names.join(", ")
            ))
            .remedy("name one as PROJECT/NAME, or give --project"))
        }
    }
}

/// A project's name, checked.
pub fn project(text: &str) -> Result<ProjectName, CliError> {
    text.strip_prefix("project/")
        .unwrap_or(text)
        .parse()
        .map_err(|error: InvalidId| CliError::bad(error.to_string()))
}

/// A scope as one word: `project/shop`, `plan/shop/checkout`, `rollout/shop/checkout-3`,
/// `workload/shop/Deployment/checkout`, or `region=eu` for clusters with labels.
pub fn scope(text: &str) -> Result<Scope, CliError> {
    let invalid = |error: InvalidId| CliError::bad(error.to_string());
    if let Some((kind, name)) = text.split_once('/').filter(|(kind, _)| !kind.contains('=')) {
        return match kind {
            "project" => project(name).map(Scope::Project),
            "plan" => name.parse().map(Scope::Plan).map_err(invalid),
            "workload" => name.parse().map(Scope::Workload).map_err(invalid),
            "rollout" => {
                let (project, id) = name.split_once('/').ok_or_else(|| {
                    CliError::bad(format!("{text:?} names no rollout"))
                        .remedy("write rollout/PROJECT/ID")
                })?;
                Ok(Scope::Rollout {
                    project: project.parse().map_err(invalid)?,
                    id: id.parse().map_err(invalid)?,
                })
            }
            _ => Err(CliError::bad(format!("there is no scope {kind:?}"))
                .remedy("use project/, plan/, rollout/, workload/ or KEY=VALUE")),
        };
    }
    selector(&[text.to_owned()]).map(Scope::Selector)
}

/// What was typed where a scope has to be said with its option: which option it may be.
pub fn no_scope_word(words: &[String]) -> CliError {
    let (text, rest) = words
        .split_first()
        .map_or(("", &[][..]), |(text, rest)| (text.as_str(), rest));
    let id = rest.first().map_or(OPEN, String::as_str);
    let other = match text {
        "list" | "ls" | "get" => Some(Command::flagship("get aborts")),
        "show" | "describe" | "status" => Some(Command::flagship("describe abort").of(id)),
        "lift" | "end" | "remove" => Some(Command::flagship("lift").of(id).because()),
        _ => None,
    };
    if let Some(other) = other {
        let what = format!("{text:?} is no scope: nothing was stopped");
        return CliError::bad(what).remedy(other.to_string());
    }
    let (kind, name) = match text.split_once('/') {
        Some((kind @ ("project" | "plan" | "rollout" | "workload" | "cluster"), name)) => {
            (Some(kind), name)
        }
        Some(_) | None => (None, text),
    };
    let parts = name.split('/').count();
    let numbered = name
        .rsplit_once('-')
        .is_some_and(|(_, number)| number.parse::<u32>().is_ok());
    let options: Vec<String> = match (kind, parts) {
        (Some(kind), _) => vec![format!("--{kind} {name}")],
        (None, 3) => vec![format!("--workload {name}")],
        (None, 2) if numbered => vec![format!("--rollout {name}"), format!("--plan {name}")],
        (None, 2) => vec![format!("--plan {name}")],
        (None, _) if name.contains('=') => vec![format!("--selector {name}")],
        (None, _) => ["plan", "rollout", "cluster", "project"]
            .map(|kind| format!("--{kind} {name}"))
            .to_vec(),
    };
    CliError::bad(format!("{text:?} does not say what is meant"))
        .remedy(format!("write {}", options.join(", or ")))
}

/// Labels as `KEY=VALUE`, also several with commas between them.
pub fn selector(pairs: &[String]) -> Result<Selector, CliError> {
    let mut selector = Selector::default();
    for pair in pairs.iter().flat_map(|pairs| pairs.split(',')) {
        let Some((key, value)) = pair.split_once('=').filter(|(key, _)| !key.is_empty()) else {
            return Err(
                CliError::bad(format!("{pair:?} is not a label")).remedy("write it as key=value")
            );
        };
        selector
            .match_labels
            .insert(key.to_owned(), value.to_owned());
    }
    Ok(selector)
}
