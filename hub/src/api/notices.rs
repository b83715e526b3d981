//! Notifications: channels, a test of each, and what was told or waits.

use axum::{Json, extract::State};
use flagship_notify::{Entry, Outcome, State as Stage};

use super::{
    ApiState,
    body::Names,
    caller::By,
    error::ApiError,
    page::{Asked, Listing, Page},
    types::{ChannelView, List, NoticeState, NoticeTest, NoticeView},
};
use crate::records::{NoticeRow, Stored, key};

/// Lists what was told in the last days and what waits, the newest first.
#[utoipa::path(get, path = "/api/v1/notices", tag = "notifications", params(Page),
    responses((status = 200, description = "messages by channel", body = List<NoticeView>)))]
pub async fn list(
    State(state): State<ApiState>,
    Asked { page, .. }: Asked,
) -> Result<Listing<NoticeView>, ApiError> {
    let seq = state.store().position().seq;
    let rows: Vec<Stored<NoticeRow>> = state.store().read_all(key::NOTICES)?;
    page.pick(rows)?.show(seq, |row| view(&row.entry))
}

fn view(entry: &Entry) -> NoticeView {
    let (state, state_at) = match entry.state {
        Stage::Waiting(at) => (NoticeState::Waiting, at),
        Stage::Delivered(at) => (NoticeState::Delivered, at),
        Stage::Overtaken(at) => (NoticeState::Overtaken, at),
        Stage::GivenUp(at) => (NoticeState::GivenUp, at),
    };
    let message = &entry.message;
    NoticeView {
        id: entry.id.clone(),
        channel: entry.channel.clone(),
        code: message.code.clone(),
        severity: message.severity.to_string(),
        key: message.key.clone(),
        title: message.title.clone(),
        at: message.at,
        state,
        state_at,
        tries: entry.tries,
        error: entry.error.clone(),
    }
}

/// Lists the channels of the hub's settings.
#[utoipa::path(get, path = "/api/v1/notify-channels", tag = "notifications",
    responses((status = 200, description = "all channels", body = List<ChannelView>)))]
pub async fn channels(State(state): State<ApiState>) -> Json<List<ChannelView>> {
    let known = state.notifier.iter().flat_map(|known| known.channels());
    let items = known
        .map(|(name, kind)| ChannelView {
            name: name.to_owned(),
            kind,
        })
        .collect();
    Json(List::whole(items, state.store().position().seq))
}

/// Sends a test message to one channel, now, past routes and quiet hours.
#[utoipa::path(post, path = "/api/v1/notify-channels/{name}/test", tag = "notifications",
    params(("name" = String, Path)),
    responses((status = 200, description = "whether the channel took it", body = NoticeTest)))]
pub async fn test(
    State(state): State<ApiState>,
    Names(name): Names<String>,
    By(caller): By,
) -> Result<Json<NoticeTest>, ApiError> {
    let outcome = match &state.notifier {
        Some(notifier) => notifier.test(&name, &caller.actor, state.now().wall).await,
        None => None,
    };
    let error = match outcome {
        Some(Outcome::Delivered) => None,
        Some(Outcome::Failed { why, .. }) => Some(why),
        None => {
            let message = "the hub's settings have no such channel";
            return Err(ApiError::not_found("channel.notFound", message)
                .field("name")
                .remedy("`flagship notify channels` lists them; the hub reads them from --notifications"));
        }
    };
    Ok(Json(NoticeTest {
        channel: name,
        delivered: error.is_none(),
        error,
    }))
}
