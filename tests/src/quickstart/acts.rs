//! The three acts: a good release, a bad one, and one that is aborted.

use std::time::Duration;

use anyhow::Context;

use super::{
    stage::Stage,
    traffic::{Moment, bad_for},
};
use crate::{fleet::cluster_of, process::until};

/// What came of an act.
pub(super) struct Act {
    pub(super) title: &'static str,
    pub(super) traffic: Moment,
    /// Figures beyond counts, by what they measure.
    pub(super) figures: Vec<String>,
    /// What was not as it must be.
    pub(super) missed: Vec<String>,
}

impl Act {
    fn must(&mut self, holds: bool, words: impl Into<String>) {
        if !holds {
            self.missed
                .push(format!("{}: {}", self.title, words.into()));
        }
    }
}

const OTHERS: &[&str] = &["eu-1", "us-1", "us-2", "ap-1"];
/// From the first bad request to weight 0.
const CAUGHT_IN_MS: u64 = 15_000;
/// From the abort to the last receipt.
const RECEIPTS_IN_MS: u64 = 1_000;

fn headline(stage: &Stage, words: &str) {
    stage.note(&format!("── {words} ──"));
}

/// 1.1.0 is good: every wave to Succeeded.
pub(super) async fn good(stage: &Stage) -> anyhow::Result<Act> {
    headline(stage, "act 1: 1.1.0 is good");
    let before = stage.moment()?;
    stage
        .show(&[
            "start",
            "shop/checkout",
            "--to-version",
            "1.1.0",
            "--reason",
            "act 1",
        ])
        .await?
        .expect(0)?;
    stage
        .show(&["watch", "shop/checkout", "--timeout", "120s"])
        .await?
        .expect(0)?;
    let all_serve = serves_everywhere(stage, "1.1.0").await;
    let mut act = Act {
        title: "act 1",
        traffic: stage.moment()?.since(&before),
        figures: Vec::new(),
        missed: Vec::new(),
    };
    act.must(all_serve, "not every cluster serves 1.1.0");
    let failed = act.traffic.failed;
    act.must(failed == 0, format!("users saw {failed} requests fail"));
    Ok(act)
}

/// 1.2.0 fails a tenth of its requests: caught in the pilot wave.
pub(super) async fn bad(stage: &Stage) -> anyhow::Result<Act> {
    headline(stage, "act 2: 1.2.0 fails 10% of its requests");
    let before = stage.moment()?;
    stage
        .show(&[
            "start",
            "shop/checkout",
            "--to-version",
            "1.2.0",
            "--reason",
            "act 2",
        ])
        .await?
        .expect(0)?;
    let watched = stage
        .show(&["watch", "shop/checkout", "--timeout", "90s"])
        .await?;
    stage
        .show(&["describe", "rollout", "shop/checkout"])
        .await?
        .expect(0)?;
    let all_back = serves_everywhere(stage, "1.1.0").await;
    let mut act = Act {
        title: "act 2",
        traffic: stage.moment()?.since(&before),
        figures: Vec::new(),
        missed: Vec::new(),
    };
    act.must(
        watched.code == 5,
        format!(
            "watch ended with exit {}, not 5 (rolled back)",
            watched.code
        ),
    );
    act.must(all_back, "not every cluster is back on 1.1.0");
    let met = act.traffic.clusters_with("1.2.0").join(", ");
    act.must(
        met == "pilot-1",
        format!("1.2.0 served in: {met}; it must be pilot-1 alone"),
    );
    let caught = bad_for(&stage.fleet.counts("pilot-1")?, "1.2.0")
        .context("1.2.0 answered nothing badly")?;
    act.figures.push(format!(
        "from the first bad request to weight 0: {} s (at most {} s)",
        seconds(caught),
        CAUGHT_IN_MS / 1_000
    ));
    act.must(
        caught <= CAUGHT_IN_MS,
        format!("caught after {} s", seconds(caught)),
    );
    Ok(act)
}

