//! Stopping, end to end: the real command line against a real hub, agents and Envoys under load.

use std::{path::PathBuf, time::Duration};

use flagship_hub::api::types::{AbortView, FreezeView, List};
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_abort_that_takes_back_the_done_names_takes_and_counts_one_set_whoever_holds_it() {
    let mut play = Play::start(&folder("earlier"), TWO, "", &quick_plan("")).await;
    let earlier = play.release("1.1.0");
    play.reaches(&earlier, "Succeeded").await;
    let later = play.release("1.2.0");
    play.reaches_weight(&later, "pilot-1", 10).await;
    let abort = ["abort", "--plan", "shop/checkout", "--retreat"];
    let dry = play.ok(&[&abort[..], &["--dry-run"]].concat());
    for line in [
        "  ended, goes back:    shop/checkout-1\n",
        "  Done, goes back:     us-1 (1.1.0 of shop/checkout-1)\n",
        "  left on what was:    pilot-1 (1.1.0 of shop/checkout-1)\n",
    ] {
        assert!(dry.contains(line), "{line}: {dry}");
    }

    let ordered = play.ok(&[&abort[..], &["--reason", "e2e", "--yes"]].concat());
    let ended = "  ended, goes back: shop/checkout-1\n";
    assert!(ordered.contains(ended), "{ordered}");
    play.serves("us-1", "1.0.0").await;
    play.reaches(&earlier, "RolledBack").await;
    let view: List<AbortView> = play
        .fleet
        .cli
        .json(&["get", "aborts"])
        .unwrap_or_else(|error| panic!("{error:#}"));
    let totals = &view.items[0].totals;
    assert_eq!((totals.clusters, totals.returned), (2, 2), "{view:?}");
    let page = play.ok(&["describe", "abort"]);
    assert!(page.contains(ended), "{page}");
    let left =
        "pilot-1          serves 1.1.0 of shop/Deployment/checkout with 100% of its traffic, done";
    assert!(page.contains(left), "{page}");
    let first = format!("flagship retreat {later} --reason …");
    assert!(page.contains(&first), "{page}");
    let page = play.ok(&["describe", "rollout", &earlier]);
    let why = "e2e; not pilot-1, where another rollout had been ordered since";
    assert!(page.contains(why), "{page}");
    let early = run(&play, &["retreat", &earlier, "--reason", "e2e", "--yes"]);
    assert!(early.err.contains(&later), "who goes first: {early}");

    play.ok(&["retreat", &later, "--reason", "e2e", "--yes"]);
    play.reaches(&later, "RolledBack").await;
    play.serves("pilot-1", "1.1.0").await;
    let next = format!("flagship retreat {earlier} --reason …");
    let status = play.ok(&["status"]);
    assert!(status.contains(&next), "{status}");
    play.ok(&["retreat", &earlier, "--reason", "e2e", "--yes"]);
    play.serves("pilot-1", "1.0.0").await;
    play.reaches(&earlier, "RolledBack").await;
    let status = play.ok(&["status"]);
    assert!(!status.contains("NOT FIXED"), "{status}");
    for cluster in ["pilot-1", "us-1"] {
        assert_eq!(play.seen(cluster).failed, 0, "{cluster}");
    }
    play.both_ends_agree().await;
}
