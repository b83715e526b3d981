//! Errors as RFC 9457 problem documents: what, where, remedy, and a code for programs.

use axum::{
    Json,
    extract::Request,
    http::{HeaderName, HeaderValue, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};

use super::types::Problem;
use crate::{
    ops::{OpError, OpErrorKind},
    store::StoreError,
};

/// An answer that is a problem.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ApiError(Box<Problem>, Option<u32>);

impl ApiError {
    /// A problem with its code and what happened.
    pub fn new(status: StatusCode, code: &str, detail: impl Into<String>) -> Self {
        Self(
            Box::new(Problem {
                kind: format!("urn:flagship:problem:{code}"),
                title: title(status).to_owned(),
                status: status.as_u16(),
                code: code.to_owned(),
                detail: detail.into(),
                field: None,
                remedy: None,
                line: None,
                column: None,
                notes: Vec::new(),
            }),
            None,
        )
    }

    /// What was sent is not valid.
    pub fn bad(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, code, detail)
    }

    /// What was named is not there.
    pub fn not_found(code: &str, detail: impl Into<String>) -> Self {
        Self::new(StatusCode::NOT_FOUND, code, detail)
    }

    /// With the field that is meant.
    pub fn field(mut self, field: &str) -> Self {
        self.0.field = Some(field.to_owned());
        self
    }

    /// With what to do about it.
    pub fn remedy(mut self, remedy: &str) -> Self {
        self.0.remedy = Some(remedy.to_owned());
        self
    }

    /// With the place in the document that was sent.
    pub fn at(mut self, line: u64, column: u64) -> Self {
        self.0.line = Some(line);
        self.0.column = Some(column);
        self
    }

    /// With in how many seconds to try again.
    pub fn after(mut self, seconds: u32) -> Self {
        self.1 = Some(seconds);
        self
    }

    /// The problem itself.
    pub fn problem(&self) -> &Problem {
        &self.0
    }
}

fn title(status: StatusCode) -> &'static str {
    match status.as_u16() {
        400 => "the request is not valid",
        401 => "who asks is not known",
        403 => "this token may not do that",
        404 => "not there",
        405 => "not possible on this path",
        408 => "the request took too long",
        409 => "not possible as things stand",
        412 => "meant for a state that has gone",
        413 => "the request is too large",
        415 => "this kind of body is not read",
        422 => "the document is not valid",
        431 => "the request is too large",
        429 => "too often, or too many at a time",
        503 => "the hub cannot answer now",
        _ => "the request failed",
    }
}

impl From<OpError> for ApiError {
    fn from(error: OpError) -> Self {
        let status = match error.kind {
            OpErrorKind::BadInput => StatusCode::UNPROCESSABLE_ENTITY,
            OpErrorKind::NotFound => StatusCode::NOT_FOUND,
            OpErrorKind::Unidentified => StatusCode::UNAUTHORIZED,
            OpErrorKind::Forbidden => StatusCode::FORBIDDEN,
            OpErrorKind::Refused | OpErrorKind::Conflict => StatusCode::CONFLICT,
            OpErrorKind::Stale => StatusCode::PRECONDITION_FAILED,
            OpErrorKind::TooOften => StatusCode::TOO_MANY_REQUESTS,
            OpErrorKind::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        };
        let mut problem = Self::new(status, error.code, error.message);
        problem.0.field = error.field;
        problem.0.remedy = Some(error.remedy).filter(|remedy| !remedy.is_empty());
        problem.0.notes = error.findings.into_iter().map(Into::into).collect();
        problem
    }
}

impl From<StoreError> for ApiError {
    fn from(error: StoreError) -> Self {
        OpError::from(error).into()
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let status = StatusCode::from_u16(self.0.status).unwrap_or(StatusCode::BAD_REQUEST);
        if status.is_server_error() {
            tracing::warn!(code = self.0.code, detail = self.0.detail, "request failed");
        }
        let mut response = (status, Json(*self.0)).into_response();
        let headers = response.headers_mut();
        headers.insert(
            header::CONTENT_TYPE,
            HeaderValue::from_static("application/problem+json"),
        );
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        let usual = (status == StatusCode::TOO_MANY_REQUESTS).then_some(60);
        if let Some(seconds) = self.1.or(usual) {
            headers.insert(header::RETRY_AFTER, seconds.into());
        }
        response
    }
}

/// A path that there is not.
pub async fn no_such_route(uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(120).collect();
    ApiError::not_found("route.notFound", format!("there is nothing at {path}"))
        .remedy("/api/v1/openapi.json lists every path")
}

/// A path that has other methods.
pub async fn no_such_method(method: Method, uri: Uri) -> ApiError {
    let path: String = uri.path().chars().take(120).collect();
    let method: String = method.as_str().chars().take(20).collect();
    ApiError::new(
        StatusCode::METHOD_NOT_ALLOWED,
        "route.method",
        format!("{method} is not possible at {path}"),
    )
    .remedy("/api/v1/openapi.json lists every path with its methods")
}

/// Headers that every answer has: nothing belongs into a cache, a frame or another site's page, and no
/// address of the hub is told to anybody.
static GUARDS: [(HeaderName, &str); 6] = [
    (header::CACHE_CONTROL, "no-store"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (header::REFERRER_POLICY, "no-referrer"),
    (
        HeaderName::from_static("cross-origin-opener-policy"),
        "same-origin",
    ),
    (
        HeaderName::from_static("cross-origin-resource-policy"),
        "same-origin",
    ),
];

/// For answers that are no page: even where a browser shows one, nothing in it runs.
const NO_PAGE: &str = "default-src 'none'; frame-ancestors 'none'";

/// Adds the headers that every answer has.
pub async fn guard_headers(request: Request, next: Next) -> Response {
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    for (name, value) in &GUARDS {
        headers.insert(name, HeaderValue::from_static(value));
    }
    headers
        .entry(header::CONTENT_SECURITY_POLICY)
        .or_insert(HeaderValue::from_static(NO_PAGE));
    response
}
