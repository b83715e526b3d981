//! End to end with a receiver of OTLP that is built on the published crate and has a certificate of a CA of
//! its own: one trace follows a rollout from its start over orders, steps, checks and hooks to receipts,
//! whichever process tells of it.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::PathBuf,
    sync::{Arc, Mutex},
};

use axum::{
    Router,
    body::Bytes,
    extract::State,
    http::{HeaderMap, StatusCode},
    routing::post,
};
use flagship_hub::api::types::StatusView;
use flagship_proto::process::traces::TraceId;
use flagship_tests::{
    fleet::Members,
    play::{LONG, Play, quick_plan},
    process::until,
    tls::{Ca, serve},
};
use opentelemetry_proto::tonic::{
    collector::trace::v1::ExportTraceServiceRequest,
    common::v1::{KeyValue, any_value::Value},
    trace::v1::Span,
};
use prost::Message as _;
use tokio::net::TcpListener;

const KEY: &str = "Bearer PLANTED-trace-key";

/// What has come, by trace: the service that told it, and the span.
type Traces = BTreeMap<Vec<u8>, Vec<(String, Span)>>;

#[derive(Clone, Default)]
struct Receiver(Arc<Mutex<(u32, Traces)>>);

/// A free port, and its address.
async fn port() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("it is bound");
    (listener, address)
}

/// Says yes to hooks; where.
async fn hook() -> String {
    let (listener, address) = port().await;
    let routes = Router::new().route("/hook", post(async || "fine"));
    tokio::spawn(async { axum::serve(listener, routes).await });
    format!("http://{address}/hook")
}

impl Receiver {
    /// Takes traces at `/v1/traces`, with a certificate of this CA.
    async fn start(ca: &Ca) -> (Self, String) {
        let receiver = Self::default();
        let routes = Router::new()
            .route("/v1/traces", post(take))
            .with_state(receiver.clone());
        let (listener, address) = port().await;
        serve(listener, ca.server().expect("a certificate"), routes);
        (receiver, format!("https://{address}"))
    }

    fn trace(&self, id: TraceId) -> Vec<(String, Span)> {
        let known = self.0.lock().expect("nobody panicked");
        known.1.get(id.0.as_slice()).cloned().unwrap_or_default()
    }
}

async fn take(
    State(receiver): State<Receiver>,
    headers: HeaderMap,
    body: Bytes,
) -> (StatusCode, Vec<u8>) {
    let key = headers.get("authorization").map(|key| key.as_bytes());
    if key != Some(KEY.as_bytes()) || headers["content-type"] != "application/x-protobuf" {
        return (StatusCode::UNAUTHORIZED, Vec::new());
    }
    let mut known = receiver.0.lock().expect("nobody panicked");
    known.0 += 1;
    if known.0 == 1 {
        return (StatusCode::SERVICE_UNAVAILABLE, Vec::new());
    }
    let Ok(request) = ExportTraceServiceRequest::decode(body) else {
        return (StatusCode::BAD_REQUEST, Vec::new());
    };
    for whole in request.resource_spans {
        let resource = whole.resource.unwrap_or_default();
        let service = text(&resource.attributes, "service.name").unwrap_or_default();
        for span in whole.scope_spans.into_iter().flat_map(|scope| scope.spans) {
            let trace = known.1.entry(span.trace_id.clone()).or_default();
            trace.push((service.clone(), span));
        }
    }
    (StatusCode::OK, Vec::new())
}

fn value(attributes: &[KeyValue], key: &str) -> Option<Value> {
    let found = attributes.iter().find(|attribute| attribute.key == key)?;
    found.value.clone()?.value
}

fn text(attributes: &[KeyValue], key: &str) -> Option<String> {
    if let Value::StringValue(text) = value(attributes, key)? {
        Some(text)
    } else {
        None
    }
}

fn number(attributes: &[KeyValue], key: &str) -> Option<i64> {
    if let Value::IntValue(number) = value(attributes, key)? {
        Some(number)
    } else {
        None
    }
}

fn named<'a>(spans: &'a [(String, Span)], name: &str) -> Vec<&'a Span> {
    let all = spans.iter().map(|(_, span)| span);
    all.filter(|span| span.name == name).collect()
}

