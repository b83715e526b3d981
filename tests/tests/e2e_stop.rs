//! Stopping, end to end: the real command line against a real hub, agents and Envoys under load.

use std::{
    fs,
    path::PathBuf,
    time::{Duration, Instant},
};

use flagship_hub::api::types::{AbortOutcome, AbortState, AbortView, FreezeView, List};
use flagship_tests::{
    cut::Cable,
    fleet::{Answer, cluster_of},
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

/// The quickstart's plan as one wave of all, slow enough to be stopped in the middle.
fn one_wave() -> String {
    let plan = quick_plan("").replace("interval: 1s", "interval: 5s");
    let (before, rest) = plan.split_once("    - name: pilot").expect("a pilot wave");
    let (_, rest) = rest
        .split_once("    - name: rest")
        .expect("a wave of the rest");
    format!("{before}    - name: rest{rest}")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stop_of_one_cluster_stops_it_alone_and_nobody_who_comes_later_until_it_is_lifted() {
    let mut play = Play::start(&folder("one"), TWO, "", &one_wave()).await;
    let lost = run(&play, &["abort", "--cluster", "us-9", "--reason", "e2e"]);
    assert_ne!(lost.code, 0, "{lost}");
    assert!(lost.err.contains("there is no cluster us-9"), "{lost}");

    let rollout = play.release("1.1.0");
    for cluster in ["pilot-1", "us-1"] {
        play.reaches_weight(&rollout, cluster, 10).await;
    }
    let stop = ["abort", "--cluster", "us-1", "--reason", "errors", "--wait"];
    let said = play.ok(&stop);
    let (stopped, held) = said
        .split_once("Out of scope and not taken back: 1 cluster")
        .expect("the other cluster is told apart");
    assert!(
        stopped.contains("us-1 ") && !stopped.contains("pilot-1 "),
        "{said}"
    );
    assert!(
        held.contains("pilot-1 ") && !held.contains("us-1 "),
        "{said}"
    );
    play.serves("us-1", "1.0.0").await;
    let abort = play.fleet.cli.newest_abort().unwrap();
    let names: Vec<&str> = abort
        .clusters
        .iter()
        .map(|one| one.cluster.as_str())
        .collect();
    assert_eq!(
        (names, abort.outcome),
        (vec!["us-1"], AbortOutcome::Stopped)
    );
    assert_eq!(abort.clusters[0].state, AbortState::Returned);
    assert!(abort.clusters[0].receipt_at.is_some(), "it has answered");
    play.reaches(&rollout, "Aborted").await;
    assert_eq!(play.weight(&rollout, "us-1"), 0, "its canary is back");
    let is_held = async || {
        let why = cluster_of(&play.rollout(&rollout), "pilot-1").why.clone();
        why.message.contains("the rollout is aborted")
    };
    until("the other cluster is told to hold", LONG, is_held).await;
    let held = play.weight(&rollout, "pilot-1");
    assert!(held >= 10, "its weight stays");
    let before = play.seen("pilot-1");

    let region = [("region".to_owned(), "us".to_owned())];
    play.fleet.add("us-2", &region, "").unwrap();
    play.fleet.settle().await;
    let still = play.fleet.cli.newest_abort().unwrap();
    assert_eq!(still.clusters.len(), 1, "{:?}", still.clusters);
    let told = |cluster: &str| {
        let log = fs::read_to_string(play.fleet.clusters[cluster].log());
        log.unwrap().contains(&abort.id)
    };
    assert!(told("us-1") && !told("us-2") && !told("pilot-1"));
    // Long enough for a step, had it gone on.
    let served = async || {
        let seen = play.seen("pilot-1");
        seen.sent > before.sent + 400 && seen.of("1.1.0") > before.of("1.1.0") + 5
    };
    until("the other cluster serves the change", LONG, served).await;
    assert_eq!(play.weight(&rollout, "pilot-1"), held, "its weight stays");

    play.ok(&["lift", &abort.id, "--reason", "mended", "--yes"]);
    play.ok(&["retry", &rollout, "--reason", "mended"]);
    play.reaches(&rollout, "Succeeded").await;
    for cluster in ["pilot-1", "us-1"] {
        play.serves(cluster, "1.1.0").await;
        assert_eq!(play.seen(cluster).failed, 0, "{cluster}");
    }
    play.load.take();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_agent_whose_sessions_are_short_asks_less_and_less_often() {
    let mut play = Play::start(&folder("short"), &TWO[..1], "", &one_wave()).await;
    let cable = Cable::to(play.fleet.hub.agents()).await.unwrap();
    let agent = play.fleet.at("pilot-1");
    agent.reroute(cable.address).await.unwrap();
    let mut seen = welcomed(&play, 0).await;
    let began = Instant::now();
    for _ in 0..6 {
        cable.cut();
        cable.mend();
        seen = welcomed(&play, seen).await;
    }
    // Six waits from 0.2 s on, each twice as long as the one before, at least half of it each.
    let took = began.elapsed();
    assert!(took > Duration::from_secs(6), "{took:?}");

    // A new run of it begins with the first wait.
    let agent = play.fleet.at("pilot-1");
    agent.kill_agent();
    agent.start_agent().unwrap();
    let seen = welcomed(&play, seen).await;
    an_agent_whose_hub_is_away_knocks_seldom_and_is_back_soon(&mut play, &cable, seen).await;
}

/// Waits until the agent has had more sessions than `seen`, and the hub knows it; how many it has had.
async fn welcomed(play: &Play, seen: usize) -> usize {
    let log = play.fleet.clusters["pilot-1"].log();
    let sessions = || {
        let text = fs::read_to_string(&log).unwrap_or_default();
        text.matches("connected to the hub").count()
    };
    until("it is welcome", LONG, async || {
        let clusters = play.fleet.cli.clusters();
        sessions() > seen && clusters.is_ok_and(|all| all[0].connected)
    })
    .await;
    sessions()
}

async fn an_agent_whose_hub_is_away_knocks_seldom_and_is_back_soon(
    play: &mut Play,
    cable: &Cable,
    seen: usize,
) {
    let before = cable.knocks().len();
    play.fleet.hub.kill();
    let knocks = || cable.knocks().split_off(before);
    until("it knocks", LONG, async || knocks().len() >= 5).await;
    // Four waits from 0.4 s to 3.2 s, 6 s together, of which the half is sure.
    let knocks = knocks();
    let took = knocks[4].duration_since(knocks[0]);
    assert!(took > Duration::from_secs(2), "{took:?}");
    play.fleet.hub.serve().await.expect("it starts again");
    // The next wait is of 6.4 s, and no more than half of that longer.
    let began = Instant::now();
    welcomed(play, seen).await;
    let took = began.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
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
