//! What an abort leaves as it is, because it had succeeded there, and the command that takes it back too.

use std::collections::{BTreeMap, BTreeSet};

use flagship_proto::{
    command::Command,
    model::{AbortMode, ClusterName, Order, Phase, Scope},
    words::count,
};
use flagship_waves::RolloutPhase;
use jiff::Timestamp;

use super::Seen;
use crate::{
    api::{
        ApiState,
        sight::Sight,
        types::{About, Banner},
    },
    auth::Right,
    ops::{Doing, RolloutName, doing, who_may},
    records::{AbortRow, OrderRow, RolloutRow, Stored, key},
    store::StoreError,
};

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
        let what = self.what()?;
        Some(format!("{what}; to take it back too: {}", too(scope)))
    }

    /// What stays, and where.
    fn what(&self) -> Option<String> {
        if self.0.is_empty() {
            return None;
        }
        let mut parts: Vec<String> = self.0.iter().take(NAMED).map(part).collect();
        if self.0.len() > NAMED {
            parts.push(count(self.0.len() - NAMED, "more rollout"));
        }
        let parts = parts.join(", ");
        Some(format!("what had succeeded stays as it is: {parts}"))
    }
}

/// What takes back too what had succeeded in a scope.
fn too(scope: &Scope) -> String {
    match again(scope) {
        Some(command) => command.of("--retreat").because().to_string(),
        None => "order it for the same scope with mode RetreatDone".to_owned(),
    }
}

impl Seen {
    /// What standing aborts leave as it is, a banner each: a stop is not all that somebody may want.
    pub fn stays_banners(
        &self,
        state: &ApiState,
        sight: &Sight<'_>,
    ) -> Result<Vec<Banner>, StoreError> {
        let leaves = |abort: &&Stored<AbortRow>| abort.unplaced().mode != AbortMode::RetreatDone;
        let leaving = self.standing.iter().filter(leaves);
        // What is lifted is said by its own banner until it ends.
        let leaving = leaving.filter(|abort| !self.lifts.contains_key(abort.id()));
        let leaving: Vec<_> = leaving.filter(|abort| sight.abort(abort)).collect();
        if leaving.is_empty() {
            return Ok(Vec::new());
        }
        let rollouts: Vec<Stored<RolloutRow>> = self.store.read_all(key::ROLLOUTS)?;
        // Of those that have not ended it is said that they are not fixed.
        let open = rollouts.iter().filter(|row| !row.state.is_over());
        let open: BTreeSet<RolloutName> = open.map(|row| RolloutName::of_row(row)).collect();
        let orders: Vec<Stored<OrderRow>> = self.store.read_all(key::ORDERS)?;
        let done: Vec<&Order> = orders
            .iter()
            .filter(|stored| {
                let order = stored.unplaced();
                let report = self.report(&order.uid, &order.workload);
                let row = self.clusters.get(&order.uid);
                row.is_some_and(|row| row.state.is_member())
                    && !open.contains(&RolloutName::of(order))
                    && doing(&stored.order(), report.map(|report| &report.status)) == Doing::Done
            })
            .map(|stored| stored.unplaced())
            .collect();
        let mut same: BTreeMap<(String, String), Vec<&Stored<AbortRow>>> = BTreeMap::new();
        for abort in leaving {
            let mut stays = Stays::default();
            let scope = &abort.unplaced().scope;
            let met = done.iter().filter(|order| {
                scope.covers(&order.workload, &order.plan, &order.rollout)
                    && abort.concerns(&order.uid)
            });
            met.for_each(|order| stays.add(order));
            stays.retain(|name| sight.is_whole() || sight.rollout_named(name));
            let remedy = match state.ops.stops_all_of(sight.grants(), scope) {
                true => too(scope),
                false => who_may("stop all of it"),
            };
            if let Some(what) = stays.what() {
                same.entry((what, remedy)).or_default().push(abort);
            }
        }
        let mut banners: Vec<Banner> = same.into_iter().map(alike).collect();
        banners.sort_by_key(|banner| banner.since);
        Ok(banners)
    }

    /// That a rollout had succeeded before an abort that covers it, and stays.
    pub fn stays_banner(&self, sight: &Sight<'_>, rollout: &RolloutRow) -> Option<Banner> {
        if rollout.state.phase != RolloutPhase::Succeeded {
            return None;
        }
        let leaves = |abort: &&Stored<AbortRow>| abort.unplaced().mode != AbortMode::RetreatDone;
        let aborts: Vec<_> = self.covering(rollout).filter(leaves).collect();
        let clusters = rollout.state.clusters.iter().filter(|(uid, cluster)| {
            let report = self.report(uid, &rollout.workload);
            let serves = report.is_some_and(|report| {
                let status = &report.status;
                status.phase == Phase::Succeeded && status.rollout.as_ref() == Some(&rollout.id)
            });
            let met = aborts.iter().any(|abort| abort.concerns(uid));
            serves && met && cluster.phase.succeeded()
        });
        let clusters: BTreeSet<ClusterName> = clusters.map(|(_, one)| one.name.clone()).collect();
        let first = aborts.first().filter(|_| !clusters.is_empty())?;
        let what = (RolloutName::of_row(rollout), rollout.change.to_string());
        let text = Stays([(what, clusters)].into()).what()?;
        let retreat = Command::flagship("retreat")
            .of(rollout.full_name())
            .because();
        let remedy = match sight.may_do(Right::Stop, rollout) {
            true => retreat.into(),
            false => sight.retreat_of_others(rollout, false),
        };
        Some(banner(
            rollout.full_name(),
            text,
            first.unplaced().at,
            remedy,
        ))
    }
}

/// Aborts of which the same is to be said, the first of them by name.
fn alike(((what, remedy), aborts): ((String, String), Vec<&Stored<AbortRow>>)) -> Banner {
    let oldest = aborts.iter().min_by_key(|abort| abort.unplaced().at);
    let (id, since) = match oldest {
        Some(abort) => (abort.id().to_string(), abort.unplaced().at),
        None => (String::new(), Timestamp::UNIX_EPOCH),
    };
    let more = match aborts.len().saturating_sub(1) {
        0 => String::new(),
        more => format!(" and {}", count(more, "more abort")),
    };
    banner(id.clone(), format!("{id}{more}: {what}"), since, remedy)
}

fn banner(id: String, text: String, since: Timestamp, remedy: String) -> Banner {
    Banner {
        kind: "stays".to_owned(),
        id,
        text,
        since,
        remedy,
        about: About::Seen,
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
