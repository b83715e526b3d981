//! The quickstart: five clusters under load, three releases, and a table counted at the backends.

mod acts;
mod stage;
mod table;
mod traffic;

use std::path::PathBuf;

use anyhow::ensure;

use crate::fleet::Members;
use stage::Stage;

/// What the quickstart is told.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "flagship-quickstart",
    about = "Plays three releases over a fleet of real processes"
)]
pub struct Args {
    /// The folder for data and logs; empty.
    #[arg(long)]
    folder: PathBuf,
    /// Leave everything running at the end.
    #[arg(long)]
    keep: bool,
    /// Show the figures alone.
    #[arg(long)]
    figures: bool,
}

/// The clusters.
const CLUSTERS: &[&str] = &[
    "pilot-1 region=eu tier=pilot",
    "eu-1 region=eu",
    "us-1 region=us",
    "us-2 region=us",
    "ap-1 region=ap",
];
/// The bad version: a tenth of its requests fails.
const WHEN: &str = "1.2.0:errors=0.1";

/// Plays it.
///
/// # Errors
/// Something cannot be started, or an act did not end as it must; the message says what.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let folder = std::path::absolute(&args.folder)?;
    let mut stage = Stage::set(&folder, &Members::of(CLUSTERS, WHEN), args.figures).await?;
    let acts = [
        acts::good(&stage).await?,
        acts::bad(&stage).await?,
        acts::aborted(&stage).await?,
    ];
    let ends = stage.close(args.keep).await?;
    if !args.figures {
        table::requests(&acts);
    }
    table::figures(&acts, &ends);
    let missed: Vec<&str> = acts
        .iter()
        .flat_map(|act| &act.missed)
        .chain(&ends.missed)
        .map(String::as_str)
        .collect();
    if args.keep {
        stage.keep(&folder)?;
    }
    ensure!(missed.is_empty(), "\n  {}", missed.join("\n  "));
    println!("\nall three acts ended as they must");
    Ok(())
}
