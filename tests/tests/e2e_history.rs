//! Going back in time on real processes: yesterday's data folder put back (P21, P22).

use std::{fs, path::PathBuf, process::Command, time::Duration};

use flagship_tests::{
    play::{Play, quick_plan},
    process::{built, until},
};

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

/// What the hub's own program answered.
fn hub(arguments: &[&str]) -> (bool, String) {
    let output = Command::new(built("flagship-hub")).args(arguments).output();
    let output = output.expect("the hub's program runs");
    let said = [output.stdout, output.stderr].concat();
    (
        output.status.success(),
        String::from_utf8_lossy(&said).into_owned(),
    )
}

fn copy(from: &std::path::Path, to: &std::path::Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder").flatten() {
        if entry.file_type().expect("a type").is_file() {
            fs::copy(entry.path(), to.join(entry.file_name())).expect("a copy");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn p22_yesterdays_folder_put_back_stops_the_hub_until_recover_goes_above_it() {
    let two = &["pilot-1 region=eu tier=pilot", "us-1 region=us"];
    let mut play = Play::start(&folder("history"), two, "", &quick_plan("")).await;
    let data = play.fleet.hub.data.clone();
    let yesterday = data.with_extension("yesterday");
    play.fleet.hub.kill();
    copy(&data, &yesterday);
    play.fleet.hub.serve().await.unwrap();
    let rollout = play.release("1.1.0");
    play.reaches(&rollout, "Succeeded").await;

    play.fleet.hub.kill();
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&yesterday, &data).unwrap();
    play.fleet.hub.serve().await.unwrap();
    let says = async || {
        play.ok(&["status"])
            .contains("the hub gives no orders and no leases")
    };
    until(
        "the hub says that it is behind",
        Duration::from_secs(30),
        says,
    )
    .await;
    let status = play.ok(&["status"]);
    assert!(status.contains("flagship-hub recover"), "{status}");
    assert!(
        play.fleet
            .hub
            .log()
            .contains("flagship-hub recover --data DIR")
    );

    play.fleet.hub.kill();
    play.fleet.hub.serve().await.unwrap();
    let status = play.ok(&["status"]);
    assert!(
        status.contains("the hub gives no orders"),
        "at once, before any agent spoke: {status}"
    );
    let at = data.display().to_string();
    let (done, said) = hub(&["recover", "--data", &at, "--reason", "yesterday's disk"]);
    assert!(
        !done && said.contains("another flagship-hub has it open"),
        "{said}"
    );

    play.fleet.hub.kill();
    let (done, said) = hub(&["recover", "--data", &at, "--reason", "yesterday's disk"]);
    assert!(
        done && said.contains("epoch 2") && said.contains("pilot-1"),
        "{said}"
    );
    play.fleet.hub.serve().await.unwrap();
    let status = play.ok(&["status"]);
    assert!(!status.contains("the hub gives no orders"), "{status}");
    assert!(
        status.contains("nothing advances in pilot-1, us-1"),
        "{status}"
    );
    let audit = play.ok(&["audit", "list"]);
    assert!(audit.contains("fleet.recover"), "{audit}");
    play.ok(&[
        "cluster",
        "confirm",
        "--all",
        "--reason",
        "looked at the list",
    ]);
    // An agent that saw two hubs under one term comes back after a minute.
    let back = async || {
        let clusters = play.fleet.cli.clusters().unwrap_or_default();
        clusters.iter().filter(|cluster| cluster.connected).count() == 2
    };
    until("the agents come back", Duration::from_secs(120), back).await;
    let rollout = play.release("1.2.0");
    assert!(
        rollout.ends_with("1001"),
        "no number comes twice: {rollout}"
    );
    play.reaches(&rollout, "Succeeded").await;
    play.serves("pilot-1", "1.2.0").await;
    assert_eq!(play.seen("pilot-1").failed, 0);
}
