//! Clusters: list, read, approve, remove; and the end of local control there.

use axum::{Json, extract::State};
use flagship_proto::model::ClusterName;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    ApiState,
    body::{Body, Names, Params, named},
    caller::By,
    error::ApiError,
    page::{Page, page},
    types::{ClusterView, Empty, List, ReleaseLocalRequest},
    view::{Seen, cluster},
};
use crate::ops::{ReleaseLocal, RemoveCluster};

/// Lists clusters, by name.
#[utoipa::path(get, path = "/api/v1/clusters", tag = "clusters", params(Page),
    responses((status = 200, description = "a page of clusters", body = List<ClusterView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Params(asked): Params<Page>,
) -> Result<Json<List<ClusterView>>, ApiError> {
    let seen = Seen::read(&state)?;
    let mut views: Vec<ClusterView> = seen
        .clusters
        .values()
        .map(|row| cluster::view(&seen, row, state.fleet.quarantine(&row.uid)))
        .collect();
    views.sort_by(|a, b| a.name.cmp(&b.name));
    let name = |view: &ClusterView| view.name.clone();
    page(views, name, asked.limit, asked.cursor.as_deref(), seen.seq).map(Json)
}

fn show(state: &ApiState, name: &ClusterName) -> Result<Json<ClusterView>, ApiError> {
    let row = state.ops.cluster(name)?;
    let seen = Seen::read(state)?;
    let quarantine = state.fleet.quarantine(&row.uid);
    Ok(Json(cluster::view(&seen, &row, quarantine)))
}

/// Reads a cluster.
#[utoipa::path(get, path = "/api/v1/clusters/{name}", tag = "clusters",
    params(("name" = String, Path)),
    responses((status = 200, description = "the cluster", body = ClusterView)))]
pub async fn get(
    State(state): State<ApiState>,
    Names(name): Names<String>,
) -> Result<Json<ClusterView>, ApiError> {
    show(&state, &named("name", &name)?)
}

/// Lets a cluster in that waits for it, or out of quarantine.
#[utoipa::path(post, path = "/api/v1/clusters/{name}/approve", tag = "clusters",
    params(("name" = String, Path)), request_body = Empty,
    responses((status = 200, description = "the cluster", body = ClusterView)))]
pub async fn approve(
    State(state): State<ApiState>,
    By(caller): By,
    Names(name): Names<String>,
    Body(Empty {}): Body<Empty>,
) -> Result<Json<ClusterView>, ApiError> {
    let name: ClusterName = named("name", &name)?;
    state
        .ops
        .approve_cluster(&caller, name.clone(), state.now())
        .await?;
    show(&state, &name)
}

/// Ends the local hold or retreat of a person on the spot. The agent obeys when it hears it; nothing
/// moves by that alone.
#[utoipa::path(post, path = "/api/v1/clusters/{name}/release", tag = "clusters",
    params(("name" = String, Path)), request_body = ReleaseLocalRequest,
    responses((status = 200, description = "the cluster", body = ClusterView)))]
pub async fn release(
    State(state): State<ApiState>,
    By(caller): By,
    Names(name): Names<String>,
    Body(asked): Body<ReleaseLocalRequest>,
) -> Result<Json<ClusterView>, ApiError> {
    let cluster: ClusterName = named("name", &name)?;
    let request = ReleaseLocal {
        cluster: cluster.clone(),
        workload: asked.workload,
    };
    state
        .ops
        .release_local(&caller, request, state.now())
        .await?;
    show(&state, &cluster)
}

/// How to remove.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct How {
    /// Also while a release is in flight there; needs a reason.
    #[serde(default)]
    pub force: bool,
}

/// Removes a cluster: its sessions close, its certificates are refused from then on.
#[utoipa::path(delete, path = "/api/v1/clusters/{name}", tag = "clusters",
    params(("name" = String, Path), How),
    responses((status = 200, description = "the cluster", body = ClusterView)))]
pub async fn remove(
    State(state): State<ApiState>,
    By(caller): By,
    Names(name): Names<String>,
    Params(how): Params<How>,
) -> Result<Json<ClusterView>, ApiError> {
    let name: ClusterName = named("name", &name)?;
    let request = RemoveCluster {
        name: name.clone(),
        force: how.force,
    };
    state
        .ops
        .remove_cluster(&caller, request, state.now())
        .await?;
    show(&state, &name)
}
