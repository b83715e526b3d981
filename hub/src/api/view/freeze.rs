//! A freeze as a view: whom it holds, at which weight, until when.

use std::time::Duration;

use flagship_proto::{
    command::Command,
    model::{Intent, lease::Bound},
    words::{count_with, given},
};

use super::{
    Seen,
    abort::later,
    named::{counted, scope, shared},
    serving::frozen,
};
use crate::{
    api::{
        ApiState,
        types::{About, Banner, FreezeEndView, FreezeView, MORE},
    },
    auth::Grants,
    ops::{PreviewCluster, joins},
    records::{FreezeRow, RolloutRow, Stored, key},
};

/// So many freezes are named above everything else; the rest is counted.
pub const NAMED: usize = 8;

/// Freezes that stand, each in one line: of many some of each author, the newest first, so that nobody's
/// hide what others say.
pub fn banners<'a>(standing: impl Iterator<Item = &'a Stored<FreezeRow>>) -> Vec<Banner> {
    let (named, rest) = shared(standing.collect(), NAMED, |row| {
        (row.actor.as_str(), row.at)
    });
    let named = named.into_iter().map(|row| banner(row));
    let since = rest.iter().map(|row| row.at);
    let remedy = Command::flagship("get").of("freezes").into();
    let more = counted((MORE, "freezes"), "more freeze", since, remedy);
    named.chain(more).collect()
}

/// A freeze in one line.
fn banner(freeze: &FreezeRow) -> Banner {
    let until = match freeze.until {
        Some(until) => format!(" until {}", until.strftime("%F %H:%M:%SZ")),
        None => String::new(),
    };
    Banner {
        kind: "freeze".to_owned(),
        id: freeze.id.to_string(),
        text: format!(
            "{} by freeze {} of {}{until}: {}",
            scope(&freeze.scope),
            freeze.id,
            freeze.actor,
            given(&freeze.reason)
        ),
        since: freeze.at,
        remedy: Command::flagship("unfreeze")
            .of(&freeze.id)
            .because()
            .into(),
        about: About::Seen,
    }
}

/// Everything that is known of one freeze.
pub fn view(state: &ApiState, seen: &Seen, grants: &Grants, row: &Stored<FreezeRow>) -> FreezeView {
    let lease = Duration::from_millis(row.lease_ms);
    let mut view = FreezeView {
        id: row.id.to_string(),
        scope: row.scope.to_string(),
        scope_of: row.scope.clone(),
        joins: joins(&row.scope, row.reach.as_ref()),
        at: row.at,
        actor: row.actor.clone(),
        reason: row.reason.clone(),
        ticket: row.ticket.clone(),
        standing: row.stands(),
        until: row.until,
        ended: row.ended.as_ref().map(|end| FreezeEndView {
            at: end.at,
            actor: end.actor.clone(),
            reason: end.reason.clone(),
        }),
        bound_at: later(row.at, Bound { lease }.length()),
        rollouts: Vec::new(),
        holds: Vec::new(),
        serving: Vec::new(),
        outside: Vec::new(),
        summary: String::new(),
        seq: seen.seq,
    };
    if row.stands() {
        what_it_holds(state, seen, grants, row, &mut view);
    }
    view.summary = summary(&view);
    view
}

fn what_it_holds(
    state: &ApiState,
    seen: &Seen,
    grants: &Grants,
    row: &FreezeRow,
    view: &mut FreezeView,
) {
    // What cannot be read is not shown.
    let Ok(found) = state.ops.preview_freeze(grants, row, seen.now) else {
        return;
    };
    view.rollouts = found.rollouts.iter().map(ToString::to_string).collect();
    for name in &found.rollouts {
        let key = key::rollout(&name.project, &name.id);
        let Ok(Some(rollout)) = state.store().read::<RolloutRow>(&key) else {
            continue;
        };
        let serving = seen.in_flight_and_serving(&rollout, |uid| {
            let cluster = seen.clusters.get(uid);
            cluster.is_some_and(|cluster| row.concerns(cluster))
        });
        view.serving.extend(serving);
    }
    for cluster in &found.stops {
        view.holds.push(line(seen, cluster, view.bound_at));
    }
    for cluster in &found.outside {
        view.outside.push(format!(
            "{}: its plan lets it go on until {} while it is not heard",
            cluster.cluster,
            cluster.not_after.strftime("%F %H:%M:%SZ")
        ));
    }
}

fn line(seen: &Seen, cluster: &PreviewCluster, bound_at: jiff::Timestamp) -> String {
    let name = &cluster.cluster;
    let at = match cluster.weight {
        Some(weight) => format!("at {weight}"),
        None => "and has reported nothing yet".to_owned(),
    };
    let row = seen.named(name);
    let report = row.and_then(|row| seen.report(&row.uid, &cluster.workload));
    if report.is_some_and(|report| report.status.intent == Some(Intent::Hold)) {
        return format!("{name} holds {at}");
    }
    if row.is_some_and(|row| seen.connected(&row.uid)) {
        return format!("{name} is told, {at}");
    }
    let stands = frozen(&at, "not heard", bound_at, seen.now.wall);
    format!("{name} {stands}")
}

fn summary(view: &FreezeView) -> String {
    match (&view.ended, view.until) {
        (Some(end), _) => format!(
            "ended by {} at {}: {}",
            end.actor,
            end.at,
            given(&end.reason)
        ),
        (None, Some(until)) => format!("{}; until {}", held(view), until.strftime("%F %H:%M:%SZ")),
        (None, None) => format!("{}; until somebody ends it", held(view)),
    }
}

fn held(view: &FreezeView) -> String {
    match (view.rollouts.len(), view.holds.len()) {
        (0, _) => "no rollout is under way in its scope, and none starts anywhere there".to_owned(),
        (rollouts, 0) => format!("{}, nothing is in flight", wait(rollouts)),
        (rollouts, 1) => format!("{}, 1 in flight holds", wait(rollouts)),
        (rollouts, holds) => format!("{}, {holds} in flight hold", wait(rollouts)),
    }
}

fn wait(rollouts: usize) -> String {
    count_with(rollouts, "rollout", ["waits", "wait"])
}
