//! Tokens: of people and programs, and with which clusters enrol.

use std::time::Duration;

use axum::{Json, extract::State};

use super::{
    ApiState,
    body::{Body, Names, named},
    caller::By,
    error::ApiError,
    page::{Asked, Listing, Page},
    tag::Tagged,
    types::{
        CreatedEnrolToken, CreatedToken, EnrolTokenRequest, EnrolTokenView, List, TokenRequest,
        TokenView,
    },
    view::plain,
};
use crate::{
    ops::{CreateEnrolToken, CreateToken},
    records::{EnrolTokenRow, Stored, TokenRow, TokenScope, key},
};
use flagship_proto::model::TokenId;

/// Lists the tokens of people and programs, without their secrets.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(Page),
    responses((status = 200, description = "a page of tokens", body = List<TokenView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Asked { page, .. }: Asked,
) -> Result<Listing<TokenView>, ApiError> {
    let seq = state.store().position().seq;
    let rows = state.ops.tokens()?;
    page.pick(rows)?.show(seq, |row| plain::token(row))
}

/// Makes a token; its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/tokens", tag = "tokens", request_body = TokenRequest,
    responses((status = 200, description = "the token with its secret", body = CreatedToken)))]
pub async fn create(
    State(state): State<ApiState>,
    By(caller): By,
    Body(request): Body<TokenRequest>,
) -> Result<Json<CreatedToken>, ApiError> {
    let request = CreateToken {
        name: request.name,
        role: request.role,
        scope: TokenScope::default(),
        ttl: request.ttl_seconds.map(Duration::from_secs),
    };
    let made = state
        .ops
        .create_token(&caller, request, state.now())
        .await?;
    Ok(Json(CreatedToken {
        token: plain::token(&made.row),
        secret: Some(made.secret.reveal()),
    }))
}

fn show(state: &ApiState, id: &TokenId) -> Result<Tagged<TokenView>, ApiError> {
    let row: Option<Stored<TokenRow>> = state.store().read(&key::token(id))?;
    let row = row.ok_or_else(|| gone(id))?;
    Ok(Tagged::new(plain::token(&row), row.modified))
}

/// Reads a token of a person or a program, without its secret.
#[utoipa::path(get, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 200, description = "the token", body = TokenView)))]
pub async fn get(
    State(state): State<ApiState>,
    Names(id): Names<String>,
) -> Result<Tagged<TokenView>, ApiError> {
    show(&state, &named("id", &id)?)
}

/// Ends a token at once.
#[utoipa::path(delete, path = "/api/v1/tokens/{id}", tag = "tokens", params(("id" = String, Path)),
    responses((status = 200, description = "the token", body = TokenView)))]
pub async fn revoke(
    State(state): State<ApiState>,
    By(caller): By,
    Names(id): Names<String>,
) -> Result<Tagged<TokenView>, ApiError> {
    let id: TokenId = named("id", &id)?;
    state
        .ops
        .revoke_token(&caller, id.clone(), state.now())
        .await?;
    show(&state, &id)
}

fn gone(id: &TokenId) -> ApiError {
    ApiError::not_found("token.notFound", format!("there is no token {id}")).field("id")
}

/// Lists enrolment tokens, without their secrets.
#[utoipa::path(get, path = "/api/v1/enrol-tokens", tag = "tokens", params(Page),
    responses((status = 200, description = "a page of enrolment tokens", body = List<EnrolTokenView>)))]
pub async fn list_enrol(
    State(state): State<ApiState>,
    Asked { page, .. }: Asked,
) -> Result<Listing<EnrolTokenView>, ApiError> {
    let seq = state.store().position().seq;
    let rows = state.ops.enrol_tokens()?;
    page.pick(rows)?.show(seq, |row| plain::enrol_token(row))
}

/// Makes an enrolment token; its secret is in this answer and nowhere else.
#[utoipa::path(post, path = "/api/v1/enrol-tokens", tag = "tokens", request_body = EnrolTokenRequest,
    responses((status = 200, description = "the token with its secret", body = CreatedEnrolToken)))]
pub async fn create_enrol(
    State(state): State<ApiState>,
    By(caller): By,
    Body(request): Body<EnrolTokenRequest>,
) -> Result<Json<CreatedEnrolToken>, ApiError> {
    let request = CreateEnrolToken {
        pattern: request.cluster,
        labels: request.labels,
        uses: request.uses,
        ttl: request.ttl_seconds.map(Duration::from_secs),
        approve: request.approval,
    };
    let made = state
        .ops
        .create_enrol_token(&caller, request, state.now())
        .await?;
    let secret = made.token(state.ca_hash).map_err(|error| {
        ApiError::new(
            axum::http::StatusCode::INTERNAL_SERVER_ERROR,
            "token.form",
            error.to_string(),
        )
    })?;
    Ok(Json(CreatedEnrolToken {
        token: plain::enrol_token(&made.row),
        secret: Some(secret.to_string()),
    }))
}

fn show_enrol(state: &ApiState, id: &TokenId) -> Result<Tagged<EnrolTokenView>, ApiError> {
    let row: Option<Stored<EnrolTokenRow>> = state.store().read(&key::enrol_token(id))?;
    let row = row.ok_or_else(|| gone(id))?;
    Ok(Tagged::new(plain::enrol_token(&row), row.modified))
}

/// Reads an enrolment token, without its secret.
#[utoipa::path(get, path = "/api/v1/enrol-tokens/{id}", tag = "tokens",
    params(("id" = String, Path)),
    responses((status = 200, description = "the token", body = EnrolTokenView)))]
pub async fn get_enrol(
    State(state): State<ApiState>,
    Names(id): Names<String>,
) -> Result<Tagged<EnrolTokenView>, ApiError> {
    show_enrol(&state, &named("id", &id)?)
}

/// Ends an enrolment token; clusters that enrolled with it stay.
#[utoipa::path(delete, path = "/api/v1/enrol-tokens/{id}", tag = "tokens",
    params(("id" = String, Path)),
    responses((status = 200, description = "the token", body = EnrolTokenView)))]
pub async fn revoke_enrol(
    State(state): State<ApiState>,
    By(caller): By,
    Names(id): Names<String>,
) -> Result<Tagged<EnrolTokenView>, ApiError> {
    let id: TokenId = named("id", &id)?;
    state
        .ops
        .revoke_enrol_token(&caller, id.clone(), state.now())
        .await?;
    show_enrol(&state, &id)
}
