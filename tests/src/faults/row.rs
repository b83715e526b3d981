//! One row: release, break, mend, and see that all came to what it must. What is asserted is exact; only
//! the waiting is generous.

use std::time::{Duration, Instant};

use anyhow::{Context, bail, ensure};
use flagship_hub::api::types::{AbortOutcome, AbortView};
use jiff::Timestamp;
use tokio::time;

use super::{
    blow::Blow,
    rows::CONVERGED,
    rules,
    stage::{CLUSTERS, Stage},
    table::{Excused, Fault, Phase, Row, Stored, Who},
};
use crate::{
    fleet::cluster_of,
    load::{Failure, unix_millis},
};

/// How long a release may take to come to the phase in which it is broken.
const PHASE: Duration = Duration::from_secs(90);

/// The exit code of an abort that went out and is not stored.
const NOT_STORED: i32 = 12;

/// What a row that passed tells.
#[derive(Debug, Default)]
pub(super) struct Played {
    pub(super) ended: String,
    pub(super) failed: Vec<Failure>,
    pub(super) in_flight: u64,
    pub(super) converged: Duration,
}

/// What has happened so far, for the checks.
#[derive(Debug)]
pub(super) struct Story {
    pub(super) rollout: String,
    pub(super) version: String,
    pub(super) abort: Option<AbortView>,
    pub(super) struck: u64,
    /// When the certificate of the struck cluster was to end.
    pub(super) certificate: Option<Timestamp>,
    pub(super) mended: u64,
    /// Acknowledged acts: the audit log's word, and the object.
    pub(super) acts: Vec<(&'static str, String)>,
}

/// Plays a row in one phase on a fleet that is whole.
///
/// # Errors
/// Something was not as it must be; the message says what.
pub(super) async fn play(stage: &mut Stage, row: &Row, phase: Phase) -> anyhow::Result<Played> {
    let names = names();
    whole(stage, Duration::from_secs(60))
        .await
        .context("the fleet is not whole before the fault")?;
    stage.watch.begin(&names).await?;
    let already = stage.load.failures().len();
    stage.keep_yesterday(row.fault, phase.place()).await?;
    let version = stage.next_version();
    let rollout = stage.fleet.cli.start(&version)?;
    let id = rollout.rsplit('/').next().unwrap_or_default().to_owned();
    let mut story = Story {
        rollout,
        version,
        abort: None,
        struck: 0,
        certificate: None,
        mended: 0,
        acts: vec![("rollout.start", id)],
    };
    reach(stage, &story, phase).await?;
    let blow = strike(stage, row, phase, &mut story).await?;
    story.struck = blow.at;
    story.certificate = blow.certificate;
    time::sleep(Duration::from_secs(row.lasting)).await;
    rules::while_it_lasts(stage, row, phase, &story)?;
    blow.end(stage).await?;
    story.mended = unix_millis();
    let over = Instant::now();
    let ended = match phase {
        Phase::Abort => stopped(stage, &mut story).await?,
        Phase::Before | Phase::Canary | Phase::Promotion | Phase::Soaking | Phase::Second => {
            ended(stage, row, &story).await?
        }
    };
    let served = if ended == "Succeeded" {
        story.version.clone()
    } else {
        stage.base.clone()
    };
    converge(stage, &served, over).await?;
    let converged = over.elapsed();
    rules::at_the_end(stage, row, phase, &story, &ended)?;
    let failed: Vec<Failure> = stage.load.failures().split_off(already);
    let in_flight = excuse(row, phase, &story, &failed)?;
    stage.base = served;
    Ok(Played {
        ended,
        failed,
        in_flight,
        converged,
    })
}

/// The clusters' names.
pub(super) fn names() -> Vec<&'static str> {
    let first = |line: &&'static str| line.split(' ').next().unwrap_or_default();
    CLUSTERS.iter().map(first).collect()
}

