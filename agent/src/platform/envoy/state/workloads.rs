//! One workload's records and processes: what is wanted of it, what its proxies should have.

use std::collections::{BTreeMap, BTreeSet};

use flagship_canary::{Direction, Revision, Route, Scale};
use flagship_proto::{
    digest::Digest,
    model::{Weight, WorkloadRef},
};

use super::{Live, NodeState, State, Troubles, WorkloadState, cluster_name};
use crate::platform::{
    ActError,
    envoy::{
        record::{ReplicaRecord, VersionRecord},
        xds::{DesiredCluster, DesiredRoute, DesiredWorkload, Kind, Snapshot},
    },
};

/// This many unasked ends without a while of running are a crash loop.
const LOOP: u32 = 3;

impl WorkloadState {
    pub(in super::super) fn workload(&self) -> &WorkloadRef {
        &self.config.workload
    }

    /// The name of a version's cluster, if the version is known.
    pub(in super::super) fn cluster(&self, version: &str) -> Option<String> {
        let record = self.record.versions.get(version)?;
        Some(cluster_name(self.workload(), &record.digest))
    }

    /// Processes wanted of a version.
    pub(in super::super) fn count(&self, record: &VersionRecord) -> u32 {
        if record.stopping {
            return 0;
        }
        self.count_at(record.scale)
    }

    /// Processes of a version at a scale.
    pub(in super::super) fn count_at(&self, scale: Scale) -> u32 {
        match scale {
            Scale::Full => self.config.replicas,
            Scale::Canary => self.config.canary_replicas.min(self.config.replicas),
        }
    }

    /// Ports of a version's processes that take requests.
    pub(in super::super) fn ports(&self, version: &str) -> Vec<u16> {
        self.ports_of(version, |live| live.ready && !live.draining)
    }

    fn ports_of(&self, version: &str, wanted: impl Fn(&Live) -> bool) -> Vec<u16> {
        let Some(record) = self.record.versions.get(version) else {
            return Vec::new();
        };
        let is_wanted = |number: &u32| {
            let live = self.live.get(&(version.to_owned(), *number));
            live.is_some_and(&wanted)
        };
        let chosen = record
            .replicas
            .iter()
            .filter(|(number, _)| is_wanted(number));
        chosen.map(|(_, replica)| replica.port).collect()
    }

    pub(in super::super) fn live(&mut self, version: &str, number: u32) -> &mut Live {
        self.live.entry((version.to_owned(), number)).or_default()
    }

    pub(in super::super) fn troubles(&mut self, version: &str) -> &mut Troubles {
        self.troubles.entry(version.to_owned()).or_default()
    }

    pub(in super::super) fn replica_record(
        &mut self,
        version: &str,
        number: u32,
    ) -> Option<&mut ReplicaRecord> {
        self.record
            .versions
            .get_mut(version)?
            .replicas
            .get_mut(&number)
    }

    /// Keeps a version running at a scale.
    pub(in super::super) fn ensure(&mut self, version: &str, digest: Digest, scale: Scale) {
        let fresh = VersionRecord {
            digest,
            scale,
            stopping: false,
            replicas: BTreeMap::new(),
        };
        let record = self
            .record
            .versions
            .entry(version.to_owned())
            .or_insert(fresh);
        record.scale = scale;
        record.stopping = false;
        self.record.remember(version, digest);
    }

    /// Why a route makes no sense now.
    pub(in super::super) fn check_route(&self, route: &Route) -> Result<(), ActError> {
        let known = |version: &String| self.record.versions.contains_key(version);
        for version in std::iter::once(&route.primary).chain(&route.canary) {
            if !known(version) {
                return Err(ActError::Refused(format!(
                    "version {version} does not run here: start it first"
                )));
            }
        }
        if route.canary.as_ref() == Some(&route.primary) {
            let why = format!("version {} cannot have both roles", route.primary);
            return Err(ActError::Refused(why));
        }
        for (version, share) in [
            (Some(&route.primary), route.weight.rest()),
            (route.canary.as_ref(), route.weight),
        ] {
            let Some(version) = version.filter(|_| share > Weight::ZERO) else {
                continue;
            };
            let before = self
                .record
                .route
                .as_ref()
                .map_or(Weight::ZERO, |now| now.share(version));
            if share > before && self.ports(version).is_empty() {
                return Err(ActError::NotReady(format!(
                    "version {version} has no ready process, so it gets no more traffic"
                )));
            }
        }
        Ok(())
    }

