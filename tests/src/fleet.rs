//! A fleet of real processes on this machine: one hub, agents that start their own Envoys, the
//! sample application in each cluster, and the real command line.

mod cluster;
mod command;
mod hub;

use std::{
    collections::BTreeMap,
    ffi::{OsStr, OsString},
    path::{Path, PathBuf},
    time::Duration,
};

use anyhow::Context;
use flagship_hub::api::types::{AbortView, ClusterView, List, RolloutCluster, RolloutView};

pub use cluster::{Cluster, Layout, configuration};
pub use command::{Answer, Cli};
pub use hub::Hub;

use crate::{
    load::Target,
    process::{end_all_marked, until},
    sample::{Counts, read_counts},
};

/// The variable that marks every process of a fleet, by which the fleet finds them at its end. Not
/// `FLAGSHIP_…`: an agent keeps its own settings from what it starts.
const MARK: &str = "TEST_FLEET";
/// How long a process may take to start, or a fleet to settle.
const START: Duration = Duration::from_secs(30);

/// What a fleet is made of.
#[derive(Debug, Clone)]
pub struct Members {
    /// Clusters: name and labels.
    pub clusters: Vec<(String, Vec<(String, String)>)>,
    /// How versions misbehave, as `flagship-sample --when` reads it, `;` between rules.
    pub when: String,
    /// What else the processes are given.
    pub given: Given,
}

/// Settings and variables beside those of the example.
#[derive(Debug, Clone, Default)]
pub struct Given {
    /// Words of the example's agent configuration, and what stands there instead.
    pub settings: Vec<(String, String)>,
    /// Variables of the hub.
    pub hub: Vec<(String, OsString)>,
    /// Variables of each agent; `{cluster}` in a value is its name.
    pub agents: Vec<(String, OsString)>,
}

impl Members {
    /// Clusters by `NAME REGION [LABEL=VALUE…]`, one a line.
    pub fn of(lines: &[&str], when: &str) -> Self {
        let cluster = |line: &&str| {
            let mut words = line.split_whitespace();
            let name = words.next().expect("a line begins with a name").to_owned();
            let labels = words
                .filter_map(|word| word.split_once('='))
                .map(|(key, value)| (key.to_owned(), value.to_owned()))
                .collect();
            (name, labels)
        };
        Self {
            clusters: lines.iter().map(cluster).collect(),
            when: when.to_owned(),
            given: Given::default(),
        }
    }
}

/// Everything that runs; all of it ends when this is dropped.
#[derive(Debug)]
pub struct Fleet {
    folder: PathBuf,
    given: Given,
    /// The hub.
    pub hub: Hub,
    /// The command line, logged in as the first administrator.
    pub cli: Cli,
    /// Clusters by name.
    pub clusters: BTreeMap<String, Cluster>,
}

impl Fleet {
    /// Starts everything in `folder` and waits until every cluster serves.
    ///
    /// # Errors
    /// A program cannot be started, or says that it cannot go on.
    pub async fn start(folder: &Path, members: &Members) -> anyhow::Result<Self> {
        let given = members.given.clone();
        let hub = Hub::init(&folder.join("hub"), mark(folder), given.hub.clone())?;
        let mut fleet = Self {
            folder: folder.to_owned(),
            given,
            cli: Cli::new(&folder.join("cli.yaml")),
            hub,
            clusters: BTreeMap::new(),
        };
        fleet.hub.serve().await?;
        fleet.cli.login(&fleet.hub)?;
        for (name, labels) in &members.clusters {
            fleet.add(name, labels, &members.when)?;
        }
        fleet.settle().await;
        Ok(fleet)
    }

    /// Enrols one more cluster and starts its agent.
    ///
    /// # Errors
    /// The token or the agent cannot be had.
    pub fn add(
        &mut self,
        name: &str,
        labels: &[(String, String)],
        when: &str,
    ) -> anyhow::Result<()> {
        let token = self.cli.enrol_token(name, labels)?;
        let layout = Layout {
            folder: self.folder.join(name),
            hub: self.hub.agents(),
            token,
            when: when.to_owned(),
            given: self.given.clone(),
        };
        let cluster = Cluster::start(name, layout, mark(&self.folder))?;
        self.clusters.insert(name.to_owned(), cluster);
        Ok(())
    }

