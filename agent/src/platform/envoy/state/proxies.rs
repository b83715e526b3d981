//! What proxies are known to do with one version: whether its end can go on.

use super::State;
use crate::platform::envoy::xds::Kind;
use flagship_proto::model::{Weight, WorkloadRef};

impl State {
    /// Whether no proxy sends new requests to a version: the route gives it nothing, every proxy
    /// acknowledged that, and it was read back. Else the reason in words.
    pub(in super::super) fn is_without_traffic(
        &self,
        workload: &WorkloadRef,
        version: &str,
    ) -> Result<(), String> {
        let Some(known) = self.workloads.get(workload) else {
            return Ok(());
        };
        let share = known
            .record
            .route
            .as_ref()
            .map_or(Weight::ZERO, |route| route.share(version));
        if share > Weight::ZERO {
            return Err(format!("the route still gives it {share}"));
        }
        let Some(cluster) = known.cluster(version) else {
            return Ok(());
        };
        for (id, node) in &self.nodes {
            if node.stream.is_none() {
                return Err(format!(
                    "Envoy {id} is not connected and may still send to it"
                ));
            }
            if known.record.route.is_some()
                && !self.has_acknowledged(id, known, (Kind::Route, workload.name()))
            {
                let words = node.refused.get(&Kind::Route);
                let words = words.map(|words| format!(": {words}")).unwrap_or_default();
                return Err(format!("Envoy {id} has not acknowledged the route{words}"));
            }
            match &node.routes {
                Err(error) => {
                    return Err(format!(
                        "the routes of Envoy {id} could not be read: {error}"
                    ));
                }
                Ok(read) if read.share(&cluster) > 0 => {
                    let share = read.share(&cluster);
                    return Err(format!("Envoy {id} still gives it {share}%"));
                }
                Ok(_) => {}
            }
        }
        Ok(())
    }

    /// Whether every proxy acknowledged the endpoints of a version as they are wanted now.
    pub(in super::super) fn has_new_endpoints(
        &self,
        workload: &WorkloadRef,
        version: &str,
    ) -> Result<(), String> {
        let Some(known) = self.workloads.get(workload) else {
            return Ok(());
        };
        let Some(cluster) = known.cluster(version) else {
            return Ok(());
        };
        for (id, node) in &self.nodes {
            if node.stream.is_none() {
                return Err(format!(
                    "Envoy {id} is not connected and may still send to it"
                ));
            }
            if !self.has_acknowledged(id, known, (Kind::Endpoint, &cluster)) {
                return Err(format!("Envoy {id} has not acknowledged the endpoints"));
            }
        }
        Ok(())
    }
}
