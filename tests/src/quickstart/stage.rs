//! The stage: the fleet, the load, and commands shown as they are typed.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::Context;

use super::{
    table::Ends,
    traffic::{Moment, last_line},
};
use crate::{
    fleet::{Fleet, Members},
    process::{Memory, Running, built, until},
};

/// Requests a second at each cluster.
const RATE: u32 = 40;

pub(super) struct Stage {
    pub(super) fleet: Fleet,
    load: Running,
    lines: PathBuf,
    began: Instant,
    quiet: bool,
    idle_agent: Memory,
}

impl Stage {
    pub(super) async fn set(folder: &Path, members: &Members, quiet: bool) -> anyhow::Result<Self> {
        let began = Instant::now();
        if !quiet {
            let names: Vec<&str> = members
                .clusters
                .iter()
                .map(|(name, _)| name.as_str())
                .collect();
            println!(
                "starting one hub and the clusters {}, each with an agent and an Envoy",
                names.join(", ")
            );
        }
        let mut fleet = Fleet::start(folder, members).await?;
        let idle = largest_agent(&mut fleet);
        let lines = folder.join("load.jsonl");
        let mut command = Command::new(built("flagship-load"));
        command
            .args(["--rate", &RATE.to_string(), "--seconds", "3600"])
            .arg("--out")
            .arg(&lines);
        for target in fleet.targets() {
            command
                .arg("--target")
                .arg(format!("{}={}", target.name, target.address));
        }
        let load = Running::start("load", folder, &mut command)?;
        let flows = async || {
            last_line(&lines).is_ok_and(|line| line.targets.values().all(|t| t.of("1.0.0") > 0))
        };
        until("the load flows", Duration::from_secs(10), flows).await;
        let stage = Self {
            fleet,
            load,
            lines,
            began,
            quiet,
            idle_agent: idle.context("the agents ended")?,
        };
        stage.note(&format!(
            "every cluster serves 1.0.0 at {RATE} requests a second"
        ));
        stage
            .show(&["apply", "-f", "deploy/example/plan.yaml"])
            .await?
            .expect(0)?;
        stage.show(&["status"]).await?.expect(0)?;
        Ok(stage)
    }

    pub(super) fn moment(&self) -> anyhow::Result<Moment> {
        Moment::of(&self.fleet, &self.lines)
    }

    /// A line of the narrator, with the time since the start.
    pub(super) fn note(&self, words: &str) {
        if self.quiet {
            return;
        }
        println!("[{:>5.1} s] {words}", self.began.elapsed().as_secs_f64());
    }

    /// Shows a command, runs it, and lets it print; tells its exit code.
    pub(super) async fn show(&self, arguments: &[&str]) -> anyhow::Result<Exit> {
        let quoted = |word: &&str| {
            if word.contains(' ') {
                format!("'{word}'")
            } else {
                (*word).to_owned()
            }
        };
        let typed: Vec<String> = arguments.iter().map(quoted).collect();
        let typed = format!("flagship {}", typed.join(" "));
        let mut command = tokio::process::Command::from(self.fleet.cli.command(arguments));
        if self.quiet {
            command.stdout(Stdio::null());
        } else {
            println!("\n$ {typed}");
        }
        let ended = command
            .kill_on_drop(true)
            .status()
            .await
            .context("cannot run flagship")?;
        let code = ended.code().unwrap_or(-1);
        Ok(Exit { typed, code })
    }

    /// Stops the load unless all is kept, and compares the two ends.
    pub(super) async fn close(&mut self, keep: bool) -> anyhow::Result<Ends> {
        if !keep {
            self.load.stop(Duration::from_secs(15)).await;
        }
        let later = largest_agent(&mut self.fleet).context("the agents ended")?;
        Ok(Ends::of(
            &self.moment()?,
            [self.idle_agent, later],
            self.began.elapsed(),
            keep,
        ))
    }

    /// Leaves everything running, and says how to reach it.
    pub(super) fn keep(self, folder: &Path) -> anyhow::Result<()> {
        fs::write(folder.join("kept"), "")?;
        println!("\neverything is left running; `deploy/quickstart --stop` ends it");
        println!("  hub        {}", self.fleet.hub.url());
        println!("  page       the same, in a browser, with the token of the file below");
        println!(
            "  log in     {} login {} --ca-hash {} --token-file {}",
            built("flagship").display(),
            self.fleet.hub.url(),
            self.fleet.hub.ca_hash,
            folder.join("cli.token").display()
        );
        println!(
            "  or         export FLAGSHIP_CONFIG={}",
            self.fleet.cli.config().display()
        );
        for (name, cluster) in &self.fleet.clusters {
            println!("  {name:<10} http://{}", cluster.listener);
        }
        // Whoever ends it does so by the mark in the environment.
        std::mem::forget(self);
        Ok(())
    }
}

/// The memory of the agent that has the most.
fn largest_agent(fleet: &mut Fleet) -> Option<Memory> {
    let agents = fleet.clusters.values_mut();
    agents.filter_map(|cluster| cluster.agent().memory()).max()
}

/// How a command ended.
pub(super) struct Exit {
    typed: String,
    pub(super) code: i32,
}

impl Exit {
    pub(super) fn expect(&self, code: i32) -> anyhow::Result<()> {
        anyhow::ensure!(
            self.code == code,
            "`{}` ended with exit {}, not {code}",
            self.typed,
            self.code
        );
        Ok(())
    }
}
