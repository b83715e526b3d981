//! Labels and selectors → waves of clusters: a cluster belongs to the first wave that matches it (S19).

use std::collections::BTreeMap;

use flagship_proto::model::{ClusterName, ClusterUid, Labels};

use crate::{fleet::Member, plan::Plan};

/// A cluster that may belong to a wave.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// Its uid.
    pub uid: ClusterUid,
    /// Its name.
    pub name: ClusterName,
    /// Its labels.
    pub labels: Labels,
    /// Whether its inventory lists the plan's workload; only then it counts.
    pub has_workload: bool,
}

/// A cluster's place in a plan.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Membership {
    /// The cluster.
    pub uid: ClusterUid,
    /// Its name.
    pub name: ClusterName,
    /// The wave, by its place in the plan.
    pub wave: usize,
}

/// The whole scope of a plan: whose claims a rollout needs (P16), by wave and name.
pub fn members(plan: &Plan, clusters: &[Candidate]) -> Vec<Membership> {
    let mut found: Vec<Membership> = clusters
        .iter()
        .filter(|cluster| cluster.has_workload)
        .filter_map(|cluster| {
            first_wave(plan, &cluster.name, &cluster.labels).map(|wave| Membership {
                uid: cluster.uid.clone(),
                name: cluster.name.clone(),
                wave,
            })
        })
        .collect();
    found.sort_by(|a, b| (a.wave, &a.name, &a.uid).cmp(&(b.wave, &b.name, &b.uid)));
    found
}

/// The first wave that matches.
pub(crate) fn first_wave(plan: &Plan, name: &ClusterName, labels: &Labels) -> Option<usize> {
    plan.spec
        .waves
        .iter()
        .position(|wave| wave.clusters.matches(name, labels))
}

/// Each member's wave.
pub(crate) fn assignment(
    plan: &Plan,
    fleet: &BTreeMap<ClusterUid, Member>,
) -> BTreeMap<ClusterUid, usize> {
    fleet
        .iter()
        .filter(|(_, member)| member.has_workload)
        .filter_map(|(uid, member)| {
            first_wave(plan, &member.name, &member.labels).map(|wave| (uid.clone(), wave))
        })
        .collect()
}
