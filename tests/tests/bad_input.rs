//! What is wrong is said in one clear line, with its place and its remedy, and changes nothing.
#![allow(clippy::unwrap_used, reason = "a test stops at what it cannot have")]

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Output},
};

use flagship_hub::api::types::{AuditEntryView, List, PlanView};
use flagship_tests::{
    fleet::{Fleet, Members},
    play::quick_plan,
    process::{built, until},
};

fn folder(name: &str) -> PathBuf {
    let folder = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    let _none_yet = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    folder
}

async fn hub_alone(name: &str) -> (PathBuf, Fleet) {
    let folder = folder(name);
    let fleet = Fleet::start(&folder, &Members::of(&[], "")).await.unwrap();
    (folder, fleet)
}

fn serve(data: &Path, more: &[&str]) -> Output {
    let mut command = Command::new(built("flagship-hub"));
    command.arg("serve").arg("--data").arg(data);
    command.args([
        "--listen-api",
        "127.0.0.1:0",
        "--listen-agents",
        "127.0.0.1:0",
    ]);
    command.args(more).output().unwrap()
}

/// What a program that must fail said, all of it.
fn refusal(output: &Output) -> String {
    let said = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    let said = String::from_utf8(said).unwrap();
    assert!(!output.status.success(), "it went on: {said}");
    assert!(!said.contains("panicked"), "{said}");
    said
}

#[tokio::test]
async fn a_plan_with_a_mistake_is_refused_with_line_and_column_and_nothing_is_stored() {
    let (folder, fleet) = hub_alone("plans").await;
    let good = quick_plan("");
    let mistakes = [
        (
            "an unknown field",
            good.replace("maxConcurrent: 3", "maxConcurent: 3"),
            "maxConcurent",
        ),
        (
            "a wrong type",
            good.replace("deadline: 10m", "deadline: [1]"),
            "deadline",
        ),
        (
            "no waves",
            format!("{}  waves: []\n", good.split("  waves:").next().unwrap()),
            "waves",
        ),
        (
            "a cluster named in two waves",
            good.replace(
                "clusters: {matchLabels: {tier: pilot}}",
                "clusters: {names: [eu-1]}",
            )
            .replace("clusters: {}", "clusters: {names: [eu-1]}"),
            "eu-1",
        ),
        (
            "what is not yet supported",
            good.replace(
                "maxConcurrent: 3",
                "maxConcurrent: 3\n      gates: {before: [{approval: {groups: [a], count: 1}}]}",
            ),
            "not yet supported",
        ),
    ];
    let file = folder.join("plan.yaml");
    for (what, plan, word) in mistakes {
        assert_ne!(plan, good, "{what}");
        fs::write(&file, plan).unwrap();
        let answer = fleet
            .cli
            .run(&["apply", "-f", file.to_str().unwrap()])
            .unwrap();
        assert_eq!(answer.code, 2, "{what}: {answer}");
        assert!(answer.err.contains(word), "{what}: {answer}");
        let place = answer
            .err
            .split(':')
            .filter(|part| part.trim().parse::<u32>().is_ok_and(|n| n > 0));
        assert!(place.count() >= 2, "{what}: no line and column in {answer}");
        assert!(!answer.err.contains("panicked"), "{answer}");
    }
    let stored: List<PlanView> = fleet.cli.json(&["get", "plans"]).unwrap();
    assert!(stored.items.is_empty(), "{stored:?}");
}

#[tokio::test]
async fn a_second_hub_on_the_same_folder_and_a_port_in_use_are_refused() {
    let (_folder, fleet) = hub_alone("second").await;
    let said = refusal(&serve(&fleet.hub.data, &[]));
    assert!(said.contains(fleet.hub.data.to_str().unwrap()), "{said}");

    let mut other = Command::new(built("flagship-hub"));
    let data = folder("second-port").join("hub");
    assert!(
        other
            .arg("init")
            .arg("--data")
            .arg(&data)
            .output()
            .unwrap()
            .status
            .success()
    );
    let taken = fleet.hub.agents().to_string();
    let output = Command::new(built("flagship-hub"))
        .args([
            "serve",
            "--listen-api",
            "127.0.0.1:0",
            "--listen-agents",
            &taken,
            "--data",
        ])
        .arg(&data)
        .output()
        .unwrap();
    let said = refusal(&output);
    assert!(said.contains(&taken), "{said}");
}

