//! What every bench of the link stands on: a hub of its own process over a fresh folder, members that
//! are enrolled, and their agents in one more process with their state in memory.

use std::{
    ffi::OsStr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::{Context as _, ensure};

use super::{
    agents::Count,
    child::Child,
    client::Api,
    echo::{self, Bare},
    machine,
};
use crate::{fleet::Hub, process::built};

/// How long a fleet may take to come together.
pub const SETTLE: Duration = Duration::from_secs(180);

/// A hub and its agents.
#[derive(Debug)]
pub struct Stage {
    /// Logs and data.
    pub folder: PathBuf,
    /// The hub.
    pub hub: Hub,
    /// How many agents.
    pub count: usize,
    /// Memory of the hub in KiB while it served an empty fleet.
    pub empty_kib: f64,
    agents: tempfile::TempDir,
}

impl Stage {
    /// Founds a fleet and enrols its members. The hub runs, without agents.
    ///
    /// # Errors
    /// A process cannot be started.
    pub async fn set(folder: &Path, count: usize) -> anyhow::Result<Self> {
        ensure!(count > 0, "a fleet has at least one agent");
        let folder = fresh(folder)?;
        let agents = tempfile::Builder::new()
            .prefix("flagship-bench-")
            .tempdir_in("/dev/shm")
            .context("agents keep their state in /dev/shm")?;
        let mark = ("TEST_FLEET", OsStr::new(folder.as_os_str()));
        let mut hub = Hub::init(&folder.join("hub"), mark, Vec::new())?;
        hub.serve().await?;
        tokio::time::sleep(Duration::from_secs(1)).await;
        let empty_kib = machine::rss_kib(hub.pid()?)?;
        hub.kill();
        // Each enrolment is a commit of its own: they are made in memory and put to disk together.
        let data = agents.path().join("hub");
        copy_files(&hub.data, &data)?;
        let made = Command::new(built("flagship-bench"))
            .arg("members")
            .arg("--data")
            .arg(&data)
            .arg("--agents")
            .arg(agents.path())
            .args(["--count", &count.to_string()])
            .status()?;
        ensure!(made.success(), "the members could not be enrolled");
        copy_files(&data, &hub.data)?;
        hub.serve().await?;
        Ok(Self {
            folder,
            hub,
            count,
            empty_kib,
            agents,
        })
    }

    /// Starts the agents, with so many workloads each, and waits until all are consistent.
    ///
    /// # Errors
    /// They cannot be started, or do not all come.
    pub async fn agents(&self, workloads: usize) -> anyhow::Result<Child> {
        let folder = self.agents.path().to_string_lossy();
        let arguments = [
            "--agents",
            &folder,
            "--count",
            &self.count.to_string(),
            "--workloads",
            &workloads.to_string(),
            "--hub",
            &self.hub.agents().to_string(),
        ];
        let mut agents = Child::start("agents", &self.folder, &arguments)?;
        self.consistent(&mut agents).await?;
        Ok(agents)
    }

    /// Waits until all agents are consistent.
    ///
    /// # Errors
    /// Not in time.
    pub async fn consistent(&self, agents: &mut Child) -> anyhow::Result<Count> {
        let all = |count: &Count| count.consistent == self.count;
        agents.until("count", SETTLE, all).await
    }

    /// The hub's API.
    ///
    /// # Errors
    /// Its CA cannot be read.
    pub fn api(&self) -> anyhow::Result<Api> {
        Api::of(&self.hub)
    }

    /// What a bare server costs with as many streams. Call it while nothing else runs.
    ///
    /// # Errors
    /// See [`echo::measure`].
    pub async fn bare(&self, rounds: u32) -> anyhow::Result<Bare> {
        let (folder, data) = (&self.folder, &self.hub.data);
        echo::measure(folder, data, self.agents.path(), self.count, rounds).await
    }
}

/// An empty folder.
///
/// # Errors
/// It cannot be made.
pub fn fresh(folder: &Path) -> anyhow::Result<PathBuf> {
    let folder = std::path::absolute(folder)?;
    if folder.exists() {
        std::fs::remove_dir_all(&folder)?;
    }
    std::fs::create_dir_all(&folder)?;
    Ok(folder)
}

fn copy_files(from: &Path, to: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(to)?;
    for entry in std::fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_type()?.is_file() {
            std::fs::copy(entry.path(), to.join(entry.file_name()))?;
        }
    }
    Ok(())
}
