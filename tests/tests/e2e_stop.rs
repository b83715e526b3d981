//! Stopping, end to end: the real command line against a real hub, agents and Envoys under load.

use std::{path::PathBuf, time::Duration};

use flagship_hub::api::types::{FreezeView, List};
use flagship_tests::{
    fleet::Answer,
    play::{LONG, Play, quick_plan},
    process::until,
};

const TWO: &[&str] = &["pilot-1 region=eu tier=pilot", "us-1 region=us"];

fn folder(name: &str) -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name)
}

fn run(play: &Play, arguments: &[&str]) -> Answer {
    play.fleet
        .cli
        .run(arguments)
        .unwrap_or_else(|error| panic!("{error:#}"))
}

async fn holds(play: &Play, cluster: &str) {
    let line = format!("{cluster} holds at");
    let held = async || {
        let list = play.fleet.cli.json::<List<FreezeView>>(&["get", "freezes"]);
        list.is_ok_and(|list| {
            let lines = list.items.iter().flat_map(|freeze| &freeze.holds);
            lines.into_iter().any(|held| held.starts_with(&line))
        })
    };
    until(&format!("{cluster} holds"), LONG, held).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_freeze_holds_every_weight_while_users_are_served_and_its_end_lets_the_release_go_on() {
    let mut play = Play::start(&folder("freeze"), TWO, "", &quick_plan("")).await;
    let rollout = play.release("1.1.0");
    play.reaches_weight(&rollout, "pilot-1", 10).await;

    let lost = run(&play, &["freeze", "--for", "1h", "--reason", "e2e"]);
    assert_eq!(lost.code, 2, "without a scope: {lost}");
    for scope in [
        "--fleet",
        "--project shop",
        "--rollout shop/checkout-1",
        "--selector region=us",
    ] {
        assert!(lost.out.contains(scope), "{scope}: {lost}");
    }
    assert!(lost.err.contains("nothing was frozen"), "{lost}");

    play.ok(&[
        "freeze",
        "--project",
        "shop",
        "--for",
        "1h",
        "--reason",
        "migration",
    ]);
    holds(&play, "pilot-1").await;
    let weight = play.weight(&rollout, "pilot-1");
    let before = play.seen("pilot-1");
    let served = async || {
        let share = |version: &str| play.seen("pilot-1").of(version) > before.of(version) + 5;
        share("1.0.0") && share("1.1.0")
    };
    until("both versions are served while it is frozen", LONG, served).await;
    tokio::time::sleep(Duration::from_secs(3)).await;
    assert_eq!(play.weight(&rollout, "pilot-1"), weight, "its weight stays");
    assert!(weight < 100, "it was frozen in the middle");
    assert_eq!(play.fleet.served("us-1", "1.1.0"), (0, 0), "nothing starts");
    for page in [
        vec!["status"],
        vec!["describe", "rollout", rollout.as_str()],
        vec!["get", "rollouts"],
        vec!["get", "clusters"],
    ] {
        let text = play.ok(&page);
        assert!(
            text.starts_with("FROZEN   project shop"),
            "{page:?}: {text}"
        );
    }

    play.ok(&["unfreeze", "--reason", "migrated", "--yes"]);
    play.ok(&[
        "freeze",
        "--selector",
        "region=us",
        "--for",
        "4s",
        "--reason",
        "and again",
    ]);
    play.reaches(&rollout, "Succeeded").await;
    let all: List<FreezeView> = play
        .fleet
        .cli
        .json(&["get", "freezes", "--all"])
        .unwrap_or_else(|error| panic!("{error:#}"));
    let ends: Vec<_> = all
        .items
        .iter()
        .filter_map(|freeze| freeze.ended.as_ref())
        .collect();
    assert_eq!(ends.len(), 2, "{ends:?}");
    assert_eq!(ends[0].actor, "hub", "the second ended by itself: {ends:?}");
    for cluster in ["pilot-1", "us-1"] {
        play.serves(cluster, "1.1.0").await;
        assert_eq!(play.seen(cluster).failed, 0, "{cluster}");
    }
    play.both_ends_agree().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn with_the_hub_away_the_command_says_what_stops_without_it() {
    let mut play = Play::start(&folder("away"), TWO, "", &quick_plan("")).await;
    let lost = run(&play, &["abort", "--reason", "e2e"]);
    assert_eq!(lost.code, 2, "without a scope: {lost}");
    assert!(lost.out.contains("2 clusters (pilot-1, us-1)"), "{lost}");
    assert!(lost.err.contains("nothing was stopped"), "{lost}");
    let dry = run(&play, &["abort", "--fleet", "--dry-run"]);
    assert_eq!(dry.code, 0, "{dry}");
    assert!(
        dry.out.contains("nothing advances in its scope after"),
        "{dry}"
    );
    play.fleet.hub.kill();
    for (code, words) in [
        (12, &["abort", "--fleet", "--reason", "e2e", "--wait"][..]),
        (12, &["abort", "--rollout", "shop/checkout-1"][..]),
        (4, &["freeze", "--fleet", "--for", "1h"][..]),
        (4, &["pause", "shop/checkout-1"][..]),
        (4, &["retreat", "shop/checkout-1", "--yes"][..]),
    ] {
        let lost = run(&play, words);
        assert_eq!(lost.code, code, "{lost}");
        assert!(
            lost.err.contains("flagship-agent ctl hold")
                && lost.err.contains("flagship-agent ctl retreat"),
            "{lost}"
        );
    }
}
