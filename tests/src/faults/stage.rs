//! One fleet for as many rows as leave it whole: a hub, three clusters behind cables that can fail, load,
//! and somebody who looks at the proxies all along.

use std::{
    collections::BTreeMap,
    fs,
    path::{Path, PathBuf},
};

use anyhow::{Context, ensure};

use super::{
    disk::Disk,
    given::{self, given},
    inside::Inside,
    table::{Setup, Side},
    watch::Watch,
};
use crate::{
    cut::Cable,
    fleet::{Fleet, Members},
    load::Load,
};

/// The first wave, and the second.
pub(super) const PILOT: &str = "pilot-1";
pub(super) const REST: &[&str] = &["eu-1", "us-1"];
pub(super) const CLUSTERS: &[&str] = &[
    "pilot-1 region=eu tier=pilot",
    "eu-1 region=eu",
    "us-1 region=us",
];
/// The clusters that a fault can strike.
const STRUCK: &[&str] = &["pilot-1", "us-1"];
/// The hub, among those that have a disk.
const HUB: &str = "hub";

/// Requests a second at each cluster.
const RATE: u32 = 50;
/// Room for the hub's data, and for an agent's; each leaves the ordinary reserves.
/// How long a certificate of an agent lives in rows that are about them, in seconds.
pub(super) const CERTIFICATE: &str = "12";
const HUB_MIB: u32 = 128;
const AGENT_MIB: u32 = 16;

/// How long the first wave soaks, in milliseconds, and the plan's lease.
pub(super) const SOAK_MS: u64 = 2_000;
const PLAN: &str = r#"
apiVersion: flagship.dev/v1
kind: Plan
metadata: {project: shop, name: checkout}
spec:
  workload: {namespace: shop, kind: Deployment, name: checkout}
  change: {version: {}}
  canary:
    analysis:
      interval: 1s
      threshold: 5
      stepWeights: [20, 50]
      stepWeightPromotion: 20
      metrics:
        - {name: request-success-rate, interval: 2s, thresholdRange: {min: 95}}
        - {name: request-duration, interval: 2s, thresholdRange: {max: 2000}}
  waves:
    - name: pilot
      clusters: {matchLabels: {tier: pilot}}
      soak: {for: 2s}
    - name: rest
      clusters: {}
      maxConcurrent: 2
  onFailure: {maxFailures: 0, then: retreatAll}
  onDisconnect: {lease: 3s, then: hold}
  deadline: 10m
"#;

/// Everything that a row plays on. Fields are dropped in this order: the processes end before their
/// disks go.
#[derive(Debug)]
pub(super) struct Stage {
    pub(super) load: Load,
    pub(super) watch: Watch,
    pub(super) fleet: Fleet,
    pub(super) cables: BTreeMap<String, Cable>,
    /// Disks of their own, of the hub or of agents.
    disks: BTreeMap<&'static str, Disk>,
    pub(super) setup: Setup,
    folder: PathBuf,
    /// The version that every cluster serves.
    pub(super) base: String,
    /// Versions that were released so far.
    pub(super) released: u32,
}

impl Stage {
    /// Starts it in `folder`, emptied first.
    pub(super) async fn set(folder: &Path, setup: Setup) -> anyhow::Result<Self> {
        let _none_yet = fs::remove_dir_all(folder);
        fs::create_dir_all(folder)?;
        let mut disks = BTreeMap::new();
        match setup {
            Setup::Plain | Setup::Certificates | Setup::Clocks => {}
            Setup::Disk(Side::Hub, kind) => {
                disks.insert(HUB, Disk::mount(&folder.join(HUB), kind, HUB_MIB)?);
            }
            Setup::Disk(Side::Agent, kind) => {
                for name in STRUCK {
                    let data = folder.join(name).join("data");
                    disks.insert(*name, Disk::mount(&data, kind, AGENT_MIB)?);
                }
            }
        }
        let members = Members {
            given: given(folder, setup)?,
            ..Members::of(CLUSTERS, "")
        };
        let mut fleet = Fleet::start(folder, &members).await?;
        let mut cables = BTreeMap::new();
        for (name, cluster) in &mut fleet.clusters {
            let cable = Cable::to(fleet.hub.agents()).await?;
            cluster.reroute(cable.address).await?;
            cables.insert(name.clone(), cable);
        }
        fleet.settle().await;
        let plan = folder.join("plan.yaml");
        fs::write(&plan, PLAN)?;
        fleet
            .cli
            .ok(&["apply", "-f", &plan.display().to_string()])?;
        let agents = fleet.clusters.iter();
        let watch = Watch::start(agents.map(|(name, at)| (name.clone(), at.data())).collect());
        Ok(Self {
            load: Load::start(fleet.targets(), RATE),
            watch,
            fleet,
            cables,
            disks,
            setup,
            folder: folder.to_owned(),
            base: "1.0.0".to_owned(),
            released: 0,
        })
    }

