//! Local control on real processes: the hub is dead, a person on the spot takes a cluster back, the
//! agent is killed; it comes back and still takes it back, and the hub audits it once.

use std::{path::PathBuf, process::Command, time::Duration};

use flagship_hub::api::types::{AuditEntryView, List};
use flagship_tests::{
    fleet::Fleet,
    play::{Play, quick_plan},
    process::{built, until},
};

const TWO: &[&str] = &["pilot-1 region=eu tier=pilot", "us-1 region=us"];

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// What the real command line answered: its exit status, and all it said.
fn ctl(fleet: &Fleet, cluster: &str, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(built("flagship-agent"));
    command
        .arg("ctl")
        .args(arguments)
        .arg("--config")
        .arg(fleet.clusters[cluster].folder.join("agent.yaml"));
    let output = command.output().expect("the agent's program runs");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    (output.status.code().unwrap_or(-1), said)
}

fn audited(play: &Play, action: &str) -> Vec<AuditEntryView> {
    let list: List<AuditEntryView> = play
        .fleet
        .cli
        .json(&["audit", "list", "--limit", "500"])
        .expect("the hub answers");
    let found = list
        .items
        .into_iter()
        .filter(|entry| entry.action == action);
    found.collect()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_local_retreat_survives_a_kill_with_the_hub_away_and_is_audited_once() {
    let plan = quick_plan("  onDisconnect: {lease: 30s, then: hold}");
    let mut play = Play::start(&folder("local"), TWO, "", &plan).await;
    let (code, said) = ctl(&play.fleet, "us-1", &["release", "checkout"]);
    assert_eq!(code, 3, "{said}");
    assert!(said.contains("nothing to release"), "{said}");
    let (code, said) = ctl(&play.fleet, "us-1", &["hold", "cart"]);
    assert_eq!(code, 2, "{said}");
    assert!(
        said.contains("this agent has shop/Deployment/checkout"),
        "{said}"
    );

    let rollout = play.release("1.1.0");
    play.reaches_weight(&rollout, "us-1", 10).await;
    play.fleet.hub.kill();
    let words = "errors in this region";
    let (code, said) = ctl(
        &play.fleet,
        "us-1",
        &["retreat", "checkout", "--reason", words],
    );
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("in force, and kept"), "{said}");
    play.fleet.at("us-1").kill_agent();
    let (code, said) = ctl(&play.fleet, "us-1", &["status"]);
    assert_eq!(code, 4, "{said}");
    assert!(said.contains("no agent runs on"), "{said}");

    play.fleet.at("us-1").start_agent().unwrap();
    let stands = async || {
        let (code, said) = ctl(&play.fleet, "us-1", &["status"]);
        code == 0 && said.contains("local retreat by") && said.contains(words)
    };
    until(
        "the agent still takes it back",
        Duration::from_secs(30),
        stands,
    )
    .await;
    play.serves("us-1", "1.0.0").await;

    play.fleet.hub.serve().await.unwrap();
    let heard = async || audited(&play, "local.retreat").len() == 1;
    until("the hub audits it", Duration::from_secs(30), heard).await;
    play.reaches(&rollout, "RolledBack").await;
    let status = play.ok(&["status"]);
    assert!(
        status.contains("local retreat by") && status.contains("flagship cluster release us-1"),
        "{status}"
    );
    let described = play.ok(&["describe", "cluster", "us-1"]);
    assert!(described.contains(words), "{described}");

    play.fleet.hub.kill();
    play.fleet.hub.serve().await.unwrap();
    play.fleet.settle().await;
    let all = audited(&play, "local.retreat");
    assert_eq!(all.len(), 1, "once, whoever restarts");
    assert!(
        all[0].reason.starts_with(words) && all[0].actor.ends_with("in us-1"),
        "{all:?}"
    );

    play.ok(&[
        "cluster",
        "release",
        "us-1",
        "checkout",
        "--reason",
        "false alarm",
    ]);
    let free = async || {
        ctl(&play.fleet, "us-1", &["status"])
            .1
            .find("Local")
            .is_none()
    };
    until(
        "the agent obeys the hub's release",
        Duration::from_secs(20),
        free,
    )
    .await;
    assert_eq!(
        audited(&play, "local.release").len(),
        1,
        "by the person on the hub, once"
    );
    let again = play.release("1.2.0");
    play.reaches(&again, "Succeeded").await;
    assert_eq!(play.seen("us-1").failed, 0);
    play.both_ends_agree().await;
}
