//! Plans: list, read, apply.

use axum::{Json, extract::State};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    ApiState,
    body::{DocumentText, Names, Params, named},
    caller::{By, Who},
    error::ApiError,
    page::{Asked, Listing, Page},
    tag::Tagged,
    types::{ApplyAnswer, ApplyOutcome, List, PlanView, RemovedPlan},
    view::plain,
};
use crate::{
    ops::{self, ApplyPlan},
    records::{PlanRow, RolloutRow, Stored, key},
};
use flagship_proto::model::{PlanRef, ProjectName};

/// Which plans.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Only of this project.
    pub project: Option<String>,
}

/// Lists plans, by project and name.
#[utoipa::path(get, path = "/api/v1/plans", tag = "plans", params(Page, Which),
    responses((status = 200, description = "a page of plans", body = List<PlanView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Who(actor): Who,
    Asked { page, which }: Asked<Which>,
) -> Result<Listing<PlanView>, ApiError> {
    let seq = state.store().position().seq;
    let prefix = match &which.project {
        Some(name) => key::plans_of(&named::<ProjectName>("project", name)?),
        None => key::PLANS.to_owned(),
    };
    let sight = state.sight(&actor.grants);
    let mut rows: Vec<Stored<PlanRow>> = state.store().read_all(&prefix)?;
    rows.retain(|row| sight.plan(row));
    let rollouts: Vec<Stored<RolloutRow>> = state.store().read_all(key::ROLLOUTS)?;
    page.pick(rows)?
        .show(seq, |row| plain::plan(row, &rollouts, false))
}

/// Reads a plan, with the text that was applied.
#[utoipa::path(get, path = "/api/v1/projects/{project}/plans/{name}", tag = "plans",
    params(("project" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "the plan", body = PlanView)))]
pub async fn get(
    State(state): State<ApiState>,
    Who(actor): Who,
    Names((project, name)): Names<(String, String)>,
) -> Result<Tagged<PlanView>, ApiError> {
    let id = plan_ref(&project, &name)?;
    let sight = state.sight(&actor.grants);
    let row: Option<Stored<PlanRow>> = state.store().read(&key::plan(&id))?;
    let row = row.filter(|row| sight.plan(row)).ok_or_else(|| {
        ApiError::not_found("plan.notFound", format!("there is no plan {id}"))
            .field("name")
            .remedy("`flagship get plans` lists them")
    })?;
    let rollouts: Vec<Stored<RolloutRow>> =
        state.store().read_all(&key::rollouts_of(&id.project))?;
    let view = plain::plan(&row, &rollouts, true);
    Ok(Tagged::new(view, row.modified))
}

/// Removes a plan of which no rollout runs; rollouts that have ended stay.
#[utoipa::path(delete, path = "/api/v1/projects/{project}/plans/{name}", tag = "plans",
    params(("project" = String, Path), ("name" = String, Path)),
    responses((status = 200, description = "what was removed", body = RemovedPlan)))]
pub async fn remove(
    State(state): State<ApiState>,
    By(caller): By,
    Names((project, name)): Names<(String, String)>,
) -> Result<Json<RemovedPlan>, ApiError> {
    let plan = plan_ref(&project, &name)?;
    let removed = state.ops.remove_plan(&caller, plan, state.now()).await?;
    Ok(Json(RemovedPlan {
        project: removed.plan.project.to_string(),
        name: removed.plan.name.to_string(),
        digest: removed.digest.to_string(),
    }))
}

/// Names of a path as a plan.
pub fn plan_ref(project: &str, name: &str) -> Result<PlanRef, ApiError> {
    Ok(PlanRef {
        project: named("project", project)?,
        name: named("name", name)?,
    })
}

/// How to apply.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub struct How {
    /// Check only; store nothing.
    #[serde(default)]
    pub dry_run: bool,
}

/// Checks a plan and stores it.
#[utoipa::path(post, path = "/api/v1/plans", tag = "plans", params(How),
    request_body(content = String, content_type = "application/yaml", description = "the plan, as YAML or JSON"),
    responses((status = 200, description = "what it changed", body = ApplyAnswer)))]
pub async fn apply(
    State(state): State<ApiState>,
    By(caller): By,
    Params(how): Params<How>,
    DocumentText(source): DocumentText,
) -> Result<Json<ApplyAnswer>, ApiError> {
    let request = ApplyPlan {
        source,
        dry_run: how.dry_run,
    };
    let applied = state.ops.apply_plan(&caller, request, state.now()).await?;
    Ok(Json(ApplyAnswer {
        outcome: match applied.outcome {
            ops::ApplyOutcome::Created => ApplyOutcome::Created,
            ops::ApplyOutcome::Changed => ApplyOutcome::Changed,
            ops::ApplyOutcome::Unchanged => ApplyOutcome::Unchanged,
        },
        dry_run: applied.dry_run,
        project: applied.plan.project.to_string(),
        name: applied.plan.name.to_string(),
        digest: applied.digest.to_string(),
        notes: applied.findings.into_iter().map(Into::into).collect(),
    }))
}
