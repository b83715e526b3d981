//! The API on a store in memory, called without a network.

mod calls;

use std::sync::Arc;

use axum::{
    Router,
    body::Body,
    http::{HeaderMap, Method, Request, StatusCode, header},
};
use flagship_proto::{
    digest::Digest,
    model::{InventoryWorkload, Term},
    process::Clock,
    sign::SignKey,
};
use http_body_util::BodyExt as _;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::{
    api::{
        ApiState,
        metrics::Metrics,
        router,
        types::{AbortView, Banner, Problem, RolloutView},
        view::{self, Seen},
    },
    auth::{Binding, Grants, Role},
    fleet::{Config, Fleet, FleetHandle},
    leader::draw_incarnation,
    leases::Leases,
    ops::{Caller, CreateToken, Ops},
    records::{ClusterRow, ClusterState, Enrolled, Record, RolloutRow, Stored, key},
    store::{Key, Outcome, Store, Txn},
};

pub(super) struct Api {
    routes: Router,
    state: ApiState,
}

#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) kind: String,
    /// The entity tag; empty where none came.
    pub(super) tag: String,
    pub(super) headers: HeaderMap,
    pub(super) body: String,
}

impl Answer {
    pub(super) fn problem(&self) -> Problem {
        serde_json::from_str(&self.body).unwrap_or_else(|error| panic!("{error}: {}", self.body))
    }
}

impl Api {
    pub(super) async fn new() -> Self {
        Self::on(Store::memory()).await
    }

    /// On a store that a test may break.
    pub(super) async fn on(store: Store) -> Self {
        let fleet = "f-1".parse().unwrap();
        let now = Clock::new().now().wall;
        crate::leader::found(&store, fleet, "shop.example", now)
            .await
            .unwrap();
        Self::over(store, Metrics::default())
    }

    /// Another process on the same store: its fleet knows what is stored.
    pub(super) fn reopened(&self) -> Self {
        Self::over(self.state.store().clone(), Metrics::default())
    }

    pub(super) fn decided(&self) {
        self.state.metrics.counters.decided("Started");
    }

    pub(super) fn with_open_metrics(&self) -> Self {
        let metrics = Metrics::new(Default::default(), true);
        Self::over(self.state.store().clone(), metrics)
    }

    fn over(store: Store, metrics: Metrics) -> Self {
        let clock = Clock::new();
        let fleet = "f-1".parse().unwrap();
        let term = Term {
            epoch: 1,
            counter: 1,
        };
        let config = Config::new(fleet, "shop.example", term, draw_incarnation());
        let key = Arc::new(SignKey::generate().unwrap());
        let (fleet, _) = FleetHandle::new(Fleet::new(config, key), store.clone(), clock).unwrap();
        let state = ApiState {
            ops: Ops::new(store),
            fleet,
            ca_hash: Digest::of(b"ca"),
            notifier: None,
            people: None,
            costs: Arc::default(),
            metrics,
            settings: Arc::default(),
            stop: CancellationToken::new(),
        };
        let routes = router(state.clone());
        Self { routes, state }
    }

    /// Another process on the same store: it knows nothing that is not stored.
    pub(super) fn started_again(&self) -> Self {
        let mut state = self.state.clone();
        state.ops = Ops::new(self.state.store().clone());
        let routes = router(state.clone());
        Self { routes, state }
    }

    /// As a hub that gives these leases.
    pub(super) fn reckon_with(&mut self, leases: Leases) {
        self.state.ops = self.state.ops.clone().with_leases(leases);
    }

    /// What its views are made from.
    pub(super) fn seen(&self) -> Seen {
        Seen::read(&self.state).unwrap()
    }

    /// An abort as somebody who sees everything is shown it, where this is seen of the fleet.
    pub(super) fn shown(&self, abort: &str, seen: &Seen) -> AbortView {
        self.shown_to(&Grants::everything(), abort, seen)
    }

    /// What is said of who still serves what a rollout brought, to somebody who sees everything.
    pub(super) fn serving(&self, seen: &Seen, row: &RolloutRow) -> Option<Banner> {
        let everything = Grants::everything();
        seen.serving_banner(&self.state.sight(&everything), row)
    }

    /// What serves and nobody wants, as somebody who sees everything is told it.
    pub(super) fn unwanted(&self, seen: &Seen) -> Vec<Banner> {
        let everything = Grants::everything();
        let sight = self.state.sight(&everything);
        seen.unwanted_banners(&sight).unwrap()
    }

    /// A rollout as one with these rights is shown it.
    pub(super) fn rollout_for(&self, grants: &Grants, row: &Stored<RolloutRow>) -> RolloutView {
        self.rollout_of(&self.seen(), grants, row)
    }

    /// The same where this is seen of the fleet.
    pub(super) fn rollout_of(
        &self,
        seen: &Seen,
        grants: &Grants,
        row: &Stored<RolloutRow>,
    ) -> RolloutView {
        view::rollout::view(seen, &self.state.sight(grants), row, true)
    }

    /// What stands over this rollout, as one with these rights is told who starts the plan again.
    pub(super) fn beside(
        &self,
        grants: &Grants,
        row: &RolloutRow,
        other: &RolloutRow,
    ) -> Vec<Banner> {
        let others = std::iter::once(other);
        self.seen()
            .banners_beside(&self.state.sight(grants), row, others)
    }

