//! The ADS server: one task a stream that moves requests into a [`Session`] and its responses out.

use std::{
    sync::Arc,
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use envoy_types::pb::envoy::service::discovery::v3::{
    DeltaDiscoveryRequest, DeltaDiscoveryResponse, DiscoveryRequest, DiscoveryResponse,
    aggregated_discovery_service_server::{
        AggregatedDiscoveryService, AggregatedDiscoveryServiceServer,
    },
};
use tokio::{net::TcpListener, sync::mpsc};
use tokio_stream::wrappers::{ReceiverStream, TcpListenerStream};
use tokio_util::task::TaskTracker;
use tonic::{Request, Response, Status, Streaming};
use tracing::{info, warn};

use super::session::{Answer, Session};
use crate::platform::envoy::{
    admin,
    state::{Shared, TO_BE_READ},
    xds::Kind,
};

/// Serves until shutdown.
pub(in super::super) async fn serve(
    shared: Arc<Shared>,
    listener: TcpListener,
    tasks: TaskTracker,
) -> Result<(), tonic::transport::Error> {
    let shutdown = shared.shutdown.clone();
    let ads = Ads {
        shared,
        tasks,
        streams: AtomicU64::new(0),
    };
    tonic::transport::Server::builder()
        .initial_stream_window_size(64 * 1024)
        .initial_connection_window_size(64 * 1024)
        .max_concurrent_streams(8)
        .http2_keepalive_interval(Some(Duration::from_secs(5)))
        .http2_keepalive_timeout(Some(Duration::from_secs(5)))
        .add_service(AggregatedDiscoveryServiceServer::new(ads))
        .serve_with_incoming_shutdown(TcpListenerStream::new(listener), shutdown.cancelled_owned())
        .await
}

struct Ads {
    shared: Arc<Shared>,
    tasks: TaskTracker,
    streams: AtomicU64,
}

#[tonic::async_trait]
impl AggregatedDiscoveryService for Ads {
    type StreamAggregatedResourcesStream = ReceiverStream<Result<DiscoveryResponse, Status>>;
    type DeltaAggregatedResourcesStream = ReceiverStream<Result<DeltaDiscoveryResponse, Status>>;

    async fn stream_aggregated_resources(
        &self,
        request: Request<Streaming<DiscoveryRequest>>,
    ) -> Result<Response<Self::StreamAggregatedResourcesStream>, Status> {
        let (out, responses) = mpsc::channel(16);
        let stream = Stream {
            shared: self.shared.clone(),
            id: self.streams.fetch_add(1, Ordering::Relaxed) + 1,
            out,
            session: Session::default(),
        };
        self.tasks.spawn(stream.run(request.into_inner()));
        Ok(Response::new(ReceiverStream::new(responses)))
    }

    async fn delta_aggregated_resources(
        &self,
        _request: Request<Streaming<DeltaDiscoveryRequest>>,
    ) -> Result<Response<Self::DeltaAggregatedResourcesStream>, Status> {
        Err(Status::unimplemented(
            "state of the world only: set api_type to GRPC",
        ))
    }
}

/// One open stream.
struct Stream {
    shared: Arc<Shared>,
    id: u64,
    out: mpsc::Sender<Result<DiscoveryResponse, Status>>,
    session: Session,
}

impl Stream {
    async fn run(mut self, mut requests: Streaming<DiscoveryRequest>) {
        let shutdown = self.shared.shutdown.clone();
        let Ok(Some(first)) = requests.message().await else {
            return;
        };
        let node = first
            .node
            .as_ref()
            .map(|node| node.id.clone())
            .unwrap_or_default();
        if !self.open(&node).await {
            warn!(
                node,
                "an Envoy that is not configured asked for configuration"
            );
            let words = format!("Envoy {node:?} is not among envoy.nodes of this agent");
            // The stream may be gone already.
            let _ = self.out.send(Err(Status::permission_denied(words))).await;
            return;
        }
        info!(node, "an Envoy connected");
        let mut wanted = self.shared.wanted.subscribe();
        let mut next = Some(first);
        loop {
            if let Some(request) = next.take() {
                self.take(&node, &request);
            }
            wanted.mark_unchanged();
            let snapshot = self.shared.lock().snapshot(&node);
            for response in self.session.due(&snapshot) {
                if self.out.send(Ok(response)).await.is_err() {
                    return self.close(&node);
                }
            }
            tokio::select! {
                request = requests.message() => match request {
                    Ok(Some(request)) => next = Some(request),
                    Ok(None) | Err(_) => return self.close(&node),
                },
                _ = wanted.changed() => {}
                () = shutdown.cancelled() => return self.close(&node),
            }
        }
    }

    /// Reads what the proxy has before it is told anything, so that it is never told more (S4).
    async fn open(&self, node: &str) -> bool {
        let Some(address) = self.shared.lock().nodes.get(node).map(|known| known.admin) else {
            return false;
        };
        let routes = admin::read_routes(address).await;
        let version = admin::read_version(address).await;
        {
            let mut state = self.shared.lock();
            if let Some(known) = state.nodes.get_mut(node) {
                known.routes = routes;
                known.version = version.unwrap_or_default();
                known.stream = Some(self.id);
                known.acknowledged.clear();
                known.refused.clear();
            }
            state.cap(node);
        }
        self.shared.saw();
        true
    }

    fn close(&self, node: &str) {
        let mut state = self.shared.lock();
        if let Some(known) = state.nodes.get_mut(node)
            && known.stream == Some(self.id)
        {
            known.stream = None;
            known.acknowledged.clear();
            info!(node, "an Envoy disconnected");
        }
        drop(state);
        self.shared.saw();
    }

    fn take(&mut self, node: &str, request: &DiscoveryRequest) {
        let answer = self.session.take(request);
        let mut state = self.shared.lock();
        let Some(known) = state
            .nodes
            .get_mut(node)
            .filter(|known| known.stream == Some(self.id))
        else {
            return;
        };
        match answer {
            Answer::Asked => return,
            Answer::Acknowledged(kind, resources) => {
                known.refused.remove(&kind);
                let named = resources
                    .into_iter()
                    .map(|(name, version)| ((kind, name), version));
                known.acknowledged.extend(named);
                if kind == Kind::Route {
                    known.routes = Err(TO_BE_READ.to_owned());
                    known.routes_taken += 1;
                    known.look.notify_one();
                }
            }
            Answer::Refused(kind, words) => {
                warn!(node, ?kind, words, "an Envoy refused its configuration");
                known.refused.insert(kind, words);
                // A part may have been taken (trap 21).
                known.look.notify_one();
            }
        }
        drop(state);
        self.shared.saw();
    }
}
