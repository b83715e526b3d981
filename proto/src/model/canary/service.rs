//! `spec.service`: the services and routes that Flagger makes for a workload. On the Envoy platform
//! the agent's configuration holds the listener and the routes, so only names and ports count there.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The services of a workload. What only a mesh understands is kept as it was written.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Service {
    /// Base name of the services; the target's where absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// The service's port.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// The port's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_name: Option<String>,
    /// The container's port, by number or name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_port: Option<Value>,
    /// What the port speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub app_protocol: Option<String>,
    /// Preference among endpoints.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_distribution: Option<String>,
    /// Add all container ports.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port_discovery: Option<bool>,
    /// No cluster address.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headless: Option<bool>,
    /// Time for a whole request.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timeout: Option<String>,
    /// Time for one try.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backend_timeout: Option<String>,
    /// Istio gateways.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateways: Option<Value>,
    /// Gateway API parents.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gateway_refs: Option<Value>,
    /// Host names.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hosts: Option<Value>,
    /// Istio delegation.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub delegation: Option<bool>,
    /// Istio traffic policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic_policy: Option<Value>,
    /// Which requests the route takes.
    #[serde(default, rename = "match", skip_serializing_if = "Option::is_none")]
    pub matches: Option<Value>,
    /// Rewriting of path and authority.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rewrite: Option<Value>,
    /// Retries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retries: Option<Value>,
    /// Header changes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub headers: Option<Value>,
    /// Extra mirrors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mirror: Option<Value>,
    /// Cross-origin policy.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cors_policy: Option<Value>,
    /// App Mesh mesh.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mesh_name: Option<String>,
    /// App Mesh backends.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backends: Option<Value>,
    /// Metadata of the apex service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub apex: Option<Value>,
    /// Metadata of the primary's service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primary: Option<Value>,
    /// Metadata of the canary's service.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub canary: Option<Value>,
    /// Metadata keys that are left alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub unmanaged_metadata: Option<Value>,
}

impl Service {
    /// The names of fields that are set and that only a mesh or Kubernetes understands.
    pub(super) fn mesh_fields(&self) -> Vec<&'static str> {
        let set = |present: bool, name: &'static str| present.then_some(name);
        [
            set(self.app_protocol.is_some(), "appProtocol"),
            set(self.traffic_distribution.is_some(), "trafficDistribution"),
            set(self.port_discovery == Some(true), "portDiscovery"),
            set(self.headless == Some(true), "headless"),
            set(self.timeout.is_some(), "timeout"),
            set(self.backend_timeout.is_some(), "backendTimeout"),
            set(self.gateways.is_some(), "gateways"),
            set(self.gateway_refs.is_some(), "gatewayRefs"),
            set(self.hosts.is_some(), "hosts"),
            set(self.delegation == Some(true), "delegation"),
            set(self.traffic_policy.is_some(), "trafficPolicy"),
            set(self.matches.is_some(), "match"),
            set(self.rewrite.is_some(), "rewrite"),
            set(self.retries.is_some(), "retries"),
            set(self.headers.is_some(), "headers"),
            set(self.mirror.is_some(), "mirror"),
            set(self.cors_policy.is_some(), "corsPolicy"),
            set(self.mesh_name.is_some(), "meshName"),
            set(self.backends.is_some(), "backends"),
            set(self.apex.is_some(), "apex"),
            set(self.primary.is_some(), "primary"),
            set(self.canary.is_some(), "canary"),
            set(self.unmanaged_metadata.is_some(), "unmanagedMetadata"),
        ]
        .into_iter()
        .flatten()
        .collect()
    }
}
