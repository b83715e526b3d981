//! `/metrics`: what an on-call engineer alerts on, for Prometheus. Nothing in it names a cluster, a
//! rollout or a person, so that the number of series does not grow with the fleet.

use axum::{
    extract::{MatchedPath, Request, State},
    http::header,
    middleware::Next,
    response::{IntoResponse, Response},
};
use flagship_notify::outbox;
use flagship_proto::process::{
    metrics::{CONTENT_TYPE, Page, counted, size, yes},
    traces::Tracer,
};
use flagship_waves::RolloutPhase;
use tokio::time::Instant;

use super::{ApiState, error::ApiError};
use crate::{
    fleet::{Census, Offence},
    metrics::Counters,
    ops::standing_freezes,
    records::{NoticeRow, RolloutRow, key},
    store::StoreError,
};

/// Where it is.
pub const PATH: &str = "/metrics";

/// What is behind the page.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// What the hub counts.
    pub counters: Counters,
    /// Whether it is shown to those without a token too.
    pub open: bool,
    /// Where rollouts are traced.
    pub tracer: Tracer,
}

impl Metrics {
    /// A page of these counters.
    pub fn new(counters: Counters, open: bool) -> Self {
        Self {
            counters,
            open,
            tracer: Tracer::default(),
        }
    }

    /// With what traces rollouts.
    #[must_use]
    pub fn tracing(self, tracer: Tracer) -> Self {
        Self { tracer, ..self }
    }
}

/// The page for Prometheus (OpenMetrics text). The hub can be told to show it without a token.
#[utoipa::path(get, path = "/metrics", tag = "health",
    responses((status = 200, description = "the metrics of this moment", body = String, content_type = "application/openmetrics-text")))]
