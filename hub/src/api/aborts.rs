//! Aborts: order, list, read, receipts, lift; and what each scope would hit.

use std::collections::BTreeSet;

use axum::{Json, extract::State};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flagship_proto::model::{AbortId, AbortMode, Scope};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    ApiState,
    body::{Body, Names, Params, named},
    caller::By,
    error::ApiError,
    types::{
        AbortPreview, AbortRequest, AbortView, LiftRequest, List, NotFixed, ReceiptView, ScopeHit,
    },
    view::{Seen, abort},
};
use crate::{
    ops::{self, AbortOrder, LiftOrder},
    records::{AbortRow, ReceiptRow, RolloutRow, Stored, key},
};

/// Which aborts.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// Lifted ones too.
    #[serde(default)]
    pub all: bool,
}

/// Lists aborts, the newest first.
#[utoipa::path(get, path = "/api/v1/aborts", tag = "aborts", params(Which),
    responses((status = 200, description = "all aborts that stand", body = List<AbortView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Params(which): Params<Which>,
) -> Result<Json<List<AbortView>>, ApiError> {
    let seen = Seen::read(&state)?;
    let mut rows: Vec<Stored<AbortRow>> = if which.all {
        state.store().read_all(key::ABORTS)?
    } else {
        seen.standing.clone()
    };
    rows.sort_by_key(|row| std::cmp::Reverse(row.created));
    let items: Result<Vec<AbortView>, _> = rows
        .iter()
        .map(|row| abort::view(&state, &seen, row))
        .collect();
    Ok(Json(List {
        items: items?,
        next: None,
        seq: seen.seq,
    }))
}

fn show(state: &ApiState, id: &AbortId) -> Result<Json<AbortView>, ApiError> {
    let row = find(state, id)?;
    let seen = Seen::read(state)?;
    Ok(Json(abort::view(state, &seen, &row)?))
}

fn find(state: &ApiState, id: &AbortId) -> Result<Stored<AbortRow>, ApiError> {
    let row: Option<Stored<AbortRow>> = state.store().read(&key::abort(id))?;
    row.ok_or_else(|| {
        ApiError::not_found("abort.notFound", format!("there is no abort {id}"))
            .field("id")
            .remedy("`flagship get aborts --all` lists them")
    })
}

/// Stops a scope, now, until it is lifted. Stored before it is answered, pushed at once.
#[utoipa::path(post, path = "/api/v1/aborts", tag = "aborts", request_body = AbortRequest,
    responses((status = 200, description = "the abort and what has come of it so far", body = AbortView)))]
pub async fn create(
    State(state): State<ApiState>,
    By(caller): By,
    Body(request): Body<AbortRequest>,
) -> Result<Json<AbortView>, ApiError> {
    let order = AbortOrder {
        scope: request.scope,
        mode: request.mode,
    };
    let answer = state.ops.abort(&caller, order, state.now()).await?;
    let seen = Seen::read(&state)?;
    if answer.durable {
        return show(&state, &answer.abort.id);
    }
    // The store cannot be written: whoever is connected is told all the same (P7).
    state.fleet.abort_provisionally(answer.abort.clone());
    let row = AbortRow::new(answer.abort.clone(), answer.matched, 0);
    let here = state.store().position();
    let unstored = Stored {
        value: row,
        created: here,
        modified: here,
    };
    let mut view = abort::view(&state, &seen, &unstored)?;
    view.durable = false;
    view.bound_at = answer.nothing_advances_after;
    let reason = answer.why_not.unwrap_or_default();
    view.summary = format!(
        "NOT STORED ({reason}); sent to those connected: {}",
        view.summary
    );
    Ok(Json(view))
}

/// Reads an abort: per cluster how far it has stopped, and what is not fixed.
#[utoipa::path(get, path = "/api/v1/aborts/{id}", tag = "aborts", params(("id" = String, Path)),
    responses((status = 200, description = "the abort", body = AbortView)))]
pub async fn get(
    State(state): State<ApiState>,
    Names(id): Names<String>,
) -> Result<Json<AbortView>, ApiError> {
    show(&state, &named("id", &id)?)
}

/// Reads the receipts as they were signed.
#[utoipa::path(get, path = "/api/v1/aborts/{id}/receipts", tag = "aborts", params(("id" = String, Path)),
    responses((status = 200, description = "the newest receipt of each cluster", body = List<ReceiptView>)))]
pub async fn receipts(
    State(state): State<ApiState>,
    Names(id): Names<String>,
) -> Result<Json<List<ReceiptView>>, ApiError> {
    let id: AbortId = named("id", &id)?;
    find(&state, &id)?;
    let seq = state.store().position().seq;
    let rows: Vec<Stored<ReceiptRow>> = state.store().read_all(&key::receipts_of(&id))?;
    let items = rows.iter().map(|row| receipt(row)).collect();
    Ok(Json(List {
        items,
        next: None,
        seq,
    }))
}

fn receipt(row: &ReceiptRow) -> ReceiptView {
    let signed = &row.receipt;
    ReceiptView {
        cluster: signed.receipt.cluster.to_string(),
        uid: signed.receipt.uid.to_string(),
        last: signed.receipt.is_final(),
        stored_at: row.received,
        body: String::from_utf8_lossy(&signed.body).into_owned(),
        signature: STANDARD.encode(&signed.signature),
        serial: signed.serial.clone(),
        certificate: STANDARD.encode(&row.certificate),
    }
}

