//! From the store to a recording server: told once, also over a restart; never muted, never lost.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
    time::Duration,
};

use axum::{Router, extract::State, http::StatusCode, routing::post};
use flagship_notify::Settings;
use flagship_proto::{
    model::{AbortMode, Fence, Receipt, ReceiptState, Scope, SignedReceipt, Tick, WorkloadReceipt},
    process::{Clock, traces::TraceId},
};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::{
    ops::{AbortOrder, Caller, Ops},
    records::{FleetMeta, HistoryRow, NoticeRow, ReceiptRow, Stored, key},
    store::{Store, Txn},
};

const FLEET: &str = "fleet-1";

/// Records bodies; answers 503 to the first `refuse` of them.
#[derive(Clone, Default)]
struct Recorder {
    bodies: Arc<Mutex<Vec<String>>>,
    refuse: Arc<Mutex<u32>>,
}

async fn take(State(recorder): State<Recorder>, body: String) -> StatusCode {
    let mut refuse = recorder.refuse.lock().unwrap();
    if *refuse > 0 {
        *refuse -= 1;
        return StatusCode::SERVICE_UNAVAILABLE;
    }
    recorder.bodies.lock().unwrap().push(body);
    StatusCode::OK
}

struct Bench {
    folder: tempfile::TempDir,
    recorder: Recorder,
    store: Store,
    clock: Clock,
}

