//! The audit log: list, verify, export.

use axum::{
    Json,
    extract::State,
    http::header,
    response::{IntoResponse, Response},
};

use super::{
    ApiState,
    body::Params,
    error::ApiError,
    page::{self, Page},
    types::{AuditEntryView, AuditVerdict, List},
    view::plain,
};

/// Lists entries, the newest first.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(Page),
    responses((status = 200, description = "a page of entries", body = List<AuditEntryView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Params(asked): Params<Page>,
) -> Result<Json<List<AuditEntryView>>, ApiError> {
    let limit = page::limit(asked.limit)?;
    let before = asked
        .cursor
        .as_deref()
        .map(str::parse::<u64>)
        .transpose()
        .map_err(|_| {
            ApiError::bad("query.cursor", "the cursor is not one of this list").field("cursor")
        })?;
    let seq = state.store().position().seq;
    let found = state.ops.audit_page(before, limit)?;
    Ok(Json(List {
        items: found.entries.iter().map(plain::audit).collect(),
        next: found.before.map(|index| index.to_string()),
        seq,
    }))
}

/// Checks the chain as it is stored.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "audit",
    responses((status = 200, description = "whether it holds", body = AuditVerdict)))]
pub async fn verify(State(state): State<ApiState>) -> Result<Json<AuditVerdict>, ApiError> {
    let stated = state.store().audit_head();
    Ok(Json(match state.ops.audit_verify()? {
        Ok(verified) => AuditVerdict {
            intact: true,
            entries: verified.count,
            head: verified.head.to_string(),
            fault: None,
        },
        Err(broken) => AuditVerdict {
            intact: false,
            entries: stated.count,
            head: stated.head.to_string(),
            fault: Some(broken.to_string()),
        },
    }))
}

/// The whole log: one entry's exact bytes a line, then a line with count and head.
#[utoipa::path(get, path = "/api/v1/audit/export", tag = "audit",
    responses((status = 200, description = "JSON lines", body = String, content_type = "application/x-ndjson")))]
pub async fn export(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let text = state.ops.audit_export()?.to_text();
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], text).into_response())
}