/// Ends an abort. What it voided stays void; nothing moves by itself.
#[utoipa::path(post, path = "/api/v1/aborts/{id}/lift", tag = "aborts", params(("id" = String, Path)),
    request_body = LiftRequest,
    responses((status = 200, description = "the abort", body = AbortView)))]
pub async fn lift(
    State(state): State<ApiState>,
    By(caller): By,
    Names(id): Names<String>,
    Body(request): Body<LiftRequest>,
) -> Result<Json<AbortView>, ApiError> {
    let id: AbortId = named("id", &id)?;
    let order = LiftOrder {
        abort: id.clone(),
        except: request.except,
    };
    state.ops.lift(&caller, order, state.now()).await?;
    show(&state, &id)
}

/// Says what an abort would do; orders nothing.
#[utoipa::path(post, path = "/api/v1/abort-preview", tag = "aborts", request_body = AbortRequest,
    responses((status = 200, description = "what it would do", body = AbortPreview)))]
pub async fn preview(
    State(state): State<ApiState>,
    Body(request): Body<AbortRequest>,
) -> Result<Json<AbortPreview>, ApiError> {
    let order = AbortOrder {
        scope: request.scope,
        mode: request.mode,
    };
    let found = state.ops.preview_abort(&order, state.now())?;
    let seen = Seen::read(&state)?;
    Ok(Json(previewed(&seen, &found)))
}

fn previewed(seen: &Seen, found: &ops::AbortPreview) -> AbortPreview {
    let names: BTreeSet<String> = found
        .stops
        .iter()
        .chain(&found.done)
        .map(|cluster| cluster.cluster.to_string())
        .collect();
    let connected = |name: &String| {
        let row = seen.clusters.values().find(|row| row.name.as_str() == name);
        row.is_some_and(|row| seen.connected(&row.uid))
    };
    let (here, away): (Vec<String>, Vec<String>) = names.into_iter().partition(connected);
    let at = |cluster: &ops::PreviewCluster| match cluster.weight {
        Some(weight) => format!("{} at {weight}", cluster.cluster),
        None => cluster.cluster.to_string(),
    };
    let done = found.done.iter().map(|cluster| NotFixed {
        cluster: cluster.cluster.to_string(),
        workload: cluster.workload.to_string(),
        version: Some(cluster.change.clone()),
        rollout: Some(cluster.rollout.to_string()),
        soaked: false,
        command: format!("flagship retreat {} --reason …", cluster.rollout),
    });
    let verb = match found.mode {
        AbortMode::Return => "send back",
        AbortMode::Hold => "hold",
        AbortMode::RetreatDone => "send back, Done clusters too,",
    };
    AbortPreview {
        scope: found.scope.to_string(),
        bound_ms: found.bound_ms,
        connected: here,
        not_heard: away,
        outside: found.outside.iter().map(at).collect(),
        in_flight: found.stops.iter().map(at).collect(),
        stays_done: match found.mode {
            AbortMode::Return | AbortMode::Hold => done.collect(),
            AbortMode::RetreatDone => Vec::new(),
        },
        summary: format!(
            "{verb} {} unfinished canaries; {} clusters are Done; {} have nothing in flight",
            found.stops.len(),
            found.done.len(),
            found.idle
        ),
    }
}

/// Lists the scopes that there are, each with what it would hit now.
#[utoipa::path(get, path = "/api/v1/abort-scopes", tag = "aborts",
    responses((status = 200, description = "the scopes", body = List<ScopeHit>)))]
pub async fn scopes(State(state): State<ApiState>) -> Result<Json<List<ScopeHit>>, ApiError> {
    let seq = state.store().position().seq;
    let rollouts: Vec<Stored<RolloutRow>> = state.store().read_all(key::ROLLOUTS)?;
    let mut known = vec![("--fleet".to_owned(), Scope::Fleet)];
    let mut add = |option: String, scope: Scope| {
        if !known.iter().any(|(_, other)| *other == scope) {
            known.push((option, scope));
        }
    };
    let open: Vec<_> = rollouts.iter().filter(|row| !row.state.is_over()).collect();
    for row in &open {
        add(
            format!("--project {}", row.project),
            Scope::Project(row.project.clone()),
        );
    }
    for row in &open {
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
    for row in &open {
        add(
            format!("--workload {}", row.workload),
            Scope::Workload(row.workload.clone()),
        );
    }
    let mut items = Vec::new();
    for (option, scope) in known {
        let order = AbortOrder {
            scope,
            mode: AbortMode::Return,
        };
        let found = state.ops.preview_abort(&order, state.now())?;
        items.push(hit(option, &found));
    }
    items.push(ScopeHit {
        option: "--selector KEY=VALUE".to_owned(),
        scope: "clusters with a label".to_owned(),
        hits: "every workload in the clusters with this label (--dry-run says which)".to_owned(),
        clusters: 0,
        in_flight: 0,
    });
    Ok(Json(List {
        items,
        next: None,
        seq,
    }))
}

fn hit(option: String, found: &ops::AbortPreview) -> ScopeHit {
    let count = |number: usize| u32::try_from(number).unwrap_or(u32::MAX);
    let names: Vec<String> = found
        .stops
        .iter()
        .map(|one| one.cluster.to_string())
        .collect();
    let flying = if names.is_empty() {
        "nothing in flight".to_owned()
    } else {
        format!("{} in flight ({})", names.len(), names.join(", "))
    };
    ScopeHit {
        option,
        scope: found.scope.to_string(),
        hits: format!("{flying}, {} done, {} idle", found.done.len(), found.idle),
        clusters: count(found.stops.len() + found.done.len()).saturating_add(found.idle),
        in_flight: count(found.stops.len()),
    }
}
