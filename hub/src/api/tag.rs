//! Entity tags (RFC 9110): a thing that can be changed is answered with where its row was last
//! written, and a change may say with `If-Match` of which state it thinks.

use axum::{
    Json,
    http::{HeaderMap, HeaderValue, header},
    response::{IntoResponse, Response},
};
use flagship_proto::model::Position;
use serde::Serialize;

use super::error::ApiError;
use crate::ops::Known;

/// One thing, with its tag.
#[derive(Debug)]
pub struct Tagged<V> {
    /// The thing.
    pub view: V,
    at: Position,
}

impl<V> Tagged<V> {
    /// With where its row was last written.
    pub fn new(view: V, at: Position) -> Self {
        Self { view, at }
    }
}

impl<V: Serialize> IntoResponse for Tagged<V> {
    fn into_response(self) -> Response {
        let mut response = Json(self.view).into_response();
        let tag = format!("\"{}-{}\"", self.at.epoch, self.at.seq);
        if let Ok(tag) = HeaderValue::try_from(tag) {
            response.headers_mut().insert(header::ETAG, tag);
        }
        response
    }
}

/// What `If-Match` says, if it came. Tags of other hubs and weak ones are read, and match nothing.
pub fn if_match(headers: &HeaderMap) -> Result<Option<Known>, ApiError> {
    let mut tags = Vec::new();
    let mut came = false;
    for value in headers.get_all(header::IF_MATCH) {
        came = true;
        let text = value.to_str().unwrap_or_default();
        if text.trim() == "*" {
            return Ok(Some(Known::Any));
        }
        for tag in text.split(',') {
            tags.extend(position(tag.trim())?);
        }
    }
    Ok(came.then_some(Known::At(tags)))
}

fn position(tag: &str) -> Result<Option<Position>, ApiError> {
    let strong = tag.strip_prefix("W/");
    let inner = strong.unwrap_or(tag);
    let Some(inner) = inner
        .strip_prefix('"')
        .and_then(|rest| rest.strip_suffix('"'))
    else {
        let what = "If-Match is not valid: a tag stands in quotes";
        return Err(ApiError::bad("header.invalid", what)
            .field("If-Match")
            .remedy("send the ETag of an answer as it came, or *"));
    };
    let parts = inner.split_once('-').filter(|_| strong.is_none());
    Ok(parts.and_then(|(epoch, seq)| {
        Some(Position {
            epoch: epoch.parse().ok()?,
            seq: seq.parse().ok()?,
        })
    }))
}
