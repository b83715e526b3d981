//! Projects: list, read. They are made by the first plan in them.

use axum::extract::State;
use flagship_proto::model::ProjectName;

use super::{
    ApiState,
    body::{Names, named},
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
    Asked { page, .. }: Asked,
) -> Result<Listing<ProjectView>, ApiError> {
    let store = state.store();
    let seq = store.position().seq;
    let rows: Vec<Stored<ProjectRow>> = store.read_all(key::PROJECTS)?;
    let plans: Vec<Stored<PlanRow>> = store.read_all(key::PLANS)?;
    let rollouts: Vec<Stored<RolloutRow>> = store.read_all(key::ROLLOUTS)?;
    page.pick(rows)?
        .show(seq, |row| plain::project(row, &plans, &rollouts))
}

/// Reads a project.
#[utoipa::path(get, path = "/api/v1/projects/{project}", tag = "projects",
    params(("project" = String, Path)),
    responses((status = 200, description = "the project", body = ProjectView)))]
pub async fn get(
    State(state): State<ApiState>,
    Names(name): Names<String>,
) -> Result<Tagged<ProjectView>, ApiError> {
    let name: ProjectName = named("project", &name)?;
    let store = state.store();
    let row: Option<Stored<ProjectRow>> = store.read(&key::project(&name))?;
    let row = row.ok_or_else(|| {
        ApiError::not_found("project.notFound", format!("there is no project {name}"))
            .field("project")
            .remedy("GET /api/v1/projects lists them; applying a plan makes its project")
    })?;
    let plans: Vec<Stored<PlanRow>> = store.read_all(&key::plans_of(&name))?;
    let rollouts: Vec<Stored<RolloutRow>> = store.read_all(&key::rollouts_of(&name))?;
    Ok(Tagged::new(
        plain::project(&row, &plans, &rollouts),
        row.modified,
    ))
}