/// Waits until the release is where it is to be broken.
async fn reach(stage: &Stage, story: &Story, phase: Phase) -> anyhow::Result<()> {
    let place = phase.place();
    let there = async || -> anyhow::Result<bool> {
        let view = stage.fleet.cli.rollout(&story.rollout)?;
        let has_begun = view.clusters.iter().any(|cluster| cluster.cluster == place);
        ensure!(has_begun, "{} has not begun: {:?}", story.rollout, view.why);
        let cluster = cluster_of(&view, place);
        ensure!(
            !view.ended,
            "the release ended before it was broken: {} ({:?})",
            view.state,
            view.why
        );
        Ok(match phase {
            Phase::Before => true,
            Phase::Canary | Phase::Second | Phase::Abort => cluster.observed >= Some(10),
            Phase::Promotion => cluster.phase.as_deref() == Some("Promoting"),
            Phase::Soaking => view.stage.as_deref() == Some("Soaking"),
        })
    };
    within(&format!("{place} is at: {phase}"), PHASE, there).await
}

/// Strikes the fault, and orders the abort that it is to meet: after the blow, but before a blow to the
/// hub, which must not lose what it acknowledged.
async fn strike(
    stage: &mut Stage,
    row: &Row,
    phase: Phase,
    story: &mut Story,
) -> anyhow::Result<Blow> {
    if phase != Phase::Abort {
        return Blow::strike(stage, row.fault, phase.place()).await;
    }
    if matches!(row.fault, Fault::Kill(Who::Hub) | Fault::Stop(Who::Hub)) {
        abort(stage, row, story)?;
        return Blow::strike(stage, row.fault, phase.place()).await;
    }
    let blow = Blow::strike(stage, row.fault, phase.place()).await?;
    abort(stage, row, story)?;
    Ok(blow)
}

/// Aborts the fleet. Where it cannot be stored it goes out all the same and says so, with exit code 12.
fn abort(stage: &Stage, row: &Row, story: &mut Story) -> anyhow::Result<()> {
    let reason = format!("fault in {}", story.rollout);
    let mut words = vec![
        "abort", "--fleet", "--reason", &reason, "--yes", "-o", "json",
    ];
    if row.abort != Stored::Yes {
        words.extend(["--wait", "--timeout", "5s"]);
    }
    let answer = stage.fleet.cli.run(&words)?;
    let view: AbortView = serde_json::from_str(&answer.out).with_context(|| answer.to_string())?;
    let expected: &[(i32, bool)] = match row.abort {
        Stored::Yes | Stored::AndAnswered => &[(0, true)],
        Stored::No => &[(NOT_STORED, false)],
        Stored::Perhaps => &[(0, true), (NOT_STORED, false)],
    };
    ensure!(
        expected.contains(&(answer.code, view.durable)),
        "abort, which must end (code, stored) as one of {expected:?}: {answer}"
    );
    story.acts.push(("abort.create", view.id.clone()));
    story.abort = Some(view);
    Ok(())
}

/// After the fault: every cluster proves that it stopped; then the abort is lifted and all is taken back.
async fn stopped(stage: &Stage, story: &mut Story) -> anyhow::Result<String> {
    let cli = &stage.fleet.cli;
    let id = story
        .abort
        .as_ref()
        .context("nothing was aborted")?
        .id
        .clone();
    let all = async || -> anyhow::Result<bool> {
        let view: AbortView = cli.json(&["get", "abort", &id])?;
        ensure!(
            view.standing && view.durable,
            "abort {id} does not stand any more"
        );
        Ok(view.outcome == AbortOutcome::Stopped)
    };
    within(
        "every cluster proved that it stopped",
        Duration::from_secs(CONVERGED),
        all,
    )
    .await?;
    // The watcher looks by its own clock: what it saw before the proof says nothing about the proof.
    let proved = unix_millis();
    let looked = async || -> anyhow::Result<bool> {
        let seen = |cluster: &&str| stage.watch.looks(cluster, proved, unix_millis()) > 0;
        Ok(names().iter().all(seen))
    };
    let soon = Duration::from_secs(5);
    within("every proxy was looked at after the proof", soon, looked).await?;
    for cluster in names() {
        let weight = stage.watch.last(cluster).unwrap_or_default();
        // A cluster that had finished stays as it is: stopped is not fixed.
        ensure!(
            weight == 0 || weight == 100,
            "{cluster} is stopped and has {weight}% on the change"
        );
    }
    rules::after_the_receipts(stage, unix_millis()).await?;
    cli.ok(&["lift", &id, "--reason", "mended", "--yes"])?;
    story.acts.push(("abort.lift", id));
    if cli.rollout(&story.rollout)?.state == "RolledBack" {
        return Ok("RolledBack".to_owned());
    }
    let wait = format!("{CONVERGED}s");
    cli.ok(&[
        "retreat",
        &story.rollout,
        "--reason",
        "mended",
        "--wait",
        "--timeout",
        &wait,
        "--yes",
    ])?;
    Ok("RolledBack".to_owned())
}

