//! Envoy's resources of one workload: a cluster a version (trap 17), endpoints of ready processes, one
//! listener that a release never touches, and the route that carries the weights (trap 3).

use std::{collections::BTreeSet, time::Duration};

use envoy_types::{
    pb::{
        envoy::{
            config::{
                cluster::v3::{
                    CircuitBreakers, Cluster,
                    circuit_breakers::Thresholds,
                    cluster::{
                        ClusterDiscoveryType, CommonLbConfig, DiscoveryType, EdsClusterConfig,
                    },
                },
                core::v3::{
                    Address, AggregatedConfigSource, ApiVersion, ConfigSource, HealthStatus,
                    Http2ProtocolOptions, SocketAddress, address, config_source,
                    socket_address::PortSpecifier,
                },
                endpoint::v3::{
                    ClusterLoadAssignment, Endpoint, LbEndpoint, LocalityLbEndpoints, lb_endpoint,
                },
                listener::v3::{Filter, FilterChain, Listener, filter},
                route::v3::{
                    RetryPolicy, Route, RouteAction, RouteConfiguration, RouteMatch, VirtualHost,
                    WeightedCluster, route, route_action, route_match,
                    weighted_cluster::ClusterWeight,
                },
            },
            extensions::{
                filters::{
                    http::{grpc_stats::v3::FilterConfig, router::v3::Router},
                    network::http_connection_manager::v3::{
                        HttpConnectionManager, HttpFilter, Rds, http_connection_manager,
                        http_filter,
                    },
                },
                upstreams::http::v3::{HttpProtocolOptions, http_protocol_options},
            },
            r#type::v3::Percent,
        },
        google::protobuf::{self, UInt32Value},
    },
    util::pack_any,
};
use flagship_proto::model::Weight;

use super::{Kind, Resource, Snapshot};
use crate::platform::envoy::config::{Protocol, RouteRule, WorkloadConfig};

/// Envoy's own defaults (1,024) would refuse requests that the application could have taken.
const NO_LIMIT: u32 = 1 << 20;

/// What a workload should look like to one proxy.
#[derive(Debug)]
pub(in super::super) struct DesiredWorkload<'a> {
    pub config: &'a WorkloadConfig,
    pub clusters: Vec<DesiredCluster>,
    /// None until one was set: without it, nothing but clusters is served.
    pub route: Option<DesiredRoute>,
}

/// One version.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct DesiredCluster {
    pub name: String,
    /// Ports of the processes that take requests.
    pub ports: Vec<u16>,
    /// Ports of those that take no new ones and still answer their last: a host that is taken out
    /// at once is no longer counted by Envoy, however many requests it still answers (trap 20).
    pub draining: Vec<u16>,
}

/// Where requests go, by cluster name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in super::super) struct DesiredRoute {
    pub primary: String,
    pub canary: Option<(String, Weight)>,
}

/// Adds the resources of one workload.
pub(super) fn add(snapshot: &mut Snapshot, workload: &DesiredWorkload<'_>) {
    let name = workload.config.workload.name();
    for cluster in &workload.clusters {
        let body = cluster_of(&cluster.name, workload.config.protocol);
        snapshot.put(Kind::Cluster, &cluster.name, plain(pack_any(body)));
        snapshot.put(
            Kind::Endpoint,
            &cluster.name,
            plain(pack_any(endpoints(cluster))),
        );
    }
    let Some(route) = &workload.route else {
        return;
    };
    snapshot.put(
        Kind::Listener,
        name,
        plain(pack_any(listener(workload.config))),
    );
    let resource = Resource {
        body: pack_any(routes(workload.config, route)),
        needs: named(route),
    };
    snapshot.put(Kind::Route, name, resource);
}

fn plain(body: protobuf::Any) -> Resource {
    Resource {
        body,
        needs: BTreeSet::new(),
    }
}

/// The clusters that the rules name.
fn named(route: &DesiredRoute) -> BTreeSet<String> {
    let canary = route
        .canary
        .iter()
        .filter(|(_, weight)| *weight > Weight::ZERO);
    canary
        .map(|(name, _)| name)
        .chain([&route.primary])
        .cloned()
        .collect()
}

fn cluster_of(name: &str, protocol: Protocol) -> Cluster {
    let options = match protocol {
        Protocol::Http => None,
        Protocol::Http2 => {
            let explicit = http_protocol_options::ExplicitHttpConfig {
                protocol_config: Some(
                    http_protocol_options::explicit_http_config::ProtocolConfig::Http2ProtocolOptions(
                        Http2ProtocolOptions::default(),
                    ),
                ),
            };
            Some(HttpProtocolOptions {
                upstream_protocol_options: Some(
                    http_protocol_options::UpstreamProtocolOptions::ExplicitHttpConfig(explicit),
                ),
                ..Default::default()
            })
        }
    };
    Cluster {
        name: name.to_owned(),
        cluster_discovery_type: Some(ClusterDiscoveryType::Type(DiscoveryType::Eds.into())),
        eds_cluster_config: Some(EdsClusterConfig {
            eds_config: Some(by_ads()),
            ..Default::default()
        }),
        connect_timeout: Some(seconds(Duration::from_secs(1))),
        // Weighted clusters do not fail over: no panic routing to hosts that are known to be gone (trap 22).
        common_lb_config: Some(CommonLbConfig {
            healthy_panic_threshold: Some(Percent { value: 0.0 }),
            ..Default::default()
        }),
        ignore_health_on_host_removal: true,
        circuit_breakers: Some(CircuitBreakers {
            thresholds: vec![Thresholds {
                max_connections: Some(number(NO_LIMIT)),
                max_pending_requests: Some(number(NO_LIMIT)),
                max_requests: Some(number(NO_LIMIT)),
                max_retries: Some(number(1024)),
                ..Default::default()
            }],
            ..Default::default()
        }),
        typed_extension_protocol_options: options
            .map(|options| {
                let key = "envoy.extensions.upstreams.http.v3.HttpProtocolOptions".to_owned();
                (key, pack_any(options))
            })
            .into_iter()
            .collect(),
        ..Default::default()
    }
}

