//! A real Prometheus that scrapes Envoys; it can be killed and come back on the same port.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::{
    process::{Running, free_port, until},
    tools,
};

/// How long it may take to be ready with the first samples.
const START: Duration = Duration::from_secs(30);

/// A Prometheus.
#[derive(Debug)]
pub struct Prometheus {
    /// Where it is asked.
    pub address: SocketAddr,
    folder: PathBuf,
    process: Option<Running>,
}

impl Prometheus {
    /// A place for one; nothing runs yet.
    ///
    /// # Errors
    /// Its folder cannot be made.
    pub fn reserve(folder: &Path) -> anyhow::Result<Self> {
        fs::create_dir_all(folder)?;
        Ok(Self {
            address: SocketAddr::from(([127, 0, 0, 1], free_port())),
            folder: folder.to_owned(),
            process: None,
        })
    }

    /// Starts it, and waits until it has samples of every target (Envoys' admin interfaces).
    ///
    /// # Errors
    /// It cannot be started.
    ///
    /// # Panics
    /// It is not ready in time.
    pub async fn start(&mut self, targets: &[SocketAddr]) -> anyhow::Result<()> {
        let targets: Vec<String> = targets.iter().map(ToString::to_string).collect();
        let config = serde_json::json!({
            "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
            "scrape_configs": [{
                "job_name": "envoy",
                "metrics_path": "/stats/prometheus",
                "static_configs": [{"targets": targets}],
            }],
        });
        let path = self.folder.join("prometheus.yml");
        fs::write(&path, config.to_string())?; // JSON is YAML
        let mut command = Command::new(tools::prometheus());
        command
            .arg(format!("--config.file={}", path.display()))
            .arg(format!(
                "--storage.tsdb.path={}",
                self.folder.join("data").display()
            ))
            .arg(format!("--web.listen-address={}", self.address));
        self.process = Some(Running::start("prometheus", &self.folder, &mut command)?);
        let all = Some(f64::from(u32::try_from(targets.len())?));
        let scraped = async || self.number("sum(up)").await == all;
        until("prometheus scrapes every Envoy", START, scraped).await;
        Ok(())
    }

    /// `kill -9`.
    pub fn kill(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill();
        }
    }

    /// The one number that a query gives, asked without any of the agent's code.
    pub async fn number(&self, query: &str) -> Option<f64> {
        let url = format!("http://{}/api/v1/query", self.address);
        let url = reqwest::Url::parse_with_params(&url, [("query", query)]).ok()?;
        let answer: Value = reqwest::get(url).await.ok()?.json().await.ok()?;
        answer["data"]["result"][0]["value"][1]
            .as_str()?
            .parse()
            .ok()
    }
}
