//! Whom spans are sent to over TLS: a receiver with a certificate of the CA that is named, and nobody else.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{fs, path::PathBuf};

use axum::{Router, routing::post};
use flagship_proto::process::{
    metrics::Page,
    traces::{Span, TraceArgs, TraceId, Tracer},
};
use flagship_tests::tls::{Ca, serve};
use jiff::Timestamp;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

/// Sends one span to a receiver; what the page of metrics says of it.
async fn sent(endpoint: &str, otlp_ca: Option<PathBuf>) -> String {
    let args = TraceArgs {
        otlp_endpoint: Some(endpoint.to_owned()),
        otlp_ca,
    };
    let (tracer, exporter) = Tracer::new(&args, "flagship-test").unwrap();
    let rollout = "checkout-1".parse().unwrap();
    let trace = TraceId::of(
        &"fleet-1".parse().unwrap(),
        &"shop".parse().unwrap(),
        &rollout,
    );
    let now = Timestamp::now();
    tracer.span(Span::new(trace, trace.start(), "start", (now, now)));
    let stop = CancellationToken::new();
    // What waits is sent to the end, or given up after a short time.
    stop.cancel();
    exporter.unwrap().run(stop).await;
    let mut page = Page::new("test", "1");
    tracer.show(&mut page);
    page.text()
}

#[tokio::test]
async fn spans_go_to_a_receiver_of_the_ca_that_is_named_and_to_no_other() {
    let folder = tempfile::tempdir().unwrap();
    let named = |file: &str, ca: &Ca| {
        let path = folder.path().join(file);
        fs::write(&path, &ca.pem).unwrap();
        Some(path)
    };
    let (own, other) = (Ca::new("own").unwrap(), Ca::new("other").unwrap());
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let endpoint = format!("https://{}", listener.local_addr().unwrap());
    let routes = Router::new().route("/v1/traces", post(async || ""));
    serve(listener, own.server().unwrap(), routes);
    let said = |page: &str, outcome: &str| {
        let line = format!("spans_{outcome}_total 1\n");
        assert!(page.contains(&line), "{line}{page}");
    };
    said(&sent(&endpoint, named("own.pem", &own)).await, "sent");
    said(&sent(&endpoint, named("other.pem", &other)).await, "lost");
    said(&sent(&endpoint, None).await, "lost");
    // A file with several is trusted for each.
    let both = folder.path().join("both.pem");
    fs::write(&both, [other.pem, own.pem].concat()).unwrap();
    said(&sent(&endpoint, Some(both)).await, "sent");
}
