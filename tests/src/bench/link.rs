//! `link`: what an agent costs the hub, and how fast an abort reaches all of them.

use std::{path::Path, time::Duration};

use flagship_hub::api::types::{AbortRequest, AbortView, LiftRequest, List, ReceiptView};
use flagship_proto::model::{AbortMode, Scope};

use super::{
    Fleet,
    child::Child,
    client::Api,
    figure::{Figure, Goal, Report},
    machine,
    stage::{SETTLE, Stage},
};

/// After the last receipt nothing more may come for so long.
const QUIET: Duration = Duration::from_millis(300);

/// Measures it.
///
/// # Errors
/// Something cannot be started, or an abort is not answered.
pub async fn measure(folder: &Path, fleet: &Fleet, rounds: u32) -> anyhow::Result<Report> {
    let mut stage = Stage::set(folder, fleet.agents).await?;
    let mut agents = stage.agents(1).await?;
    let hub = stage.hub.pid()?;
    // What the first sessions wrote has settled, and every lease was renewed at least once.
    tokio::time::sleep(Duration::from_secs(fleet.idle.min(20))).await;
    let (cpu, own) = (
        machine::cpu_seconds(hub)?,
        machine::cpu_seconds(agents.pid())?,
    );
    let idle = Duration::from_secs(fleet.idle.max(1));
    tokio::time::sleep(idle).await;
    let share = |now: f64, then: f64| (now - then) / idle.as_secs_f64() * 100.0;
    let cpu = share(machine::cpu_seconds(hub)?, cpu);
    let own = share(machine::cpu_seconds(agents.pid())?, own);
    let full_kib = machine::rss_kib(hub)?;
    let api = stage.api()?;
    let mut last_receipt = f64::INFINITY;
    let mut answered = f64::INFINITY;
    for _ in 0..rounds {
        let round = abort(&api, &stage, &mut agents).await?;
        last_receipt = last_receipt.min(round.last_receipt);
        answered = answered.min(round.answered);
    }
    let after_kib = machine::rss_kib(hub)?;
    drop(agents);
    stage.hub.kill();
    let bare = stage.bare(rounds).await?;

    #[expect(clippy::cast_precision_loss, reason = "a count of agents")]
    let count = stage.count as f64;
    let mut report = Report::new(format!("link: {count} agents on one hub"));
    report.add(
        Figure::new(
            "memory_per_agent",
            (full_kib - stage.empty_kib) / count,
            "KiB",
        )
        .beside(bare.kib, "a bare tonic stream")
        .wants(Goal::AtMost(64.0)),
    );
    report.add(Figure::new("idle_cpu", cpu, "%").wants(Goal::AtMost(10.0)));
    report.add(
        Figure::new("abort_to_last_receipt", last_receipt, "ms")
            .beside(bare.echo, "a bare tonic echo to the same streams")
            .wants(Goal::Times(3.0)),
    );
    report.add(Figure::new("abort_answered", answered, "ms"));
    report.add(
        Figure::new("echo_with_signatures", bare.signed, "ms")
            .beside(bare.echo, "the echo without them"),
    );
    report.note(format!(
        "the hub: {:.1} MiB with an empty fleet, {:.1} MiB with all agents idle, {:.1} MiB after the aborts",
        stage.empty_kib / 1024.0,
        full_kib / 1024.0,
        after_kib / 1024.0
    ));
    report.note(format!(
        "all agents together had {own:.1} % of a core while idle; moments are the best of {rounds}"
    ));
    Ok(report)
}

/// One abort of the fleet, in milliseconds from when it was decided.
struct Round {
    /// To the last receipt in the store.
    last_receipt: f64,
    /// To the API's answer.
    answered: f64,
}

async fn abort(api: &Api, stage: &Stage, agents: &mut Child) -> anyhow::Result<Round> {
    let mut receipts = api.follow("receipt").await?;
    let request = AbortRequest {
        scope: Scope::Fleet,
        mode: AbortMode::Return,
    };
    let view: AbortView = api.post("/api/v1/aborts", &request).await?;
    let answered = jiff::Timestamp::now();
    let path = format!("/api/v1/aborts/{}", view.id);
    // An agent may answer twice: first that it stopped, then that it also keeps the abort.
    let last = loop {
        let last = receipts.settled(stage.count, QUIET, SETTLE).await?;
        let all: List<ReceiptView> = api.get(&format!("{path}/receipts?limit=10000")).await?;
        if all.items.iter().filter(|receipt| receipt.last).count() == stage.count {
            break last;
        }
    };
    let _lifted: AbortView = api
        .post(&format!("{path}/lift"), &LiftRequest { except: Vec::new() })
        .await?;
    stage.consistent(agents).await?;
    let since = |moment: jiff::Timestamp| moment.duration_since(view.at).as_secs_f64() * 1000.0;
    Ok(Round {
        last_receipt: since(last),
        answered: since(answered),
    })
}
