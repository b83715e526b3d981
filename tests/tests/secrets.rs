//! No secret leaves its file: not into a log at the finest level, an error, an argument list, an audit
//! entry, or the environment of what the agent starts; and what stands open to others is closed.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{
    fs,
    os::unix::fs::PermissionsExt as _,
    path::{Path, PathBuf},
    process::{Command, Output},
    time::Duration,
};

use flagship_hub::api::types::CreatedEnrolToken;
use flagship_tests::{
    fleet::{Fleet, Members},
    process::{Running, built, free_port, until},
    tools,
};

/// The words that must be nowhere.
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    fn add(&mut self, what: &'static str, word: &str) {
        assert!(word.len() >= 12, "{what}: {word:?} is no secret");
        self.0.push((what, word.to_owned()));
    }

    /// A line from the middle of a key's PEM.
    fn add_key(&mut self, what: &'static str, path: &Path) {
        let pem = fs::read_to_string(path).unwrap();
        self.add(what, pem.lines().nth(1).unwrap());
    }

    fn are_not_in(&self, place: &str, text: &str) {
        for (what, word) in &self.0 {
            let Some(at) = text.find(word.as_str()) else {
                continue;
            };
            let line = text[..at].lines().count();
            panic!("the {what} is in {place}, line {line}");
        }
    }
}

