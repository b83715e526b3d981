//! Every decoder of bytes that reach the hub and its command line from outside, as one table: adding one
//! is a line. See [`flagship_proto::decoders`].

use axum::http::{HeaderMap, HeaderValue};
use flagship_proto::decoders::{Decoder, json, parsed, text, verdict};
use serde::de::DeserializeOwned;

use crate::{
    api::{self, types},
    audit,
    auth::{Presented, Role},
    ca::Request,
    cli,
    records::{self, Record, key},
    run, store,
};

/// All of them.
pub const DECODERS: &[Decoder] = &[
    Decoder::new("plan", |bytes| {
        flagship_waves::plan::parse_plan(text(bytes)?)
            .map(drop)
            .map_err(|findings| {
                findings
                    .first()
                    .map(ToString::to_string)
                    .unwrap_or_default()
            })
    }),
    Decoder::new("body-abort", body::<types::AbortRequest>),
    Decoder::new("body-freeze", body::<types::FreezeRequest>),
    Decoder::new("body-lift", body::<types::LiftRequest>),
    Decoder::new("body-start", body::<types::StartRequest>),
    Decoder::new("body-retreat", body::<types::RetreatRequest>),
    Decoder::new("body-token", body::<types::TokenRequest>),
    Decoder::new("body-enrol-token", body::<types::EnrolTokenRequest>),
    Decoder::new("query-page", asked::<api::page::All>),
    Decoder::new("query-events", query::<api::events::From>),
    Decoder::new("query-plans", asked::<api::plans::Which>),
    Decoder::new("query-rollouts", asked::<api::rollouts::Which>),
    Decoder::new("query-aborts", asked::<api::aborts::Which>),
    Decoder::new("query-access", asked::<api::access::Which>),
    Decoder::new("query-remove", query::<api::clusters::How>),
    Decoder::new("header", header),
    Decoder::new("bearer-token", |bytes| {
        Presented::parse(text(bytes)?)
            .map(drop)
            .ok_or_else(|| "no token".to_owned())
    }),
    Decoder::new("role", parsed::<Role>),
    Decoder::new("certificate-request", |bytes| verdict(Request::read(bytes))),
    Decoder::new("audit-export", |bytes| {
        verdict(audit::verify(text(bytes)?, None))
    }),
    Decoder::new("store-entry", |bytes| {
        store::decode_row(bytes)
            .map(drop)
            .ok_or_else(|| "no entry".to_owned())
    }),
    Decoder::new("store-key", |bytes| {
        let key = store::Key::from_path(text(bytes)?);
        key::parse(&key)
            .map(drop)
            .ok_or_else(|| "no key".to_owned())
    }),
    Decoder::new("row-abort", row::<records::AbortRow>),
    Decoder::new("row-claim", row::<records::ClaimRow>),
    Decoder::new("row-cluster", row::<records::ClusterRow>),
    Decoder::new("row-enroltoken", row::<records::EnrolTokenRow>),
    Decoder::new("row-freeze", row::<records::FreezeRow>),
    Decoder::new("row-history", row::<records::HistoryRow>),
    Decoder::new("row-idempotency", row::<records::IdempotencyRow>),
    Decoder::new("row-lastgood", row::<records::LastGoodRow>),
    Decoder::new("row-lease", row::<records::LeaseRow>),
    Decoder::new("row-lift", row::<records::LiftRow>),
    Decoder::new("row-order", row::<records::OrderRow>),
    Decoder::new("row-plan", row::<records::PlanRow>),
    Decoder::new("row-project", row::<records::ProjectRow>),
    Decoder::new("row-receipt", row::<records::ReceiptRow>),
    Decoder::new("row-rejected", row::<records::RejectedRow>),
    Decoder::new("row-report", row::<records::ReportRow>),
    Decoder::new("row-rollout", row::<records::RolloutRow>),
    Decoder::new("row-term", row::<records::TermRow>),
    Decoder::new("row-token", row::<records::TokenRow>),
    Decoder::new("row-tokenuse", row::<records::TokenUseRow>),
    Decoder::new("hub-addresses", json::<run::Bound>),
    Decoder::new("hub-admin-request", json::<run::admin::Request>),
    Decoder::new("hub-admin-answer", json::<run::admin::Answer>),
    Decoder::new("notify-settings", |bytes| {
        verdict(flagship_notify::Settings::parse(text(bytes)?))
    }),
    Decoder::new("cli-config", |bytes| {
        verdict(cli::config::parse(text(bytes)?, "config.yaml".as_ref()))
    }),
    Decoder::new("answer-problem", json::<types::Problem>),
    Decoder::new("answer-event", json::<types::EventView>),
];

fn body<T: DeserializeOwned>(bytes: &[u8]) -> Result<(), String> {
    let read = api::body::read_json::<T>(bytes);
    read.map(drop)
        .map_err(|error| error.problem().detail.clone())
}

fn query<T: DeserializeOwned>(bytes: &[u8]) -> Result<(), String> {
    let read = api::body::read_query::<T>(text(bytes)?);
    read.map(drop)
        .map_err(|error| error.problem().detail.clone())
}

/// A list's query: the page, what the list itself can be asked, and the selector over its items.
fn asked<W: DeserializeOwned>(bytes: &[u8]) -> Result<(), String> {
    let read = api::page::Asked::<W>::read(text(bytes)?);
    let cut = read.and_then(|asked| asked.page.cut::<records::Stored<records::RolloutRow>>());
    cut.map(drop)
        .map_err(|error| error.problem().detail.clone())
}

fn header(bytes: &[u8]) -> Result<(), String> {
    let value = HeaderValue::from_bytes(bytes).map_err(|error| error.to_string())?;
    let headers: HeaderMap = [(
        types::common::REASON.parse().expect("a header's name"),
        value,
    )]
    .into_iter()
    .collect();
    let read = api::caller::given(&headers, types::common::REASON);
    read.map(drop)
        .map_err(|error| error.problem().detail.clone())
}

fn row<R: Record>(bytes: &[u8]) -> Result<(), String> {
    verdict(records::decode_value::<R>(
        &store::Key::from_path("/v1/some/row"),
        bytes,
    ))
}
