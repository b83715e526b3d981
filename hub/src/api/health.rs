//! Whether the hub lives, and whether it can serve; for load balancers and supervisors.

use axum::extract::State;

use super::{ApiState, error::ApiError};
use crate::records::{FleetMeta, key};

/// The process answers.
#[utoipa::path(get, path = "/healthz", tag = "health",
    responses((status = 200, description = "it lives", body = String, content_type = "text/plain")))]
pub async fn alive() -> &'static str {
    "ok\n"
}

/// The store answers too.
#[utoipa::path(get, path = "/readyz", tag = "health",
    responses((status = 200, description = "it can serve", body = String, content_type = "text/plain")))]
pub async fn ready(State(state): State<ApiState>) -> Result<&'static str, ApiError> {
    match state.store().read::<FleetMeta>(&key::fleet())? {
        Some(_) => Ok("ok\n"),
        None => Err(ApiError::new(
            axum::http::StatusCode::SERVICE_UNAVAILABLE,
            "store.noFleet",
            "the store holds no fleet",
        )
        .remedy("run `flagship-hub init`")),
    }
}
