//! The fleet at a glance, and who asks.

use axum::{Json, extract::State};

use super::{
    ApiState,
    caller::Who,
    error::ApiError,
    sight::Sight,
    types::{Banner, List, StatusView, WhoAmI},
    view::{Seen, cluster, rollout},
};
use crate::records::{ClusterState, FleetMeta, RolloutRow, Stored, TermRow, key};

fn fleet(state: &ApiState) -> Result<String, ApiError> {
    let row: Option<Stored<FleetMeta>> = state.store().read(&key::fleet())?;
    Ok(row.map_or_else(String::new, |row| row.fleet.to_string()))
}

/// Says whose token this is and what it may do.
#[utoipa::path(get, path = "/api/v1/whoami", tag = "status",
    responses((status = 200, description = "who asks", body = WhoAmI)))]
pub async fn whoami(
    State(state): State<ApiState>,
    Who(actor): Who,
) -> Result<Json<WhoAmI>, ApiError> {
    Ok(Json(WhoAmI {
        name: actor.name,
        via: actor.via.to_string(),
        role: actor.grants.role(),
        bindings: actor.grants.0.iter().map(Into::into).collect(),
        fleet: fleet(&state)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
    }))
}

/// The fleet at a glance: standing aborts and freezes, clusters, rollouts under way.
#[utoipa::path(get, path = "/api/v1/status", tag = "status",
    responses((status = 200, description = "the fleet", body = StatusView)))]
pub async fn status(
    State(state): State<ApiState>,
    Who(actor): Who,
) -> Result<Json<StatusView>, ApiError> {
    let seen = Seen::read(&state)?;
    let sight = Sight::of(&state, &actor.grants)?;
    let term: Option<Stored<TermRow>> = state.store().read(&key::term())?;
    let mut rollouts: Vec<Stored<RolloutRow>> = state.store().read_all(key::ROLLOUTS)?;
    rollouts.retain(|row| !row.state.is_over() && sight.rollout(row));
    rollouts.sort_by_key(|row| std::cmp::Reverse(row.created));
    let shown = || seen.clusters.values().filter(|row| sight.cluster(row));
    let members = shown().filter(|row| row.state.is_member());
    let (here, away): (Vec<_>, Vec<_>) = members.partition(|row| seen.connected(&row.uid));
    let pending = shown().filter(|row| row.state == ClusterState::Pending);
    let names = |rows: Vec<String>| {
        let mut rows = rows;
        rows.sort();
        rows
    };
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    Ok(Json(StatusView {
        fleet: fleet(&state)?,
        version: env!("CARGO_PKG_VERSION").to_owned(),
        term: term.map_or_else(|| "-".to_owned(), |row| row.term.to_string()),
        banners: standing(&state, &seen, &sight),
        clusters: count(here.len() + away.len()),
        connected: count(here.len()),
        not_heard: names(away.iter().map(|row| row.name.to_string()).collect()),
        pending: names(pending.map(|row| row.name.to_string()).collect()),
        rollouts: rollouts
            .iter()
            .map(|row| rollout::view(&seen, row, false))
            .collect(),
        seq: seen.seq,
    }))
}

/// Lists what everybody has to know before they read on: aborts and freezes that stand.
#[utoipa::path(get, path = "/api/v1/banners", tag = "status",
    responses((status = 200, description = "what stands", body = List<Banner>)))]
pub async fn banners(
    State(state): State<ApiState>,
    Who(actor): Who,
) -> Result<Json<List<Banner>>, ApiError> {
    let seen = Seen::read(&state)?;
    let sight = Sight::of(&state, &actor.grants)?;
    Ok(Json(List::whole(standing(&state, &seen, &sight), seen.seq)))
}

fn standing(state: &ApiState, seen: &Seen, sight: &Sight<'_>) -> Vec<Banner> {
    let mut banners = of_the_hub(state, seen);
    banners.retain(|banner| sight.banner(banner));
    banners.splice(..0, seen.banners(|scope| sight.scope(scope)));
    banners
}

fn of_the_hub(state: &ApiState, seen: &Seen) -> Vec<Banner> {
    let mut banners: Vec<Banner> = cluster::unconfirmed_banner(seen).into_iter().collect();
    banners.extend(cluster::local_banners(seen));
    let complaints = state.fleet.audit_complaints();
    banners.extend(complaints.into_iter().map(|(cluster, what)| Banner {
        kind: "audit".to_owned(),
        id: cluster.to_string(),
        text: format!("cluster {cluster} says that {what}"),
        since: seen.now.wall,
        remedy: "keep a copy of the hub's data, and compare `flagship audit export` with earlier ones; flagship-hub recover goes on above what was seen".to_owned(),
    }));
    banners.extend(state.fleet.behind().map(|why| Banner {
        kind: "behind".to_owned(),
        id: "hub".to_owned(),
        text: format!("the hub gives no orders and no leases: {why}"),
        since: seen.now.wall,
        remedy: "stop the hub; put back a newer copy of its data folder if there is one, else flagship-hub recover --data DIR --reason …".to_owned(),
    }));
    banners
}
