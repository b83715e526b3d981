//! Completion of names from the hub, for what is typed at a shell. It answers in time or not at all:
//! no hub, no token or a slow hub is no candidate, never an error on the line that is typed.

use std::{ffi::OsStr, time::Duration};

use clap::Parser;
use clap_complete::{ArgValueCompleter, CompletionCandidate};

use super::{
    args::Global, client::segment, config, context::Session, exit::CliError, output::Format,
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
    ArgValueCompleter::new(|typed: &OsStr| {
        let mut found = names(Kind::Rollout);
        found.extend(names(Kind::Plan));
        matching(found, typed)
    })
}

/// Completes a name of this kind.
pub fn of(kind: Kind) -> ArgValueCompleter {
    ArgValueCompleter::new(move |typed: &OsStr| matching(names(kind), typed))
}

/// Completes a kind, `KIND/NAME`, and the kinds alone.
pub fn kind_and_name() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let text = typed.to_string_lossy();
        let Some((word, _)) = text.split_once('/') else {
            let kinds = Kind::WORDS.iter().map(ToString::to_string);
            return matching(kinds.collect(), typed);
        };
        let found = Kind::parse(word).map(names).unwrap_or_default();
        let found = found.into_iter().map(|name| format!("{word}/{name}"));
        matching(found.collect(), typed)
    })
}

/// Completes a name of the kind that stands before it.
pub fn name_after_kind() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let words = std::env::args().skip_while(|word| word != "get" && word != "describe");
        let kind = words.skip(1).find_map(|word| Kind::parse(&word).ok());
        matching(kind.map(names).unwrap_or_default(), typed)
    })
}

/// Completes the name of a channel of notifications.
pub fn channel() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let found = ask(async |session| {
            let list: List<ChannelView> = session.client.get("/api/v1/notify-channels").await?;
            Ok(list.items.into_iter().map(|channel| channel.name).collect())
        });
        matching(found, typed)
    })
}

/// Completes the name of a context of the configuration file.
pub fn context() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let config = config::path().and_then(|path| config::load(&path));
        let names = config.map(|config| config.contexts.into_keys().collect());
        matching(names.unwrap_or_default(), typed)
    })
}

/// Completes a format.
pub fn format() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let words = Format::WORDS.iter().map(ToString::to_string);
        matching(words.collect(), typed)
    })
}

/// Completes a topic of the help, or a verb.
pub fn topic() -> ArgValueCompleter {
    ArgValueCompleter::new(|typed: &OsStr| {
        let command = <super::args::Cli as clap::CommandFactory>::command();
        let verbs = command
            .get_subcommands()
            .map(|verb| verb.get_name().to_owned());
        let topics = TOPICS.iter().map(|topic| topic.name.to_owned());
        matching(topics.chain(verbs).collect(), typed)
    })
}

fn matching(mut names: Vec<String>, typed: &OsStr) -> Vec<CompletionCandidate> {
    let typed = typed.to_string_lossy();
    names.retain(|name| name.starts_with(&*typed));
    names.into_iter().map(CompletionCandidate::new).collect()
}

/// Names of a kind, as they are typed.
fn names(kind: Kind) -> Vec<String> {
    ask(async |session| {
        let project = session.project.iter();
        let project: String = project
            .map(|p| format!("&project={}", segment(p)))
            .collect();
        let client = &session.client;
        Ok(match kind {
            Kind::Plan => {
                let path = format!("/api/v1/plans?limit={MOST}{project}");
                let list: List<PlanView> = client.get(&path).await?;
                let name = |plan: PlanView| format!("{}/{}", plan.project, plan.name);
                list.items.into_iter().map(name).collect()
            }
            Kind::Rollout => {
                let path = format!("/api/v1/rollouts?limit={MOST}{project}");
                let list: List<RolloutView> = client.get(&path).await?;
                let name = |rollout: RolloutView| format!("{}/{}", rollout.project, rollout.id);
                list.items.into_iter().map(name).collect()
            }
            Kind::Cluster => {
                let path = format!("/api/v1/clusters?limit={MOST}");
                let list: List<ClusterView> = client.get(&path).await?;
                list.items.into_iter().map(|cluster| cluster.name).collect()
            }
            Kind::Abort => {
                let list: List<AbortView> =
                    client.get(&format!("/api/v1/aborts?limit={MOST}")).await?;
                list.items.into_iter().map(|abort| abort.id).collect()
            }
            Kind::Freeze => {
                let list: List<FreezeView> =
                    client.get(&format!("/api/v1/freezes?limit={MOST}")).await?;
                list.items.into_iter().map(|freeze| freeze.id).collect()
            }
            Kind::Token => {
                let list: List<TokenView> =
                    client.get(&format!("/api/v1/tokens?limit={MOST}")).await?;
                list.items.into_iter().map(|token| token.id).collect()
            }
            Kind::EnrolToken => {
                let list: List<EnrolTokenView> = client
                    .get(&format!("/api/v1/enrol-tokens?limit={MOST}"))
                    .await?;
                list.items.into_iter().map(|token| token.id).collect()
            }
        })
    })
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
    Session::open(&typed.global).ok()
}

/// The options of every verb among the words, each with its value.
fn told(words: impl Iterator<Item = String>) -> Vec<String> {
    const WITH_VALUE: &[&str] = &["--hub", "--token-file", "--ca", "--project", "--context"];
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

    #[test]
    fn only_what_begins_as_it_was_typed_is_offered() {
        let names = vec!["shop/checkout-1".to_owned(), "shop/cart-1".to_owned()];
        let found = matching(names, OsStr::new("shop/ch"));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].get_value(), "shop/checkout-1");
    }
}
