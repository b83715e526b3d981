//! What an agent keeps on record of its proxy and its processes: whom a fault can strike, and where the
//! weights can be read without asking anybody who could be wrong.

use std::{
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use anyhow::Context;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

const WORKLOAD: &str = "envoy/workload-shop.Deployment.checkout.json";
const PLATFORM: &str = "envoy/platform.json";
/// The one proxy's node id.
const NODE: &str = "envoy";

/// The records of one agent.
#[derive(Debug, Clone)]
pub(super) struct Inside(PathBuf);

impl Inside {
    pub(super) fn of(data: &Path) -> Self {
        Self(data.to_owned())
    }

    /// The version that has the primary's role.
    pub(super) fn primary(&self) -> anyhow::Result<String> {
        self.role("primary")
    }

    /// The version that has the canary's role.
    pub(super) fn canary(&self) -> anyhow::Result<String> {
        self.role("canary")
    }

    fn role(&self, role: &str) -> anyhow::Result<String> {
        let record = self.read(WORKLOAD)?;
        let version = record.pointer(&format!("/route/{role}"));
        let version = version.and_then(Value::as_str);
        Ok(version
            .with_context(|| format!("no {role} on record"))?
            .to_owned())
    }

    /// The first process of a version.
    pub(super) fn process(&self, version: &str) -> anyhow::Result<Pid> {
        let record = self.read(WORKLOAD)?;
        let replicas = record.pointer(&format!("/versions/{version}/replicas"));
        let replicas = replicas.and_then(Value::as_object);
        let found = replicas
            .into_iter()
            .flat_map(|replicas| replicas.values())
            .find_map(|replica| pid(replica.pointer("/process/pid")?));
        found.with_context(|| format!("no process of {version} on record"))
    }

    /// The proxy.
    pub(super) fn envoy(&self) -> anyhow::Result<Pid> {
        let record = self.read(PLATFORM)?;
        let found = record.pointer(&format!("/nodes/{NODE}/process/pid"));
        found.and_then(pid).context("no Envoy on record")
    }

    /// Where the proxy tells what it does.
    pub(super) fn admin(&self) -> anyhow::Result<SocketAddr> {
        let record = self.read(PLATFORM)?;
        let port = record.pointer(&format!("/nodes/{NODE}/admin_port"));
        let port = port
            .and_then(Value::as_u64)
            .and_then(|port| u16::try_from(port).ok());
        Ok(SocketAddr::from((
            [127, 0, 0, 1],
            port.context("no admin port on record")?,
        )))
    }

    fn read(&self, file: &str) -> anyhow::Result<Value> {
        let path = self.0.join(file);
        let text = fs::read(&path).with_context(|| format!("cannot read {}", path.display()))?;
        serde_json::from_slice(&text).with_context(|| format!("cannot read {}", path.display()))
    }
}

fn pid(value: &Value) -> Option<Pid> {
    Pid::from_raw(i32::try_from(value.as_i64()?).ok()?)
}

/// Sends a process a signal by its id.
pub(super) fn signal(pid: Pid, signal: Signal) -> anyhow::Result<()> {
    kill_process(pid, signal)
        .with_context(|| format!("cannot signal process {}", pid.as_raw_nonzero()))
}
