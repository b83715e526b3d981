//! `store`: durable changes a second through the group commit, beside one commit a change.

use std::{
    path::Path,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

use anyhow::ensure;
use flagship_hub::{
    audit::AuditEntry,
    records::ProjectRow,
    store::{Outcome, Store, Txn},
};
use futures::future::try_join_all;

use super::{
    figure::{Figure, Goal, Report},
    stage::fresh,
};

/// How the store is loaded.
#[derive(Debug, Clone, clap::Args)]
pub struct Load {
    /// Writers, each of which waits for its last change to be durable.
    #[arg(long, default_value_t = 256)]
    writers: usize,
    /// How long, in seconds.
    #[arg(long, default_value_t = 5)]
    seconds: u64,
}

/// Measures it.
///
/// # Errors
/// The store cannot be made or written.
pub async fn measure(folder: &Path, load: &Load) -> anyhow::Result<Report> {
    let folder = fresh(folder)?;
    let store = Store::init(&folder)?;
    let span = Duration::from_secs(load.seconds.max(1));
    let alone = changes(&store, 1, span).await?;
    let together = changes(&store, load.writers.max(1), span).await?;
    let mut report = Report::new(format!("store: {} writers", load.writers));
    report.add(
        Figure::new("store_changes", together, "/s")
            .beside(alone, "one commit, one fsync a change")
            .wants(Goal::AtLeast(5000.0)),
    );
    report.note(
        "a change is one row and its audit entry; it counts when it is acknowledged as durable"
            .to_owned(),
    );
    Ok(report)
}

/// Acknowledged changes a second.
async fn changes(store: &Store, writers: usize, span: Duration) -> anyhow::Result<f64> {
    let done = AtomicU64::new(0);
    let began = Instant::now();
    let writers = (0..writers).map(|writer| {
        let done = &done;
        async move {
            while began.elapsed() < span {
                write(store, writer).await?;
                done.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        }
    });
    try_join_all(writers).await?;
    #[expect(clippy::cast_precision_loss, reason = "a count of changes")]
    let done = done.load(Ordering::Relaxed) as f64;
    Ok(done / began.elapsed().as_secs_f64())
}

async fn write(store: &Store, writer: usize) -> anyhow::Result<()> {
    let now = jiff::Timestamp::now();
    let row = ProjectRow {
        project: format!("p{writer:04}").parse()?,
        created: now,
        created_by: "bench".to_owned(),
    };
    let object = format!("project {}", row.project);
    let entry = AuditEntry::new(now, "bench", "project.create", &object, "measured");
    let outcome = store.txn(Txn::new().put(&row).audit(entry)).await?;
    ensure!(
        matches!(outcome, Outcome::Committed { .. }),
        "nothing stood in the way of {object}"
    );
    Ok(())
}