/// After the fault: the release goes on to an end that the row names.
async fn ended(stage: &Stage, row: &Row, story: &Story) -> anyhow::Result<String> {
    let end =
        async || -> anyhow::Result<bool> { Ok(stage.fleet.cli.rollout(&story.rollout)?.ended) };
    let waited = within("the release ended", Duration::from_secs(CONVERGED), end).await;
    let view = stage.fleet.cli.rollout(&story.rollout)?;
    waited.with_context(|| format!("{} {:?} {:?}", view.state, view.why, view.clusters))?;
    if !row.ends.contains(&view.state.as_str()) {
        bail!(
            "the release ended {}, not {}: {:?} {:?}",
            view.state,
            row.ends.join(" or "),
            view.why,
            view.clusters
        );
    }
    Ok(view.state)
}

/// Waits until every cluster is connected, serves `version` alone, and has no process too many or few.
async fn converge(stage: &Stage, version: &str, over: Instant) -> anyhow::Result<()> {
    let left = Duration::from_secs(CONVERGED).saturating_sub(over.elapsed());
    whole(stage, left).await?;
    for cluster in names() {
        let settled = async || -> anyhow::Result<bool> {
            let processes = stage.processes(cluster)?;
            let of_version = processes
                .iter()
                .filter(|words| words.contains(&format!("--version {version} ")));
            Ok(of_version.count() == 2
                && processes.len() == 2
                && stage.serves(cluster, version).await)
        };
        let left = Duration::from_secs(CONVERGED).saturating_sub(over.elapsed());
        let waited = within(
            &format!("{cluster} serves {version} alone, by two processes"),
            left,
            settled,
        )
        .await;
        waited.with_context(|| format!("processes: {:?}", stage.processes(cluster)))?;
    }
    Ok(())
}

/// Waits until every cluster is connected.
async fn whole(stage: &Stage, deadline: Duration) -> anyhow::Result<()> {
    let connected = async || -> anyhow::Result<bool> {
        let clusters = stage.fleet.cli.clusters()?;
        let mut members = clusters.iter().filter(|cluster| cluster.state != "Removed");
        Ok(members.all(|cluster| cluster.connected && cluster.state == "Active"))
    };
    within("every cluster is connected", deadline, connected).await
}

/// How many of the failed requests were under way at the blow. Each must be one that the row excuses.
fn excuse(row: &Row, phase: Phase, story: &Story, failed: &[Failure]) -> anyhow::Result<u64> {
    for failure in failed {
        let excused = match row.excused {
            Excused::None => false,
            Excused::Struck(until) => {
                let last = story.struck + u64::try_from(until.as_millis()).unwrap_or(u64::MAX);
                failure.target == phase.place()
                    && failure.ended >= story.struck
                    && failure.began <= last
            }
        };
        let after = i128::from(failure.began) - i128::from(story.struck);
        ensure!(
            excused && failure.version.is_none(),
            "{} requests failed; this one is not excused: {failure:?}, sent {after} ms after the blow, {} ms before its end",
            failed.len(),
            i128::from(story.mended) - i128::from(failure.began),
        );
    }
    Ok(failed
        .iter()
        .filter(|failure| failure.began <= story.struck)
        .count() as u64)
}

/// Waits until `holds`, looking every 100 ms; an error of a look counts as "not yet", and is told if
/// nothing better comes.
pub(super) async fn within(
    what: &str,
    deadline: Duration,
    holds: impl AsyncFn() -> anyhow::Result<bool>,
) -> anyhow::Result<()> {
    let began = Instant::now();
    loop {
        let looked = holds().await;
        if matches!(looked, Ok(true)) {
            return Ok(());
        }
        if began.elapsed() >= deadline {
            let words = format!("not in {} s: {what}", deadline.as_secs());
            return match looked {
                Ok(_) => bail!("{words}"),
                Err(error) => Err(error.context(words)),
            };
        }
        time::sleep(Duration::from_millis(100)).await;
    }
}
