//! Rollouts: start, list, read, history, and what people ask of one.

use axum::{extract::State, http::StatusCode};
use flagship_proto::{
    command::{Command, OPEN},
    digest::Digest,
    model::{Change, ProjectName, ReturnTo},
};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    ApiState,
    body::{Body, Names, named},
    caller::{By, Who},
    error::ApiError,
    page::{Asked, Listing, Page},
    plans::plan_ref,
    tag::Tagged,
    types::{AcceptRequest, Empty, HistoryView, List, RetreatRequest, RolloutView, StartRequest},
    view::{Seen, halted::NO_ORDERS, plain, rollout},
};
use crate::{
    auth::Grants,
    ops::{RolloutName, StartRollout},
    records::{HistoryRow, RolloutRow, Stored, key},
};

/// Which rollouts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only of this project.
    pub project: Option<String>,
    /// Only this id, or those of a plan with this name; what has ended too.
    pub name: Option<String>,
    /// What has ended too.
    #[serde(default)]
    pub all: bool,
}

type Answer = Result<Tagged<RolloutView>, ApiError>;

/// Lists rollouts, the newest first, without their clusters.
#[utoipa::path(get, path = "/api/v1/rollouts", tag = "rollouts", params(Page, Which),
    responses((status = 200, description = "a page of rollouts", body = List<RolloutView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Who(actor): Who,
    Asked { page, which }: Asked<Which>,
) -> Result<Listing<RolloutView>, ApiError> {
    let seen = Seen::read(&state)?;
    let prefix = match &which.project {
        Some(name) => key::rollouts_of(&named::<ProjectName>("project", name)?),
        None => key::ROLLOUTS.to_owned(),
    };
    let mut rows: Vec<Stored<RolloutRow>> = state.store().read_all(&prefix)?;
    let sight = state.sight(&actor.grants);
    rows.retain(|row| match &which.name {
        Some(name) => row.id.as_str() == name || row.plan.metadata.name.as_str() == name,
        None => which.all || !row.state.is_over(),
    });
    rows.retain(|row| sight.rollout(row));
    page.pick(rows)?
        .show(seen.seq, |row| rollout::view(&seen, &sight, row, false))
}

fn rollout_name(project: &str, id: &str) -> Result<RolloutName, ApiError> {
    Ok(RolloutName {
        project: named("project", project)?,
        id: named("id", id)?,
    })
}

fn find(
    state: &ApiState,
    grants: &Grants,
    name: &RolloutName,
) -> Result<Stored<RolloutRow>, ApiError> {
    let row: Option<Stored<RolloutRow>> =
        state.store().read(&key::rollout(&name.project, &name.id))?;
    let sight = state.sight(grants);
    let row = row.filter(|row| sight.rollout(row));
    row.ok_or_else(|| {
        ApiError::not_found("rollout.notFound", format!("there is no rollout {name}"))
            .field("id")
            .remedy("`flagship get rollouts --all` lists them")
    })
}

fn show(state: &ApiState, grants: &Grants, name: &RolloutName) -> Answer {
    let seen = Seen::read(state)?;
    let row = find(state, grants, name)?;
    let view = rollout::view(&seen, &state.sight(grants), &row, true);
    Ok(Tagged::new(view, row.modified))
}

/// Reads a rollout: what it waits for and since when, and each of its clusters.
#[utoipa::path(get, path = "/api/v1/projects/{project}/rollouts/{id}", tag = "rollouts",
    params(("project" = String, Path), ("id" = String, Path)),
    responses((status = 200, description = "the rollout", body = RolloutView)))]
pub async fn get(
    State(state): State<ApiState>,
    Who(actor): Who,
    Names((project, id)): Names<(String, String)>,
) -> Answer {
    show(&state, &actor.grants, &rollout_name(&project, &id)?)
}

/// Reads what happened in a rollout, oldest first.
#[utoipa::path(get, path = "/api/v1/projects/{project}/rollouts/{id}/history", tag = "rollouts",
    params(("project" = String, Path), ("id" = String, Path), Page),
    responses((status = 200, description = "a page of its history", body = List<HistoryView>)))]
pub async fn history(
    State(state): State<ApiState>,
    Who(actor): Who,
    Names((project, id)): Names<(String, String)>,
    Asked { page, .. }: Asked,
) -> Result<Listing<HistoryView>, ApiError> {
    let name = rollout_name(&project, &id)?;
    let seq = state.store().position().seq;
    find(&state, &actor.grants, &name)?;
    let of = key::history_of(&name.project, &name.id);
    let rows: Vec<Stored<HistoryRow>> = state.store().read_all(&of)?;
    page.pick(rows)?.show(seq, |row| plain::history(row))
}

/// Refuses what would ship while the hub gives no orders: what it stored meanwhile is not in the history that
/// goes on. What takes traffic back is never asked.
fn not_halted(state: &ApiState, verb: &str) -> Result<(), ApiError> {
    if state.fleet.behind().is_none() {
        return Ok(());
    }
    let why = format!("{NO_ORDERS}: its store is older than what agents have seen");
    Err(
        ApiError::new(StatusCode::CONFLICT, "hub.behind", why).remedy(&format!(
            "flagship status says what ends that; {verb} it then"
        )),
    )
}

/// Starts a rollout of a plan.
#[utoipa::path(post, path = "/api/v1/projects/{project}/plans/{name}/start", tag = "rollouts",
    params(("project" = String, Path), ("name" = String, Path)), request_body = StartRequest,
    responses((status = 200, description = "the rollout", body = RolloutView)))]