pub async fn metrics(State(state): State<ApiState>) -> Result<Response, ApiError> {
    let text = page(&state)?.text();
    Ok(([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response())
}

/// Counts every request of a known route, by how it was answered.
pub(super) async fn count(
    State(state): State<ApiState>,
    route: MatchedPath,
    request: Request,
    next: Next,
) -> Response {
    let (began, method) = (Instant::now(), request.method().clone());
    let answer = next.run(request).await;
    let status = answer.status().as_u16();
    let after = began.elapsed().as_secs_f64();
    let counters = &state.metrics.counters;
    counters.answered(word_of(&method), route.as_str(), status, after);
    answer
}

fn word_of(method: &http::Method) -> &'static str {
    let known = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
    let found = known.into_iter().find(|known| *known == method.as_str());
    found.unwrap_or("other")
}

/// The page of this moment.
pub(crate) fn page(state: &ApiState) -> Result<Page, StoreError> {
    let mut page = Page::new("flagship_hub", env!("CARGO_PKG_VERSION"));
    let census = state.fleet.census();
    fleet(&mut page, &census);
    happened(&mut page, &census);
    rollouts(&mut page, state)?;
    stored(&mut page, state)?;
    live(&mut page, state);
    Ok(page)
}

#[rustfmt::skip]
fn fleet(page: &mut Page, census: &Census) {
    for (name, help, value) in [
        ("sessions", "Agents with a live session.", census.sessions),
        ("streams", "Streams of agents that are open, greeted or not.", census.streams),
        ("clusters", "Clusters that are members.", census.members),
        ("clusters_connected", "Members with a live session.", census.connected),
        ("clusters_not_heard", "Members without a session: nothing advances there once their lease has ended.", census.members.saturating_sub(census.connected)),
        ("clusters_leased", "Members whose lease still counts.", census.leased),
        ("clusters_quarantined", "Members in which nothing advances until a person looked.", census.quarantined),
        ("clusters_unconfirmed", "Members that nobody confirmed since history went back: nothing advances there.", census.unconfirmed),
        ("aborts_standing", "Aborts that stand.", census.aborts),
        ("aborts_unstored", "Aborts that went out and could not be stored yet.", census.unstored),
        ("not_stopped_clusters", "Members that say of a standing abort that they did not stop.", census.not_stopped),
        ("unanswered_clusters", "Members that have not proved yet that they stopped under a standing abort.", census.unanswered),
    ] {
        page.gauge(name, help, size(value));
    }
    let behind = yes(census.is_behind);
    page.gauge("behind", "1 while the hub gives no orders and no leases because its store is behind what it once signed.", behind);
    let age = census.view_age_ms.map(|age| counted(age) / 1000.0);
    page.gauge("view_age_seconds", "Age of the view of the store on which leases are granted; Inf while it is not known.", age.unwrap_or(f64::INFINITY));
}

fn happened(page: &mut Page, census: &Census) {
    let tally = &census.tally;
    let (opened, granted, refused) = (tally.opened, tally.granted, tally.refused);
    page.counter("sessions_opened", "Sessions that were opened.", opened);
    page.counter("leases_granted", "Leases that were granted.", granted);
    page.counter(
        "leases_refused",
        "Leases that were asked for and refused.",
        refused,
    );
    page.counter("receipts", "Receipts that came.", tally.receipts);
    let offences = Offence::ALL.map(|offence| {
        let count = tally.offences.get(&offence).copied().unwrap_or_default();
        (vec![("offence", offence.word().to_owned())], count)
    });
    page.counters(
        "offences",
        "What agents did that no good one does.",
        offences,
    );
}

fn rollouts(page: &mut Page, state: &ApiState) -> Result<(), StoreError> {
    let rows = state.store().read_all::<RolloutRow>(key::ROLLOUTS)?;
    let series = RolloutPhase::WORDS.map(|word| {
        let found = rows.iter().filter(|row| row.state.phase.word() == word);
        (vec![("state", word.to_owned())], size(found.count()))
    });
    page.gauges("rollouts", "Rollouts that are stored, by state.", series);
    Ok(())
}

fn stored(page: &mut Page, state: &ApiState) -> Result<(), StoreError> {
    let store = state.store();
    let freezes = standing_freezes(store)?.len();
    page.gauge("freezes_standing", "Freezes that stand.", size(freezes));
    let mut notices = [("waiting", 0), ("failing", 0), ("given_up", 0)];
    for row in store.read_all::<NoticeRow>(key::NOTICES)? {
        match &row.entry.state {
            outbox::State::Waiting(_) if row.entry.error.is_some() => notices[1].1 += 1,
            outbox::State::Waiting(_) => notices[0].1 += 1,
            outbox::State::GivenUp(_) => notices[2].1 += 1,
            outbox::State::Delivered(_) | outbox::State::Overtaken(_) => {}
        }
    }
    page.gauges(
        "notices",
        "Messages to people that are not delivered: waiting, failing (tried again), given up.",
        notices.map(|(word, count)| (vec![("state", word.to_owned())], size(count))),
    );
    let (position, audit) = (store.position(), store.audit_head());
    page.gauge(
        "store_epoch",
        "The epoch of history: grows with recover and restore.",
        counted(position.epoch),
    );
    page.gauge(
        "store_sequence",
        "The sequence number of the last commit.",
        counted(position.seq),
    );
    page.gauge(
        "audit_entries",
        "Entries of the audit log.",
        counted(audit.count),
    );
    if let Some(free) = store.disk_free() {
        page.gauge(
            "store_disk_free_bytes",
            "Room on the store's disk; below 32 MiB only what stops or takes back is stored.",
            counted(free),
        );
    }
    if let Some(seconds) = store.commit_seconds() {
        page.live(
            "store_commit_seconds",
            "How long it took until a group of transactions was durable.",
            seconds,
        );
    }
    Ok(())
}

fn live(page: &mut Page, state: &ApiState) {
    let readers = state.costs.readers();
    page.gauge(
        "event_streams",
        "Event streams that are read.",
        size(readers),
    );
    state.metrics.tracer.show(page);
    let counters = &state.metrics.counters;
    page.live(
        "decisions",
        "Decisions about rollouts, by the word of their reason.",
        counters.decisions.clone(),
    );
    page.live(
        "decision_conflicts",
        "Decisions that were made again because another wrote in between.",
        counters.conflicts.clone(),
    );
    page.live(
        "driver_pass_seconds",
        "How long one pass over all open rollouts took.",
        counters.pass_seconds.clone(),
    );
    page.live(
        "api_requests",
        "Requests that were answered.",
        counters.answered.clone(),
    );
    page.live(
        "api_request_seconds",
        "How long answers took; event streams up to their beginning.",
        counters.answer_seconds.clone(),
    );
}