    /// The same as one with these rights is shown it.
    pub(super) fn shown_to(&self, grants: &Grants, abort: &str, seen: &Seen) -> AbortView {
        let row = self.read(&key::abort(&abort.parse().unwrap()));
        let sight = self.state.sight(grants);
        view::abort::view(&self.state, seen, &sight, &row).unwrap()
    }

    pub(super) fn store(&self) -> &Store {
        self.state.store()
    }

    pub(super) fn now(&self) -> jiff::Timestamp {
        self.state.now().wall
    }

    pub(super) async fn commit(&self, txn: Txn) {
        let outcome = self.state.store().txn(txn).await.unwrap();
        assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
    }

    /// A cluster that is a member and has the example's workload.
    pub(super) async fn member(&self, name: &str, labels: &[(&str, &str)]) {
        let enrolled = Enrolled {
            at: self.now(),
            token: None,
        };
        let labels = labels.iter();
        let labels = labels.map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
        let uid = format!("uid-{name}").parse().unwrap();
        let mut row = ClusterRow::new(name.parse().unwrap(), uid, labels.collect(), enrolled);
        row.state = ClusterState::Active;
        row.inventory.workloads.push(InventoryWorkload {
            workload: "shop/Deployment/checkout".parse().unwrap(),
            version: Some("1.0.0".to_owned()),
            digest: None,
            initial: None,
        });
        self.commit(Txn::new().put(&row)).await;
    }

    /// The clusters of the example's plan.
    pub(super) async fn members(&self) {
        self.member("pilot-1", &[("region", "eu"), ("tier", "pilot")])
            .await;
        self.member("eu-1", &[("region", "eu")]).await;
        self.member("us-1", &[("region", "us")]).await;
    }

    pub(super) fn read<R: Record>(&self, key: &Key) -> Stored<R> {
        self.state.store().read(key).unwrap().unwrap()
    }

    pub(super) fn seq(&self) -> u64 {
        self.state.store().position().seq
    }

    pub(super) async fn token(&self, role: Role) -> String {
        self.token_of(Binding::of(role)).await
    }

    /// A token with the right to lift, too.
    pub(super) async fn lifter(&self, role: Role) -> String {
        let lift = true;
        self.token_of(Binding {
            lift,
            ..Binding::of(role)
        })
        .await
    }

    pub(super) async fn token_of(&self, binding: Binding) -> String {
        self.token_with(Grants(vec![binding])).await
    }

    pub(super) async fn token_with(&self, grants: Grants) -> String {
        let args = CreateToken {
            name: format!("test-{}", grants.role()),
            grants,
            certificate: false,
            ttl: None,
        };
        let caller = Caller::new("test").because("a test");
        let made = self
            .state
            .ops
            .create_token(&caller, args, self.state.now())
            .await;
        made.unwrap().secret.reveal()
    }

    pub(super) async fn send(
        &self,
        method: &Method,
        path: &str,
        token: Option<&str>,
        kind: &str,
        body: &str,
    ) -> Answer {
        let mut request = Request::builder().method(method).uri(path);
        if let Some(token) = token {
            request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
        }
        if !kind.is_empty() {
            request = request.header(header::CONTENT_TYPE, kind);
        }
        self.call(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    pub(super) async fn get(&self, path: &str, token: &str) -> String {
        let answer = self.send(&Method::GET, path, Some(token), "", "").await;
        assert_eq!(answer.status, StatusCode::OK, "{path}: {}", answer.body);
        answer.body
    }

    pub(super) async fn post_with(
        &self,
        path: &str,
        token: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        self.ask(&Method::POST, path, token, body, headers).await
    }

    /// Any request, with headers.
    pub(super) async fn ask(
        &self,
        method: &Method,
        path: &str,
        token: &str,
        body: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::builder()
            .method(method)
            .uri(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/json");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.call(request.body(Body::from(body.to_owned())).unwrap())
            .await
    }

    /// A document as YAML.
    pub(super) async fn send_document(
        &self,
        path: &str,
        token: &str,
        text: &str,
        headers: &[(&str, &str)],
    ) -> Answer {
        let mut request = Request::post(path)
            .header(header::AUTHORIZATION, format!("Bearer {token}"))
            .header(header::CONTENT_TYPE, "application/yaml");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.call(request.body(Body::from(text.to_owned())).unwrap())
            .await
    }

    pub(super) fn tick(&self) -> flagship_proto::model::Tick {
        self.state.now()
    }

    pub(super) fn costs(&self) -> &crate::api::costs::Costs {
        &self.state.costs
    }

    async fn call(&self, request: Request<Body>) -> Answer {
        let answer = self.routes.clone().oneshot(request).await.unwrap();
        let text = |name: header::HeaderName| {
            let value = answer.headers().get(name);
            value.map_or("", |value| value.to_str().unwrap()).to_owned()
        };
        let (kind, tag) = (text(header::CONTENT_TYPE), text(header::ETAG));
        let (status, headers) = (answer.status(), answer.headers().clone());
        let bytes = answer.into_body().collect().await.unwrap().to_bytes();
        Answer {
            status,
            kind,
            tag,
            headers,
            body: String::from_utf8(bytes.to_vec()).unwrap(),
        }
    }
}
