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
        BindingRequest, CreatedEnrolToken, CreatedToken, EnrolTokenRequest, EnrolTokenView, List,
        TokenRequest, TokenView,
    },
    view::plain,
};
use crate::{
    auth::{Binding, Grants, Role},
    ops::{CreateEnrolToken, CreateToken},
    records::{EnrolTokenRow, Stored, TokenRow, key},
};
use flagship_proto::model::TokenId;

/// So many roles one token may have.
const MOST_BINDINGS: usize = 32;

/// Lists the tokens of people and programs, without their secrets.
#[utoipa::path(get, path = "/api/v1/tokens", tag = "tokens", params(Page),
    responses((status = 200, description = "a page of tokens", body = List<TokenView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Asked { page, .. }: Asked,
) -> Result<Listing<TokenView>, ApiError> {
    let seq = state.store().position().seq;
    let rows = state.ops.tokens()?;
    page.pick(rows)?.try_show(seq, |row| {
        Ok(plain::token(row, state.ops.last_use(&row.id)?))
    })
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
        grants: asked(request.role, request.bindings)?,
        name: request.name,
        certificate: request.certificate,
        ttl: request.ttl_seconds.map(Duration::from_secs),
    };
    let made = state
        .ops
        .create_token(&caller, request, state.now())
        .await?;
    Ok(Json(CreatedToken {
        token: plain::token(&made.row, None),
        secret: (!made.row.is_for_certificates()).then(|| made.secret.reveal()),
    }))
}

/// What a token is to give: one role over everything, or several with their places.
fn asked(role: Option<Role>, bindings: Vec<BindingRequest>) -> Result<Grants, ApiError> {
    let invalid = |field: &str, what: &str, remedy: &str| {
        ApiError::bad("token.bindings", what)
            .field(field)
            .remedy(remedy)
    };
    let bindings: Vec<Binding> = match (role, bindings.len()) {
        (Some(role), 0) => vec![Binding::of(role)],
        (None, 1..=MOST_BINDINGS) => {
            let bindings = bindings.into_iter().map(binding);
            bindings.collect::<Result<_, _>>()?
        }
        (Some(_), _) => {
            let what = "a token has a role over everything or bindings, not both";
            return Err(invalid("role", what, "put the role into a binding"));
        }
        (None, 0) => {
            let what = "what the token may do is not said";
            return Err(invalid("bindings", what, "give a role, or bindings"));
        }
        (None, _) => {
            let what = format!("a token has at most {MOST_BINDINGS} bindings");
            return Err(invalid("bindings", &what, "make several tokens"));
        }
    };
    Ok(Grants(bindings))
}

fn binding(asked: BindingRequest) -> Result<Binding, ApiError> {
    let projects = asked.projects.iter();
    let projects = projects.map(|project| named("bindings.projects", project));
    let selector = asked.selector;
    if let Some(selector) = &selector
        && (selector.is_empty() || !selector.names.is_empty())
    {
        let what = "a binding's selector names labels, at least one of them";
        return Err(ApiError::bad("token.selector", what)
            .field("bindings.selector")
            .remedy("use matchLabels or matchExpressions, or leave the selector away"));
    }
    Ok(Binding {
        role: asked.role,
        projects: projects.collect::<Result<_, _>>()?,
        selector,
        lift: asked.lift,
    })
}

fn show(state: &ApiState, id: &TokenId) -> Result<Tagged<TokenView>, ApiError> {
    let row: Option<Stored<TokenRow>> = state.store().read(&key::token(id))?;
    let row = row.ok_or_else(|| gone(id))?;
    let last_used = state.ops.last_use(id)?;
    Ok(Tagged::new(plain::token(&row, last_used), row.modified))
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
