//! Completion of names from the hub, for what is typed at a shell. It answers in time or not at all:
//! no hub, no token or a slow hub is no candidate, never an error on the line that is typed.

use std::{ffi::OsStr, time::Duration};

use clap::Parser;
use clap_complete::ArgValueCompleter;
use serde::de::DeserializeOwned;

use super::{
    client::segment, common::Global, context::Session, exit::CliError, offered::matching,
    refs::Kind, topics::TOPICS,
};
use crate::api::types::{
    AbortView, ChannelView, ClusterView, EnrolTokenView, FreezeView, List, PlanView, RolloutView,
    TokenView,
};

/// The variable by which the shell's script asks for candidates.
pub const VARIABLE: &str = "FLAGSHIP_COMPLETE";

/// How long somebody waits who pressed Tab.
const DEADLINE: Duration = Duration::from_millis(300);

/// So many candidates are asked for.
const MOST: usize = 1000;

/// What is known of the command line that is typed: which hub and project it means.
#[derive(Debug, Parser)]
#[command(no_binary_name = true, disable_help_flag = true)]
struct Typed {
    #[command(flatten)]
    global: Global,
}

/// Completes the name of a rollout, or of a plan for its newest one.
pub fn rollout() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| matching(names(&[Kind::Rollout, Kind::Plan]), typed))
}

/// Completes a name of this kind.
pub fn of(kind: Kind) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| matching(names(&[kind]), typed))
}

/// Completes a kind, `KIND/NAME`, and the kinds alone.
pub fn kind_and_name() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let text = typed.to_string_lossy();
        let Some((word, _)) = text.split_once('/') else {
            let kinds = Kind::WORDS.iter().map(ToString::to_string);
            return matching(kinds.collect(), typed);
        };
        let found = Kind::parse(word).map(|kind| names(&[kind]));
        let found = found
            .unwrap_or_default()
            .into_iter()
            .map(|name| format!("{word}/{name}"));
        matching(found.collect(), typed)
    })
}

/// Completes a name of the kind that stands before it.
pub fn name_after_kind() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let words = std::env::args().skip_while(|word| word != "get" && word != "describe");
        let kind = words.skip(1).find_map(|word| Kind::parse(&word).ok());
        matching(names(kind.as_slice()), typed)
    })
}

/// Completes the name of a channel of notifications.
pub fn channel() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let name = |channel: ChannelView| channel.name;
        let found = ask(async |session| listed("notify-channels", session, name).await);
        matching(found, typed)
    })
}

/// Completes a topic of the help, or one of these verbs.
pub fn topic(verbs: Vec<String>) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| {
        let topics = TOPICS.iter().map(|topic| topic.name.to_owned());
        matching(topics.chain(verbs.iter().cloned()).collect(), typed)
    })
}

/// Names of these kinds, as they are typed.
fn names(kinds: &[Kind]) -> Vec<String> {
    ask(async |session| {
        let mut found = Vec::new();
        for kind in kinds {
            found.extend(names_of(*kind, session).await?);
        }
        Ok(found)
    })
}

/// The names of all of a kind, as they are typed.
pub async fn names_of(kind: Kind, session: &Session) -> Result<Vec<String>, CliError> {
    match kind {
        Kind::Plan => {
            let name = |plan: PlanView| format!("{}/{}", plan.project, plan.name);
            listed("plans", session, name).await
        }
        Kind::Rollout => {
            let name = |rollout: RolloutView| format!("{}/{}", rollout.project, rollout.id);
            listed("rollouts", session, name).await
        }
        Kind::Cluster => listed("clusters", session, |cluster: ClusterView| cluster.name).await,
        Kind::Abort => listed("aborts", session, |abort: AbortView| abort.id).await,
        Kind::Freeze => listed("freezes", session, |freeze: FreezeView| freeze.id).await,
        Kind::Token => listed("tokens", session, |token: TokenView| token.id).await,
        Kind::EnrolToken => listed("enrol-tokens", session, |token: EnrolTokenView| token.id).await,
    }
}

/// Names in a list of the hub; of the meant project, where what is listed has one.
async fn listed<T: DeserializeOwned>(
    list: &str,
    session: &Session,
    name: impl Fn(T) -> String,
) -> Result<Vec<String>, CliError> {
    let has_project = matches!(list, "plans" | "rollouts");
    let project = session.project.as_deref().filter(|_| has_project);
    let project = project.map_or_else(String::new, |project| {
        format!("&project={}", segment(project))
    });
    let path = format!("/api/v1/{list}?limit={MOST}{project}");
    let all: List<T> = session.client.get(&path).await?;
    Ok(all.items.into_iter().map(name).collect())
}

/// Asks the hub that the typed command line means; nothing where it does not answer in time.
fn ask(question: impl AsyncFnOnce(&Session) -> Result<Vec<String>, CliError>) -> Vec<String> {
    let Some(session) = session() else {
        return Vec::new();
    };
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let Ok(runtime) = runtime else {
        return Vec::new();
    };
    let answer =
        runtime.block_on(async { tokio::time::timeout(DEADLINE, question(&session)).await });
    runtime.shutdown_background();
    answer.ok().and_then(Result::ok).unwrap_or_default()
}

fn session() -> Option<Session> {
    let words = std::env::args().skip_while(|word| word != "--").skip(2);
    let typed = Typed::try_parse_from(told(words)).ok()?;
    Session::find(&typed.global).ok()
}

/// The options of every verb among the words, each with its value.
fn told(words: impl Iterator<Item = String>) -> Vec<String> {
    const WITH_VALUE: &[&str] = &[
        "--hub",
        "--token-file",
        "--ca",
        "--client-cert",
        "--client-key",
        "--project",
        "--context",
    ];
    let mut told = Vec::new();
    let mut words = words.peekable();
    while let Some(word) = words.next() {
        let name = word.split_once('=').map_or(word.as_str(), |(name, _)| name);
        if !WITH_VALUE.contains(&name) {
            continue;
        }
        let whole = name != word;
        if whole {
            told.push(word);
        } else if let Some(value) = words.next().filter(|value| !value.is_empty()) {
            told.extend([word, value]);
        }
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_hub_that_the_typed_line_means_is_asked() {
        let line = "get --context prod rollouts --project=shop --selector a=b -o json --hub";
        let words = line.split(' ').map(ToOwned::to_owned);
        assert_eq!(told(words), ["--context", "prod", "--project=shop"]);
        let typed = Typed::try_parse_from(["--context", "prod", "--project=shop"]).unwrap();
        assert_eq!(typed.global.context.as_deref(), Some("prod"));
        assert_eq!(typed.global.project.as_deref(), Some("shop"));
    }
}
