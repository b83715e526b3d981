//! One cluster: an agent, which starts the Envoy and the application.

use std::{
    ffi::{OsStr, OsString},
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use anyhow::Context;

use super::Given;
use crate::{
    process::{Running, built, free_port},
    tools,
};

/// The agent's configuration, with words in `${…}` to be filled.
const CONFIGURATION: &str = include_str!("../../../deploy/example/agent.yaml");

/// The example's configuration of an agent, filled in.
pub fn configuration(data: &Path, hub: SocketAddr, listener: SocketAddr) -> String {
    filled(CONFIGURATION, data, hub, listener)
}

fn filled(text: &str, data: &Path, hub: SocketAddr, listener: SocketAddr) -> String {
    text.replace("${DATA}", &shown(data))
        .replace("${HUB}", &hub.to_string())
        .replace("${SAMPLE}", &shown(&built("flagship-sample")))
        .replace("${PORT}", &listener.port().to_string())
        .replace("${ENVOY}", &shown(&tools::envoy()))
}

/// What a cluster is started with.
#[derive(Debug, Clone)]
pub struct Layout {
    /// Its folder.
    pub folder: PathBuf,
    /// Where its agent finds the hub.
    pub hub: SocketAddr,
    /// The token with which it enrols.
    pub token: String,
    /// How versions misbehave.
    pub when: String,
    /// What else it is given.
    pub given: Given,
}

/// A cluster that runs.
#[derive(Debug)]
pub struct Cluster {
    /// Its folder: configuration, data, logs.
    pub folder: PathBuf,
    /// Its Envoy's address for users.
    pub listener: SocketAddr,
    /// The folder of its application's counts.
    pub counts: PathBuf,
    name: String,
    hub: SocketAddr,
    when: String,
    env: Vec<(String, OsString)>,
    mark: (&'static str, OsString),
    agent: Option<Running>,
}

impl Cluster {
    pub(super) fn start(
        name: &str,
        layout: Layout,
        mark: (&'static str, &OsStr),
    ) -> anyhow::Result<Self> {
        let Layout {
            folder,
            hub,
            token,
            when,
            given,
        } = layout;
        fs::create_dir_all(&folder)?;
        let listener = SocketAddr::from(([127, 0, 0, 1], free_port()));
        let token_file = folder.join("token");
        fs::write(&token_file, token)?;
        let with = |text: String, (from, to): &(String, String)| text.replace(from, to);
        let begun = given.settings.iter().fold(CONFIGURATION.to_owned(), with);
        let filled = filled(&begun, &folder.join("data"), hub, listener);
        fs::write(folder.join("agent.yaml"), filled)?;
        let mut cluster = Self {
            counts: folder.join("counts"),
            folder,
            listener,
            name: name.to_owned(),
            hub,
            when,
            env: given.agents,
            mark: (mark.0, mark.1.to_owned()),
            agent: None,
        };
        cluster.start_agent()?;
        Ok(cluster)
    }

    /// Starts the agent, again if it was killed.
    ///
    /// # Errors
    /// It cannot be started.
    pub fn start_agent(&mut self) -> anyhow::Result<()> {
        let mut command = Command::new(built("flagship-agent"));
        command
            .arg("--config")
            .arg(self.folder.join("agent.yaml"))
            .arg("--token-file")
            .arg(self.folder.join("token"))
            .env("SAMPLE_COUNTS", &self.counts)
            .env(self.mark.0, &self.mark.1);
        for (variable, value) in &self.env {
            let value = value.to_string_lossy().replace("{cluster}", &self.name);
            command.env(variable, value);
        }
        if !self.when.is_empty() {
            command.env("SAMPLE_WHEN", &self.when);
        }
        self.agent = Some(Running::start("agent", &self.folder, &mut command)?);
        Ok(())
    }

    /// Points the agent at another address of the hub and starts it again.
    ///
    /// # Errors
    /// Its configuration cannot be written, or it cannot be started.
    pub async fn reroute(&mut self, hub: SocketAddr) -> anyhow::Result<()> {
        if let Some(mut agent) = self.agent.take() {
            agent.stop(Duration::from_secs(10)).await;
        }
        let path = self.folder.join("agent.yaml");
        let text = fs::read_to_string(&path)?;
        let rerouted = text.replace(&self.hub.to_string(), &hub.to_string());
        fs::write(&path, rerouted)?;
        self.hub = hub;
        self.start_agent()
    }

    /// Forgets which member the agent was and starts it again with a new token.
    pub(super) async fn rejoin(&mut self, token: &str) -> anyhow::Result<()> {
        if let Some(mut agent) = self.agent.take() {
            agent.stop(Duration::from_secs(10)).await;
        }
        fs::remove_dir_all(self.data().join("identity"))?;
        fs::write(self.folder.join("token"), token)?;
        self.start_agent()
    }

    /// The agent's process.
    ///
    /// # Panics
    /// It was killed.
    pub fn agent(&mut self) -> &mut Running {
        self.agent.as_mut().expect("the agent runs")
    }

    /// `kill -9` of the agent; Envoy and the application go on.
    pub fn kill_agent(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            agent.kill();
        }
    }

    /// The admin interface of its Envoy, as the agent picked it.
    ///
    /// # Errors
    /// The bootstrap that the agent wrote is not there or says nothing of it.
    pub fn envoy_admin(&self) -> anyhow::Result<SocketAddr> {
        let folder = self.folder.join("data/envoy");
        let is_bootstrap = |path: &Path| shown(path).contains("/bootstrap-");
        let path = fs::read_dir(&folder)?
            .filter_map(|entry| Some(entry.ok()?.path()))
            .find(|path| is_bootstrap(path))
            .with_context(|| format!("no bootstrap in {}", folder.display()))?;
        let bootstrap: serde_json::Value = serde_json::from_slice(&fs::read(path)?)?;
        let socket = &bootstrap["admin"]["address"]["socket_address"];
        let (ip, port) = (socket["address"].as_str(), socket["port_value"].as_u64());
        let ip = ip.context("its admin interface has an address")?.parse()?;
        let port = u16::try_from(port.context("its admin interface has a port")?)?;
        Ok(SocketAddr::new(ip, port))
    }

    /// The agent's folder of data.
    pub fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// The file with the agent's log.
    pub fn log(&self) -> String {
        shown(&self.folder.join("agent.log"))
    }

    /// Whether the application answers through the Envoy.
    pub async fn serves(&self) -> bool {
        self.version_served().await.is_some()
    }

    /// The version that answers one request through the Envoy; the application does not count it.
    pub async fn version_served(&self) -> Option<String> {
        let client = reqwest::Client::builder()
            .timeout(Duration::from_secs(2))
            .build()
            .ok()?;
        let answer = client
            .get(format!("http://{}/version", self.listener))
            .send()
            .await
            .ok()?;
        let answer = answer.error_for_status().ok()?;
        let version = answer.headers().get(crate::sample::VERSION_HEADER)?;
        version.to_str().ok().map(ToOwned::to_owned)
    }

    /// Its name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
