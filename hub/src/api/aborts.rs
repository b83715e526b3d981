//! Aborts: order, list, read, receipts, lift.

use axum::{extract::State, http::StatusCode};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use flagship_proto::model::AbortId;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    ApiState,
    body::{Body, Names, named},
    caller::{By, Who},
    error::ApiError,
    page::{Asked, Listing, Page},
    sight::Sight,
    tag::Tagged,
    types::{AbortRequest, AbortView, LiftRequest, List, ReceiptView},
    view::{Seen, abort},
};
use crate::{
    auth::Grants,
    fleet::Unstored,
    ops::{AbortOrder, LiftOrder},
    records::{AbortRow, ReceiptRow, Stored, key},
};

type Answer = Result<Tagged<AbortView>, ApiError>;

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
#[utoipa::path(get, path = "/api/v1/aborts", tag = "aborts", params(Page, Which),
    responses((status = 200, description = "a page of the aborts that stand", body = List<AbortView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Who(actor): Who,
    Asked { page, which }: Asked<Which>,
) -> Result<Listing<AbortView>, ApiError> {
    let seen = Seen::read(&state)?;
    let mut rows = seen.standing.clone();
    if which.all {
        let stored: Vec<Stored<AbortRow>> = state.store().read_all(key::ABORTS)?;
        rows.retain(|row| stored.iter().all(|known| known.id() != row.id()));
        rows.extend(stored);
    }
    let sight = state.sight(&actor.grants);
    rows.retain(|row| sight.abort(row));
    page.pick(rows)?
        .try_show(seen.seq, |row| Ok(abort::view(&state, &seen, &sight, row)?))
}

fn show(state: &ApiState, grants: &Grants, id: &AbortId) -> Answer {
    let seen = Seen::read(state)?;
    let sight = state.sight(grants);
    let row = match seen.standing.iter().find(|row| row.id() == id) {
        Some(row) if sight.abort(row) => row.clone(),
        Some(_) | None => find(state, &sight, id)?,
    };
    let view = abort::view(state, &seen, &sight, &row)?;
    Ok(Tagged::new(view, row.modified))
}

fn find(state: &ApiState, sight: &Sight<'_>, id: &AbortId) -> Result<Stored<AbortRow>, ApiError> {
    let row: Option<Stored<AbortRow>> = state.store().read(&key::abort(id))?;
    let row = row.filter(|row| sight.abort(row));
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
) -> Answer {
    let order = AbortOrder {
        scope: request.scope,
        mode: request.mode,
    };
    let answer = state.ops.abort(&caller, order, state.now()).await?;
    let Some(why) = answer.why_not.clone() else {
        let mut shown = show(&state, &caller.grants, &answer.abort.id)?;
        shown.view.stood = answer.stood;
        return Ok(shown);
    };
    // The store cannot be written: whoever is connected is told all the same (P7).
    let unstored = state.fleet.unstored();
    let unstored: Vec<AbortRow> = unstored.iter().map(Unstored::row).collect();
    state.ops.fits_beside(&answer, &unstored, state.now())?;
    state.fleet.abort_provisionally(answer.abort.clone());
    let mut shown = show(&state, &caller.grants, &answer.abort.id)?;
    let view = &mut shown.view;
    if !view.durable {
        view.bound_at = answer.nothing_advances_after;
        view.summary = format!("{} ({why})", view.summary);
    }
    Ok(shown)
}

/// Reads an abort: per cluster how far it has stopped, and what is not fixed.
#[utoipa::path(get, path = "/api/v1/aborts/{id}", tag = "aborts", params(("id" = String, Path)),
    responses((status = 200, description = "the abort", body = AbortView)))]
pub async fn get(
    State(state): State<ApiState>,
    Who(actor): Who,
    Names(id): Names<String>,
) -> Answer {
    show(&state, &actor.grants, &named("id", &id)?)
}

/// Reads the receipts as they were signed.
#[utoipa::path(get, path = "/api/v1/aborts/{id}/receipts", tag = "aborts", params(("id" = String, Path), Page),
    responses((status = 200, description = "the newest receipt of each cluster", body = List<ReceiptView>)))]
pub async fn receipts(
    State(state): State<ApiState>,
    Who(actor): Who,
    Names(id): Names<String>,
    Asked { page, .. }: Asked,
) -> Result<Listing<ReceiptView>, ApiError> {
    let id: AbortId = named("id", &id)?;
    let sight = state.sight(&actor.grants);
    let row = find(&state, &sight, &id)?;
    // Signed bytes cannot be cut.
    let scope = &row.unplaced().scope;
    state.ops.sees_all_of(&actor, scope, row.matched.as_ref())?;
    let seq = state.store().position().seq;
    let mut rows: Vec<Stored<ReceiptRow>> = state.store().read_all(&key::receipts_of(&id))?;
    let is_shown = |row: &Stored<ReceiptRow>| {
        let workloads = &row.receipt.receipt.workloads;
        workloads.iter().all(|one| sight.workload(&one.workload))
    };
    rows.retain(is_shown);
    page.pick(rows)?.show(seq, |row| receipt(row))
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
) -> Answer {
    let id: AbortId = named("id", &id)?;
    let sight = state.sight(&caller.grants);
    let is_stored = find(&state, &sight, &id).is_ok();
    if !is_stored && !show(&state, &caller.grants, &id)?.view.durable {
        let why = format!("abort {id} stands and is not stored yet, so it cannot be lifted (P7)");
        return Err(ApiError::new(StatusCode::CONFLICT, "abort.notStored", why)
            .remedy("give the hub's disk room; it stores the abort by itself"));
    }
    let order = LiftOrder {
        abort: id.clone(),
        except: request.except,
    };
    state.ops.lift(&caller, order, state.now()).await?;
    show(&state, &caller.grants, &id)
}
