//! How large a request's head may be, whatever it came over: a connection's buffer takes more than it
//! says, and HTTP/2 counts otherwise than HTTP/1.

use axum::{
    extract::Request,
    http::StatusCode,
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::error::ApiError;

/// Bytes of a request's head.
pub const LARGEST_HEAD: usize = 32 * 1024;

/// Refuses a request whose head is larger.
pub async fn check(request: Request, next: Next) -> Response {
    if size(&request) <= LARGEST_HEAD {
        return next.run(request).await;
    }
    let detail = format!("the request's head has more than {LARGEST_HEAD} bytes");
    let status = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
    ApiError::new(status, "head.tooLarge", detail)
        .remedy("send less in its path and headers")
        .into_response()
}

/// As HTTP/1 would write it, about.
fn size(request: &Request) -> usize {
    let uri = request.uri();
    let target = uri
        .path_and_query()
        .map_or(0, |target| target.as_str().len());
    let headers = request.headers().iter();
    let headers = headers.map(|(name, value)| name.as_str().len() + value.len() + 4);
    target + headers.sum::<usize>()
}
