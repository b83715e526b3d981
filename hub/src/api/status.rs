//! The fleet at a glance, and who asks.

use axum::{Json, extract::State};
use flagship_proto::command::{Command, OPEN};

use super::{
    ApiState,
    caller::Who,
    error::ApiError,
    sight::Sight,
    types::{About, Banner, List, NotHeardView, StatusView, WhoAmI},
    view::{Seen, cluster, rollout},
};
use crate::{
    records::{ClusterRow, ClusterState, FleetMeta, RolloutRow, Stored, TermRow, key},
    store::StoreError,
};

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
    let sight = state.sight(&actor.grants);
    let term: Option<Stored<TermRow>> = state.store().read(&key::term())?;
    let rollouts = Rollouts::read(&state, &sight)?;
    let shown = || seen.clusters.values().filter(|row| sight.cluster(row));
    let members = shown().filter(|row| row.state.is_member());
    let (here, away): (Vec<_>, Vec<_>) = members.partition(|row| seen.connected(&row.uid));
    let pending = shown().filter(|row| row.state == ClusterState::Pending);
    let silent = |row: &Stored<ClusterRow>| NotHeardView {
        cluster: row.name.to_string(),
        last_heard: seen.last_heard(&row.uid),
        unheard_since: seen.unheard_since(&row.uid),
    };
    let mut not_heard: Vec<NotHeardView> = away.iter().map(|row| silent(row)).collect();
    not_heard.sort_by(|a, b| a.cluster.cmp(&b.cluster));
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
        banners: standing(&state, &seen, &sight, &rollouts)?,
        clusters: count(here.len() + away.len()),
        connected: count(here.len()),
        not_heard,
        pending: names(pending.map(|row| row.name.to_string()).collect()),
        rollouts: rollouts
            .open
            .iter()
            .map(|row| rollout::view(&seen, &sight, row, false))
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
    let sight = state.sight(&actor.grants);
    let rollouts = Rollouts::read(&state, &sight)?;
    let banners = standing(&state, &seen, &sight, &rollouts)?;
    Ok(Json(List::whole(banners, seen.seq)))
}

/// Rollouts of which people have to know, as far as they are seen.
struct Rollouts {
    /// Those that have not ended, or to which somebody catches up, the newest first.
    open: Vec<Stored<RolloutRow>>,
    /// Those that went back and left somebody behind.
    left: Vec<Stored<RolloutRow>>,
}

impl Rollouts {
    fn read(state: &ApiState, sight: &Sight<'_>) -> Result<Self, StoreError> {
        let rows: Vec<Stored<RolloutRow>> = state.store().read_all(key::ROLLOUTS)?;
        let rows = rows.into_iter();
        let is_over = |row: &Stored<RolloutRow>| {
            let mut lane = row.state.catching_up();
            row.state.is_over() && lane.next().is_none()
        };
        let (mut left, mut open): (Vec<_>, Vec<_>) = rows.partition(is_over);
        open.retain(|row| sight.rollout(row));
        open.sort_by_key(|row| std::cmp::Reverse(row.created));
        left.retain(|row| row.state.left_behind().next().is_some() && sight.rollout(row));
        Ok(Self { open, left })
    }
}

fn standing(
    state: &ApiState,
    seen: &Seen,
    sight: &Sight<'_>,
    rollouts: &Rollouts,
) -> Result<Vec<Banner>, StoreError> {
    // Where its data lie is one of its settings, which are not for everybody.
    let data = if sight.is_whole() {
        &state.settings.data
    } else {
        OPEN
    };
    let mut of_the_hub = of_the_hub(state, seen, sight, data);
    of_the_hub.retain(|banner| sight.banner(banner));
    let mut banners = seen.banners(sight);
    let rollouts = rollouts.open.iter().chain(&rollouts.left);
    banners.extend(rollouts.filter_map(|row| seen.serving_banner(sight, row)));
    banners.extend(seen.stays_banners(state, sight)?);
    banners.extend(seen.unwanted_banners(sight)?);
    banners.extend(of_the_hub);
    let banners = banners.into_iter();
    Ok(banners.map(|banner| sight.offer(banner)).collect())
}

fn of_the_hub(state: &ApiState, seen: &Seen, sight: &Sight<'_>, data: &str) -> Vec<Banner> {
    let recover = Command::hub("recover").of("--data").of(data).because();
    let mut banners: Vec<Banner> = cluster::unconfirmed_banner(seen).into_iter().collect();
    let mut local = cluster::local_banners(seen);
    local.retain(|banner| sight.banner(banner));
    banners.extend(cluster::shared_out(&local));
    let complaints = state.fleet.audit_complaints();
    banners.extend(complaints.into_iter().map(|(cluster, what)| Banner {
        kind: "audit".to_owned(),
        id: cluster.to_string(),
        text: format!("cluster {cluster} says that {}", what.why),
        since: what.since,
        remedy: format!("keep a copy of the hub's data, and compare `flagship audit export` with earlier ones; what goes on above all that was seen: {recover}"),
        about: About::Fleet,
    }));
    banners.extend(seen.behind_banner(sight, data));
    banners
}
