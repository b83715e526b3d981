//! A new user, who has only the README: its commands, one after the other, with the real programs, and the
//! transcript of what they print.
//!
//! In `first_use/transcript.txt`, a line that may be missing begins with `? `. Where it differs, the new
//! one lies in the user's home, and the test says where.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{
    fs,
    io::Write as _,
    net::SocketAddr,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

use flagship_hub::api::types::{ClusterView, List, RolloutView};
use flagship_tests::{
    fleet::configuration,
    process::{Running, built, end_all_marked, free_port, until},
    tools,
    transcript::{commands, compare, normalised},
};
use serde::{Deserialize, de::DeserializeOwned};

const README: &str = include_str!("../../README.md");
const KEPT: &str = include_str!("first_use/transcript.txt");
/// The variable by which what the user left running is found, and ended.
const MARK: &str = "TEST_FIRST_USE";
const DEADLINE: Duration = Duration::from_secs(60);

/// `addresses.json` of the hub.
#[derive(Deserialize)]
struct Addresses {
    api: SocketAddr,
    agents: SocketAddr,
}

/// Somebody at a shell in an empty folder.
struct User {
    home: PathBuf,
    /// Where users of the application go.
    listener: SocketAddr,
    hub: Option<Addresses>,
    /// All that was printed so far, as it was.
    printed: String,
    running: Vec<Running>,
}

#[tokio::test]
async fn who_has_only_the_readme_gets_to_a_watched_rollout_a_stop_and_an_explanation() {
    let home = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join("first-use");
    let _none_yet = fs::remove_dir_all(&home);
    fs::create_dir_all(&home).unwrap();
    let mut user = User {
        home,
        listener: SocketAddr::from(([127, 0, 0, 1], free_port())),
        hub: None,
        printed: String::new(),
        running: Vec::new(),
    };
    let mut transcript = String::new();
    for command in commands(README, "## Run it for real") {
        let said = user.types(&command).await;
        transcript += &format!("$ {command}\n{}", normalised(&said));
    }
    let seen = user.home.join("transcript.txt");
    fs::write(&seen, &transcript).unwrap();
    if let Err(differs) = compare(KEPT, &transcript) {
        panic!("{differs}\nthe whole: {}", seen.display());
    }
}

impl User {
    /// Does what the README says; what it printed, in the README's names.
    async fn types(&mut self, command: &str) -> String {
        let here = self.here(command);
        let said = match command.split(' ').next().unwrap() {
            // Done before any test runs; `sh` has the programs on its path.
            "cargo" | "export" => String::new(),
            "tests/tools/envoy" => format!("{}\n", tools::envoy().display()),
            "flagship-load" => self.leaves_running("load", &here),
            _ if command.starts_with("flagship-hub serve") => {
                self.leaves_running("hub", &here);
                self.waits_for_the_hub().await
            }
            _ if command.starts_with("flagship-agent run") => {
                self.leaves_running("agent", &here);
                self.waits_for_the_cluster().await
            }
            _ if command.starts_with("flagship-agent check") => {
                let agents = self.hub.as_ref().unwrap().agents;
                let text = configuration(&self.home.join("agent"), agents, self.listener);
                fs::write(self.home.join("agent.yaml"), text).unwrap();
                self.runs(&here)
            }
            _ if command.starts_with("flagship abort") => self.stops(&here).await,
            _ => self.runs(&here),
        };
        self.printed += &said;
        self.in_its_names(&said)
    }

    /// Aborts as soon as there is something to stop, and goes on once the hub has heard all of it.
    async fn stops(&self, command: &str) -> String {
        let moved = async || {
            let view = self.json::<RolloutView>("get rollout shop/checkout");
            view.is_some_and(|view| view.clusters.iter().all(|c| c.observed > Some(0)))
        };
        until("the canary has traffic", DEADLINE, moved).await;
        let said = self.runs(command);
        let explained = async || {
            self.runs("flagship explain shop/checkout")
                .contains("gone back")
        };
        until("the hub has heard that it went back", DEADLINE, explained).await;
        said
    }

    async fn waits_for_the_hub(&mut self) -> String {
        let path = self.home.join("hub/addresses.json");
        let read = || serde_json::from_slice(&fs::read(&path).ok()?).ok();
        until("the hub listens", DEADLINE, async || {
            read().is_some_and(|_: Addresses| true)
        })
        .await;
        self.hub = read();
        let ready = async || self.log("hub").contains("flagship-hub is ready");
        until("the hub says that it is ready", DEADLINE, ready).await;
        let log = self.log("hub");
        let said = log.lines().filter(|line| line.starts_with("flagship-hub"));
        said.map(|line| format!("{line}\n")).collect()
    }