pub async fn start(
    State(state): State<ApiState>,
    By(caller): By,
    Names((project, name)): Names<(String, String)>,
    Body(request): Body<StartRequest>,
) -> Answer {
    let plan = plan_ref(&project, &name)?;
    not_halted(&state, "start")?;
    let start = Command::flagship("start")
        .of(&plan)
        .of("--to-version")
        .of(OPEN);
    let version = request
        .to_version
        .filter(|version| !version.is_empty())
        .ok_or_else(|| {
            ApiError::bad("start.noVersion", "what to release is not said")
                .field("toVersion")
                .remedy(&format!("give the version: {start}"))
        })?;
    let started = state
        .ops
        .start(
            &caller,
            StartRollout {
                plan,
                change: Change::Version(version),
                again: request.again,
                supersede: request.supersede,
            },
            state.now(),
        )
        .await?;
    let name = RolloutName {
        project: started.project,
        id: started.rollout,
    };
    let seen = Seen::read(&state)?;
    let row = find(&state, &caller.grants, &name)?;
    let sight = state.sight(&caller.grants);
    let mut view = rollout::view(&seen, &sight, &row, true);
    let others: Vec<Stored<RolloutRow>> = state.store().read_all(key::ROLLOUTS)?;
    let others = others.iter().filter(|other| sight.rollout(other));
    let beside = seen.banners_beside(&sight, &row, others.map(|other| &*other.value));
    view.banners.extend(beside);
    Ok(Tagged::new(view, row.modified))
}

/// Holds a rollout: weights stay, nothing new starts.
#[utoipa::path(post, path = "/api/v1/projects/{project}/rollouts/{id}/pause", tag = "rollouts",
    params(("project" = String, Path), ("id" = String, Path)), request_body = Empty,
    responses((status = 200, description = "the rollout", body = RolloutView)))]
pub async fn pause(
    State(state): State<ApiState>,
    By(caller): By,
    Names((project, id)): Names<(String, String)>,
    Body(Empty {}): Body<Empty>,
) -> Answer {
    let name = rollout_name(&project, &id)?;
    state.ops.pause(&caller, name.clone(), state.now()).await?;
    show(&state, &caller.grants, &name)
}

/// Lets a paused rollout go on.
#[utoipa::path(post, path = "/api/v1/projects/{project}/rollouts/{id}/resume", tag = "rollouts",
    params(("project" = String, Path), ("id" = String, Path)), request_body = Empty,
    responses((status = 200, description = "the rollout", body = RolloutView)))]
pub async fn resume(
    State(state): State<ApiState>,
    By(caller): By,
    Names((project, id)): Names<(String, String)>,
    Body(Empty {}): Body<Empty>,
) -> Answer {
    let name = rollout_name(&project, &id)?;
    not_halted(&state, "resume")?;
    state.ops.resume(&caller, name.clone(), state.now()).await?;
    show(&state, &caller.grants, &name)
}

/// Takes every cluster of a rollout back, Done ones too.
#[utoipa::path(post, path = "/api/v1/projects/{project}/rollouts/{id}/retreat", tag = "rollouts",
    params(("project" = String, Path), ("id" = String, Path)), request_body = RetreatRequest,
    responses((status = 200, description = "the rollout", body = RolloutView)))]
pub async fn retreat(
    State(state): State<ApiState>,
    By(caller): By,
    Names((project, id)): Names<(String, String)>,
    Body(request): Body<RetreatRequest>,
) -> Answer {
    let name = rollout_name(&project, &id)?;
    let to = return_to(request.to.as_deref())?;
    let now = state.now();
    state
        .ops
        .retreat(&caller, name.clone(), to, request.now, now)
        .await?;
    show(&state, &caller.grants, &name)
}

/// A version or a digest (S6).
fn return_to(text: Option<&str>) -> Result<ReturnTo, ApiError> {
    match text {
        None => Ok(ReturnTo::LastPromoted),
        Some("") => Err(ApiError::bad("retreat.to", "to is empty").field("to")),
        Some(text) if text.starts_with("sha256:") => {
            named::<Digest>("to", text).map(ReturnTo::Digest)
        }
        Some(text) => Ok(ReturnTo::Version(text.to_owned())),
    }
}

/// Runs a failed or aborted rollout again; Done clusters stay, the others begin at step 0.
#[utoipa::path(post, path = "/api/v1/projects/{project}/rollouts/{id}/retry", tag = "rollouts",
    params(("project" = String, Path), ("id" = String, Path)), request_body = Empty,
    responses((status = 200, description = "the rollout", body = RolloutView)))]
pub async fn retry(
    State(state): State<ApiState>,
    By(caller): By,
    Names((project, id)): Names<(String, String)>,
    Body(Empty {}): Body<Empty>,
) -> Answer {
    let name = rollout_name(&project, &id)?;
    not_halted(&state, "retry")?;
    state.ops.retry(&caller, name.clone(), state.now()).await?;
    show(&state, &caller.grants, &name)
}

/// Takes a mixed state as final.
#[utoipa::path(post, path = "/api/v1/projects/{project}/rollouts/{id}/accept", tag = "rollouts",
    params(("project" = String, Path), ("id" = String, Path)), request_body = AcceptRequest,
    responses((status = 200, description = "the rollout", body = RolloutView)))]
pub async fn accept(
    State(state): State<ApiState>,
    By(caller): By,
    Names((project, id)): Names<(String, String)>,
    Body(AcceptRequest {}): Body<AcceptRequest>,
) -> Answer {
    let name = rollout_name(&project, &id)?;
    state.ops.accept(&caller, name.clone(), state.now()).await?;
    show(&state, &caller.grants, &name)
}
