//! Read-back: the share of every cluster over all rules that name it. A weight of 0 is not "no
//! traffic" while a match, a cookie or a mirror still names the cluster (trap 2).

use std::collections::BTreeMap;

use serde::Deserialize;
use serde_json::Value;

/// The routes of one Envoy as it has them.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in super::super) struct ReadBack {
    /// The highest share of a cluster in per cent over all rules that name it.
    shares: BTreeMap<String, u8>,
    /// A rule picks the cluster by a request's header: any cluster may get anything.
    any: bool,
    /// Names of the route configurations.
    names: Vec<String>,
}

#[derive(Deserialize)]
struct Dump {
    #[serde(default)]
    configs: Vec<Config>,
}

#[derive(Deserialize)]
struct Config {
    route_config: Option<Value>,
}

impl ReadBack {
    /// The highest share of a cluster over all rules; mirrors count with the fraction they send.
    pub(in super::super) fn share(&self, cluster: &str) -> u8 {
        if self.any {
            return 100;
        }
        self.shares.get(cluster).copied().unwrap_or(0)
    }

    /// Whether Envoy has a route configuration of this name.
    pub(in super::super) fn has(&self, name: &str) -> bool {
        self.names.iter().any(|known| known == name)
    }

    /// Adds one answer of `/config_dump`.
    pub(in super::super) fn add(&mut self, bytes: &[u8]) -> Result<(), String> {
        let dump: Dump = super::parse(bytes, "config_dump")?;
        for route_config in dump.configs.into_iter().filter_map(|c| c.route_config) {
            if let Some(name) = route_config.get("name").and_then(Value::as_str) {
                self.names.push(name.to_owned());
            }
            self.walk(&route_config);
        }
        Ok(())
    }

    /// Looks at every object, wherever it stands, that names a cluster: rules differ in shape, and one
    /// that is overlooked would be traffic that is not seen.
    fn walk(&mut self, value: &Value) {
        match value {
            Value::Object(fields) => {
                if let Some(weighted) = fields.get("weighted_clusters") {
                    self.weighted(weighted);
                }
                if let Some(Value::String(cluster)) = fields.get("cluster") {
                    self.raise(cluster, 100);
                }
                self.any |= fields.contains_key("cluster_header")
                    || fields.contains_key("cluster_specifier_plugin")
                    || fields.contains_key("inline_cluster_specifier_plugin");
                if let Some(Value::Array(mirrors)) = fields.get("request_mirror_policies") {
                    mirrors.iter().for_each(|mirror| self.mirror(mirror));
                }
                for (name, inner) in fields {
                    if name != "weighted_clusters" && name != "request_mirror_policies" {
                        self.walk(inner);
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| self.walk(item)),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }

    fn weighted(&mut self, weighted: &Value) {
        let none = Vec::new();
        let clusters = weighted
            .get("clusters")
            .and_then(Value::as_array)
            .unwrap_or(&none);
        let weight = |cluster: &Value| cluster.get("weight").and_then(Value::as_u64).unwrap_or(0);
        let sum = clusters.iter().map(weight).fold(0, u64::saturating_add);
        let total = weighted
            .get("total_weight")
            .and_then(Value::as_u64)
            .unwrap_or(sum);
        for cluster in clusters {
            self.any |= cluster.get("cluster_header").is_some();
            if let Some(name) = cluster.get("name").and_then(Value::as_str) {
                self.raise(name, per_cent(weight(cluster), total));
            }
        }
    }

    fn mirror(&mut self, mirror: &Value) {
        self.any |= mirror.get("cluster_header").is_some();
        let Some(name) = mirror.get("cluster").and_then(Value::as_str) else {
            return;
        };
        let fraction = mirror.pointer("/runtime_fraction/default_value");
        let share = fraction.map_or(100, |fraction| {
            let numerator = fraction
                .get("numerator")
                .and_then(Value::as_u64)
                .unwrap_or(0);
            let denominator = match fraction.get("denominator").and_then(Value::as_str) {
                Some("TEN_THOUSAND") => 10_000,
                Some("MILLION") => 1_000_000,
                Some(_) | None => 100,
            };
            per_cent(numerator, denominator)
        });
        self.raise(name, share);
    }

    fn raise(&mut self, cluster: &str, share: u8) {
        let known = self.shares.entry(cluster.to_owned()).or_default();
        *known = share.max(*known);
    }
}

/// Rounded up: a share that is not nothing never reads as nothing.
fn per_cent(part: u64, total: u64) -> u8 {
    if total == 0 {
        return 0;
    }
    u8::try_from((part.saturating_mul(100)).div_ceil(total).min(100)).unwrap_or(100)
}
