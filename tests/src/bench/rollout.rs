//! `rollout`: 3 waves over 100 clusters whose canaries pass at once; then 100 such rollouts together.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use anyhow::ensure;
use flagship_hub::api::types::{List, RolloutView, StartRequest, StatusView};
use futures::{StreamExt as _, TryStreamExt as _, stream};

use super::{
    agents::workload,
    figure::{Figure, Goal, Report},
    stage::{SETTLE, Stage},
};

const CLUSTERS: usize = 100;
const WORKLOADS: usize = 100;
/// Requests of people at a time.
const TOGETHER: usize = 16;

/// Measures it.
///
/// # Errors
/// Something cannot be started, or a rollout does not succeed.
pub async fn measure(folder: &Path, rounds: u32) -> anyhow::Result<Report> {
    let mut stage = Stage::set(folder, CLUSTERS).await?;
    let agents = stage.agents(WORKLOADS).await?;
    let mut one = Released::slowest();
    let mut all = Released::slowest();
    let every: Vec<usize> = (0..WORKLOADS).collect();
    for round in 0..rounds {
        one = one.best(release(&stage, &[0], &format!("1.{round}.1")).await?);
        all = all.best(release(&stage, &every, &format!("1.{round}.2")).await?);
    }
    drop(agents);
    stage.hub.kill();
    let bare = stage.bare(rounds).await?.echo / 1000.0;

    let mut report = Report::new("rollout: 3 waves over 100 clusters".to_owned());
    let waves = "a bare echo to the same clusters, a wave";
    report.add(
        Figure::new("rollout_100_clusters", one.seconds, "s")
            .beside(bare * 3.0, waves)
            .wants(Goal::AtMost(3.0)),
    );
    report.add(
        Figure::new("rollouts_100_together", all.seconds, "s")
            .beside(bare * 300.0, "the same, a hundred times")
            .wants(Goal::AtMost(10.0)),
    );
    report.add(Figure::new("transactions_per_cluster", one.commits, ""));
    report.add(Figure::new("transactions_together", all.commits, ""));
    report.note(format!(
        "from the first request to start until the last rollout has succeeded; the best of {rounds}"
    ));
    Ok(report)
}

/// How a release went.
#[derive(Debug, Clone, Copy)]
pub struct Released {
    seconds: f64,
    /// Transactions by workload and cluster.
    commits: f64,
}

impl Released {
    fn slowest() -> Self {
        Self {
            seconds: f64::INFINITY,
            commits: f64::INFINITY,
        }
    }

    fn best(self, other: Self) -> Self {
        if other.seconds < self.seconds {
            other
        } else {
            self
        }
    }
}

/// Releases a version of some workloads everywhere, and waits until all of it has succeeded.
///
/// # Errors
/// The hub refuses, or a rollout does not succeed.
pub async fn release(
    stage: &Stage,
    workloads: &[usize],
    version: &str,
) -> anyhow::Result<Released> {
    let api = stage.api()?;
    let (api, version) = (&api, &version);
    stream::iter(workloads)
        .map(|number| async move { api.apply(plan(*number)).await })
        .buffer_unordered(TOGETHER)
        .try_collect::<()>()
        .await?;
    let mut good = api.follow("lastgood").await?;
    let before: StatusView = api.get("/api/v1/status").await?;
    let began = (Instant::now(), jiff::Timestamp::now());
    stream::iter(workloads)
        .map(|number| async move {
            let request = StartRequest {
                to_version: Some((*version).to_owned()),
                ..StartRequest::default()
            };
            let path = format!("/api/v1/projects/shop/plans/w{number:03}/start");
            let _view: RolloutView = api.post(&path, &request).await?;
            anyhow::Ok(())
        })
        .buffer_unordered(TOGETHER)
        .try_collect::<()>()
        .await?;
    let quiet = Duration::from_millis(300);
    let last = good.settled(workloads.len(), quiet, SETTLE).await?;
    let after: StatusView = api.get("/api/v1/status").await?;
    let rollouts: List<RolloutView> = api.get("/api/v1/rollouts?all=true&limit=10000").await?;
    let succeeded = rollouts
        .items
        .iter()
        .filter(|view| view.change == **version && view.state == "Succeeded");
    let succeeded = succeeded.count();
    ensure!(
        succeeded == workloads.len(),
        "{succeeded} of {} rollouts have succeeded",
        workloads.len()
    );
    #[expect(clippy::cast_precision_loss, reason = "counts of transactions")]
    let commits = (after.seq - before.seq) as f64 / (workloads.len() * stage.count) as f64;
    Ok(Released {
        seconds: last.duration_since(began.1).as_secs_f64(),
        commits,
    })
}

fn plan(number: usize) -> String {
    let workload = workload(number);
    let name = workload.name();
    format!(
        "apiVersion: flagship.dev/v1
kind: Plan
metadata: {{project: shop, name: {name}}}
spec:
  workload: {{namespace: shop, kind: Deployment, name: {name}}}
  change: {{version: {{}}}}
  canary:
    analysis:
      interval: 1s
      threshold: 1
      stepWeights: [50]
      metrics: [{{name: request-success-rate, thresholdRange: {{min: 99}}, interval: 1s}}]
  waves:
    - {{name: first, clusters: {{matchLabels: {{wave: first}}}}, maxConcurrent: 100%}}
    - {{name: second, clusters: {{matchLabels: {{wave: second}}}}, maxConcurrent: 100%}}
    - {{name: third, clusters: {{}}, maxConcurrent: 100%}}
"
    )
}