/// Whether every span but the start is a part of one that has come.
fn hangs_together(spans: &[(String, Span)]) -> bool {
    let ids: BTreeSet<&[u8]> = spans.iter().map(|(_, span)| &*span.span_id).collect();
    assert_eq!(ids.len(), spans.len(), "no span comes twice");
    spans
        .iter()
        .all(|(_, span)| span.name == "start" || ids.contains(&*span.parent_span_id))
}

struct Traced {
    play: Play,
    receiver: Receiver,
    fleet: String,
}

impl Traced {
    async fn start() -> Self {
        let ca = Ca::new("receivers of shop.example").expect("a CA");
        let (receiver, address) = Receiver::start(&ca).await;
        let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("traces");
        let trusted = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("traces-ca.pem");
        fs::write(&trusted, &ca.pem).expect("a file");
        let mut members = Members::of(&["pilot-1 region=eu tier=pilot", "eu-1 region=eu"], "");
        let encoded = KEY.replace(' ', "%20");
        let variables = [
            ("OTEL_EXPORTER_OTLP_ENDPOINT", address),
            (
                "OTEL_EXPORTER_OTLP_CERTIFICATE",
                trusted.display().to_string(),
            ),
            (
                "OTEL_EXPORTER_OTLP_HEADERS",
                format!("authorization={encoded}"),
            ),
        ];
        let given = variables.map(|(name, value)| (name.to_owned(), value.into()));
        members.given.hub = given.to_vec();
        members.given.agents = given.to_vec();
        let steps = "      stepWeights: [10, 40, 70]\n";
        let hook = format!(
            "      webhooks: [{{name: acceptance, type: rollout, url: '{}'}}]\n",
            hook().await
        );
        let plan = quick_plan("").replace(steps, &format!("{steps}{hook}"));
        let play = Play::start_with(&folder, &members, &plan).await;
        let status: StatusView = play.fleet.cli.json(&["status"]).expect("the hub answers");
        Self {
            play,
            receiver,
            fleet: status.fleet,
        }
    }

    fn of(&self, rollout: &str) -> TraceId {
        let (project, id) = rollout.split_once('/').unwrap_or(("shop", rollout));
        let valid = "the hub's own names are valid";
        let (fleet, id) = (self.fleet.parse().expect(valid), id.parse().expect(valid));
        TraceId::of(&fleet, &project.parse().expect(valid), &id)
    }