/// The files of `/proc` of every process that carries a mark in its environment.
fn processes(mark: &str) -> Vec<(u32, String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else {
            continue;
        };
        let read = |name: &str| {
            let bytes = fs::read(entry.path().join(name)).unwrap_or_default();
            String::from_utf8_lossy(&bytes).replace('\0', "\n")
        };
        let environment = read("environ");
        if environment.lines().any(|line| line == mark) {
            found.push((pid, read("cmdline"), environment));
        }
    }
    found
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&[output.stdout.as_slice(), output.stderr.as_slice()].concat())
        .into_owned()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o777
}

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _none_yet = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_secret_is_in_a_log_an_error_an_argument_list_or_what_the_agent_starts() {
    let folder = folder("secrets");
    let mut fleet = Fleet::start(&folder, &Members::of(&[], "")).await.unwrap();
    fleet
        .hub
        .serve_with(&[("FLAGSHIP_LOG", "trace")])
        .await
        .unwrap();
    let mut secrets = Secrets(Vec::new());
    let admin = fleet.hub.admin_token.clone();
    // Its tail: the secret half may contain the character that parts the halves.
    secrets.add("administrator's token", &admin[admin.len() - 24..]);
    for (what, file) in [("CA's key", "ca.key.pem"), ("signing key", "sign.key.pem")] {
        secrets.add_key(what, &fleet.hub.data.join(file));
    }
    let made: CreatedEnrolToken = fleet
        .cli
        .json(&["token", "create", "--cluster", "eu-1"])
        .unwrap();
    let token = made.secret.unwrap();
    secrets.add("enrolment token", token.split('.').nth(2).unwrap());

    // An agent with the token in its environment, under a real Envoy, at the finest level.
    let place = folder.join("eu-1");
    fs::create_dir_all(&place).unwrap();
    let shown = |path: &Path| path.display().to_string();
    let config = include_str!("../../deploy/example/agent.yaml")
        .replace("${DATA}", &shown(&place.join("data")))
        .replace("${HUB}", &fleet.hub.agents().to_string())
        .replace("${SAMPLE}", &shown(&built("flagship-sample")))
        .replace("${PORT}", &free_port().to_string())
        .replace("${ENVOY}", &shown(&tools::envoy()));
    fs::write(place.join("agent.yaml"), config).unwrap();
    let mark = ("TEST_FLEET", folder.as_os_str());
    let mut command = Command::new(built("flagship-agent"));
    command
        .args(["run", "--config"])
        .arg(place.join("agent.yaml"))
        .env("FLAGSHIP_LOG", "trace")
        .env("FLAGSHIP_AGENT_TOKEN", &token)
        .env("SAMPLE_COUNTS", place.join("counts"))
        .env(mark.0, mark.1);
    let agent = Running::start("agent", &place, &mut command).unwrap();
    let is_up = async || {
        let clusters = fleet.cli.clusters().unwrap_or_default();
        clusters
            .iter()
            .any(|c| c.connected && !c.workloads.is_empty())
    };
    until("the cluster is up", Duration::from_secs(60), is_up).await;
    secrets.add_key("agent's key", &place.join("data/identity/key.pem"));

    // Errors of all kinds, with secrets at hand.
    let wrong = format!("{}x", admin);
    let mut answers = Vec::new();
    for (name, value) in [
        ("FLAGSHIP_TOKEN", wrong.as_str()),
        ("FLAGSHIP_TOKEN", "flagship_a b_c"),
        ("FLAGSHIP_HUB", "https://127.0.0.1:9"),
        ("FLAGSHIP_CA", "/nowhere"),
    ] {
        let mut status = fleet.cli.command(&["status"]);
        answers.push(said(&status.env(name, value).output().unwrap()));
    }
    let bad = place.join("bad.yaml");
    fs::write(
        &bad,
        format!("contexts: {{a: {{hub: x, token: {admin}, no: 1}}}}\n"),
    )
    .unwrap();
    let mut status = fleet.cli.command(&["status"]);
    answers.push(said(&status.env("FLAGSHIP_CONFIG", &bad).output().unwrap()));
    for arguments in [
        &["audit", "list", "-o", "json"][..],
        &["get", "clusters", "-o", "json"],
        &["token", "list", "-o", "json"],
        &["status"],
        &["--help"],
    ] {
        answers.push(said(&fleet.cli.command(arguments).output().unwrap()));
    }
    let refused = Command::new(built("flagship-agent"))
        .args(["enroll", "--config"])
        .arg(place.join("agent.yaml"))
        .env("FLAGSHIP_AGENT_TOKEN", format!("{token}x"))
        .output()
        .unwrap();
    answers.push(said(&refused));

    secrets.are_not_in("the hub's log", &fleet.hub.log());
    secrets.are_not_in("the agent's log", &agent.log());
    for answer in &answers {
        secrets.are_not_in("an answer of the command line", answer);
    }
    let running = processes(&format!("TEST_FLEET={}", folder.display()));
    assert!(
        running.len() >= 4,
        "hub, agent, Envoy, application: {running:?}"
    );
    for (pid, arguments, environment) in running {
        secrets.are_not_in("an argument list", &arguments);
        let is_agent = pid == agent.pid();
        if !is_agent {
            secrets.are_not_in("the environment of what the agent starts", &environment);
            assert!(
                !environment.contains("FLAGSHIP_AGENT_"),
                "{arguments}: {environment}"
            );
        }
    }
    let help = Command::new(built("flagship-agent"))
        .args(["run", "--token", &token])
        .output()
        .unwrap();
    assert!(
        !help.status.success(),
        "a token on the command line is taken"
    );

    for (path, wanted) in [
        (fleet.hub.data.clone(), 0o700),
        (fleet.hub.data.join("ca.key.pem"), 0o600),
        (fleet.hub.data.join("sign.key.pem"), 0o600),
        (fleet.hub.data.join("flagship.redb"), 0o600),
        (place.join("data"), 0o700),
        (place.join("data/identity"), 0o700),
        (place.join("data/identity/key.pem"), 0o600),
        (place.join("data/identity/membership.json"), 0o600),
        (fleet.cli.config().to_owned(), 0o600),
    ] {
        let found = mode(&path);
        assert_eq!(found, wanted, "{}: {found:o}", path.display());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_data_folder_that_stands_open_is_closed_at_the_start_and_said() {
    let folder = folder("open");
    let mut fleet = Fleet::start(&folder, &Members::of(&[], "")).await.unwrap();
    fleet.hub.kill();
    let files = ["ca.key.pem", "sign.key.pem", "flagship.redb"];
    let open = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    for file in files {
        open(&fleet.hub.data.join(file), 0o644);
    }
    open(&fleet.hub.data, 0o755);
    fleet.hub.serve().await.unwrap();
    assert_eq!(mode(&fleet.hub.data), 0o700);
    let log = fleet.hub.log();
    for file in files {
        assert_eq!(mode(&fleet.hub.data.join(file)), 0o600, "{file}");
        let is_said = log
            .lines()
            .any(|line| line.contains(file) && line.contains("closed"));
        assert!(is_said, "{file}: {log}");
    }
}