    /// The next version to release.
    pub(super) fn next_version(&mut self) -> String {
        self.released += 1;
        format!("1.{}.0", self.released)
    }

    /// The records of one cluster's agent.
    pub(super) fn inside(&self, cluster: &str) -> Inside {
        Inside::of(&self.fleet.clusters[cluster].data())
    }

    /// The disk of the hub, or of a cluster's agent.
    pub(super) fn disk(&self, side: Side, place: &str) -> anyhow::Result<&Disk> {
        let whose = match side {
            Side::Hub => HUB,
            Side::Agent => place,
        };
        let disk = self.disks.get(whose);
        disk.with_context(|| format!("{whose} has no disk of its own"))
    }

    /// The hub's folder of data, or an agent's.
    pub(super) fn data(&self, side: Side, place: &str) -> PathBuf {
        match side {
            Side::Hub => self.fleet.hub.data.clone(),
            Side::Agent => self.fleet.clusters[place].data(),
        }
    }

    /// Ends the hub, or an agent, as `kill -9` does.
    pub(super) fn kill(&mut self, side: Side, place: &str) {
        match side {
            Side::Hub => self.fleet.hub.kill(),
            Side::Agent => self.fleet.at(place).kill_agent(),
        }
    }

    /// Starts it again.
    ///
    /// # Errors
    /// It does not start.
    pub(super) async fn start(&mut self, side: Side, place: &str) -> anyhow::Result<()> {
        match side {
            Side::Hub => self.fleet.hub.serve().await,
            Side::Agent => self.fleet.at(place).start_agent(),
        }
    }

    /// Sets the wall clock of the hub, or of an agent, off by so many seconds.
    ///
    /// # Errors
    /// The file that says so cannot be written.
    pub(super) fn set_clock(&self, side: Side, place: &str, seconds: i64) -> anyhow::Result<()> {
        let whose = match side {
            Side::Hub => HUB,
            Side::Agent => place,
        };
        given::set_clock(&self.folder, whose, seconds)
    }

    /// Whether a cluster answers with `version` alone, ten times in a row.
    pub(super) async fn serves(&self, cluster: &str, version: &str) -> bool {
        for _ in 0..10 {
            let served = self.fleet.clusters[cluster].version_served().await;
            if served.as_deref() != Some(version) {
                return false;
            }
        }
        true
    }

    /// The application's processes in a cluster, on record or not, by what they were started as.
    pub(super) fn processes(&self, cluster: &str) -> anyhow::Result<Vec<String>> {
        let counts = [
            b"SAMPLE_COUNTS=",
            self.fleet.clusters[cluster]
                .counts
                .as_os_str()
                .as_encoded_bytes(),
        ]
        .concat();
        let mut found = Vec::new();
        for entry in fs::read_dir("/proc")?.flatten() {
            let read = |file: &str| fs::read(entry.path().join(file)).unwrap_or_default();
            let words = read("cmdline");
            let mut words = words.split(|byte| *byte == 0);
            let program = PathBuf::from(
                String::from_utf8_lossy(words.next().unwrap_or_default()).into_owned(),
            );
            let is_ours = program.ends_with("flagship-sample")
                && read("environ")
                    .split(|byte| *byte == 0)
                    .any(|variable| variable == counts);
            if is_ours {
                let words: Vec<_> = words.map(String::from_utf8_lossy).collect();
                found.push(words.join(" "));
            }
        }
        Ok(found)
    }

    /// Every acknowledged act stands in the audit log, and its chain holds.
    pub(super) fn audit_holds(&self, acts: &[(&str, String)]) -> anyhow::Result<()> {
        self.fleet.cli.ok(&["audit", "verify"])?;
        let log = self.fleet.cli.ok(&["audit", "export"])?;
        for (action, object) in acts {
            let action = format!("\"{action}\"");
            let stands = log
                .lines()
                .any(|line| line.contains(&action) && line.contains(object.as_str()));
            ensure!(
                stands,
                "{action} of {object} was acknowledged and is not in the audit log"
            );
        }
        Ok(())
    }
}