    async fn waits_for_the_cluster(&self) -> String {
        let runs = async || {
            let list = self.json::<List<ClusterView>>("get clusters");
            list.is_some_and(|list| {
                list.items
                    .iter()
                    .any(|c| c.connected && !c.workloads.is_empty())
            })
        };
        until("the cluster is connected and serves", DEADLINE, runs).await;
        let log = self.log("agent");
        assert!(!log.contains(" WARN "), "{log}");
        String::new()
    }

    /// What a command's words mean on this machine.
    fn here(&self, command: &str) -> String {
        let mut here = command
            .replace("/var/lib/flagship", "hub")
            .replace("0.0.0.0:8440", "127.0.0.1:0")
            .replace("0.0.0.0:8441", "127.0.0.1:0")
            .replace("127.0.0.1:8080", &self.listener.to_string());
        if let Some(hub) = &self.hub {
            let people = format!("localhost:{}", hub.api.port());
            here = here.replace("hub.example.com:8440", &people);
        }
        for drawn in ["sha256:", "a-"] {
            let left_out = format!(" {drawn}…");
            if here.contains(&left_out) {
                here = here.replace(&left_out, &format!(" {}", self.was_told(drawn)));
            }
        }
        here
    }

    /// The word with this beginning that was printed last.
    fn was_told(&self, begin: &str) -> &str {
        let mut words = self.printed.split_whitespace().rev();
        let found = words.find(|word| word.starts_with(begin));
        found.unwrap_or_else(|| panic!("no {begin}… was printed:\n{}", self.printed))
    }

    /// What was printed, with the README's names for what this machine has.
    fn in_its_names(&self, said: &str) -> String {
        let home = self.home.display().to_string();
        let programs = built("flagship").parent().unwrap().display().to_string();
        let mut text = said
            .replace(&tools::envoy().display().to_string(), "ENVOY")
            .replace(&programs, "target/release")
            .replace(&home, "~")
            .replace(&self.listener.to_string(), "127.0.0.1:8080");
        if let Some(hub) = &self.hub {
            let people = hub.api.port();
            text = text
                .replace(&format!("localhost:{people}"), "hub.example.com:8440")
                .replace(&hub.api.to_string(), "0.0.0.0:8440")
                .replace(&hub.agents.to_string(), "0.0.0.0:8441");
        }
        text
    }

    /// A command that ends by itself, as a shell runs it: what it printed, and the exit code unless it is 0.
    fn runs(&self, command: &str) -> String {
        let mut child = self
            .shell(&format!("exec 2>&1; {command}"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut keyboard = child.stdin.take().unwrap();
        if command.contains("--token-stdin") {
            writeln!(keyboard, "{}", self.was_told("flagship_")).unwrap();
        }
        drop(keyboard);
        let output = child.wait_with_output().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        match output.status.code() {
            Some(0) => said,
            other => format!("{said}exit code {other:?}\n"),
        }
    }

    fn leaves_running(&mut self, name: &str, command: &str) -> String {
        let mut shell = self.shell(&format!("exec {command}"));
        let running = Running::start(name, &self.home, &mut shell).unwrap();
        self.running.push(running);
        String::new()
    }

    fn shell(&self, command: &str) -> Command {
        let programs = built("flagship");
        let path = format!("{}:/usr/bin:/bin", programs.parent().unwrap().display());
        let mut shell = Command::new("sh");
        shell
            .args(["-c", command])
            .env_clear()
            .envs([
                ("HOME", self.home.as_os_str()),
                (MARK, self.home.as_os_str()),
            ])
            .env("PATH", path)
            .current_dir(&self.home);
        shell
    }

    fn json<T: DeserializeOwned>(&self, words: &str) -> Option<T> {
        let said = self.runs(&format!("flagship {words} -o json"));
        serde_json::from_str(&said).ok()
    }

    fn log(&self, name: &str) -> String {
        read(&self.home.join(format!("{name}.log")))
    }
}

impl Drop for User {
    fn drop(&mut self) {
        end_all_marked(MARK, self.home.as_os_str());
    }
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_default()
}
