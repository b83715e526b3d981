//! What the driver is shown: versions, the route over all proxies and rules, counters by version.

use std::collections::BTreeMap;

use flagship_canary::{Revision, RouteSeen, Sample, Share, Totals, VersionSeen};
use flagship_proto::model::{Counts, Latency, Weight, WorkloadRef};

use super::{NodeState, State, TO_BE_READ, WorkloadState};
use crate::platform::{
    ProxySeen, Seen,
    envoy::{admin::VersionCounters, xds::Kind},
};

impl State {
    pub(in super::super) fn view(&self, workload: &WorkloadRef) -> Option<Seen> {
        let known = self.workloads.get(workload)?;
        let ran = known.record.ran.iter().cloned();
        let run = known
            .record
            .versions
            .iter()
            .map(|(name, record)| (name.clone(), record.digest));
        let versions = known.record.versions.iter().map(|(version, record)| {
            let troubles = known.troubles.get(version);
            let seen = VersionSeen {
                scale: record.scale,
                wanted: known.count(record),
                ready: u32::try_from(known.ports(version).len()).unwrap_or(u32::MAX),
                crash_loop: known.crash_loop(version),
                not_startable: troubles.and_then(|troubles| troubles.not_startable.clone()),
                in_flight: self.active(known, version),
            };
            (version.clone(), seen)
        });
        let failed = known.failed.iter().map(|(version, failed)| {
            let seen = VersionSeen {
                scale: failed.scale,
                wanted: known.count_at(failed.scale),
                ready: 0,
                crash_loop: None,
                not_startable: Some(failed.why.clone()),
                in_flight: None,
            };
            (version.clone(), seen)
        });
        let proxies = self.proxies(known);
        let settled = proxies.iter().all(|proxy| proxy.acknowledged);
        Some(Seen {
            initial: Revision {
                version: known.config.version.clone(),
                digest: known.initial,
            },
            versions: failed.chain(versions).collect(),
            digests: ran.chain(run).collect(),
            route: RouteSeen {
                settled,
                ..self.route(known)
            },
            totals: self.totals(known),
            proxies,
        })
    }

    fn route(&self, known: &WorkloadState) -> RouteSeen {
        let name = known.workload().name();
        let has_route = |node: &&NodeState| node.routes.as_ref().is_ok_and(|read| read.has(name));
        let read = || self.nodes.values().filter(has_route);
        let read_count = read().count();
        let shares = known.record.versions.keys().filter_map(|version| {
            let cluster = known.cluster(version)?;
            let share = |node: &NodeState| {
                let read = node.routes.as_ref().ok()?;
                Some(Weight::saturating(read.share(&cluster).into()))
            };
            let min = read().filter_map(share).min()?;
            let max = read().filter_map(share).max()?;
            (max > Weight::ZERO).then(|| (version.clone(), Share { min, max }))
        });
        let shares: BTreeMap<String, Share> = shares.collect();
        RouteSeen {
            told: known.record.route.clone(),
            primary: known
                .record
                .route
                .as_ref()
                .map(|route| route.primary.clone()),
            settled: false,
            known: read_count > 0 && read_count == self.nodes.len(),
            proxies: u32::try_from(read_count).unwrap_or(u32::MAX),
            trouble: self.trouble(known),
            shares,
        }
    }

    /// The first thing that is wrong with a proxy, in its own words.
    fn trouble(&self, known: &WorkloadState) -> Option<String> {
        let of_node = |(id, node): (&String, &NodeState)| {
            if let Some(words) = node.refused.values().next() {
                return Some(format!("Envoy {id} refused its configuration: {words}"));
            }
            if node.stream.is_none() {
                return Some(format!("Envoy {id} is not connected"));
            }
            let error = node
                .routes
                .as_ref()
                .err()
                .filter(|words| *words != TO_BE_READ)?;
            Some(format!(
                "the routes of Envoy {id} could not be read: {error}"
            ))
        };
        let held = known.troubles.iter().find_map(|(version, troubles)| {
            let words = troubles.held.as_ref()?;
            Some(format!("the end of version {version} waits: {words}"))
        });
        self.nodes
            .iter()
            .find_map(of_node)
            .or(known.lowered.clone())
            .or(held)
    }

    fn proxies(&self, known: &WorkloadState) -> Vec<ProxySeen> {
        let name = known.workload().name();
        let canary = known
            .record
            .route
            .as_ref()
            .and_then(|route| route.canary.as_ref());
        let cluster = canary.and_then(|version| known.cluster(version));
        let seen = self.nodes.iter().map(|(id, node)| ProxySeen {
            node: id.clone(),
            version: node.version.clone(),
            connected: node.stream.is_some(),
            acknowledged: self.has_acknowledged(id, known, (Kind::Route, name)),
            refused: node.refused.values().next().cloned(),
            weight: node
                .routes
                .as_ref()
                .ok()
                .filter(|read| read.has(name))
                .map(|read| {
                    let share = cluster.as_ref().map_or(0, |cluster| read.share(cluster));
                    Weight::saturating(share.into())
                }),
        });
        seen.collect()
    }

    fn counters<'a>(
        &'a self,
        known: &WorkloadState,
        version: &str,
    ) -> Option<Vec<&'a VersionCounters>> {
        let cluster = known.cluster(version)?;
        let mut all = Vec::new();
        for node in self.nodes.values() {
            let (reading, _) = node.reading.as_ref()?;
            all.extend(reading.clusters.get(&cluster));
        }
        Some(all)
    }

    fn active(&self, known: &WorkloadState, version: &str) -> Option<u64> {
        let counters = self.counters(known, version)?;
        Some(counters.iter().map(|counters| counters.active).sum())
    }

    /// The sum over all proxies; nothing while one of them could not be read.
    fn totals(&self, known: &WorkloadState) -> Option<Totals> {
        let mut versions = BTreeMap::new();
        for version in known.record.versions.keys() {
            let counters = self.counters(known, version)?;
            versions.insert(version.clone(), sample(&counters));
        }
        let nodes = self.nodes.values();
        Some(Totals {
            proxy_started: nodes.clone().filter_map(|node| node.started).max()?,
            at: nodes
                .filter_map(|node| Some(node.reading.as_ref()?.1))
                .min()?,
            versions,
        })
    }
}

fn sample(counters: &[&VersionCounters]) -> Sample {
    let mut buckets: Vec<(f64, u64)> = Vec::new();
    for (bound, count) in counters.iter().flat_map(|counters| &counters.latency) {
        match buckets
            .iter_mut()
            .find(|(known, _)| known.total_cmp(bound).is_eq())
        {
            Some((_, sum)) => *sum += count,
            None => buckets.push((*bound, *count)),
        }
    }
    Sample {
        counts: Counts {
            total: counters.iter().map(|counters| counters.completed).sum(),
            bad: counters.iter().map(|counters| counters.bad()).sum(),
        },
        latency: Latency { buckets },
    }
}
