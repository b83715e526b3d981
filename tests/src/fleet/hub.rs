//! The hub's process: made once, served as often as a test kills it, on the same ports.

use std::{
    ffi::{OsStr, OsString},
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use tokio::time;

use super::START;
use crate::process::{Running, built};

/// The hub.
#[derive(Debug)]
pub struct Hub {
    /// Its data.
    pub data: PathBuf,
    /// The first administrator's token.
    pub admin_token: String,
    /// The hash that pins its CA.
    pub ca_hash: String,
    mark: (&'static str, OsString),
    env: Vec<(String, OsString)>,
    bound: Option<Bound>,
    process: Option<Running>,
}

/// `addresses.json`: where it listens.
#[derive(Debug, Clone, Copy, Deserialize)]
struct Bound {
    api: SocketAddr,
    agents: SocketAddr,
}

impl Hub {
    /// `flagship-hub init`. `mark` is a variable that its processes carry.
    ///
    /// # Errors
    /// It fails, or prints no token or no hash.
    pub fn init(
        data: &Path,
        mark: (&'static str, &OsStr),
        env: Vec<(String, OsString)>,
    ) -> anyhow::Result<Self> {
        fs::create_dir_all(data.parent().context("data has a parent folder")?)?;
        let made = Command::new(built("flagship-hub"))
            .arg("init")
            .arg("--data")
            .arg(data)
            .output()?;
        let text = String::from_utf8_lossy(&made.stdout).into_owned();
        ensure!(
            made.status.success(),
            "flagship-hub init: {text}{}",
            String::from_utf8_lossy(&made.stderr)
        );
        let word = |prefix: &str| {
            let mut words = text.split(|c: char| c.is_whitespace() || "\"'`,".contains(c));
            let found = words
                .find(|word| word.starts_with(prefix))
                .map(ToOwned::to_owned);
            found.with_context(|| format!("flagship-hub init names no {prefix}…: {text}"))
        };
        Ok(Self {
            data: data.to_owned(),
            admin_token: word("flagship_")?,
            ca_hash: word("sha256:")?,
            mark: (mark.0, mark.1.to_owned()),
            env,
            bound: None,
            process: None,
        })
    }

    /// `flagship-hub serve`, until it says where it listens. The second time on the same ports.
    ///
    /// # Errors
    /// It ends instead, or does not listen in time.
    pub async fn serve(&mut self) -> anyhow::Result<()> {
        self.serve_with(&[]).await
    }

    /// The same with more in its environment; a hub that runs is killed first.
    ///
    /// # Errors
    /// It ends instead, or does not listen in time.
    pub async fn serve_with(&mut self, environment: &[(&str, &str)]) -> anyhow::Result<()> {
        self.kill();
        let addresses = self.data.join("addresses.json");
        let _none_yet = fs::remove_file(&addresses);
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let (api, agents) = self
            .bound
            .map_or((any, any), |bound| (bound.api, bound.agents));
        let mut command = Command::new(built("flagship-hub"));
        command.arg("serve").arg("--data").arg(&self.data);
        command.args([
            "--listen-api",
            &api.to_string(),
            "--listen-agents",
            &agents.to_string(),
        ]);
        command.env(self.mark.0, &self.mark.1);
        command.envs(self.env.iter().map(|(name, value)| (name, value)));
        command.envs(environment.iter().copied());
        let folder = self.data.parent().context("data has a parent folder")?;
        let mut process = Running::start("hub", folder, &mut command)?;
        let began = Instant::now();
        let bound = loop {
            let text = fs::read(&addresses).unwrap_or_default();
            if let Ok(bound) = serde_json::from_slice::<Bound>(&text) {
                break bound;
            }
            if process.ended().is_some() || began.elapsed() > START {
                bail!("the hub does not listen:\n{}", process.log());
            }
            time::sleep(Duration::from_millis(20)).await;
        };
        self.bound = Some(bound);
        self.process = Some(process);
        Ok(())
    }

    fn bound(&self) -> Bound {
        self.bound.expect("served before it is asked")
    }

    /// Where people reach it.
    pub fn url(&self) -> String {
        format!("https://{}", self.bound().api)
    }

    /// Where agents reach it.
    pub fn agents(&self) -> SocketAddr {
        self.bound().agents
    }

    /// Its process.
    ///
    /// # Panics
    /// It was killed.
    pub fn process(&self) -> &Running {
        self.process.as_ref().expect("the hub runs")
    }

    /// Its CA's certificate, PEM.
    ///
    /// # Panics
    /// It cannot be read.
    pub fn ca_pem(&self) -> String {
        fs::read_to_string(self.data.join("ca.pem")).expect("init made it")
    }

    /// Where people reach it.
    pub fn people(&self) -> SocketAddr {
        self.bound().api
    }

    /// Its process id.
    ///
    /// # Errors
    /// It does not run.
    pub fn pid(&self) -> anyhow::Result<u32> {
        let process = self.process.as_ref();
        process.map(Running::pid).context("the hub does not run")
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// What it logged.
    pub fn log(&self) -> String {
        self.process.as_ref().map(Running::log).unwrap_or_default()
    }
}
