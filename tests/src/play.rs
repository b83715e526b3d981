//! One end-to-end test's fleet under load, and the waits that such tests share.

use std::{fs, path::Path, time::Duration};

use flagship_hub::api::types::RolloutView;

use crate::{
    fleet::{Fleet, Members, cluster_of},
    load::{Load, Totals},
    process::until,
};

/// The plan of the quickstart, from which those of the tests are made.
const PLAN: &str = include_str!("../../deploy/example/plan.yaml");
/// Requests a second at each cluster: enough for a check every second.
const RATE: u32 = 60;
/// How long a rollout may take in a test.
pub const LONG: Duration = Duration::from_secs(90);

/// The quickstart's plan, faster, with two waves.
///
/// # Panics
/// The quickstart's plan has changed, so that this does not fit any more.
pub fn quick_plan(extra: &str) -> String {
    let plan = PLAN
        .replace("interval: 2s", "interval: 1s")
        .replace("for: 3s", "for: 1s");
    let (before, rest) = plan
        .split_once("    - name: europe")
        .expect("a wave of Europe");
    let (_, after) = rest
        .split_once("    - name: rest")
        .expect("a wave of the rest");
    format!("{before}    - name: rest{after}{extra}\n")
}

/// A fleet, and the load at all of it.
#[derive(Debug)]
pub struct Play {
    /// The fleet.
    pub fleet: Fleet,
    /// The load; none once it was stopped.
    pub load: Option<Load>,
}

impl Play {
    /// Starts clusters in `folder`, emptied first, stores the plan and sends load.
    ///
    /// # Panics
    /// Anything of it fails.
    pub async fn start(folder: &Path, clusters: &[&str], when: &str, plan: &str) -> Self {
        Self::start_with(folder, &Members::of(clusters, when), plan).await
    }

    /// The same with what else the processes are given.
    ///
    /// # Panics
    /// Anything of it fails.
    pub async fn start_with(folder: &Path, members: &Members, plan: &str) -> Self {
        let _none_yet = fs::remove_dir_all(folder);
        fs::create_dir_all(folder).expect("the folder can be made");
        let fleet = Fleet::start(folder, members).await;
        let fleet = fleet.unwrap_or_else(|error| panic!("the fleet does not start: {error:#}"));
        let mut play = Self { fleet, load: None };
        play.apply(folder, plan);
        play.load = Some(Load::start(play.fleet.targets(), RATE));
        play
    }

    /// Stores a plan.
    ///
    /// # Panics
    /// The hub refused it.
    pub fn apply(&self, folder: &Path, plan: &str) {
        let file = folder.join("plan.yaml");
        fs::write(&file, plan).expect("the plan can be written");
        let file = file.display().to_string();
        self.ok(&["apply", "-f", &file]);
    }

    /// Runs a command that must end with 0.
    ///
    /// # Panics
    /// It does not.
    pub fn ok(&self, arguments: &[&str]) -> String {
        self.fleet
            .cli
            .ok(arguments)
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// Starts a rollout; its name.
    ///
    /// # Panics
    /// The hub refused.
    pub fn release(&self, version: &str) -> String {
        self.fleet
            .cli
            .start(version)
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// One rollout.
    ///
    /// # Panics
    /// The hub does not answer.
    pub fn rollout(&self, name: &str) -> RolloutView {
        self.fleet
            .cli
            .rollout(name)
            .unwrap_or_else(|error| panic!("{error:#}"))
    }

    /// The weight that one cluster's proxies were last seen with.
    ///
    /// # Panics
    /// The hub does not answer.
    pub fn weight(&self, rollout: &str, cluster: &str) -> u8 {
        cluster_of(&self.rollout(rollout), cluster)
            .observed
            .unwrap_or_default()
    }

    /// Waits until a rollout is in `state`.
    ///
    /// # Panics
    /// Not in time; the message says where it is instead.
    pub async fn reaches(&self, rollout: &str, state: &str) {
        let began = std::time::Instant::now();
        loop {
            let view = self.fleet.cli.rollout(rollout);
            if view.as_ref().is_ok_and(|view| view.state == state) {
                return;
            }
            assert!(
                began.elapsed() < LONG,
                "{rollout} is not {state}: {view:#?}"
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until a cluster's proxies were seen with at least this weight.
    ///
    /// # Panics
    /// Not in time.
    pub async fn reaches_weight(&self, rollout: &str, cluster: &str, weight: u8) {
        let there = async || {
            let view = self.fleet.cli.rollout(rollout);
            view.is_ok_and(|view| cluster_of(&view, cluster).observed >= Some(weight))
        };
        until(
            &format!("{cluster} has {weight}% on the change"),
            LONG,
            there,
        )
        .await;
    }

    /// Waits until a cluster answers with `version` alone: ten times in a row.
    ///
    /// # Panics
    /// Not in time.
    pub async fn serves(&self, cluster: &str, version: &str) {
        let cluster = &self.fleet.clusters[cluster];
        let all = async || {
            for _ in 0..10 {
                if cluster.version_served().await.as_deref() != Some(version) {
                    return false;
                }
            }
            true
        };
        until(
            &format!("{} serves {version} alone", cluster.name()),
            LONG,
            all,
        )
        .await;
    }

    /// What was counted so far at one cluster.
    ///
    /// # Panics
    /// The load was stopped.
    pub fn seen(&self, cluster: &str) -> Totals {
        self.load.as_ref().expect("the load runs").at(cluster)
    }

    /// Stops the load and compares the two ends: every answer that a user got stands in a backend's
    /// counts, and the other way round.
    ///
    /// # Panics
    /// They differ.
    pub async fn both_ends_agree(&mut self) {
        let seen = self.load.take().expect("the load runs").stop().await;
        for (cluster, totals) in seen {
            assert_eq!(totals.open(), 0);
            for (version, answers) in totals.by_version {
                if version != "proxy" {
                    let (served, _) = self.fleet.served(&cluster, &version);
                    assert_eq!(answers, served, "{cluster} {version}");
                }
            }
        }
    }
}

impl Drop for Play {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            return;
        }
        let tail = |log: &str| {
            let lines: Vec<&str> = log.lines().collect();
            lines[lines.len().saturating_sub(25)..].join("\n")
        };
        eprintln!("--- hub\n{}", tail(&self.fleet.hub.log()));
        for (name, cluster) in &self.fleet.clusters {
            let log = fs::read_to_string(cluster.log()).unwrap_or_default();
            eprintln!("--- agent of {name}\n{}", tail(&log));
        }
    }
}
