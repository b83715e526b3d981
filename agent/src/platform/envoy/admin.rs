//! What Envoy says of itself on its admin interface: routes as it has them, counters, hosts.

mod routes;
mod stats;
#[cfg(test)]
mod tests;

use std::{net::SocketAddr, time::Duration};

use serde::Deserialize;

pub(super) use routes::ReadBack;
pub(super) use stats::{Reading, VersionCounters};

use super::http;

/// Time for one answer.
const DEADLINE: Duration = Duration::from_secs(2);

/// The routes that an Envoy has now: static ones, those inside listeners, and those by RDS.
pub(super) async fn read_routes(admin: SocketAddr) -> Result<ReadBack, String> {
    let mut read = ReadBack::default();
    for resource in ["dynamic_route_configs", "static_route_configs"] {
        let bytes = ask(admin, &format!("/config_dump?resource={resource}")).await?;
        read.add(&bytes)?;
    }
    Ok(read)
}

/// The counters of all clusters that are named by version, and the uptime.
pub(super) async fn read_stats(admin: SocketAddr) -> Result<Reading, String> {
    let filter = r"^server\.uptime$|^cluster\..*@[0-9a-f]{8}\.(upstream_rq_(completed|5xx|active|pending_active|time|retry)$|grpc\.[0-9]+$)";
    let filter = percent_encoding::utf8_percent_encode(filter, percent_encoding::NON_ALPHANUMERIC);
    let path = format!("/stats?format=json&histogram_buckets=cumulative&filter={filter}");
    Reading::parse(&ask(admin, &path).await?)
}

/// Requests in flight to one host, over all clusters.
pub(super) async fn active_on_port(admin: SocketAddr, port: u16) -> Result<u64, String> {
    let bytes = ask(admin, "/clusters?format=json").await?;
    active_in(&bytes, port)
}

/// Envoy's version, such as `1.40.0`.
pub(super) async fn read_version(admin: SocketAddr) -> Result<String, String> {
    version_in(&ask(admin, "/server_info").await?)
}

pub(super) fn version_in(bytes: &[u8]) -> Result<String, String> {
    #[derive(Deserialize)]
    struct Info {
        version: String,
    }
    let info: Info = parse(bytes, "server_info")?;
    let number = info.version.split('/').nth(1).map(str::to_owned);
    Ok(number.unwrap_or(info.version))
}

async fn ask(admin: SocketAddr, path: &str) -> Result<bytes::Bytes, String> {
    match http::get(admin, path, DEADLINE).await? {
        (200, bytes) => Ok(bytes),
        (status, _) => Err(format!("{admin}{path}: answered {status}")),
    }
}

fn parse<'a, T: Deserialize<'a>>(bytes: &'a [u8], what: &str) -> Result<T, String> {
    serde_json::from_slice(bytes).map_err(|error| format!("{what} of Envoy is strange: {error}"))
}

pub(super) fn active_in(bytes: &[u8], port: u16) -> Result<u64, String> {
    #[derive(Deserialize)]
    struct Clusters {
        #[serde(default)]
        cluster_statuses: Vec<Cluster>,
    }
    #[derive(Deserialize)]
    struct Cluster {
        #[serde(default)]
        host_statuses: Vec<Host>,
    }
    #[derive(Deserialize)]
    struct Host {
        address: Address,
        #[serde(default)]
        stats: Vec<Stat>,
    }
    #[derive(Deserialize)]
    struct Address {
        socket_address: Option<Socket>,
    }
    #[derive(Deserialize)]
    struct Socket {
        port_value: u16,
    }
    #[derive(Deserialize)]
    struct Stat {
        name: String,
        #[serde(default)]
        value: Option<String>,
    }
    let clusters: Clusters = parse(bytes, "clusters")?;
    let hosts = clusters
        .cluster_statuses
        .iter()
        .flat_map(|c| &c.host_statuses);
    let ours = hosts.filter(|host| {
        let socket = host.address.socket_address.as_ref();
        socket.is_some_and(|socket| socket.port_value == port)
    });
    let active = ours
        .flat_map(|host| &host.stats)
        .filter(|stat| matches!(stat.name.as_str(), "rq_active" | "rq_pending_active"));
    Ok(active
        .filter_map(|stat| stat.value.as_ref()?.parse::<u64>().ok())
        .fold(0, u64::saturating_add))
}
