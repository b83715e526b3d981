//! `Idempotency-Key`: the first answer to a request is kept with what the request changed, and a
//! repetition is given that answer, byte for byte, also by a hub that was started again since.

use std::time::Duration;

use axum::{
    body::{Body, Bytes, HttpBody as _},
    extract::{Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::ApiState;
use crate::{
    ops::{Answered, Became},
    records::KeptAnswer,
};

/// Says that an answer is the first one again.
pub const REPLAYED: HeaderName = HeaderName::from_static("idempotent-replayed");

/// A larger answer is not kept: it is made anew from what is stored.
const LARGEST: usize = 256 * 1024;

/// How long an answer waits until it is kept. The write goes on by itself: on a slow disk who stops
/// a rollout is answered first.
const PATIENCE: Duration = Duration::from_millis(50);

/// Keeps the first answer, or gives it again.
pub async fn answer(State(state): State<ApiState>, mut request: Request, next: Next) -> Response {
    if !request.headers().contains_key("idempotency-key") {
        return next.run(request).await;
    }
    let answered = Answered::default();
    request.extensions_mut().insert(answered.clone());
    let response = next.run(request).await;
    match answered.became() {
        None => response,
        Some(Became::Repeated) => match state.ops.kept(&answered) {
            Ok(Some(kept)) => again(kept),
            Ok(None) | Err(_) => response,
        },
        Some(Became::First) => keep(&state, &answered, response).await,
    }
}

async fn keep(state: &ApiState, answered: &Answered, response: Response) -> Response {
    let size = response.body().size_hint().upper();
    let fits = size.is_some_and(|size| size <= LARGEST as u64);
    if !response.status().is_success() || !fits {
        return response;
    }
    let (parts, body) = response.into_parts();
    let Ok(bytes) = axum::body::to_bytes(body, LARGEST).await else {
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    };
    let text = |name: HeaderName| {
        let value = parts.headers.get(name)?;
        value.to_str().ok().map(str::to_owned)
    };
    if let Ok(body) = String::from_utf8(bytes.to_vec()) {
        let kept = KeptAnswer {
            status: parts.status.as_u16(),
            kind: text(header::CONTENT_TYPE).unwrap_or_default(),
            tag: text(header::ETAG),
            body,
        };
        let kept = tokio::time::timeout(PATIENCE, state.ops.keep(answered, kept)).await;
        if let Ok(Err(error)) = kept {
            tracing::warn!(%error, "an answer was not kept: a repetition is answered anew");
        }
    }
    Response::from_parts(parts, Body::from(bytes))
}

fn again(kept: KeptAnswer) -> Response {
    let status = StatusCode::from_u16(kept.status).unwrap_or(StatusCode::OK);
    let mut response = (status, Bytes::from(kept.body)).into_response();
    let headers = response.headers_mut();
    for (name, text) in [
        (header::CONTENT_TYPE, Some(kept.kind)),
        (header::ETAG, kept.tag),
    ] {
        if let Some(Ok(value)) = text.map(HeaderValue::try_from) {
            headers.insert(name, value);
        }
    }
    headers.insert(REPLAYED, HeaderValue::from_static("true"));
    response
}
