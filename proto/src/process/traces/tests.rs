//! Ids, settings, and what the exporter does with a receiver that is slow, broken or away.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
    time::timeout,
};
use tokio_util::sync::CancellationToken;

use super::{
    export::{address, read_headers},
    *,
};

const SOON: Duration = Duration::from_secs(10);

fn trace(project: &str, rollout: &str) -> TraceId {
    let fleet: FleetId = "fleet-1".parse().unwrap();
    TraceId::of(&fleet, &project.parse().unwrap(), &rollout.parse().unwrap())
}

fn span(number: u32) -> Span {
    let (trace, now) = (trace("shop", "checkout-1"), Timestamp::UNIX_EPOCH);
    let id = trace.span(&["step", &number.to_string()]);
    Span::new(trace, id, "step", (now, now))
}

#[test]
fn ids_follow_from_names_and_differ_where_names_differ() {
    let one = trace("shop", "checkout-1");
    assert_eq!(one, trace("shop", "checkout-1"));
    assert_ne!(one, trace("shop", "checkout-2"));
    assert_ne!(one, trace("pay", "checkout-1"));
    assert_ne!(one.span(&["step", "1"]), one.span(&["step", "2"]));
    assert_ne!(one.span(&["a", "bc"]), one.span(&["ab", "c"]));
    assert_ne!(one.start(), trace("shop", "checkout-2").start());
    // Hub and agents find the same in whatever version and after whatever restart.
    assert_eq!(one.to_string(), "81c73df7ffc724c59b04e6ce1d030359");
}

#[test]
fn a_span_is_a_part_of_the_start_never_ends_before_it_began_and_has_bounded_texts() {
    let trace = trace("shop", "checkout-1");
    let (late, early) = (Timestamp::MAX, Timestamp::UNIX_EPOCH);
    let start = Span::new(trace, trace.start(), "start", (early, early));
    assert_eq!(start.parent, None);
    let long = "ä".repeat(LONGEST);
    let step = Span::new(trace, trace.span(&["step"]), "step", (late, early))
        .with("why", &long)
        .failing(Some(long));
    assert_eq!(step.parent, Some(trace.start()));
    assert_eq!(step.end, late);
    assert_eq!(step.failed.unwrap().len(), LONGEST);
    assert!(matches!(&step.attributes[0].1, Value::Text(text) if text.len() == LONGEST));
}

#[test]
fn an_endpoint_is_a_bare_web_address() {
    let of = |text: &str| address(text).map(|url| url.to_string());
    assert_eq!(
        of("http://otel:4318/").unwrap(),
        "http://otel:4318/v1/traces"
    );
    let below = of("https://a.example/otlp").unwrap();
    assert_eq!(below, "https://a.example/otlp/v1/traces");
    for bad in [
        "otel:4318",
        "ftp://otel",
        "http://",
        "http://otel?key=pa55",
        "http://ann:pa55@otel:4318",
    ] {
        assert!(address(bad).is_none(), "{bad}");
    }
}

#[test]
fn headers_are_pairs_and_are_never_shown() {
    let read = read_headers("authorization=Bearer%20pa55, x-scope = shop,").unwrap();
    assert_eq!(read["authorization"], "Bearer pa55");
    assert_eq!(read["x-scope"], "shop");
    assert_eq!(read["content-type"], "application/x-protobuf");
    assert!(!format!("{read:?}").contains("pa55"));
    for bad in ["nothing", "a b=c", "x=%0d%0ay: z"] {
        assert!(read_headers(bad).is_none(), "{bad}");
    }
}

#[test]
fn settings_that_cannot_be_meant_are_refused_without_repeating_a_secret() {
    let none = |_: &str| None;
    let args = |endpoint: &str| TraceArgs {
        otlp_endpoint: Some(endpoint.to_owned()),
        otlp_ca: None,
    };
    let refused = |endpoint: &str, name: &'static str, value: &'static str| {
        let variable = |asked: &str| (asked == name).then(|| value.to_owned());
        let outcome = Tracer::with(&args(endpoint), "flagship-test", variable);
        outcome.unwrap_err().to_string()
    };
    let secret = refused("http://ann:pa55@otel", "", "");
    assert!(secret.contains("OTEL_EXPORTER_OTLP_HEADERS") && !secret.contains("pa55"));
    let grpc = refused("http://otel", "OTEL_EXPORTER_OTLP_PROTOCOL", "grpc");
    assert!(grpc.contains("http/protobuf"), "{grpc}");
    let headers = refused("http://otel", "OTEL_EXPORTER_OTLP_HEADERS", "pa55");
    assert!(headers.contains("name=value") && !headers.contains("pa55"));
    for off in [TraceArgs::default(), args("")] {
        let (tracer, exporter) = Tracer::with(&off, "flagship-test", none).unwrap();
        assert!(!tracer.is_on() && exporter.is_none());
        tracer.span(span(0));
        assert_eq!(tracer.counted(), (0, 0), "nobody wanted it");
    }
}

