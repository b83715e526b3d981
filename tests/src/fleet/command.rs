//! The real command line, as a person or a script types it.

use std::{
    ffi::OsStr,
    fmt,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use anyhow::{Context, ensure};
use flagship_hub::api::types::{CreatedEnrolToken, RolloutView};
use serde::de::DeserializeOwned;

use super::Hub;
use crate::process::built;

/// What a command printed, and its exit code.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The exit code; -1 if a signal ended it.
    pub code: i32,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "exit {}\n{}{}", self.code, self.out, self.err)
    }
}

/// `flagship`, with a configuration file of its own.
#[derive(Debug, Clone)]
pub struct Cli {
    config: PathBuf,
}

impl Cli {
    /// Logged in as a hub's first administrator.
    ///
    /// # Errors
    /// The hub refuses or is not there.
    pub fn of(config: &Path, hub: &Hub) -> anyhow::Result<Self> {
        let cli = Self::new(config);
        cli.login(hub)?;
        Ok(cli)
    }

    pub(super) fn new(config: &Path) -> Self {
        Self {
            config: config.to_owned(),
        }
    }

    /// The file that holds the login.
    pub fn config(&self) -> &Path {
        &self.config
    }

    /// The command, ready to run, so that a caller may show it or let it print to the terminal.
    pub fn command<S: AsRef<OsStr>>(&self, arguments: &[S]) -> Command {
        let mut command = Command::new(built("flagship"));
        command
            .env("FLAGSHIP_CONFIG", &self.config)
            .stdin(Stdio::null());
        command.args(arguments);
        command
    }

    /// Runs it and waits.
    ///
    /// # Errors
    /// The program cannot be started.
    pub fn run<S: AsRef<OsStr>>(&self, arguments: &[S]) -> anyhow::Result<Answer> {
        let output = self
            .command(arguments)
            .output()
            .context("cannot run flagship")?;
        Ok(Answer {
            code: output.status.code().unwrap_or(-1),
            out: String::from_utf8_lossy(&output.stdout).into_owned(),
            err: String::from_utf8_lossy(&output.stderr).into_owned(),
        })
    }

    /// Runs it; anything but exit 0 is an error with what it printed.
    ///
    /// # Errors
    /// It did not end with 0.
    pub fn ok<S: AsRef<OsStr>>(&self, arguments: &[S]) -> anyhow::Result<String> {
        let answer = self.run(arguments)?;
        let words: Vec<_> = arguments
            .iter()
            .map(|a| a.as_ref().to_string_lossy())
            .collect();
        ensure!(answer.code == 0, "flagship {}: {answer}", words.join(" "));
        Ok(answer.out)
    }

    /// Runs it with `-o json` and reads what it printed.
    ///
    /// # Errors
    /// It did not end with 0, or printed something else.
    pub fn json<T: DeserializeOwned>(&self, arguments: &[&str]) -> anyhow::Result<T> {
        let out = self.ok(&[arguments, &["-o", "json"]].concat())?;
        serde_json::from_str(&out)
            .with_context(|| format!("flagship {}: {out}", arguments.join(" ")))
    }

    pub(super) fn login(&self, hub: &Hub) -> anyhow::Result<()> {
        let token = self.config.with_extension("token");
        std::fs::write(&token, &hub.admin_token)?;
        let url = hub.url();
        self.ok(&["login", &url, "--ca-hash", &hub.ca_hash, "--token-file"]
            .map(OsStr::new)
            .into_iter()
            .chain([token.as_os_str()])
            .collect::<Vec<_>>())?;
        Ok(())
    }

    pub(super) fn enrol_token(
        &self,
        cluster: &str,
        labels: &[(String, String)],
    ) -> anyhow::Result<String> {
        let mut arguments = vec!["token", "create", "--cluster", cluster];
        let labels: Vec<String> = labels
            .iter()
            .map(|(key, value)| format!("{key}={value}"))
            .collect();
        for label in &labels {
            arguments.extend(["--label", label]);
        }
        let made: CreatedEnrolToken = self.json(&arguments)?;
        made.secret
            .context("the hub did not tell the token's secret")
    }

    /// Starts a rollout of `shop/checkout`; its name, `PROJECT/ID`.
    ///
    /// # Errors
    /// The hub refused.
    pub fn start(&self, version: &str) -> anyhow::Result<String> {
        let reason = format!("release {version}");
        let view: RolloutView = self.json(&[
            "start",
            "shop/checkout",
            "--to-version",
            version,
            "--reason",
            &reason,
        ])?;
        Ok(format!("{}/{}", view.project, view.id))
    }
}
