//! The xDS server of the Envoys: what each should have, in which order it is told, what it answered.

mod resources;
pub(super) mod server;
mod session;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

use envoy_types::pb::{envoy::service::discovery::v3::DiscoveryRequest, google::protobuf::Any};
use flagship_proto::digest::Digest;

pub(super) use resources::{DesiredCluster, DesiredRoute, DesiredWorkload};

/// Takes one request on a stream of its own, for the table of decoders.
pub(super) fn take(request: &DiscoveryRequest) {
    session::Session::default().take(request);
}

/// The four kinds of resources, in the order in which they are added (removal is in reverse).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    Cluster,
    Endpoint,
    Listener,
    Route,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Cluster, Self::Endpoint, Self::Listener, Self::Route];

    fn type_url(self) -> &'static str {
        match self {
            Self::Cluster => "type.googleapis.com/envoy.config.cluster.v3.Cluster",
            Self::Endpoint => "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment",
            Self::Listener => "type.googleapis.com/envoy.config.listener.v3.Listener",
            Self::Route => "type.googleapis.com/envoy.config.route.v3.RouteConfiguration",
        }
    }

    fn of(type_url: &str) -> Option<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.type_url() == type_url)
    }

    /// Envoy asks for all clusters and listeners, and for endpoints and routes by name.
    fn is_by_name(self) -> bool {
        match self {
            Self::Cluster | Self::Listener => false,
            Self::Endpoint | Self::Route => true,
        }
    }
}

/// One resource, and the clusters that must be warm before it may be sent (trap 21).
#[derive(Debug, Clone, PartialEq)]
struct Resource {
    body: Any,
    needs: BTreeSet<String>,
}

/// All that one Envoy should have.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct Snapshot {
    kinds: BTreeMap<Kind, BTreeMap<String, Resource>>,
}

impl Snapshot {
    /// Of all workloads, as one proxy should see them.
    pub(super) fn of(workloads: &[DesiredWorkload<'_>]) -> Self {
        let mut snapshot = Self::default();
        for workload in workloads {
            resources::add(&mut snapshot, workload);
        }
        snapshot
    }

    fn put(&mut self, kind: Kind, name: &str, resource: Resource) {
        self.kinds
            .entry(kind)
            .or_default()
            .insert(name.to_owned(), resource);
    }

    /// The resources of a kind; only those of the names where the kind is asked for by name.
    fn chosen<'a>(
        &'a self,
        kind: Kind,
        names: &'a BTreeSet<String>,
    ) -> impl Iterator<Item = (&'a String, &'a Resource)> {
        let all = self.kinds.get(&kind).into_iter().flatten();
        all.filter(move |(name, _)| !kind.is_by_name() || names.contains(*name))
    }

    /// A content hash (trap 5): equal content has an equal version, whoever serves it and when.
    fn version(&self, kind: Kind, names: &BTreeSet<String>) -> String {
        let mut bytes = Vec::new();
        for (name, resource) in self.chosen(kind, names) {
            bytes.extend_from_slice(name.as_bytes());
            bytes.push(0);
            bytes.extend_from_slice(&(resource.body.value.len() as u64).to_be_bytes());
            bytes.extend_from_slice(&resource.body.value);
        }
        Digest::of(&bytes).hex()[..16].to_owned()
    }

    /// The version of one named resource, as acknowledgements are compared by.
    pub(super) fn version_of(&self, kind: Kind, name: &str) -> Option<String> {
        let resource = self.kinds.get(&kind)?.get(name)?;
        Some(Digest::of(&resource.body.value).hex()[..16].to_owned())
    }
}
