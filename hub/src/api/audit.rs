//! The audit log: list, verify, export.

use std::fmt::Display;

use axum::{
    Json,
    extract::State,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use tokio::sync::Semaphore;

use super::{
    ApiState,
    caller::Who,
    error::ApiError,
    listed::Listed as _,
    page::{Asked, Listing, Page},
    place::Place,
    types::{AuditEntryView, AuditVerdict, List},
    view::plain,
};
use crate::{audit::AuditRecord, ops::OpError};

/// So many entries are looked through for one page; they are read from disk.
const LOOKED_AT: u64 = 10_000;

/// Lists entries, the newest first. A selector that few entries fit may leave a page short, or empty,
/// that has a `next`.
#[utoipa::path(get, path = "/api/v1/audit", tag = "audit", params(Page),
    responses((status = 200, description = "a page of entries", body = List<AuditEntryView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Who(actor): Who,
    Asked { page, .. }: Asked,
) -> Result<Listing<AuditEntryView>, ApiError> {
    let store = state.store();
    let seq = store.position().seq;
    let sight = state.sight(&actor.grants);
    let cut = page.cut::<AuditRecord>()?;
    let last = cut.after().and_then(Place::number);
    let end = store.audit_head().count;
    let from = last.map_or(end, |number| end.min(u64::MAX - number));
    let lowest = from.saturating_sub(LOOKED_AT);
    let entries = (lowest..from).rev().filter_map(|index| {
        let entry = store.audit_entry(index).map_err(ApiError::from);
        entry.transpose()
    });
    let entries = entries.filter(|entry| {
        let object = entry.as_ref().map(|entry| &entry.entry.object);
        object.map_or(true, |object| sight.audited(object))
    });
    let mut picked = cut.take(entries)?;
    if picked.next.is_none() && lowest > 0 {
        let place = Place::numbered(u64::MAX - lowest);
        picked.next = Some(place.cursor(AuditRecord::LIST));
    }
    picked.show(seq, plain::audit)
}

/// So many read the whole log at a time, aside from those who carry leases and aborts.
static LONG: Semaphore = Semaphore::const_new(1);

async fn long<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, OpError> + Send + 'static,
) -> Result<T, ApiError> {
    let broken = |error: &dyn Display| {
        let status = StatusCode::INTERNAL_SERVER_ERROR;
        ApiError::new(status, "internal", format!("the log was not read: {error}"))
    };
    let place = LONG.acquire().await.map_err(|error| broken(&error))?;
    let working = tokio::task::spawn_blocking(move || {
        // It ends with the work, also where nobody waits for it any more.
        let _place = place;
        work()
    });
    let done = working.await;
    Ok(done.map_err(|error| broken(&error))??)
}

/// Checks the chain as it is stored.
#[utoipa::path(get, path = "/api/v1/audit/verify", tag = "audit",
    responses((status = 200, description = "whether it holds", body = AuditVerdict)))]
pub async fn verify(State(state): State<ApiState>) -> Result<Json<AuditVerdict>, ApiError> {
    let stated = state.store().audit_head();
    let verdict = long(move || state.ops.audit_verify()).await?;
    Ok(Json(match verdict {
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
    let text = long(move || Ok(state.ops.audit_export()?.to_text())).await?;
    Ok(([(header::CONTENT_TYPE, "application/x-ndjson")], text).into_response())
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc;

    use super::*;

    #[tokio::test]
    async fn who_goes_while_the_whole_log_is_read_leaves_no_second_reader_beside_the_first() {
        let (go, wait) = mpsc::channel::<()>();
        let (tell, begun) = tokio::sync::oneshot::channel();
        let reading = tokio::spawn(long(move || {
            tell.send(()).ok();
            wait.recv().ok();
            Ok(())
        }));
        begun.await.unwrap();
        reading.abort();
        assert!(reading.await.unwrap_err().is_cancelled());
        assert!(LONG.try_acquire().is_err(), "the first one still reads");
        drop(go);
        let next = tokio::time::timeout(std::time::Duration::from_secs(20), long(|| Ok(7)));
        assert_eq!(next.await.unwrap().unwrap(), 7);
    }
}