    /// Takes over a route that was checked; an advance that is still being kept is overtaken.
    pub(in super::super) fn set_route(&mut self, route: Route) {
        for (version, record) in &mut self.record.versions {
            // What gets traffic again is not ended.
            record.stopping &= route.share(version) == Weight::ZERO && route.primary != *version;
        }
        self.pending = None;
        self.lowered = None;
        self.record.route = Some(route);
    }

    /// A canary without a ready process gets nothing at once (trap 22): weighted clusters do not fail
    /// over. The weight stays down until it is told again. Says whether it was lowered.
    pub(in super::super) fn lower_if_dead(&mut self) -> bool {
        let Some(route) = &self.record.route else {
            return false;
        };
        let Some(canary) = route.canary.clone().filter(|_| route.weight > Weight::ZERO) else {
            return false;
        };
        if !self.ports(&canary).is_empty() || self.ports(&route.primary).is_empty() {
            return false;
        }
        let was = route.weight;
        self.lowered = Some(format!(
            "version {canary} has no ready process: its weight went from {was} to 0% at once"
        ));
        if let Some(route) = &mut self.record.route {
            route.weight = Weight::ZERO;
        }
        true
    }

    /// How a version crashes again and again, in words.
    pub(in super::super) fn crash_loop(&self, version: &str) -> Option<String> {
        let troubles = self.troubles.get(version)?;
        let last = troubles.last_crash.as_ref()?;
        (troubles.crashes >= LOOP).then(|| format!("crashed {} times: {last}", troubles.crashes))
    }

    /// What one proxy should have of this workload: never more on the canary than its ceiling.
    fn desired(&self, node: &NodeState) -> DesiredWorkload<'_> {
        let clusters = self.record.versions.keys().filter_map(|version| {
            let name = self.cluster(version)?;
            Some(DesiredCluster {
                name,
                ports: self.ports(version),
                draining: self.ports_of(version, |live| live.ready && live.draining),
            })
        });
        let route = self.record.route.as_ref().and_then(|route| {
            let told = || {
                let version = route.canary.as_ref()?;
                Some((version, self.capped(node, version, route.weight)))
            };
            let canary = self.kept(node, route).or_else(told);
            let canary =
                canary.and_then(|(version, weight)| Some((self.cluster(version)?, weight)));
            let primary = self.cluster(&route.primary)?;
            Some(DesiredRoute { primary, canary })
        });
        DesiredWorkload {
            config: &self.config,
            clusters: clusters.collect(),
            route,
        }
    }

    fn capped(&self, node: &NodeState, canary: &str, weight: Weight) -> Weight {
        match node.ceilings.get(self.workload()) {
            Some((version, ceiling)) if version == canary => weight.min(*ceiling),
            Some(_) | None => weight,
        }
    }

    /// What a proxy goes on serving although the route does not name it, while the primary has no ready
    /// process (P18): after an old data folder was put back nobody else could answer.
    fn kept<'a>(&self, node: &'a NodeState, route: &Route) -> Option<(&'a String, Weight)> {
        let (version, weight) = node.served.get(self.workload())?;
        let nobody_else = self.ports(&route.primary).is_empty() && !self.ports(version).is_empty();
        (nobody_else && !is_named(route, version)).then_some((version, *weight))
    }

    /// What the routes of a proxy that has just connected give a version that the route does not name.
    fn served(&self, node: &NodeState) -> Option<(String, Weight)> {
        let route = self.record.route.as_ref()?;
        let read = node.routes.as_ref().ok()?;
        let versions = self.record.versions.keys();
        let others = versions.filter(|version| !is_named(route, version));
        let shares = others.filter_map(|version| {
            let share = Weight::saturating(read.share(&self.cluster(version)?).into());
            (share > Weight::ZERO).then(|| (version.clone(), share))
        });
        shares.max_by_key(|(_, share)| *share)
    }

    /// The ceiling of a proxy that has just connected: what its routes were seen to give the canary;
    /// unknown counts as nothing while the primary is ready (S4).
    fn ceiling(&self, node: &NodeState) -> Option<(String, Weight)> {
        let route = self.record.route.as_ref()?;
        let canary = route.canary.clone()?;
        let cluster = self.cluster(&canary)?;
        let name = self.workload().name();
        match &node.routes {
            Ok(read) if read.has(name) => {
                Some((canary, Weight::saturating(read.share(&cluster).into())))
            }
            Ok(_) | Err(_) if self.ports(&route.primary).is_empty() => None,
            Ok(_) | Err(_) => Some((canary, Weight::ZERO)),
        }
    }
}

