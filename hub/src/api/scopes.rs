//! What a scope would hit: for those who think of an abort or a freeze, and for those who named no scope.

use std::collections::{BTreeMap, BTreeSet};

use axum::{Json, extract::State};
use flagship_proto::{
    model::{AbortMode, ClusterName, ClusterUid, Scope, Selector},
    words::count,
};
use flagship_waves::RolloutPhase;

use super::{
    ApiState,
    body::Body,
    caller::Who,
    error::ApiError,
    types::{AbortPreview, AbortRequest, List, NotFixed, ScopeHit},
    view::Seen,
};
use crate::{
    ops::{self, AbortOrder, PreviewCluster},
    records::{RolloutRow, Stored, key},
};

/// So many labels are listed as scopes; a large fleet has more than anybody reads.
const LABELS: usize = 24;

/// Of so many rollouts that ended the plans are listed.
const LATELY: usize = 12;

/// Says what an abort would do; orders nothing.
#[utoipa::path(post, path = "/api/v1/abort-preview", tag = "aborts", request_body = AbortRequest,
    responses((status = 200, description = "what it would do", body = AbortPreview)))]
pub async fn preview(
    State(state): State<ApiState>,
    Who(actor): Who,
    Body(request): Body<AbortRequest>,
) -> Result<Json<AbortPreview>, ApiError> {
    let order = AbortOrder {
        scope: request.scope,
        mode: request.mode,
    };
    let mut found = state
        .ops
        .preview_abort(&actor.grants, &order, state.now())?;
    let sight = state.sight(&actor.grants);
    found.stops.iter_mut().for_each(|one| sight.cut_met(one));
    let seen = Seen::read(&state)?;
    Ok(Json(previewed(&seen, &found)))
}

fn previewed(seen: &Seen, found: &ops::AbortPreview) -> AbortPreview {
    let hears = |name: &ClusterName| seen.named(name).is_some_and(|row| seen.connected(&row.uid));
    let is_here = |found: &&PreviewCluster| hears(&found.cluster);
    let idle_away = found.idle.iter().filter(|name| !hears(name)).count();
    let (here, away): (Vec<_>, Vec<_>) = found.stops.iter().partition(is_here);
    let stops = |one: &PreviewCluster| match seen.stuck_at(one) {
        Some(why) => format!("{}, and does not go back: {why}", at(one)),
        None => at(one),
    };
    let names = |some: Vec<&PreviewCluster>| some.into_iter().map(stops).collect();
    let unheard = |one: &&PreviewCluster| format!("{}: {}", at(one), silence(seen, one));
    let done_stays = found.mode != AbortMode::RetreatDone;
    let done_away = found.done.iter().filter(|one| !done_stays && !is_here(one));
    let done_away: Vec<String> = done_away.map(|one| back_when_heard(seen, one)).collect();
    let then_heard = match done_away.len() {
        0 => String::new(),
        away => format!(" ({away} of them not before it is heard again)"),
    };
    let outside = |cluster: &PreviewCluster| {
        format!(
            "{}: its plan lets it go on until {} while it is not heard",
            at(cluster),
            cluster.not_after.strftime("%F %H:%M:%SZ")
        )
    };
    let done = |cluster: &PreviewCluster, share: Option<u8>| NotFixed {
        cluster: cluster.cluster.to_string(),
        workload: cluster.workload.to_string(),
        version: Some(cluster.change.clone()),
        rollout: Some(cluster.rollout.to_string()),
        done: true,
        soaked: false,
        share,
        unheard: seen.silence_of(cluster),
        stuck: None,
        command: seen.retreat_of(cluster),
    };
    let (verb, then) = match found.mode {
        AbortMode::Return => ("go back", "stay as they are"),
        AbortMode::Hold => ("stay at their weight", "stay as they are"),
        AbortMode::RetreatDone => ("go back", "go back too"),
    };
    AbortPreview {
        scope: found.scope.to_string(),
        joins: found.joins.clone(),
        bound_ms: found.bound_ms,
        bound_at: found.nothing_advances_after,
        connected: names(here),
        not_heard: away.iter().map(unheard).chain(done_away).collect(),
        outside: found.outside.iter().map(outside).collect(),
        held_with: found.held_with.iter().map(held_with).collect(),
        done: found.done.iter().map(|one| done(one, Some(100))).collect(),
        done_stays,
        left: found.left.iter().map(|one| done(one, None)).collect(),
        rollouts: found.rollouts.iter().map(ToString::to_string).collect(),
        taken_back: found.taken_back.iter().map(ToString::to_string).collect(),
        summary: format!(
            "{} unfinished {verb}{}; {} Done {then}{then_heard}; {} with nothing in flight{}",
            found.stops.len(),
            match found.left.len() {
                0 => String::new(),
                left => format!(", {left} of them to what was Done there before"),
            },
            found.done.len(),
            found.idle.len(),
            match idle_away {
                0 => String::new(),
                away => format!(" ({away} of them as last heard, and not heard now)"),
            }
        ),
    }
}