    /// The spans of a trace, once they are as wanted.
    async fn spans(
        &self,
        rollout: &str,
        what: &str,
        wanted: impl Fn(&[(String, Span)]) -> bool,
    ) -> Vec<(String, Span)> {
        let id = self.of(rollout);
        until(what, LONG, async || wanted(&self.receiver.trace(id))).await;
        self.receiver.trace(id)
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn one_trace_follows_a_rollout_from_its_start_over_both_sides_to_the_receipts() {
    let mut traced = Traced::start().await;

    let good = traced.play.release("1.1.0");
    traced.play.reaches(&good, "Succeeded").await;
    let what = "the whole of the rollout is told, both canaries in it";
    let spans = traced
        .spans(&good, what, |spans| {
            let both = named(spans, "canary").len() == 2;
            both && named(spans, "rollout").len() == 1 && hangs_together(spans)
        })
        .await;
    is_a_rollout_that_succeeded(&spans);

    let bad = traced.play.release("1.2.0");
    traced.play.reaches_weight(&bad, "pilot-1", 10).await;
    traced
        .play
        .ok(&["abort", "--fleet", "--reason", "a test", "--wait", "--yes"]);
    let returned =
        |span: &&Span| text(&span.attributes, "flagship.state").as_deref() == Some("returned");
    let what = "the receipt is told, and the way back";
    let spans = traced
        .spans(&bad, what, |spans| {
            let receipts = named(spans, "receipt");
            receipts.iter().any(returned)
                && named(spans, "canary").len() == 1
                && hangs_together(spans)
        })
        .await;
    was_aborted(&spans);
    nobody_wrote_the_key(&traced);
    traced.play.both_ends_agree().await;
}

fn is_a_rollout_that_succeeded(spans: &[(String, Span)]) {
    let by: BTreeSet<&str> = spans.iter().map(|(service, _)| service.as_str()).collect();
    assert_eq!(by, BTreeSet::from(["flagship-agent", "flagship-hub"]));
    for name in ["start", "rollout"] {
        let one = named(spans, name);
        assert_eq!(one.len(), 1, "{name}");
        let version = text(&one[0].attributes, "flagship.version");
        assert_eq!(version.as_deref(), Some("1.1.0"));
    }
    let state = text(&named(spans, "rollout")[0].attributes, "flagship.state");
    assert_eq!(state.as_deref(), Some("Succeeded"));
    assert_eq!(named(spans, "wave").len(), 2);
    let codes: BTreeSet<String> = named(spans, "decision")
        .iter()
        .filter_map(|span| text(&span.attributes, "flagship.code"))
        .collect();
    for code in ["Started", "WaveStarted", "ClusterStarted", "Succeeded"] {
        assert!(codes.contains(code), "{code}: {codes:?}");
    }
    let orders: BTreeSet<&[u8]> = named(spans, "order").iter().map(|s| &*s.span_id).collect();
    let canaries = named(spans, "canary");
    let clusters: BTreeSet<String> = canaries
        .iter()
        .filter_map(|span| text(&span.attributes, "flagship.cluster"))
        .collect();
    assert_eq!(clusters, ["pilot-1", "eu-1"].map(str::to_owned).into());
    for canary in &canaries {
        assert!(orders.contains(&*canary.parent_span_id), "{canary:?}");
        let phase = text(&canary.attributes, "flagship.phase");
        assert_eq!(phase.as_deref(), Some("Succeeded"));
        let steps = named(spans, "step");
        let own = steps.iter().filter(|s| s.parent_span_id == canary.span_id);
        let lasts = |step: &&&Span| step.end_time_unix_nano > step.start_time_unix_nano;
        assert!(own.clone().all(|step| lasts(&step)), "{steps:?}");
        let weights: Vec<i64> = own
            .filter_map(|step| number(&step.attributes, "flagship.weight"))
            .collect();
        assert!(weights.starts_with(&[10, 40, 70]), "{weights:?}");
        assert!(canary.end_time_unix_nano > canary.start_time_unix_nano);
    }
    let steps: BTreeSet<&[u8]> = named(spans, "step").iter().map(|s| &*s.span_id).collect();
    let checks = named(spans, "check");
    let of_steps = checks.iter().filter(|check| {
        let verdict = text(&check.attributes, "flagship.verdict");
        steps.contains(&*check.parent_span_id) && verdict.as_deref() == Some("pass")
    });
    assert!(
        of_steps.count() >= 6,
        "three steps in two clusters: {checks:?}"
    );
    let hooks = named(spans, "hook");
    assert!(hooks.len() >= 6, "{hooks:?}");
    for asked in &hooks {
        let of_canary = canaries.iter().any(|c| c.span_id == asked.parent_span_id);
        let of_step = steps.contains(&*asked.parent_span_id);
        assert!(of_canary || of_step, "{asked:?}");
    }
    let name = text(&hooks[0].attributes, "flagship.name");
    assert_eq!(name.as_deref(), Some("acceptance"));
    assert!(
        spans
            .iter()
            .all(|(_, span)| span.status.as_ref().is_some_and(|status| status.code == 1))
    );
}

fn was_aborted(spans: &[(String, Span)]) {
    let canary = named(spans, "canary")[0];
    let is_bad = canary.status.as_ref().map(|status| status.code) == Some(2);
    assert!(is_bad, "{canary:?}");
    let back = named(spans, "return");
    assert!(
        back.iter()
            .any(|back| back.parent_span_id == canary.span_id)
    );
    let abort = named(spans, "abort");
    assert_eq!(abort.len(), 1, "{abort:?}");
    let id = text(&abort[0].attributes, "flagship.abort");
    let receipts = named(spans, "receipt");
    let of_it = receipts.iter().filter(|receipt| {
        let state = text(&receipt.attributes, "flagship.state");
        text(&receipt.attributes, "flagship.abort") == id
            && receipt.parent_span_id == abort[0].span_id
            && state.as_deref() == Some("returned")
    });
    assert!(of_it.count() >= 1, "{receipts:?}");
}

fn nobody_wrote_the_key(traced: &Traced) {
    let clusters = traced.play.fleet.clusters.values();
    let logs = clusters.map(|cluster| fs::read_to_string(cluster.log()).expect("an agent logs"));
    for log in logs.chain([traced.play.fleet.hub.log()]) {
        assert!(log.contains("traces are sent"), "{log}");
        assert!(!log.contains("PLANTED"), "{log}");
    }
}