#[test]
fn a_ca_that_cannot_be_taken_is_refused_by_name_and_one_without_a_name_is_none() {
    let folder = tempfile::tempdir().unwrap();
    let with = |path: &Path| {
        let args = TraceArgs {
            otlp_endpoint: Some("https://otel:4318".to_owned()),
            otlp_ca: Some(path.to_owned()),
        };
        Tracer::with(&args, "flagship-test", |_| None)
    };
    let file = folder.path().join("ca.pem");
    let refused = |why: &str| {
        let line = with(&file).unwrap_err().to_string();
        let named = format!("(OTEL_EXPORTER_OTLP_CERTIFICATE) {}", file.display());
        assert!(line.contains(&named) && line.contains(why), "{line}");
    };
    refused("no such file");
    for (text, why) in [
        ("", "no certificate in it"),
        ("PLANTED", "no certificate in it"),
        (
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "",
        ),
    ] {
        std::fs::write(&file, text).unwrap();
        refused(why);
    }
    let long = "x".repeat(1024 * 1024 + 1);
    std::fs::write(&file, long).unwrap();
    refused("at most");
    assert!(with(Path::new("")).is_ok());
}

/// A receiver that answers its requests with these statuses, the last one for ever; and how often it
/// was asked.
async fn receiver(statuses: &'static [u16]) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = [0; 64 * 1024];
            if stream.read(&mut head).await.is_err() {
                continue;
            }
            let number = count.fetch_add(1, Ordering::SeqCst);
            let status = statuses[number.min(statuses.len() - 1)];
            let answer =
                format!("HTTP/1.1 {status} x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
            let _gone = stream.write_all(answer.as_bytes()).await;
        }
    });
    (address, asked)
}

fn exporter(endpoint: String) -> (Tracer, Exporter) {
    let args = TraceArgs {
        otlp_endpoint: Some(endpoint),
        otlp_ca: None,
    };
    let (tracer, exporter) = Tracer::with(&args, "flagship-test", |_| None).unwrap();
    (tracer, exporter.unwrap())
}

#[tokio::test]
async fn a_receiver_that_is_busy_is_asked_again_and_one_that_refuses_is_not() {
    for (statuses, asked, sent, lost) in [(&[503, 429, 200][..], 3, 1, 0), (&[400][..], 1, 0, 1)] {
        let (address, count) = receiver(statuses).await;
        let (tracer, exporter) = exporter(address);
        tracer.span(span(1));
        let stop = CancellationToken::new();
        let running = tokio::spawn(exporter.run(stop.clone()));
        let told = async {
            while tracer.counted() == (0, 0) {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        timeout(SOON, told).await.unwrap();
        assert_eq!(count.load(Ordering::SeqCst), asked, "{statuses:?}");
        assert_eq!(tracer.counted(), (sent, lost));
        stop.cancel();
        timeout(SOON, running).await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn a_queue_that_is_full_loses_spans_counts_them_and_waits_for_nobody() {
    let (tracer, exporter) = exporter("http://127.0.0.1:9".to_owned());
    for number in 0..8192 + 7 {
        tracer.span(span(number));
    }
    assert_eq!(tracer.counted(), (0, 7));
    drop(exporter);
}

#[tokio::test]
async fn a_process_that_ends_sends_what_waits_and_does_not_wait_for_a_receiver_that_is_away() {
    let (address, _) = receiver(&[200]).await;
    let (tracer, taken) = exporter(format!("{address}/key-in-the-path"));
    assert_eq!(taken.receiver(), address);
    let stop = CancellationToken::new();
    stop.cancel();
    for number in 0..1000 {
        tracer.span(span(number));
    }
    timeout(SOON, taken.run(stop.clone())).await.unwrap();
    assert_eq!(tracer.counted(), (1000, 0));

    let (tracer, away) = exporter("http://127.0.0.1:9".to_owned());
    tracer.span(span(1));
    timeout(SOON, away.run(stop)).await.unwrap();
    assert_eq!(tracer.counted(), (0, 1));
}
