//! How the hub was started: its settings, for who helps. No secret is among them.

use axum::{Json, extract::State};

use super::{ApiState, error::ApiError, types::SettingsView};

/// Says with which settings the hub runs; none of them is a secret.
#[utoipa::path(get, path = "/api/v1/settings", tag = "status",
    responses((status = 200, description = "its settings", body = SettingsView)))]
pub async fn settings(State(state): State<ApiState>) -> Result<Json<SettingsView>, ApiError> {
    Ok(Json(state.settings.as_ref().clone()))
}