/// A cluster that is Done, goes back, and is not heard now.
fn back_when_heard(seen: &Seen, found: &PreviewCluster) -> String {
    let row = seen.named(&found.cluster);
    let since = row.map_or_else(gone, |row| unheard_since(seen, &row.uid));
    let (cluster, change) = (&found.cluster, &found.change);
    format!("{cluster}: {since}; Done on {change}, goes back when it is heard again")
}

fn gone() -> String {
    "not a member any more".to_owned()
}

fn clock(at: jiff::Timestamp) -> impl std::fmt::Display {
    at.strftime("%H:%M:%SZ")
}

fn unheard_since(seen: &Seen, uid: &ClusterUid) -> String {
    match (seen.unheard_since(uid), seen.last_heard(uid)) {
        (Some(began), _) => format!("not heard since the hub started at {}", clock(began)),
        (None, Some(last)) => format!("not heard since {}", clock(last)),
        (None, None) => "never heard".to_owned(),
    }
}

/// Since when a cluster that would be stopped is not heard, and what it may do meanwhile.
fn silence(seen: &Seen, cluster: &PreviewCluster) -> String {
    let row = seen.named(&cluster.cluster);
    let Some(uid) = row.map(|row| &row.uid) else {
        return gone();
    };
    let since = unheard_since(seen, uid);
    match seen.may_advance_until(uid) {
        Some(until) => format!(
            "{since}; may serve {} and advance under its lease until {}",
            cluster.change,
            clock(until)
        ),
        None => format!("{since}; may serve {} as it stood", cluster.change),
    }
}

/// A cluster with its weight, where one was reported.
pub fn at(cluster: &PreviewCluster) -> String {
    match cluster.weight {
        Some(weight) => format!("{} at {weight}", cluster.cluster),
        None => cluster.cluster.to_string(),
    }
}

/// A cluster out of scope that stays where it is, as its rollout is stopped.
fn held_with(cluster: &PreviewCluster) -> String {
    format!("{} ({})", at(cluster), cluster.rollout)
}

/// Lists the scopes that there are, each with what an abort or a freeze of it would hit now.
#[utoipa::path(get, path = "/api/v1/abort-scopes", tag = "aborts",
    responses((status = 200, description = "the scopes", body = List<ScopeHit>)))]
