//! What `/metrics` says, to whom, and that it does not grow with the fleet.

use axum::http::{Method, StatusCode};
use flagship_proto::model::{Change, RolloutId};
use flagship_waves::{RolloutPhase, RolloutState, parse_plan};

use super::{fixture::Api, stopped::in_flight};
use crate::{auth::Role, records::RolloutRow, store::Txn};

const PLAN: &str = include_str!("../../../../deploy/example/plan.yaml");

async fn rollout(api: &Api, number: usize, phase: RolloutPhase) {
    let plan = parse_plan(PLAN).unwrap();
    let change = Change::Version(format!("1.{number}.0"));
    let id: RolloutId = format!("checkout-{number}").parse().unwrap();
    let at = api.now();
    let mut state = RolloutState::new(&plan, id.clone(), change.clone(), at);
    state.phase = phase;
    let row = RolloutRow {
        project: "shop".parse().unwrap(),
        id,
        plan_digest: plan.digest(),
        workload: "shop/Deployment/checkout".parse().unwrap(),
        change,
        state,
        plan,
        requests: Vec::new(),
        started: at,
        started_by: "ann".into(),
        reason: "release".into(),
        ticket: None,
        supersedes: None,
    };
    api.commit(Txn::new().put(&row)).await;
}

fn series(page: &str) -> usize {
    page.lines().filter(|line| !line.starts_with('#')).count()
}

fn value(page: &str, series: &str) -> f64 {
    let lines = page.lines();
    let found = lines.filter_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    let values: Vec<&str> = found.collect();
    assert_eq!(values.len(), 1, "{series} in\n{page}");
    values[0].parse().unwrap()
}

#[tokio::test]
async fn a_hundred_times_the_clusters_and_rollouts_make_not_one_series_more() {
    let mut api = Api::new().await;
    let token = api.token(Role::Operator).await;
    let viewer = api.token(Role::Viewer).await;
    let mut sizes = Vec::new();
    let mut begin = 0;
    for count in [3, 300] {
        for number in begin..count {
            in_flight(&api, &format!("eu-{number}"), Default::default()).await;
            let phase = if number % 2 == 0 {
                RolloutPhase::Failed
            } else {
                RolloutPhase::Succeeded
            };
            rollout(&api, number, phase).await;
            let path = format!("/api/v1/clusters/eu-{number}");
            api.get(&path, &viewer).await;
            let path = format!("/api/v1/projects/nobody/rollouts/checkout-{number}");
            let answer = api.send(&Method::GET, &path, Some(&viewer), "", "").await;
            assert_eq!(answer.status, StatusCode::NOT_FOUND);
            let path = format!("/nothing/{number}");
            api.send(&Method::GET, &path, Some(&viewer), "", "").await;
        }
        begin = count;
        // The page itself is a request too: its series is there from the second on.
        api.get("/metrics", &viewer).await;
        api = api.reopened();
        api.get("/metrics", &viewer).await;
        let page = api.get("/metrics", &viewer).await;
        assert_eq!(value(&page, "flagship_hub_clusters"), count as f64);
        let failed = value(&page, "flagship_hub_rollouts{state=\"Failed\"}");
        assert_eq!(failed, count.div_ceil(2) as f64);
        for name in ["eu-1", "checkout-1", "shop", "uid-"] {
            assert!(!page.contains(name), "{name} in\n{page}");
        }
        sizes.push(series(&page));
    }
    assert_eq!(sizes[0], sizes[1]);
    assert!(sizes[0] < 200, "{sizes:?}");

    let body = r#"{"scope":{"kind":"fleet"}}"#;
    api.post_with("/api/v1/aborts", &token, body, &[]).await;
    let page = api.reopened().get("/metrics", &viewer).await;
    assert_eq!(value(&page, "flagship_hub_aborts_standing"), 1.0);
    assert_eq!(value(&page, "flagship_hub_unanswered_clusters"), 300.0);
    assert_eq!(value(&page, "flagship_hub_not_stopped_clusters"), 0.0);
    assert_eq!(value(&page, "flagship_hub_clusters_not_heard"), 300.0);
}

#[tokio::test]
async fn requests_are_counted_by_route_and_never_by_what_stands_in_it() {
    let api = Api::new().await;
    let viewer = api.token(Role::Viewer).await;
    for number in 0..20 {
        let path = format!("/api/v1/clusters/eu-{number}");
        api.send(&Method::GET, &path, Some(&viewer), "", "").await;
        api.send(&Method::GET, &path, Some("flagship_ab_c"), "", "")
            .await;
    }
    let page = api.get("/metrics", &viewer).await;
    let of = |status| {
        let labels =
            format!("{{method=\"GET\",route=\"/api/v1/clusters/{{name}}\",status=\"{status}\"}}");
        value(&page, &format!("flagship_hub_api_requests_total{labels}"))
    };
    assert_eq!((of(404), of(401)), (20.0, 20.0));
}

#[tokio::test]
async fn without_a_token_the_page_is_shown_only_if_the_hub_was_told_so() {
    let api = Api::new().await;
    let bare = api.send(&Method::GET, "/metrics", None, "", "").await;
    assert_eq!(bare.status, StatusCode::UNAUTHORIZED);
    let api = api.with_open_metrics();
    let bare = api.send(&Method::GET, "/metrics", None, "", "").await;
    assert_eq!(bare.status, StatusCode::OK);
    assert!(bare.kind.starts_with("application/openmetrics-text"));
    assert!(bare.body.ends_with("# EOF\n"));
    let other = api.send(&Method::GET, "/api/v1/status", None, "", "").await;
    assert_eq!(other.status, StatusCode::UNAUTHORIZED, "only that page");
}

#[tokio::test]
async fn every_alert_and_every_panel_asks_for_what_is_there() {
    let api = Api::new().await;
    let viewer = api.token(Role::Viewer).await;
    api.decided();
    // The page itself is a request too: its series is there from the second on.
    api.get("/metrics", &viewer).await;
    let page = api.get("/metrics", &viewer).await;
    let asked = [
        include_str!("../../../../deploy/prometheus/alerts.yaml"),
        include_str!("../../../../deploy/grafana/flagship.json"),
    ];
    for text in asked {
        let words = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        let mut count = 0;
        for word in words.filter(|word| word.starts_with("flagship_hub_")) {
            count += 1;
            let name = ["_total", "_bucket", "_count", "_sum"]
                .iter()
                .find_map(|end| word.strip_suffix(end))
                .unwrap_or(word);
            // Of a store in a file only.
            let is_there = page.contains(&format!("# TYPE {name} "));
            assert!(
                is_there || name.starts_with("flagship_hub_store_"),
                "{word}"
            );
        }
        assert!(count > 5);
    }
}
