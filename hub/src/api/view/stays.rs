//! What an abort leaves as it is, because it had succeeded there, and the command that takes it back too.

use std::collections::{BTreeMap, BTreeSet};

use flagship_proto::{
    command::Command,
    model::{ClusterName, Order, Scope},
    words::count,
};

use crate::ops::RolloutName;

/// So many clusters, and so many rollouts, are named.
const NAMED: usize = 6;

/// Clusters by the rollout that succeeded there, and by what it released.
#[derive(Debug, Default)]
pub(super) struct Stays(BTreeMap<(RolloutName, String), BTreeSet<ClusterName>>);

impl Stays {
    pub(super) fn add(&mut self, order: &Order) {
        let what = (RolloutName::of(order), order.change.to_string());
        self.0
            .entry(what)
            .or_default()
            .insert(order.cluster.clone());
    }

    pub(super) fn retain(&mut self, is_seen: impl Fn(&RolloutName) -> bool) {
        self.0.retain(|(rollout, _), _| is_seen(rollout));
    }

    /// All of it in one line; none where nothing stays.
    pub(super) fn said(&self, scope: &Scope) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let mut parts: Vec<String> = self.0.iter().take(NAMED).map(part).collect();
        if self.0.len() > NAMED {
            parts.push(count(self.0.len() - NAMED, "more rollout"));
        }
        let how = match again(scope) {
            Some(command) => command.of("--retreat").because().to_string(),
            None => "order it for the same scope with mode RetreatDone".to_owned(),
        };
        Some(format!(
            "what had succeeded stays as it is: {}; to take it back too: {how}",
            parts.join(", ")
        ))
    }
}

fn part(((rollout, change), clusters): (&(RolloutName, String), &BTreeSet<ClusterName>)) -> String {
    let names = clusters.iter().map(ClusterName::as_str);
    let who = if clusters.len() > NAMED {
        count(clusters.len(), "cluster")
    } else {
        names.collect::<Vec<_>>().join(", ")
    };
    let serve = if clusters.len() == 1 {
        "serves"
    } else {
        "serve"
    };
    format!("{who} {serve} {change} of {rollout}")
}

/// An abort of a scope as it is typed; none for a selector that only a document can say.
pub(super) fn again(scope: &Scope) -> Option<Command> {
    let abort = Command::flagship("abort");
    Some(match scope {
        Scope::Fleet => abort.of("--fleet"),
        Scope::Project(project) => abort.of("--project").of(project),
        Scope::Plan(plan) => abort.of("--plan").of(plan),
        Scope::Rollout { project, id } => abort.of("--rollout").of(format!("{project}/{id}")),
        Scope::Workload(workload) => abort.of("--workload").of(workload),
        Scope::Selector(selector) => {
            let (names, labels) = (&selector.names, &selector.match_labels);
            let is_typed = names.is_empty() || labels.is_empty();
            if !is_typed || !selector.match_expressions.is_empty() {
                return None;
            }
            let of_names = names.iter().map(|name| ("--cluster", name.to_string()));
            let of_labels = labels
                .iter()
                .map(|(key, value)| ("--selector", format!("{key}={value}")));
            let options = of_names.chain(of_labels);
            options.fold(abort, |abort, (option, value)| abort.of(option).of(value))
        }
    })
}