    /// Enrols a cluster that was removed: a new member of the same name, on the same machine (P1).
    ///
    /// # Errors
    /// The token or the agent cannot be had.
    pub async fn rejoin(&mut self, name: &str, labels: &[(String, String)]) -> anyhow::Result<()> {
        let token = self.cli.enrol_token(name, labels)?;
        self.at(name).rejoin(&token).await
    }

    /// Waits until every cluster is connected and its application answers through its Envoy.
    ///
    /// # Panics
    /// Not in time.
    pub async fn settle(&self) {
        for (name, cluster) in &self.clusters {
            let serves = async || cluster.serves().await;
            until(
                &format!("{name} serves; see {}", cluster.log()),
                START,
                serves,
            )
            .await;
        }
        let connected = async || {
            let clusters = self.cli.clusters().unwrap_or_default();
            clusters
                .iter()
                .filter(|c| c.connected && !c.workloads.is_empty())
                .count()
                == self.clusters.len()
        };
        until("every cluster is connected to the hub", START, connected).await;
    }

    /// A cluster by name.
    ///
    /// # Panics
    /// There is none.
    pub fn at(&mut self, name: &str) -> &mut Cluster {
        self.clusters.get_mut(name).expect("a cluster of that name")
    }

    /// Where load goes: every cluster's Envoy.
    pub fn targets(&self) -> Vec<Target> {
        let target = |(name, cluster): (&String, &Cluster)| Target {
            name: name.clone(),
            address: cluster.listener,
        };
        self.clusters.iter().map(target).collect()
    }

    /// What the processes of one cluster's application served, ended ones too.
    ///
    /// # Errors
    /// A file of counts cannot be read.
    pub fn counts(&self, name: &str) -> anyhow::Result<Vec<Counts>> {
        read_counts(&self.clusters[name].counts)
    }

    /// What one cluster's processes of one version served, and how much of it was bad.
    ///
    /// # Panics
    /// A file of counts cannot be read.
    pub fn served(&self, name: &str, version: &str) -> (u64, u64) {
        let counts = self.counts(name).expect("counts can be read");
        let of_version = counts.iter().filter(|c| c.version == version);
        of_version.fold((0, 0), |(all, bad), c| (all + c.served(), bad + c.bad()))
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        end_all_marked(MARK, self.folder.as_os_str());
    }
}

/// The mark of a fleet's processes.
fn mark(folder: &Path) -> (&'static str, &OsStr) {
    (MARK, folder.as_os_str())
}

/// What a rollout's view says of one cluster.
///
/// # Panics
/// The cluster is not in it.
pub fn cluster_of<'a>(view: &'a RolloutView, name: &str) -> &'a RolloutCluster {
    let found = view.clusters.iter().find(|c| c.cluster == name);
    found.unwrap_or_else(|| panic!("{name} is not in rollout {}", view.id))
}

impl Cli {
    /// The clusters as the hub lists them.
    ///
    /// # Errors
    /// The hub does not answer.
    pub fn clusters(&self) -> anyhow::Result<Vec<ClusterView>> {
        Ok(self.json::<List<ClusterView>>(&["get", "clusters"])?.items)
    }

    /// The newest abort, lifted or not.
    ///
    /// # Errors
    /// The hub does not answer, or there was none.
    pub fn newest_abort(&self) -> anyhow::Result<AbortView> {
        let list: List<AbortView> = self.json(&["get", "aborts", "--all"])?;
        let newest = list.items.into_iter().max_by_key(|abort| abort.seq);
        self.json(&["get", "abort", &newest.context("there was no abort")?.id])
    }

    /// One rollout, with its clusters.
    ///
    /// # Errors
    /// The hub does not answer, or knows no such rollout.
    pub fn rollout(&self, name: &str) -> anyhow::Result<RolloutView> {
        self.json(&["get", "rollout", name])
    }
}