/// 1.3.0 is good, and somebody aborts in the middle of the second wave.
pub(super) async fn aborted(stage: &Stage) -> anyhow::Result<Act> {
    headline(
        stage,
        "act 3: 1.3.0 is good, and everything is stopped in the middle of the second wave",
    );
    let before = stage.moment()?;
    stage
        .show(&[
            "start",
            "shop/checkout",
            "--to-version",
            "1.3.0",
            "--reason",
            "act 3",
        ])
        .await?
        .expect(0)?;
    stage
        .show(&[
            "watch",
            "shop/checkout",
            "--until",
            "wave=pilot",
            "--timeout",
            "60s",
        ])
        .await?
        .expect(0)?;
    let in_europe = async || {
        stage
            .fleet
            .cli
            .rollout("shop/checkout")
            .is_ok_and(|view| cluster_of(&view, "eu-1").observed > Some(0))
    };
    until("eu-1 serves some 1.3.0", Duration::from_secs(30), in_europe).await;
    let aborted = stage
        .show(&[
            "abort",
            "--fleet",
            "--reason",
            "the pager went off",
            "--wait",
            "--yes",
        ])
        .await?;
    let view = stage.fleet.cli.newest_abort()?;
    let slowest = view.clusters.iter().filter_map(|c| c.after_ms).max();
    let answered = view
        .clusters
        .iter()
        .filter(|c| c.receipt_at.is_some())
        .count();

    stage.note("a lift allows new orders and moves nothing");
    stage
        .show(&["lift", &view.id, "--reason", "false alarm", "--yes"])
        .await?
        .expect(0)?;
    let versions = versions(stage).await;
    tokio::time::sleep(Duration::from_secs(3)).await; // for something to move, if anything did
    let nothing_moved = versions == self::versions(stage).await;
    stage.note(
        "stopped is not fixed: pilot-1 is Done and serves 1.3.0 until somebody takes it back",
    );
    let fixed_before = versions.iter().all(|(_, version)| version == "1.1.0");
    let retreated = stage
        .show(&[
            "retreat",
            "shop/checkout",
            "--reason",
            "back to what we know",
            "--wait",
            "--timeout",
            "60s",
            "--yes",
        ])
        .await?;
    let all_back = serves_everywhere(stage, "1.1.0").await;
    let mut act = Act {
        title: "act 3",
        traffic: stage.moment()?.since(&before),
        figures: Vec::new(),
        missed: Vec::new(),
    };
    act.must(
        aborted.code == 0,
        format!("abort --wait ended with exit {}, not 0", aborted.code),
    );
    act.must(
        answered == stage.fleet.clusters.len(),
        format!("{answered} receipts"),
    );
    let slowest = slowest.context("no receipt has a time")?;
    act.figures.push(format!(
        "from abort to the last of {answered} receipts: {} s (at most {} s)",
        seconds(slowest),
        RECEIPTS_IN_MS / 1_000
    ));
    act.must(
        slowest <= RECEIPTS_IN_MS,
        format!("the last receipt came after {} s", seconds(slowest)),
    );
    let done: Vec<&str> = view.not_fixed.iter().map(|c| c.cluster.as_str()).collect();
    act.must(
        done == ["pilot-1"],
        format!("listed as not fixed: {}", done.join(", ")),
    );
    act.must(!fixed_before && nothing_moved, "lift moved traffic");
    act.must(
        retreated.code == 0,
        format!("retreat --wait ended with exit {}", retreated.code),
    );
    act.must(all_back, "not every cluster is back on 1.1.0");
    let untouched = OTHERS[1..]
        .iter()
        .all(|name| act.traffic.of_version(name, "1.3.0") == 0);
    act.must(untouched, "1.3.0 served outside Europe");
    let failed = act.traffic.failed;
    act.must(failed == 0, format!("users saw {failed} requests fail"));
    Ok(act)
}

/// Which version each cluster answers with.
async fn versions(stage: &Stage) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for (name, cluster) in &stage.fleet.clusters {
        found.push((
            name.clone(),
            cluster.version_served().await.unwrap_or_default(),
        ));
    }
    found
}

/// Waits a little until every cluster answers with `version` alone.
async fn serves_everywhere(stage: &Stage, version: &str) -> bool {
    for _ in 0..20 {
        let all = versions(stage)
            .await
            .iter()
            .all(|(_, served)| served == version);
        if all {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    false
}

fn seconds(millis: u64) -> String {
    format!("{}.{:02}", millis / 1_000, millis % 1_000 / 10)
}
