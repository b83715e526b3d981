//! Envoy itself, where the agent starts it: its bootstrap, its start, and its adoption.

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use flagship_proto::process::{
    files::{self, PRIVATE},
    retry::Backoff,
};
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::{
    process::{self, Launch, ProcessId, Running},
    state::Shared,
};

/// An Envoy that ran this long did not fail at its start.
const STABLE: Duration = Duration::from_secs(30);

/// One Envoy to be kept running.
#[derive(Debug, Clone)]
pub(super) struct Proxy {
    pub node: String,
    pub binary: PathBuf,
    pub admin: SocketAddr,
    pub xds: SocketAddr,
}

/// The bootstrap (as JSON: in YAML an id `n` is a boolean, trap 24). The agent may be started again at
/// any time, so the way back to it is tried soon and often (trap 4).
pub(super) fn bootstrap(node: &str, admin: SocketAddr, xds: SocketAddr) -> Value {
    let socket = |address: SocketAddr| json!({"socket_address": {"address": address.ip().to_string(), "port_value": address.port()}});
    let keepalive = json!({"interval": "5s", "timeout": "5s"});
    json!({
        "node": {"id": node, "cluster": "flagship"},
        "admin": {"address": socket(admin)},
        "stats_flush_interval": "0.250s",
        "dynamic_resources": {
            "ads_config": {
                "api_type": "GRPC",
                "transport_api_version": "V3",
                "grpc_services": [{
                    "envoy_grpc": {
                        "cluster_name": "flagship_xds",
                        "retry_policy": {
                            "retry_back_off": {"base_interval": "0.1s", "max_interval": "1s"}
                        }
                    }
                }]
            },
            "cds_config": {"ads": {}, "resource_api_version": "V3"},
            "lds_config": {"ads": {}, "resource_api_version": "V3"}
        },
        "static_resources": {
            "clusters": [{
                "name": "flagship_xds",
                "type": "STATIC",
                "connect_timeout": "1s",
                "typed_extension_protocol_options": {
                    "envoy.extensions.upstreams.http.v3.HttpProtocolOptions": {
                        "@type": "type.googleapis.com/envoy.extensions.upstreams.http.v3.HttpProtocolOptions",
                        "explicit_http_config": {
                            "http2_protocol_options": {"connection_keepalive": keepalive}
                        }
                    }
                },
                "load_assignment": {
                    "cluster_name": "flagship_xds",
                    "endpoints": [{"lb_endpoints": [{"endpoint": {"address": socket(xds)}}]}]
                }
            }]
        }
    })
}

/// Keeps one Envoy running until shutdown; it lives on.
pub(super) async fn run(shared: Arc<Shared>, proxy: Proxy) {
    let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
    loop {
        let since = Instant::now();
        let words = match take_up(&shared, &proxy).await {
            Ok(mut running) => tokio::select! {
                words = running.ended() => words,
                () = shared.shutdown.cancelled() => return,
            },
            Err(words) => words,
        };
        let lines = process::last_lines(&shared.folders.log_of_proxy(&proxy.node), 2);
        warn!(
            node = proxy.node,
            words, lines, "an Envoy ended or could not be started"
        );
        if since.elapsed() >= STABLE {
            backoff.reset();
        }
        tokio::select! {
            () = sleep(backoff.next_wait()) => {}
            () = shared.shutdown.cancelled() => return,
        }
    }
}

async fn take_up(shared: &Arc<Shared>, proxy: &Proxy) -> Result<Running, String> {
    let token = format!(
        "envoy-{}-{}",
        proxy.node,
        shared.folders.platform().display()
    );
    let kept = {
        let state = shared.lock();
        state
            .platform
            .nodes
            .get(&proxy.node)
            .and_then(|node| node.process.clone())
    };
    let alive = kept
        .filter(ProcessId::is_alive)
        .or_else(|| process::find_by_token(&token));
    let running = match alive {
        Some(id) => {
            info!(node = proxy.node, pid = id.pid, "an Envoy was adopted");
            Running::Adopted(id)
        }
        None => start(shared, proxy, token)?,
    };
    {
        let mut state = shared.lock();
        let record = state.platform.nodes.entry(proxy.node.clone()).or_default();
        record.process = Some(running.id().clone());
    }
    if let Err(error) = shared.keep_platform().await {
        warn!(%error, "an Envoy could not be kept on record");
    }
    Ok(running)
}

fn start(shared: &Shared, proxy: &Proxy, token: String) -> Result<Running, String> {
    let path = shared.folders.bootstrap(&proxy.node);
    let text = bootstrap(&proxy.node, proxy.admin, proxy.xds).to_string();
    files::write_atomic(&path, text.as_bytes(), PRIVATE).map_err(|error| error.to_string())?;
    let argument = |text: &str| text.to_owned();
    let launch = Launch {
        program: proxy.binary.clone(),
        arguments: vec![
            argument("--config-path"),
            path.display().to_string(),
            // Several Envoys on one host would fight over a shared memory region (trap 24).
            argument("--disable-hot-restart"),
            argument("--concurrency"),
            argument("1"),
            argument("--log-level"),
            argument("warning"),
        ],
        env: std::collections::BTreeMap::new(),
        token,
        log: shared.folders.log_of_proxy(&proxy.node),
    };
    let running = process::launch(&launch)
        .map_err(|error| format!("{}: {error}", launch.program.display()))?;
    info!(
        node = proxy.node,
        pid = running.id().pid,
        "an Envoy was started"
    );
    Ok(running)
}