#[tokio::test]
async fn a_torn_or_foreign_store_is_refused_by_its_name_and_left_as_it_is() {
    let (_folder, mut fleet) = hub_alone("torn").await;
    fleet.hub.kill();
    let store = fs::read_dir(&fleet.hub.data)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .find(|path| path.extension().is_some_and(|ext| ext == "redb"))
        .unwrap();
    let whole = fs::read(&store).unwrap();
    for (what, content) in [
        ("empty", Vec::new()),
        ("torn", whole[..whole.len() / 3].to_vec()),
        ("foreign", b"this is somebody's diary\n".repeat(400)),
    ] {
        fs::write(&store, &content).unwrap();
        let said = refusal(&serve(&fleet.hub.data, &[]));
        assert!(said.contains(store.to_str().unwrap()), "{what}: {said}");
        assert_eq!(fs::read(&store).unwrap(), content, "{what}: it was changed");
    }
    let absent = fleet.hub.data.with_file_name("nowhere");
    let said = refusal(&serve(&absent, &[]));
    assert!(said.contains("init"), "{said}");
    fs::write(&store, &whole).unwrap();
    fleet.hub.serve().await.unwrap();
}

fn enrol(folder: &Path, hub: &str, token: &str) -> Output {
    let config = folder.join("agent.yaml");
    let data = folder.join(format!("data-{}", fs::read_dir(folder).unwrap().count()));
    let envoy = folder.join("no-envoy-here");
    let text = include_str!("../../deploy/example/agent.yaml")
        .replace("${DATA}", data.to_str().unwrap())
        .replace("${HUB}", hub)
        .replace("${SAMPLE}", folder.join("no-sample-here").to_str().unwrap())
        .replace("${PORT}", "18080")
        .replace("${ENVOY}", envoy.to_str().unwrap());
    fs::write(&config, text).unwrap();
    fs::write(folder.join("token"), token).unwrap();
    Command::new(built("flagship-agent"))
        .arg("enroll")
        .arg("--config")
        .arg(&config)
        .arg("--token-file")
        .arg(folder.join("token"))
        .output()
        .unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_wrong_used_or_expired_token_is_said_so_and_audited() {
    let (folder, fleet) = hub_alone("tokens").await;
    let hub = fleet.hub.agents().to_string();
    let token = fleet
        .cli
        .ok(&["token", "create", "--cluster", "eu-1"])
        .unwrap();
    let token = token.trim();
    let first = enrol(&folder, &hub, token);
    assert!(
        first.status.success(),
        "{}",
        String::from_utf8_lossy(&first.stderr)
    );
    let used = refusal(&enrol(&folder, &hub, token));
    assert!(used.contains("used"), "{used}");

    // The secret is the third of four parts; the last one pins the hub's CA.
    let mut parts: Vec<&str> = token.split('.').collect();
    let secret = format!("{}xx", &parts[2][..parts[2].len() - 2]);
    parts[2] = &secret;
    let wrong = parts.join(".");
    let wrong = refusal(&enrol(&folder, &hub, &wrong));
    assert!(wrong.contains("wrong"), "{wrong}");

    let short = fleet
        .cli
        .ok(&["token", "create", "--cluster", "eu-2", "--ttl", "1m"])
        .unwrap();
    tokio::time::sleep(std::time::Duration::from_millis(60_500)).await; // its life, the shortest there is
    let expired = refusal(&enrol(&folder, &hub, short.trim()));
    assert!(expired.contains("expired"), "{expired}");

    let refused = async || {
        let audit: List<AuditEntryView> = fleet.cli.json(&["audit", "list"]).unwrap();
        let refusals = audit
            .items
            .iter()
            .filter(|entry| entry.action.contains("refuse"));
        refusals.count() >= 3
    };
    until(
        "three refusals are audited",
        std::time::Duration::from_secs(5),
        refused,
    )
    .await;
}

#[tokio::test]
async fn a_missing_envoy_and_a_missing_command_are_one_clear_line() {
    let (folder, fleet) = hub_alone("missing").await;
    let token = fleet
        .cli
        .ok(&["token", "create", "--cluster", "eu-1"])
        .unwrap();
    let enrolled = enrol(&folder, &fleet.hub.agents().to_string(), token.trim());
    assert!(
        enrolled.status.success(),
        "{}",
        String::from_utf8_lossy(&enrolled.stderr)
    );
    let check = Command::new(built("flagship-agent"))
        .arg("check")
        .arg("--config")
        .arg(folder.join("agent.yaml"))
        .output()
        .unwrap();
    let said = refusal(&check);
    assert!(
        said.lines().any(|line| line.contains("no-envoy-here")),
        "{said}"
    );
    assert!(
        said.lines().any(|line| line.contains("no-sample-here")),
        "{said}"
    );
}
