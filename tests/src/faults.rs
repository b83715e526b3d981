//! Faults on real processes: one hub, three clusters with real Envoys under load, and a table of what is
//! broken when. After each fault nothing that was acknowledged is lost, no rule is broken, users saw no
//! failure but those that the row excuses, and all is as it must be within a stated time.

mod blow;
mod disk;
mod given;
mod inside;
mod machine;
mod outcome;
mod row;
mod rows;
mod rules;
mod stage;
mod table;
mod watch;
mod yesterday;

use std::{panic::AssertUnwindSafe, path::PathBuf};

use anyhow::ensure;
use futures::FutureExt as _;

use outcome::{Outcome, State};
use row::Played;
use rows::ROWS;
use stage::Stage;
use table::{Phase, Row};

/// What the runner is told.
#[derive(Debug, Clone, clap::Parser)]
#[command(
    name = "flagship-faults",
    about = "Breaks the processes of a fleet, one fault at a time"
)]
pub struct Args {
    /// The folder for data and logs; emptied for each fleet.
    #[arg(long)]
    folder: PathBuf,
    /// A few minutes' worth.
    #[arg(long)]
    short: bool,
    /// Only rows whose `fault, phase` contains this.
    #[arg(long, value_name = "NAME")]
    only: Option<String>,
    /// One JSON object a row instead of a table.
    #[arg(long)]
    json: bool,
    /// Name the rows, and play none.
    #[arg(long)]
    list: bool,
}

/// A row in one of its phases.
struct Case {
    row: &'static Row,
    phase: Phase,
}

impl Case {
    fn name(&self) -> String {
        format!("{}, {}", self.row.what, self.phase)
    }
}

/// Plays the table.
///
/// # Errors
/// A row was not as it must be.
pub async fn run(args: Args) -> anyhow::Result<()> {
    let folder = std::path::absolute(&args.folder)?;
    let cases = cases(&args);
    ensure!(!cases.is_empty(), "no row has that name; --list names them");
    if args.list {
        cases.iter().for_each(|case| println!("{}", case.name()));
        return Ok(());
    }
    if !args.json {
        println!("{}", outcome::head());
    }
    let (mut stage, mut failed, mut played) = (None, 0, 0);
    for case in &cases {
        let outcome = play(&mut stage, &folder, case).await;
        failed += u32::from(outcome.state == State::Failed);
        played += u32::from(outcome.state != State::Skipped);
        if args.json {
            println!("{}", serde_json::to_string(&outcome)?);
        } else {
            println!("{}", outcome.line());
        }
    }
    drop(stage);
    ensure!(played > 0, "no row could be played on this machine");
    ensure!(failed == 0, "{failed} of {} rows failed", cases.len());
    Ok(())
}

fn cases(args: &Args) -> Vec<Case> {
    let all = ROWS.iter().flat_map(|row| {
        let phases = if args.short { row.short } else { row.phases };
        phases.iter().map(move |phase| Case { row, phase: *phase })
    });
    let named = |case: &Case| {
        args.only
            .as_ref()
            .is_none_or(|only| case.name().contains(only))
    };
    all.filter(named).collect()
}

/// Plays one row, on the fleet that is there if it is of the right make; one on which a row failed is not
/// used again.
async fn play(stage: &mut Option<Stage>, folder: &std::path::Path, case: &Case) -> Outcome {
    let Case { row, phase } = case;
    let mut outcome = Outcome {
        fault: row.what.to_owned(),
        phase: phase.to_string(),
        state: State::Skipped,
        outcome: String::new(),
        failed: 0,
        in_flight: 0,
        excused: row.excused.why(),
        converged_ms: None,
    };
    if let Some(need) = row.setup.needs().iter().find(|need| !need.is_met()) {
        outcome.outcome = format!("this machine has no {need}");
        return outcome;
    }
    let played = AssertUnwindSafe(on(stage, folder, case))
        .catch_unwind()
        .await;
    let played = played.unwrap_or_else(|panic| {
        let words = panic.downcast_ref::<String>().map(String::as_str);
        let words = words.or_else(|| panic.downcast_ref::<&str>().copied());
        Err(anyhow::anyhow!(
            "{}",
            words.unwrap_or("a panic without words")
        ))
    });
    match played {
        Ok(Played {
            ended,
            failed,
            in_flight,
            converged,
        }) => {
            outcome.state = State::Passed;
            outcome.outcome = ended;
            outcome.failed = failed.len() as u64;
            outcome.in_flight = in_flight;
            outcome.converged_ms = u64::try_from(converged.as_millis()).ok();
        }
        Err(error) => {
            outcome.state = State::Failed;
            outcome.outcome = format!("{error:#}");
            // Its processes end before anything is looked at; what they wrote stays until the next fleet.
            drop(stage.take());
            let kept = folder.with_extension(format!("{}-{phase}", row.what).replace(' ', "-"));
            let _none_yet = std::fs::remove_dir_all(&kept);
            if std::fs::rename(folder, &kept).is_ok() {
                outcome.outcome = format!("{}; see {}", outcome.outcome, kept.display());
            }
        }
    }
    outcome
}

async fn on(
    stage: &mut Option<Stage>,
    folder: &std::path::Path,
    case: &Case,
) -> anyhow::Result<Played> {
    let fits = stage
        .as_ref()
        .is_some_and(|stage| stage.setup == case.row.setup);
    if !fits {
        drop(stage.take());
        *stage = Some(Stage::set(folder, case.row.setup).await?);
    }
    let stage = stage.as_mut().expect("it was set");
    row::play(stage, case.row, case.phase).await
}
