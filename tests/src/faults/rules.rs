//! The rules of the design, held against what was seen at the proxies and at the backends.

use std::time::Duration;

use anyhow::ensure;
use tokio::time;

use super::{
    blow,
    row::{Story, names},
    stage::{PILOT, REST, SOAK_MS, Stage},
    table::{Fault, Phase, Row, Side, Who},
};
use crate::load::unix_millis;

/// After the plan's lease L, D and the drift nothing advances any more (P5): 3 s + 5 s + 1%.
const BOUND_MS: u64 = 8_030;
/// What was under way to a proxy when its agent died has arrived.
const UNDER_WAY_MS: u64 = 1_000;

/// While the fault lasts: who is cut off from the hub does not advance after the bound (rule 3, P5), and
/// who has no agent does not advance at all.
pub(super) fn while_it_lasts(
    stage: &Stage,
    row: &Row,
    phase: Phase,
    story: &Story,
) -> anyhow::Result<()> {
    let now = unix_millis();
    if phase == Phase::Abort
        && matches!(
            row.fault,
            Fault::DiskFull(_) | Fault::DiskSpent | Fault::DiskBroken(_)
        )
    {
        // What stops a fleet does not depend on a disk, of the hub or of an agent.
        for cluster in names() {
            let weight = stage.watch.last(cluster);
            ensure!(
                weight == Some(0) || weight == Some(100),
                "{cluster} was aborted and has {weight:?} on the change"
            );
        }
    }
    if row.fault == Fault::CertificateRevoked {
        let clusters = stage.fleet.cli.clusters()?;
        let connected = clusters
            .iter()
            .any(|c| c.name == phase.place() && c.connected);
        ensure!(!connected, "{} was removed and is connected", phase.place());
    }
    if row.fault == Fault::OldData(Side::Hub) {
        let alarm = stage.fleet.hub.log().contains("hub is behind");
        ensure!(
            alarm,
            "the hub does not say that its store is an old one (P22)"
        );
    }
    if let Some(parted) = row.fault.parts(phase.place()) {
        let from = story.struck + BOUND_MS;
        for cluster in parted {
            still(
                stage,
                cluster,
                from,
                now,
                "it was cut off and the bound had passed",
            )?;
            if now > from + 2_000 && !matches!(row.fault, Fault::Stop(Who::Envoy)) {
                ensure!(
                    stage.watch.looks(cluster, from, now) > 2,
                    "{cluster} was not looked at"
                );
            }
        }
    }
    if matches!(row.fault, Fault::Kill(Who::Agent) | Fault::Stop(Who::Agent)) {
        let from = story.struck + UNDER_WAY_MS;
        still(stage, phase.place(), from, now, "it had no agent")?;
    }
    if matches!(
        row.fault,
        Fault::DiskFull(Side::Agent) | Fault::DiskBroken(Side::Agent)
    ) {
        let from = story.struck + UNDER_WAY_MS;
        still(
            stage,
            phase.place(),
            from,
            now,
            "nothing could be kept (P13)",
        )?;
    }
    Ok(())
}

/// After every receipt is in, nothing grows: looked at for a second.
pub(super) async fn after_the_receipts(stage: &Stage, since: u64) -> anyhow::Result<()> {
    time::sleep(Duration::from_secs(1)).await;
    for cluster in names() {
        still(
            stage,
            cluster,
            since,
            unix_millis(),
            "the abort's receipts were in",
        )?;
    }
    Ok(())
}

/// At the end: the order of the waves (rule 1), the abort's bound (rule 3), success as it was seen
/// (rule 9), and that nothing acknowledged was lost.
pub(super) fn at_the_end(
    stage: &Stage,
    row: &Row,
    phase: Phase,
    story: &Story,
    ended: &str,
) -> anyhow::Result<()> {
    for cluster in REST {
        let Some(first) = stage.watch.first(cluster, 1) else {
            continue;
        };
        let full = stage.watch.first(PILOT, 100);
        let soaked = full.is_some_and(|full| first >= full + SOAK_MS - 500);
        ensure!(
            soaked,
            "{cluster} began at {first}, {PILOT} had all traffic at {full:?} and soaks for {SOAK_MS} ms (rule 1)"
        );
    }
    if let Some(abort) = &story.abort {
        let bound = u64::try_from(abort.bound_at.as_millisecond()).unwrap_or_default();
        for cluster in names() {
            still(
                stage,
                cluster,
                bound,
                unix_millis(),
                "the abort's bound had passed",
            )?;
        }
    }
    if ended == "Succeeded" {
        for cluster in names() {
            let weight = stage.watch.last(cluster);
            ensure!(
                weight == Some(100),
                "{cluster} is Done at {weight:?} (rule 9)"
            );
        }
        let view = stage.fleet.cli.rollout(&story.rollout)?;
        let is_done = |state: &str| match state {
            "Done" => true,
            "Left" => row.fault == Fault::CertificateRevoked,
            _ => false,
        };
        ensure!(
            view.clusters.iter().all(|cluster| is_done(&cluster.state)),
            "not every cluster is Done (rule 9): {:?}",
            view.clusters
        );
    }
    let mut acts = story.acts.clone();
    match row.fault {
        Fault::CertificateRenewed => acts.push(("cluster.renew", phase.place().to_owned())),
        Fault::CertificateExpired => acts.push(("cluster.reenrol", phase.place().to_owned())),
        Fault::CertificateRevoked => acts.push(("cluster.remove", phase.place().to_owned())),
        Fault::Kill(_)
        | Fault::Stop(_)
        | Fault::Cut
        | Fault::OneWay(_)
        | Fault::Slow
        | Fault::DiskFull(_)
        | Fault::DiskSpent
        | Fault::DiskBroken(_)
        | Fault::Clock(..)
        | Fault::OldData(_) => {}
    }
    if acts.len() > story.acts.len() {
        let now = blow::certificate(stage, phase.place());
        ensure!(
            now > story.certificate,
            "the certificate is the old one: {now:?}"
        );
    }
    stage.audit_holds(&acts)
}

fn still(stage: &Stage, cluster: &str, from: u64, to: u64, why: &str) -> anyhow::Result<()> {
    let grew = stage.watch.grew(cluster, from, to);
    match grew {
        None => Ok(()),
        Some(grew) => anyhow::bail!(
            "{cluster} went from {}% to {}% at {} although {why} at {from}",
            grew.from,
            grew.to,
            grew.at
        ),
    }
}
