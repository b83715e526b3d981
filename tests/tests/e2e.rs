//! End to end: the real hub, agents, command line and Envoys, real requests counted at both ends.

use std::{path::PathBuf, time::Duration};

use flagship_hub::api::types::{AbortState, AbortView};
use flagship_tests::{
    cut::Cable,
    fleet::cluster_of,
    play::{LONG, Play, quick_plan},
    process::until,
};

const TWO: &[&str] = &["pilot-1 region=eu tier=pilot", "us-1 region=us"];

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_good_release_reaches_every_cluster_and_no_user_sees_a_failure() {
    let mut play = Play::start(&folder("good"), TWO, "", &quick_plan("")).await;
    let rollout = play.release("1.1.0");
    play.reaches(&rollout, "Succeeded").await;
    for cluster in ["pilot-1", "us-1"] {
        play.serves(cluster, "1.1.0").await;
        let seen = play.seen(cluster);
        assert_eq!(seen.failed, 0, "{cluster}: {seen:?}");
        assert!(seen.of("1.0.0") > 0 && seen.of("1.1.0") > 0);
    }
    play.both_ends_agree().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_bad_release_is_caught_in_the_first_wave_and_taken_back() {
    let when = "1.2.0:errors=0.1;1.3.0:latency=800ms;1.4.0:crash-after=1500ms";
    let mut play = Play::start(&folder("bad"), TWO, when, &quick_plan("")).await;
    for version in ["1.2.0", "1.3.0", "1.4.0"] {
        let rollout = play.release(version);
        play.reaches(&rollout, "RolledBack").await;
        play.serves("pilot-1", "1.0.0").await;
        let pilot = cluster_of(&play.rollout(&rollout), "pilot-1").clone();
        assert_eq!(pilot.observed.unwrap_or_default(), 0, "{version}");
        assert_eq!(
            play.fleet.served("us-1", version),
            (0, 0),
            "{version}: the second wave"
        );
        assert_eq!(play.seen("us-1").failed, 0, "{version}");
    }
    let (served, bad) = play.fleet.served("pilot-1", "1.2.0");
    assert!(
        bad > 0 && served < 400,
        "1.2.0 served {served}, {bad} badly"
    );
    let (slow, _) = play.fleet.served("pilot-1", "1.3.0");
    assert!(slow > 0 && slow < 400, "1.3.0 served {slow}");
    play.load.take();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn killed_agents_and_hubs_come_back_and_go_on_while_the_traffic_flows() {
    let mut play = Play::start(&folder("killed"), TWO, "", &quick_plan("")).await;

    let rollout = play.release("1.1.0");
    play.reaches_weight(&rollout, "pilot-1", 10).await;
    play.fleet.at("pilot-1").kill_agent();
    let before = play.weight(&rollout, "pilot-1");
    let sent = play.seen("pilot-1").sent;
    let flows = async || play.seen("pilot-1").sent > sent + 60;
    until(
        "a second passes without an agent",
        Duration::from_secs(10),
        flows,
    )
    .await;
    assert_eq!(
        play.seen("pilot-1").failed,
        0,
        "Envoy and the application go on"
    );
    play.fleet.at("pilot-1").start_agent().unwrap();
    play.reaches(&rollout, "Succeeded").await;
    assert!(before < 100, "it was killed in the middle");
    play.serves("pilot-1", "1.1.0").await;

    let rollout = play.release("1.2.0");
    play.reaches_weight(&rollout, "us-1", 10).await;
    play.fleet.hub.kill();
    let sent = play.seen("us-1").sent;
    let flows = async || play.seen("us-1").sent > sent + 120;
    until(
        "two seconds pass without a hub",
        Duration::from_secs(10),
        flows,
    )
    .await;
    play.fleet.hub.serve().await.unwrap();
    play.reaches(&rollout, "Succeeded").await;
    for cluster in ["pilot-1", "us-1"] {
        play.serves(cluster, "1.2.0").await;
        assert_eq!(
            play.seen(cluster).failed,
            0,
            "{cluster}: {:?}",
            play.seen(cluster)
        );
    }
    play.both_ends_agree().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_is_proven_by_receipts_and_meets_a_cluster_that_was_cut_off() {
    let plan = quick_plan("  onDisconnect: {lease: 3s, then: hold}");
    let mut play = Play::start(&folder("abort"), TWO, "", &plan).await;
    let cable = Cable::to(play.fleet.hub.agents()).await.unwrap();
    play.fleet.at("us-1").reroute(cable.address).await.unwrap();
    play.fleet.settle().await;

    let rollout = play.release("1.1.0");
    play.reaches_weight(&rollout, "us-1", 10).await;
    cable.cut();
    // The lease of 3 s ends; then nothing advances, whatever the hub may want.
    let frozen = async || {
        let before = play.seen("us-1");
        tokio::time::sleep(Duration::from_secs(2)).await;
        let after = play.seen("us-1");
        let share = |version: &str| after.of(version) - before.of(version);
        share("1.1.0") > 0 && share("1.0.0") > 0
    };
    tokio::time::sleep(Duration::from_secs(4)).await;
    assert!(frozen().await, "both versions go on serving");

    let aborted = play
        .fleet
        .cli
        .run(&["abort", "--fleet", "--reason", "e2e", "--wait", "--yes"]);
    let aborted = aborted.unwrap();
    assert_eq!(aborted.code, 10, "only bounded: {aborted}");
    let abort = play.fleet.cli.newest_abort().unwrap();
    let state = |view: &AbortView, name: &str| {
        view.clusters
            .iter()
            .find(|c| c.cluster == name)
            .map(|c| c.state)
    };
    assert_eq!(
        state(&abort, "us-1"),
        Some(AbortState::NotHeard),
        "{abort:#?}"
    );
    assert_eq!(
        state(&abort, "pilot-1"),
        Some(AbortState::Done),
        "{abort:#?}"
    );
    assert!(
        aborted.out.contains("pilot-1"),
        "stopped is not fixed: {aborted}"
    );

    cable.mend();
    play.serves("us-1", "1.0.0").await;
    let answered = async || {
        state(&play.fleet.cli.newest_abort().unwrap(), "us-1") == Some(AbortState::Returned)
    };
    until("the receipt of us-1 is in", LONG, answered).await;
    play.serves("pilot-1", "1.1.0").await;
    play.ok(&["lift", &abort.id, "--reason", "e2e", "--yes"]);
    play.ok(&[
        "retreat",
        &rollout,
        "--reason",
        "e2e",
        "--wait",
        "--timeout",
        "60s",
        "--yes",
    ]);
    for cluster in ["pilot-1", "us-1"] {
        play.serves(cluster, "1.0.0").await;
        assert_eq!(
            play.seen(cluster).failed,
            0,
            "{cluster}: {:?}",
            play.seen(cluster)
        );
    }
    play.both_ends_agree().await;
}
