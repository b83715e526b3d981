//! An answer that holds a place until it was taken: it goes out in pieces, so that what nobody takes is
//! neither copied into buffers nor forgotten by those who count.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::{Duration, Instant},
};

use axum::{
    body::{Body, Bytes, HttpBody},
    response::Response,
};
use flagship_proto::model::TokenId;
use http_body_util::BodyExt as _;
use hyper::body::{Frame, SizeHint};

use super::broken;
use crate::{api::error::ApiError, limit::Entered};

/// What goes out at a time.
const PIECE: usize = 64 * 1024;

/// Within which an answer has to be taken: who takes it byte by byte keeps its place no longer.
const TAKEN_WITHIN: Duration = Duration::from_secs(300);

/// The answer, made whole, with the place that it keeps until it was taken.
pub(super) async fn held(answer: Response, place: Entered<TokenId>) -> Result<Response, ApiError> {
    let (parts, body) = answer.into_parts();
    let left = body.collect().await.map_err(|_| broken())?.to_bytes();
    let body = Held {
        left,
        until: Instant::now() + TAKEN_WITHIN,
        _place: place,
    };
    Ok(Response::from_parts(parts, Body::new(body)))
}

struct Held {
    left: Bytes,
    until: Instant,
    _place: Entered<TokenId>,
}

impl HttpBody for Held {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if self.left.is_empty() {
            return Poll::Ready(None);
        }
        if Instant::now() > self.until {
            return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
        }
        let size = self.left.len().min(PIECE);
        let piece = self.left.split_to(size);
        Poll::Ready(Some(Ok(Frame::data(piece))))
    }

    fn is_end_stream(&self) -> bool {
        self.left.is_empty()
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.left.len() as u64)
    }
}