pub async fn scopes(
    State(state): State<ApiState>,
    Who(actor): Who,
) -> Result<Json<List<ScopeHit>>, ApiError> {
    let seen = Seen::read(&state)?;
    let sight = state.sight(&actor.grants);
    let mut rollouts: Vec<Stored<RolloutRow>> = state.store().read_all(key::ROLLOUTS)?;
    rollouts.retain(|row| sight.rollout(row));
    let (mut ended, open): (Vec<_>, Vec<_>) =
        rollouts.into_iter().partition(|row| row.state.is_over());
    // What has succeeded lately is stopped too by who finds it bad now.
    ended.retain(|row| row.state.phase == RolloutPhase::Succeeded);
    ended.sort_by_key(|row| std::cmp::Reverse(row.state.ended));
    ended.truncate(LATELY);
    let all = || open.iter().chain(&ended);
    let mut known = vec![("--fleet".to_owned(), Scope::Fleet)];
    let mut add = |option: String, scope: Scope| {
        if !known.iter().any(|(_, other)| *other == scope) {
            known.push((option, scope));
        }
    };
    for row in all() {
        add(
            format!("--project {}", row.project),
            Scope::Project(row.project.clone()),
        );
    }
    for row in all() {
        let plan = row.plan_ref();
        add(format!("--plan {plan}"), Scope::Plan(plan));
    }
    for row in &open {
        let scope = Scope::Rollout {
            project: row.project.clone(),
            id: row.id.clone(),
        };
        add(format!("--rollout {}/{}", row.project, row.id), scope);
    }
    for row in all().filter(|row| sight.workload(&row.workload)) {
        add(
            format!("--workload {}", row.workload),
            Scope::Workload(row.workload.clone()),
        );
    }
    let members = seen.clusters.values().filter(|row| sight.cluster(row));
    let members = members.filter(|row| row.state.is_member());
    let labels: BTreeSet<(&String, &String)> = members.flat_map(|row| &row.labels).collect();
    for (key, value) in labels.iter().take(LABELS) {
        let selector = Selector {
            match_labels: BTreeMap::from([((*key).clone(), (*value).clone())]),
            ..Selector::default()
        };
        add(
            format!("--selector {key}={value}"),
            Scope::Selector(selector),
        );
    }
    // Who may stop something chooses among what he may stop; who may stop nothing reads them all.
    if sight.stops_some() {
        known.retain(|(_, scope)| state.ops.stops_all_of(&actor.grants, scope));
    }
    let (options, scopes): (Vec<String>, Vec<Scope>) = known.into_iter().unzip();
    let orders: Vec<AbortOrder> = scopes
        .into_iter()
        .map(|scope| AbortOrder {
            scope,
            mode: AbortMode::Return,
        })
        .collect();
    let found = state.ops.preview_all(&actor.grants, &orders, state.now())?;
    let mut items: Vec<ScopeHit> = options.into_iter().zip(&found).map(hit).collect();
    if labels.len() > LABELS {
        items.push(ScopeHit {
            option: "--selector KEY=VALUE".to_owned(),
            scope: "clusters with a label".to_owned(),
            scope_of: None,
            hits: format!(
                "every workload in the clusters with this label: {} more labels, --dry-run says which clusters",
                labels.len() - LABELS
            ),
            clusters: 0,
            rollouts: 0,
            in_flight: 0,
        });
    }
    Ok(Json(List::whole(items, seen.seq)))
}

fn hit((option, found): (String, &ops::AbortPreview)) -> ScopeHit {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let flying: Vec<String> = found.stops.iter().map(at).collect();
    let clusters = found.clusters();
    let mut hits = vec![
        counted(clusters.len(), "cluster", clusters.iter().copied()),
        counted(found.rollouts.len(), "rollout", &found.rollouts),
        match flying.len() {
            0 => "nothing in flight".to_owned(),
            number => format!("{number} in flight ({})", short(&flying)),
        },
    ];
    if !found.done.is_empty() {
        hits.push(format!("{} done", found.done.len()));
    }
    ScopeHit {
        option,
        scope: found.scope.to_string(),
        scope_of: Some(found.scope.clone()),
        hits: hits.join(", "),
        clusters: count(clusters.len()),
        rollouts: count(found.rollouts.len()),
        in_flight: count(flying.len()),
    }
}

fn counted(number: usize, what: &str, names: impl IntoIterator<Item = impl ToString>) -> String {
    let names: Vec<String> = names.into_iter().map(|name| name.to_string()).collect();
    match number {
        0 => format!("no {what}"),
        number => format!("{} ({})", count(number, what), short(&names)),
    }
}

/// The first few names.
fn short(names: &[String]) -> String {
    let shown = names.iter().take(4).cloned().collect::<Vec<_>>().join(", ");
    if names.len() > 4 {
        format!("{shown}, …")
    } else {
        shown
    }
}
