//! Projects: list, read. They are made by the first plan in them.

use axum::extract::State;
use flagship_proto::model::ProjectName;

use super::{
    ApiState,
    body::{Names, named},
    caller::{Who, no_project},
    error::ApiError,
    page::{Asked, Listing, Page},
    tag::Tagged,
    types::{List, ProjectView},
    view::plain,
};
use crate::records::{PlanRow, ProjectRow, RolloutRow, Stored, key};

/// Lists projects, by name.
#[utoipa::path(get, path = "/api/v1/projects", tag = "projects", params(Page),
    responses((status = 200, description = "a page of projects", body = List<ProjectView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Who(actor): Who,
    Asked { page, .. }: Asked,
) -> Result<Listing<ProjectView>, ApiError> {
    let store = state.store();
    let seq = store.position().seq;
    let sight = state.sight(&actor.grants);
    let mut rows: Vec<Stored<ProjectRow>> = store.read_all(key::PROJECTS)?;
    rows.retain(|row| sight.project(&row.project));
    let mut plans: Vec<Stored<PlanRow>> = store.read_all(key::PLANS)?;
    plans.retain(|row| sight.plan(row));
    let mut rollouts: Vec<Stored<RolloutRow>> = store.read_all(key::ROLLOUTS)?;
    rollouts.retain(|row| sight.rollout(row));
    page.pick(rows)?
        .show(seq, |row| plain::project(row, &plans, &rollouts))
}

/// Reads a project.
#[utoipa::path(get, path = "/api/v1/projects/{project}", tag = "projects",
    params(("project" = String, Path)),
    responses((status = 200, description = "the project", body = ProjectView)))]
pub async fn get(
    State(state): State<ApiState>,
    Who(actor): Who,
    Names(name): Names<String>,
) -> Result<Tagged<ProjectView>, ApiError> {
    let name: ProjectName = named("project", &name)?;
    let store = state.store();
    let row: Option<Stored<ProjectRow>> = store.read(&key::project(&name))?;
    let row = row.ok_or_else(|| no_project(&name))?;
    let sight = state.sight(&actor.grants);
    let mut plans: Vec<Stored<PlanRow>> = store.read_all(&key::plans_of(&name))?;
    plans.retain(|row| sight.plan(row));
    let mut rollouts: Vec<Stored<RolloutRow>> = store.read_all(&key::rollouts_of(&name))?;
    rollouts.retain(|row| sight.rollout(row));
    Ok(Tagged::new(
        plain::project(&row, &plans, &rollouts),
        row.modified,
    ))
}
