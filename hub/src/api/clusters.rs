//! Clusters: list, read, approve, remove; and the end of local control there.

use axum::extract::State;
use flagship_proto::model::{ClusterName, Labels};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    ApiState,
    body::{Body, Names, Params, named},
    caller::{By, Who},
    error::ApiError,
    listed::{Field, Listed},
    page::{Asked, Listing, Page},
    place::Place,
    tag::Tagged,
    types::{ClusterView, Empty, List, ReleaseLocalRequest},
    view::{Seen, cluster},
};
use crate::{
    auth::Grants,
    ops::{ReleaseLocal, RemoveCluster},
    records::{ClusterRow, Stored},
};

type Answer = Result<Tagged<ClusterView>, ApiError>;

/// A cluster as lists select it: by its row, by its labels, and by whether its agent is there.
struct Member {
    row: Stored<ClusterRow>,
    connected: bool,
    quarantine: Option<String>,
}

impl Listed for Member {
    const LIST: &'static str = "clusters";
    const FIELDS: &'static [Field<Self>] = &[
        ("name", |one| Some(one.row.name.to_string())),
        ("uid", |one| Some(one.row.uid.to_string())),
        ("state", |one| {
            let state = cluster::standing(&one.row, one.quarantine.clone(), one.connected);
            Some(state.0)
        }),
        ("connected", |one| Some(one.connected.to_string())),
        ("platform", |one| Some(one.row.inventory.platform.clone())),
        ("agent", |one| Some(one.row.inventory.agent.clone())),
    ];
    const LABELS: bool = true;

    fn place(&self) -> Place {
        Place::named(&self.row.name)
    }

    fn labels(&self) -> Option<&Labels> {
        Some(&self.row.labels)
    }
}

/// Lists clusters, by name.
#[utoipa::path(get, path = "/api/v1/clusters", tag = "clusters", params(Page),
    responses((status = 200, description = "a page of clusters", body = List<ClusterView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Who(actor): Who,
    Asked { page, .. }: Asked,
) -> Result<Listing<ClusterView>, ApiError> {
    let seen = Seen::read(&state)?;
    let sight = state.sight(&actor.grants);
    let shown = seen.clusters.values().filter(|row| sight.cluster(row));
    let members = shown.map(|row| Member {
        connected: seen.connected(&row.uid),
        quarantine: state.fleet.quarantine(&row.uid),
        row: row.clone(),
    });
    page.pick(members.collect())?.show(seen.seq, |one| {
        let mut view = cluster::view(&seen, &one.row, one.quarantine.clone());
        sight.cut_cluster(&one.row, &mut view);
        view
    })
}

fn show(state: &ApiState, grants: &Grants, name: &ClusterName) -> Answer {
    let row = state.ops.cluster(grants, name)?;
    let seen = Seen::read(state)?;
    let quarantine = state.fleet.quarantine(&row.uid);
    let mut view = cluster::view(&seen, &row, quarantine);
    state.sight(grants).cut_cluster(&row, &mut view);
    Ok(Tagged::new(view, row.modified))
}

/// Reads a cluster.
#[utoipa::path(get, path = "/api/v1/clusters/{name}", tag = "clusters",
    params(("name" = String, Path)),
    responses((status = 200, description = "the cluster", body = ClusterView)))]
pub async fn get(
    State(state): State<ApiState>,
    Who(actor): Who,
    Names(name): Names<String>,
) -> Answer {
    show(&state, &actor.grants, &named("name", &name)?)
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
) -> Answer {
    let name: ClusterName = named("name", &name)?;
    state
        .ops
        .approve_cluster(&caller, name.clone(), state.now())
        .await?;
    show(&state, &caller.grants, &name)
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
) -> Answer {
    let cluster: ClusterName = named("name", &name)?;
    let request = ReleaseLocal {
        cluster: cluster.clone(),
        workload: asked.workload,
    };
    state
        .ops
        .release_local(&caller, request, state.now())
        .await?;
    show(&state, &caller.grants, &cluster)
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
) -> Answer {
    let name: ClusterName = named("name", &name)?;
    let request = RemoveCluster {
        name: name.clone(),
        force: how.force,
    };
    state
        .ops
        .remove_cluster(&caller, request, state.now())
        .await?;
    show(&state, &caller.grants, &name)
}
