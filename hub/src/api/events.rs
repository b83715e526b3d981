//! Live changes as server-sent events, from the store's watch.
//!
//! An event's id is the store's epoch and its sequence there. `Last-Event-ID` continues after it; where
//! the log no longer reaches back so far, or the id is of a history that was given up, an event `reset`
//! says so first: list again, then go on reading. A reader that falls too far behind is told the same in
//! the middle. A watch is a cursor and keeps no queue, so a slow reader costs the hub nothing.

pub(crate) mod follow;

use std::{convert::Infallible, sync::Arc, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::{HeaderMap, HeaderValue},
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use flagship_proto::model::Position;
use futures::{StreamExt as _, stream};
use rustls::pki_types::CertificateDer;
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    ApiState, attended::Attended, body::Params, caller::Who, error::ApiError, sight::Sight,
    types::EventView,
};
use crate::{
    auth::{Actor, Via},
    door::Peer,
    records::key,
    store::{self, WatchError},
};

/// Kinds of rows that people may see; tokens and remembered answers are none of them.
const SHOWN: &[&str] = &[
    "project", "plan", "rollout", "cluster", "order", "report", "abort", "lift", "freeze",
    "receipt", "history", "lastgood", "rejected", "claim",
];

/// How often a quiet stream says that it is there.
const ALIVE: Duration = Duration::from_secs(15);

/// How often it is looked whether a reader would still be let in.
const LOOKED: Duration = Duration::from_secs(2);

/// From where on.
#[derive(Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct From {
    /// After this store sequence; `Last-Event-ID` does the same.
    pub from: Option<u64>,
}

/// Follows every change: an endless stream.
#[utoipa::path(get, path = "/api/v1/events", tag = "events",
    params(From, ("Last-Event-ID" = Option<String>, Header, description = "continues after this event")),
    responses((status = 200, description = "`change` events with an EventView as data; `reset` when \
        changes were missed", body = EventView, content_type = "text/event-stream")))]
pub async fn events(
    State(state): State<ApiState>,
    Who(actor): Who,
    peer: Option<Extension<Peer>>,
    Params(params): Params<From>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = state.costs.read_events(actor.via.id())?;
    let last = headers.get("last-event-id").map(read_id).transpose()?;
    let store = state.store();
    let now = store.position();
    let last = last.or(params.from.map(|seq| (now.epoch, seq)));
    let (epoch, from) = last.unwrap_or((now.epoch, now.seq));
    let (watch, first) = match store.watch(key::ALL, from) {
        Ok(watch) if epoch == now.epoch || epoch == THIS => (watch, None),
        Ok(_) | Err(WatchError::TooOld { .. } | WatchError::Ahead { .. }) => {
            let watch = store.watch(key::ALL, now.seq).map_err(closed)?;
            (watch, Some(reset(from, now)))
        }
        Err(error @ (WatchError::Closed | WatchError::Store(_))) => return Err(closed(error)),
    };
    let stop = state.stop.clone();
    let chain = peer.as_ref().map(|Extension(peer)| peer.chain.clone());
    let chain = chain.unwrap_or_default();
    let ended = until_not_let_in(state.clone(), actor.clone(), chain);
    let changes = stream::iter(first)
        .chain(follow::follow(state.clone(), actor, watch))
        .map(Ok::<_, Infallible>)
        .take_until(stop.cancelled_owned())
        .take_until(ended);
    let changes = Attended::new(changes, place, peer.map(|Extension(peer)| peer.guest.cut));
    let alive = KeepAlive::new().interval(ALIVE);
    Ok(Sse::new(changes).keep_alive(alive).into_response())
}

/// Stands for the store's own epoch: an id that is a bare sequence, as answers carry it.
const THIS: u64 = u64::MAX;

/// `EPOCH-SEQUENCE`, or a sequence alone.
fn read_id(value: &HeaderValue) -> Result<(u64, u64), ApiError> {
    let text = value.to_str().unwrap_or_default();
    let read = match text.split_once('-') {
        Some((epoch, seq)) => epoch.parse().ok().zip(seq.parse().ok()),
        None => text.parse().ok().map(|seq| (THIS, seq)),
    };
    read.ok_or_else(|| {
        ApiError::bad("events.id", "Last-Event-ID is not the id of an event")
            .field("Last-Event-ID")
            .remedy("send the id of the last event, or nothing")
    })
}

fn id(epoch: u64, seq: u64) -> String {
    format!("{epoch}-{seq}")
}

fn closed(error: WatchError) -> ApiError {
    ApiError::new(
        axum::http::StatusCode::SERVICE_UNAVAILABLE,
        "store.closed",
        error.to_string(),
    )
}

fn reset(from: u64, now: Position) -> Event {
    let seq = now.seq;
    let text = format!(
        r#"{{"from":{from},"seq":{seq},"detail":"changes after {from} are not kept here: list again; what follows comes after {seq}"}}"#
    );
    Event::default()
        .event("reset")
        .id(id(now.epoch, seq))
        .data(text)
}

/// Ends soon after whoever reads would not be let in any more: the token was revoked or has ended, or the
/// certificate has.
async fn until_not_let_in(state: ApiState, actor: Actor, chain: Arc<[CertificateDer<'static>]>) {
    loop {
        tokio::time::sleep(LOOKED).await;
        let now = state.now().wall;
        let is_in = match (&actor.via, &state.people) {
            (Via::Certificate(..), Some(people)) => people
                .judge(&chain, now)
                .is_ok_and(|person| state.ops.certified(&person, now).is_ok()),
            (via, _) => state.ops.is_still_in(via, now).unwrap_or(true),
        };
        if !is_in {
            return;
        }
    }
}

/// One change, as far as it is shown to this caller.
fn change(event: &store::Event, sight: &Sight<'_>) -> Option<EventView> {
    let (kind, segments) = key::parse(&event.key)?;
    if !SHOWN.contains(&kind) || !sight.change(kind, &event.key, &segments) {
        return None;
    }
    Some(EventView {
        seq: event.seq,
        kind: kind.to_owned(),
        name: segments.join("/"),
        deleted: event.deleted,
    })
}

/// The changes as they are told. All of a commit have one number: who is cut in the middle of it comes again
/// with the number before, and is told the whole of it.
fn told(epoch: u64, views: &[EventView]) -> Vec<Event> {
    let told = views.iter().enumerate().filter_map(|(at, view)| {
        let next = views.get(at + 1);
        let is_last = next.is_none_or(|next| next.seq != view.seq);
        let until = view.seq - u64::from(!is_last);
        let data = serde_json::to_string(view).ok()?;
        let event = Event::default().event("change").id(id(epoch, until));
        Some(event.data(data))
    });
    told.collect()
}