fn is_named(route: &Route, version: &String) -> bool {
    route.primary == *version || route.canary.as_ref() == Some(version)
}

impl State {
    /// Ports that were given to processes.
    pub(in super::super) fn ports_in_use(&self) -> BTreeSet<u16> {
        let known = self.workloads.values();
        let replicas = known.flat_map(|known| known.record.replicas());
        replicas.map(|replica| replica.port).collect()
    }

    /// All that one proxy should have.
    pub(in super::super) fn snapshot(&self, node: &str) -> Snapshot {
        let Some(node) = self.nodes.get(node) else {
            return Snapshot::default();
        };
        let all: Vec<_> = self.workloads.values().map(|w| w.desired(node)).collect();
        Snapshot::of(&all)
    }

    /// Whether a proxy acknowledged what it should have of a resource of this workload. Only that
    /// workload's resources are made for it: this is asked at every look.
    pub(in super::super) fn has_acknowledged(
        &self,
        node: &str,
        known: &WorkloadState,
        (kind, name): (Kind, &str),
    ) -> bool {
        let Some(state) = self.nodes.get(node).filter(|state| state.stream.is_some()) else {
            return false;
        };
        let wanted = Snapshot::of(&[known.desired(state)]).version_of(kind, name);
        let has = state.acknowledged.get(&(kind, name.to_owned()));
        wanted.is_some() && has == wanted.as_ref()
    }

    /// Notes what a proxy that has just connected serves, and sets its ceilings by it.
    pub(in super::super) fn cap(&mut self, node: &str) {
        let Some(state) = self.nodes.get(node) else {
            return;
        };
        let ceilings = self
            .workloads
            .iter()
            .filter_map(|(workload, known)| Some((workload.clone(), known.ceiling(state)?)));
        let ceilings = ceilings.collect();
        let served = self
            .workloads
            .iter()
            .filter_map(|(workload, known)| Some((workload.clone(), known.served(state)?)));
        let served = served.collect();
        if let Some(state) = self.nodes.get_mut(node) {
            state.ceilings = ceilings;
            state.served = served;
        }
    }

    /// An advance was told: every connected proxy may follow. One that comes later is capped then.
    /// Says whether any was capped.
    pub(in super::super) fn uncap(&mut self, workload: &WorkloadRef, direction: Direction) -> bool {
        match direction {
            Direction::Retreat => false,
            Direction::Advance => {
                let connected = self.nodes.values_mut().filter(|node| node.stream.is_some());
                connected
                    .filter_map(|node| node.ceilings.remove(workload))
                    .count()
                    > 0
            }
        }
    }

    /// The revision of a version that runs or ran here.
    pub(in super::super) fn revision(
        &self,
        workload: &WorkloadRef,
        version: &str,
    ) -> Option<Revision> {
        let known = self.workloads.get(workload)?;
        let digest = known
            .record
            .versions
            .get(version)
            .map(|record| record.digest)?;
        Some(Revision {
            version: version.to_owned(),
            digest: Some(digest),
        })
    }
}
