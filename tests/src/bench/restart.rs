//! `restart`: the hub is killed and started again under its agents, which hold orders.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use super::{
    Fleet,
    figure::{Figure, Goal, Report},
    rollout,
    stage::Stage,
};

/// Measures it.
///
/// # Errors
/// Something cannot be started, or the agents do not come back.
pub async fn measure(folder: &Path, fleet: &Fleet, rounds: u32) -> anyhow::Result<Report> {
    let mut stage = Stage::set(folder, fleet.agents).await?;
    let mut agents = stage.agents(1).await?;
    rollout::release(&stage, &[0], "1.1.0").await?;
    let before = stage.consistent(&mut agents).await?;
    let mut seconds = f64::INFINITY;
    for _ in 0..rounds {
        stage.hub.kill();
        let killed = Instant::now();
        stage.hub.serve().await?;
        stage.consistent(&mut agents).await?;
        seconds = seconds.min(killed.elapsed().as_secs_f64());
        // Orders would come after the grants: they would have been seen by now.
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    let after = stage.consistent(&mut agents).await?;
    drop(agents);
    stage.hub.kill();
    let bare = stage.bare(1).await?;

    let mut report = Report::new(format!("restart: the hub under {} agents", stage.count));
    report.add(
        Figure::new("hub_restart_consistent", seconds, "s")
            .beside(bare.open, "as many bare streams opened")
            .wants(Goal::AtMost(15.0)),
    );
    #[expect(clippy::cast_precision_loss, reason = "a count of orders")]
    let again = (after.orders - before.orders) as f64;
    report.add(Figure::new("orders_sent_twice", again, "").wants(Goal::AtMost(0.0)));
    report.note(format!(
        "from kill -9 until every agent has a session and a live lease of the new hub, the best of {rounds}; {} orders were taken before",
        before.orders
    ));
    Ok(report)
}
