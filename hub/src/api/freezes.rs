//! Freezes: order, list, read, end.

use axum::extract::State;
use flagship_proto::model::FreezeId;

use super::{
    ApiState,
    aborts::Which,
    body::{Body, Names, named},
    caller::{By, Who},
    error::ApiError,
    page::{Asked, Listing, Page},
    tag::Tagged,
    types::{Empty, FreezeRequest, FreezeView, List},
    view::{Seen, freeze},
};
use crate::{
    auth::Grants,
    ops::{FreezeOrder, FreezeUntil},
    records::{FreezeRow, Stored, key},
};

type Answer = Result<Tagged<FreezeView>, ApiError>;

/// Lists freezes, the newest first.
#[utoipa::path(get, path = "/api/v1/freezes", tag = "freezes", params(Page, Which),
    responses((status = 200, description = "a page of the freezes that stand", body = List<FreezeView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Who(actor): Who,
    Asked { page, which }: Asked<Which>,
) -> Result<Listing<FreezeView>, ApiError> {
    let seen = Seen::read(&state)?;
    let mut rows: Vec<Stored<FreezeRow>> = if which.all {
        state.store().read_all(key::FREEZES)?
    } else {
        seen.frozen.clone()
    };
    let sight = state.sight(&actor.grants);
    rows.retain(|row| sight.freeze(row));
    page.pick(rows)?.show(seen.seq, |row| {
        freeze::view(&state, &seen, &actor.grants, row)
    })
}

fn show(state: &ApiState, grants: &Grants, id: &FreezeId) -> Answer {
    let sight = state.sight(grants);
    let row: Option<Stored<FreezeRow>> = state.store().read(&key::freeze(id))?;
    let row = row.filter(|row| sight.freeze(row));
    let row = row.ok_or_else(|| {
        ApiError::not_found("freeze.notFound", format!("there is no freeze {id}"))
            .field("id")
            .remedy("`flagship get freezes --all` lists them")
    })?;
    let seen = Seen::read(state)?;
    let view = freeze::view(state, &seen, grants, &row);
    Ok(Tagged::new(view, row.modified))
}

/// Forbids advancing in a scope until its end: what is in flight holds, nothing starts.
#[utoipa::path(post, path = "/api/v1/freezes", tag = "freezes", request_body = FreezeRequest,
    responses((status = 200, description = "the freeze and what it holds", body = FreezeView)))]
pub async fn create(
    State(state): State<ApiState>,
    By(caller): By,
    Body(request): Body<FreezeRequest>,
) -> Answer {
    let end = match (request.for_ms, request.until) {
        (None, None) => FreezeUntil::Unfrozen,
        (Some(millis), None) => FreezeUntil::After(millis),
        (None, Some(until)) => FreezeUntil::At(until),
        (Some(_), Some(_)) => {
            let both = "a freeze has one end: forMs or until, not both";
            return Err(ApiError::bad("freeze.twoEnds", both).field("until"));
        }
    };
    let order = FreezeOrder {
        scope: request.scope,
        end,
    };
    let row = state.ops.freeze(&caller, order, state.now()).await?;
    show(&state, &caller.grants, &row.id)
}

/// Reads a freeze: what it holds, and until when.
#[utoipa::path(get, path = "/api/v1/freezes/{id}", tag = "freezes", params(("id" = String, Path)),
    responses((status = 200, description = "the freeze", body = FreezeView)))]
pub async fn get(
    State(state): State<ApiState>,
    Who(actor): Who,
    Names(id): Names<String>,
) -> Answer {
    show(&state, &actor.grants, &named("id", &id)?)
}

/// Ends a freeze before its time: what it held goes on from where it is.
#[utoipa::path(post, path = "/api/v1/freezes/{id}/end", tag = "freezes", params(("id" = String, Path)),
    request_body = Empty,
    responses((status = 200, description = "the freeze", body = FreezeView)))]
pub async fn end(
    State(state): State<ApiState>,
    By(caller): By,
    Names(id): Names<String>,
    Body(Empty {}): Body<Empty>,
) -> Answer {
    let id: FreezeId = named("id", &id)?;
    state.ops.unfreeze(&caller, id.clone(), state.now()).await?;
    show(&state, &caller.grants, &id)
}