impl Bench {
    async fn new() -> Self {
        let recorder = Recorder::default();
        let routes = Router::new()
            .route("/hook", post(take))
            .with_state(recorder.clone());
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(async move { axum::serve(listener, routes).await });
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("url"), format!("http://{address}/hook")).unwrap();
        let (store, clock) = (Store::memory(), Clock::new());
        let meta = FleetMeta {
            fleet: FLEET.parse().unwrap(),
            trust_domain: "flagship.local".into(),
            epoch: 1,
            created: clock.now().wall,
        };
        store.txn(Txn::new().put(&meta)).await.unwrap();
        Self {
            folder,
            recorder,
            store,
            clock,
        }
    }

    /// A notifier with one channel of CloudEvents and these routes.
    fn notifier(&self, routes: &str) -> Notifier {
        let url = self.folder.path().join("url");
        let text = format!(
            "channels: {{hook: {{webhook: {{url: {{file: {}}}}}}}}}\nroutes: {routes}
links: [{{name: trace, url: 'https://traces.example/{{{{ trace }}}}'}}]",
            url.display()
        );
        let settings = Settings::parse(&text).unwrap();
        Notifier::new(settings, Some("https://hub.example")).unwrap()
    }

    /// Runs until told to stop.
    fn run(
        &self,
        notifier: Notifier,
    ) -> (
        CancellationToken,
        tokio::task::JoinHandle<anyhow::Result<()>>,
    ) {
        let stop = CancellationToken::new();
        let running = run(notifier, self.store.clone(), self.clock, stop.clone());
        (stop, tokio::spawn(running.unwrap()))
    }

    fn now(&self) -> Tick {
        self.clock.now()
    }

    async fn happened(&self, seq: u64, kind: &str, message: &str) {
        let row = HistoryRow {
            project: "shop".parse().unwrap(),
            rollout: "checkout-1".parse().unwrap(),
            seq,
            at: self.now().wall,
            cluster: None,
            kind: kind.into(),
            message: message.into(),
            detail: serde_json::Value::Null,
            position: None,
        };
        self.store.txn(Txn::new().put(&row)).await.unwrap();
    }

    async fn abort(&self) {
        let order = AbortOrder {
            scope: Scope::Fleet,
            mode: AbortMode::Return,
        };
        let caller = Caller::new("alice").because("errors everywhere");
        let ops = Ops::new(self.store.clone());
        ops.abort(&caller, order, self.now()).await.unwrap();
    }

    /// The codes that the server got, once there are so many of them and nothing waits.
    async fn told(&self, count: usize) -> Vec<String> {
        let deadline = tokio::time::Instant::now() + Duration::from_secs(30);
        loop {
            let rows: Vec<Stored<NoticeRow>> = self.store.read_all(key::NOTICES).unwrap();
            let waits = rows
                .iter()
                .any(|row| matches!(row.value.entry.state, flagship_notify::State::Waiting(_)));
            let codes = self.codes();
            if codes.len() >= count && !waits {
                return codes;
            }
            assert!(
                tokio::time::Instant::now() < deadline,
                "{count} messages did not come: {codes:?}"
            );
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    fn codes(&self) -> Vec<String> {
        let bodies = self.recorder.bodies.lock().unwrap();
        let codes = bodies.iter().map(|body| {
            let event: serde_json::Value = serde_json::from_str(body).unwrap();
            event["type"].as_str().unwrap().to_owned()
        });
        codes.collect()
    }
}

#[tokio::test]
async fn what_happens_is_told_in_order_with_its_links_and_a_restart_tells_nothing_twice() {
    let bench = Bench::new().await;
    let (stop, running) = bench.run(bench.notifier("[{to: [hook]}]"));
    bench
        .happened(1, "Started", "rollout of 1.1.0 started")
        .await;
    bench
        .happened(2, "WaitingForSoak", "wave pilot soaks")
        .await;
    bench
        .happened(3, "ClusterFailed", "eu-1 failed: success rate 89 < 99")
        .await;
    let expected = [
        "dev.flagship.rollout.started",
        "dev.flagship.cluster.failed",
    ];
    let mut told = bench.told(2).await;
    told.sort_by_key(|code| std::cmp::Reverse(code.clone()));
    assert_eq!(told, expected);
    let body = bench.recorder.bodies.lock().unwrap().concat();
    assert!(
        body.contains("https://hub.example/#/rollouts/shop/checkout-1"),
        "{body}"
    );
    assert!(body.contains(r#""cluster":"eu-1""#), "{body}");
    let (fleet, rollout) = (FLEET.parse().unwrap(), "checkout-1".parse().unwrap());
    let trace = TraceId::of(&fleet, &"shop".parse().unwrap(), &rollout);
    let link = format!("https://traces.example/{trace}");
    assert!(body.contains(&link), "{link}: {body}");
    stop.cancel();
    running.await.unwrap().unwrap();

    // While it is away something happens; when it is back that is told, and nothing else.
    bench
        .happened(4, "RetreatDone", "3 clusters have gone back")
        .await;
    let (stop, running) = bench.run(bench.notifier("[{to: [hook]}]"));
    let told = bench.told(3).await;
    assert_eq!(told.len(), 3);
    assert_eq!(told[2], "dev.flagship.rollout.rolledBack");
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn an_abort_is_told_in_quiet_hours_and_after_the_channel_was_away() {
    let bench = Bench::new().await;
    *bench.recorder.refuse.lock().unwrap() = 1;
    let always = "[{to: [hook], quietHours: {from: '00:00', to: '23:59:59', timezone: UTC}}]";
    let (stop, running) = bench.run(bench.notifier(always));
    bench
        .happened(1, "Started", "rollout of 1.1.0 started")
        .await;
    bench.abort().await;
    let deadline = tokio::time::Instant::now() + Duration::from_secs(40);
    while bench.codes().is_empty() {
        assert!(
            tokio::time::Instant::now() < deadline,
            "the abort was not told"
        );
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(
        bench.codes(),
        ["dev.flagship.abort.stored"],
        "the rest waits"
    );
    let rows: Vec<Stored<NoticeRow>> = bench.store.read_all(key::NOTICES).unwrap();
    let tries: BTreeMap<&str, u32> = rows
        .iter()
        .map(|row| (row.value.entry.message.code.as_str(), row.value.entry.tries))
        .collect();
    assert_eq!(tries.get("rollout.started"), Some(&0));
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_hub_that_never_notified_does_not_tell_the_past() {
    let bench = Bench::new().await;
    bench.happened(1, "Succeeded", "rollout succeeded").await;
    let (stop, running) = bench.run(bench.notifier("[{to: [hook]}]"));
    bench
        .happened(2, "PausedBy", "paused by alice: lunch")
        .await;
    assert_eq!(bench.told(1).await, ["dev.flagship.rollout.paused"]);
    stop.cancel();
    running.await.unwrap().unwrap();
}

#[tokio::test]
async fn a_channel_is_tested_now_and_says_why_it_failed() {
    let bench = Bench::new().await;
    let notifier = bench.notifier("[]");
    let now = Timestamp::UNIX_EPOCH;
    let taken = notifier.test("hook", "alice", now).await;
    assert_eq!(taken, Some(Outcome::Delivered));
    *bench.recorder.refuse.lock().unwrap() = 1;
    let Some(Outcome::Failed { why, .. }) = notifier.test("hook", "alice", now).await else {
        panic!("a refusal was taken for a delivery");
    };
    assert!(why.contains("503"), "{why}");
    assert_eq!(notifier.test("nowhere", "alice", now).await, None);
}

/// What is told of an answer to an abort, by the states of its workloads `w0`, `w1`, …
fn told_of(states: impl IntoIterator<Item = ReceiptState>) -> Option<Message> {
    let workloads = states
        .into_iter()
        .enumerate()
        .map(|(number, state)| WorkloadReceipt {
            workload: format!("shop/Deployment/w{number}").parse().unwrap(),
            fence: Fence::default(),
            state,
            read_back: None,
            proxies: 1,
            digest: None,
        });
    let receipt = Receipt {
        abort: "a-1".parse().unwrap(),
        cluster: "eu-1".parse().unwrap(),
        uid: "uid-eu-1".parse().unwrap(),
        incarnation: Default::default(),
        seq: 1,
        at: Timestamp::UNIX_EPOCH,
        durable: true,
        workloads: workloads.collect(),
    };
    let signed = SignedReceipt {
        receipt,
        body: Vec::new(),
        signature: Vec::new(),
        serial: String::new(),
    };
    let row = ReceiptRow::new(signed, Vec::new(), Timestamp::UNIX_EPOCH);
    words::of_receipt(&row, None)
}

#[test]
fn a_canary_that_is_yet_to_be_told_of_an_abort_wakes_nobody() {
    let untold = || ReceiptState::untold(AbortMode::Return);
    assert_eq!(told_of([untold()]), None);
    assert_eq!(told_of([untold(), ReceiptState::Returned]), None);

    let stuck = ReceiptState::not_stopped("envoy edge-2 is not connected");
    let message = told_of([untold(), stuck]).unwrap();
    assert_eq!(message.code, "abort.notStopped");
    let only = "shop/Deployment/w1: envoy edge-2 is not connected";
    assert_eq!(message.text, only, "what passes in a moment is left out");

    let message = told_of([ReceiptState::Returned, ReceiptState::Held]).unwrap();
    assert_eq!(
        (message.code.as_str(), message.text.as_str()),
        ("abort.stopped", "")
    );
}

#[test]
fn a_settings_file_that_cannot_be_used_is_named_with_its_place() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("notifications.yaml");
    std::fs::write(&path, "channels:\n  room: {slakc: {}}\n").unwrap();
    let error = format!("{:#}", Notifier::open(&path, None).unwrap_err());
    assert!(
        error.contains("notifications.yaml") && error.contains("line 2"),
        "{error}"
    );
}