fn endpoints(cluster: &DesiredCluster) -> ClusterLoadAssignment {
    let host = |port: &u16, status: HealthStatus| LbEndpoint {
        host_identifier: Some(lb_endpoint::HostIdentifier::Endpoint(Endpoint {
            address: Some(socket("127.0.0.1".to_owned(), *port)),
            ..Default::default()
        })),
        health_status: status.into(),
        ..Default::default()
    };
    let taking = cluster
        .ports
        .iter()
        .map(|port| host(port, HealthStatus::Unknown));
    let draining = cluster
        .draining
        .iter()
        .map(|port| host(port, HealthStatus::Draining));
    let hosts = taking.chain(draining);
    ClusterLoadAssignment {
        cluster_name: cluster.name.clone(),
        endpoints: vec![LocalityLbEndpoints {
            lb_endpoints: hosts.collect(),
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn listener(config: &WorkloadConfig) -> Listener {
    let name = config.workload.name();
    // A failed gRPC call is a 200 to HTTP: its status is counted by this filter (trap 18).
    let grpc_stats = FilterConfig {
        enable_upstream_stats: true,
        ..Default::default()
    };
    let connections = HttpConnectionManager {
        stat_prefix: name.to_owned(),
        route_specifier: Some(http_connection_manager::RouteSpecifier::Rds(Rds {
            config_source: Some(by_ads()),
            route_config_name: name.to_owned(),
        })),
        http_filters: vec![
            http_filter_of("envoy.filters.http.grpc_stats", pack_any(grpc_stats)),
            http_filter_of("envoy.filters.http.router", pack_any(Router::default())),
        ],
        ..Default::default()
    };
    let filter = Filter {
        name: "envoy.filters.network.http_connection_manager".to_owned(),
        config_type: Some(filter::ConfigType::TypedConfig(pack_any(connections))),
    };
    Listener {
        name: name.to_owned(),
        address: Some(socket(
            config.listener.address.to_string(),
            config.listener.port,
        )),
        filter_chains: vec![FilterChain {
            filters: vec![filter],
            ..Default::default()
        }],
        ..Default::default()
    }
}

fn http_filter_of(name: &str, config: protobuf::Any) -> HttpFilter {
    HttpFilter {
        name: name.to_owned(),
        config_type: Some(http_filter::ConfigType::TypedConfig(config)),
        ..Default::default()
    }
}

fn routes(config: &WorkloadConfig, to: &DesiredRoute) -> RouteConfiguration {
    let name = config.workload.name();
    RouteConfiguration {
        name: name.to_owned(),
        virtual_hosts: vec![VirtualHost {
            name: name.to_owned(),
            domains: vec!["*".to_owned()],
            routes: config
                .routes
                .iter()
                .map(|rule| route_of(rule, to))
                .collect(),
            ..Default::default()
        }],
        // The clusters were seen to be warm before this is sent.
        validate_clusters: Some(protobuf::BoolValue { value: false }),
        ..Default::default()
    }
}

fn route_of(rule: &RouteRule, to: &DesiredRoute) -> Route {
    let retries = (rule.retries > 0).then(|| RetryPolicy {
        retry_on: "connect-failure,refused-stream,gateway-error".to_owned(),
        num_retries: Some(number(rule.retries)),
        ..Default::default()
    });
    let action = RouteAction {
        cluster_specifier: Some(split(to)),
        timeout: rule.timeout.map(|timeout| seconds(timeout.0)),
        retry_policy: retries,
        ..Default::default()
    };
    Route {
        r#match: Some(RouteMatch {
            path_specifier: Some(route_match::PathSpecifier::Prefix(rule.prefix.clone())),
            ..Default::default()
        }),
        action: Some(route::Action::Route(action)),
        ..Default::default()
    }
}

/// With no weight on the canary, one plain rule that does not name it at all (trap 2).
fn split(to: &DesiredRoute) -> route_action::ClusterSpecifier {
    let weighted = |name: &str, weight: Weight| ClusterWeight {
        name: name.to_owned(),
        weight: Some(number(weight.get().into())),
        ..Default::default()
    };
    match &to.canary {
        Some((canary, weight)) if *weight > Weight::ZERO => {
            route_action::ClusterSpecifier::WeightedClusters(WeightedCluster {
                clusters: vec![
                    weighted(&to.primary, weight.rest()),
                    weighted(canary, *weight),
                ],
                ..Default::default()
            })
        }
        Some(_) | None => route_action::ClusterSpecifier::Cluster(to.primary.clone()),
    }
}

fn by_ads() -> ConfigSource {
    ConfigSource {
        resource_api_version: ApiVersion::V3.into(),
        config_source_specifier: Some(config_source::ConfigSourceSpecifier::Ads(
            AggregatedConfigSource::default(),
        )),
        ..Default::default()
    }
}

fn socket(address: String, port: u16) -> Address {
    Address {
        address: Some(address::Address::SocketAddress(SocketAddress {
            address,
            port_specifier: Some(PortSpecifier::PortValue(port.into())),
            ..Default::default()
        })),
    }
}

fn number(value: u32) -> UInt32Value {
    UInt32Value { value }
}

fn seconds(duration: Duration) -> protobuf::Duration {
    protobuf::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: i32::try_from(duration.subsec_nanos()).unwrap_or_default(),
    }
}
