//! Live changes as server-sent events, from the store's watch.
//!
//! An event's id is its store sequence. `Last-Event-ID` continues after it; where the log no longer
//! reaches back so far, an event `reset` says so first: list again, then go on reading. A watch is a
//! cursor and keeps no queue, so a slow reader costs the hub nothing.

use std::{convert::Infallible, time::Duration};

use axum::{
    Extension,
    extract::State,
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{Event, KeepAlive, Sse},
    },
};
use futures::{Stream, StreamExt as _, stream};
use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    ApiState, attended::Attended, body::Params, caller::Who, error::ApiError, types::EventView,
};
use crate::{
    door::Peer,
    records::key,
    store::{self, Watch, WatchError},
};

/// Kinds of rows that people may see; tokens and remembered answers are none of them.
const SHOWN: &[&str] = &[
    "project", "plan", "rollout", "cluster", "order", "report", "abort", "lift", "freeze",
    "receipt", "history", "lastgood", "rejected", "claim",
];

/// How often a quiet stream says that it is there.
const ALIVE: Duration = Duration::from_secs(15);

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
    params(From, ("Last-Event-ID" = Option<u64>, Header, description = "continues after this event")),
    responses((status = 200, description = "`change` events with an EventView as data; `reset` when \
        changes were missed", body = EventView, content_type = "text/event-stream")))]
pub async fn events(
    State(state): State<ApiState>,
    Who(token): Who,
    peer: Option<Extension<Peer>>,
    Params(params): Params<From>,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let place = state.costs.read_events(&token.id)?;
    let last = match headers.get("last-event-id") {
        None => None,
        Some(value) => {
            let text = value.to_str().unwrap_or_default();
            let number = text.parse().map_err(|_| {
                ApiError::bad("events.id", "Last-Event-ID is not a store sequence")
                    .field("Last-Event-ID")
                    .remedy("send the id of the last event, or nothing")
            })?;
            Some(number)
        }
    };
    let now = state.store().position().seq;
    let from = last.or(params.from).unwrap_or(now);
    let (watch, first) = match state.store().watch(key::ALL, from) {
        Ok(watch) => (watch, None),
        Err(WatchError::TooOld { .. } | WatchError::Ahead { .. }) => {
            let watch = state.store().watch(key::ALL, now).map_err(closed)?;
            (watch, Some(reset(from, now)))
        }
        Err(error @ (WatchError::Closed | WatchError::Store(_))) => return Err(closed(error)),
    };
    let stop = state.stop.clone();
    let changes = stream::iter(first)
        .chain(follow(watch.without_values_on_disk()))
        .map(Ok::<_, Infallible>)
        .take_until(stop.cancelled_owned());
    let changes = Attended::new(changes, place, peer.map(|Extension(peer)| peer.cut));
    let alive = KeepAlive::new().interval(ALIVE);
    Ok(Sse::new(changes).keep_alive(alive).into_response())
}

fn closed(error: WatchError) -> ApiError {
    ApiError::new(
        axum::http::StatusCode::SERVICE_UNAVAILABLE,
        "store.closed",
        error.to_string(),
    )
}

fn reset(from: u64, now: u64) -> Event {
    let text = format!(
        r#"{{"from":{from},"seq":{now},"detail":"changes after {from} are not kept here: list again; what follows comes after {now}"}}"#
    );
    Event::default()
        .event("reset")
        .id(now.to_string())
        .data(text)
}

fn follow(watch: Watch) -> impl Stream<Item = Event> {
    stream::unfold(Some(watch), |watch| async {
        let mut watch = watch?;
        match watch.next().await {
            Ok(found) => {
                let shown: Vec<Event> = found.events.iter().filter_map(change).collect();
                Some((shown, Some(watch)))
            }
            // The reader comes again with its last id and is told what it missed.
            Err(_) => None,
        }
    })
    .flat_map(stream::iter)
}

fn change(event: &store::Event) -> Option<Event> {
    let (kind, segments) = key::parse(&event.key)?;
    if !SHOWN.contains(&kind) {
        return None;
    }
    let view = EventView {
        seq: event.seq,
        kind: kind.to_owned(),
        name: segments.join("/"),
        deleted: event.deleted,
    };
    let data = serde_json::to_string(&view).ok()?;
    Some(
        Event::default()
            .event("change")
            .id(event.seq.to_string())
            .data(data),
    )
}
