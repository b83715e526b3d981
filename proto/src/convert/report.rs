//! Reports: workload status and evidence.

use super::{
    ConvertError, bad, bounded, digest, line, missing, optional, text, time, version, weight,
};
use crate::{
    model::{
        Counts, Evidence, Incarnation, Intent, Latency, LocalAct, LocalActor, LocalVerb,
        MOST_WORKLOADS, Phase, Report, WorkloadRef, WorkloadStatus,
        local::{LOCAL_ACTS, LONGEST_REASON},
    },
    wire,
};

/// Longest name of a person that is kept, in characters.
const LONGEST_NAME: usize = 253;

const MOST_BUCKETS: usize = 128;

impl From<Report> for wire::Report {
    fn from(report: Report) -> Self {
        let Report {
            incarnation,
            seq,
            at,
            workloads,
            evidence,
        } = report;
        Self {
            incarnation: incarnation.0,
            seq,
            at_ms: at.as_millisecond(),
            workloads: workloads.into_iter().map(Into::into).collect(),
            evidence: evidence.into_iter().map(evidence_out).collect(),
        }
    }
}

impl TryFrom<wire::Report> for Report {
    type Error = ConvertError;

    fn try_from(report: wire::Report) -> Result<Self, ConvertError> {
        let wire::Report {
            incarnation,
            seq,
            at_ms,
            workloads,
            evidence,
        } = report;
        let workloads = bounded("report.workloads", workloads, MOST_WORKLOADS)?;
        let evidence = bounded("report.evidence", evidence, MOST_WORKLOADS)?;
        Ok(Self {
            incarnation: Incarnation(incarnation),
            seq,
            at: time("report.at_ms", at_ms)?,
            workloads: workloads
                .into_iter()
                .map(TryInto::try_into)
                .collect::<Result<_, _>>()?,
            evidence: evidence
                .into_iter()
                .map(evidence_in)
                .collect::<Result<_, _>>()?,
        })
    }
}

/// The two enums' values stand in one table a type: model, wire.
const INTENTS: [(Intent, wire::Intent); 4] = [
    (Intent::Run, wire::Intent::Run),
    (Intent::Hold, wire::Intent::Hold),
    (Intent::Retreat, wire::Intent::Retreat),
    (Intent::Remove, wire::Intent::Remove),
];

const PHASES: [(Phase, wire::Phase); 11] = [
    (Phase::Initializing, wire::Phase::Initializing),
    (Phase::Initialized, wire::Phase::Initialized),
    (Phase::Waiting, wire::Phase::Waiting),
    (Phase::Progressing, wire::Phase::Progressing),
    (Phase::WaitingPromotion, wire::Phase::WaitingPromotion),
    (Phase::Promoting, wire::Phase::Promoting),
    (Phase::Finalising, wire::Phase::Finalising),
    (Phase::Succeeded, wire::Phase::Succeeded),
    (Phase::Failed, wire::Phase::Failed),
    (Phase::Terminating, wire::Phase::Terminating),
    (Phase::Terminated, wire::Phase::Terminated),
];

fn out<M: Copy + PartialEq, W: Copy + Into<i32>>(table: &[(M, W)], value: M) -> i32 {
    table
        .iter()
        .find(|(model, _)| *model == value)
        .map_or(0, |(_, wire)| (*wire).into())
}

fn known<M: Copy, W: Copy + Into<i32>>(
    field: &'static str,
    table: &[(M, W)],
    value: i32,
) -> Result<M, ConvertError> {
    let found = table.iter().find(|(_, wire)| (*wire).into() == value);
    found
        .map(|(model, _)| *model)
        .ok_or_else(|| bad(field, format!("{value} is not known")))
}

impl From<WorkloadStatus> for wire::WorkloadStatus {
    fn from(status: WorkloadStatus) -> Self {
        Self {
            workload: status.workload.into(),
            fence: Some(status.fence.into()),
            rollout: status.rollout.map(String::from).unwrap_or_default(),
            attempt: status.attempt,
            intent: status
                .intent
                .map(|intent| out(&INTENTS, intent))
                .unwrap_or_default(),
            phase: out(&PHASES, status.phase),
            step: status.step,
            weight: u32::from(status.weight.get()),
            observed: status.observed.map(|weight| u32::from(weight.get())),
            failed_checks: status.failed_checks,
            version: status.version,
            digest: status.digest.map(String::from),
            primary_version: status.primary_version,
            primary_digest: status.primary_digest.map(String::from),
            can_return_to: status.can_return_to.into_iter().map(String::from).collect(),
            reason: status.reason,
            message: status.message,
            since_ms: status.since.as_millisecond(),
            aborted_by: status.aborted_by.map(String::from).unwrap_or_default(),
            hook: 0,
            local: status.local.into_iter().map(local_out).collect(),
        }
    }
}

impl TryFrom<wire::WorkloadStatus> for WorkloadStatus {
    type Error = ConvertError;

    fn try_from(status: wire::WorkloadStatus) -> Result<Self, ConvertError> {
        let can_return_to = bounded("status.can_return_to", status.can_return_to, 16)?;
        Ok(Self {
            workload: text("status.workload", &status.workload)?,
            fence: status.fence.ok_or(missing("status.fence"))?.try_into()?,
            rollout: optional("status.rollout", &status.rollout)?,
            attempt: status.attempt,
            intent: match status.intent {
                0 => None,
                value => Some(known("status.intent", &INTENTS, value)?),
            },
            phase: known("status.phase", &PHASES, status.phase)?,
            step: status.step,
            weight: weight("status.weight", status.weight)?,
            observed: status
                .observed
                .map(|w| weight("status.observed", w))
                .transpose()?,
            failed_checks: status.failed_checks,
            version: version("status.version", status.version)?,
            digest: digest("status.digest", status.digest)?,
            primary_version: version("status.primary_version", status.primary_version)?,
            primary_digest: digest("status.primary_digest", status.primary_digest)?,
            can_return_to: can_return_to
                .iter()
                .map(|given| text("status.can_return_to", given))
                .collect::<Result<_, _>>()?,
            reason: line(&status.reason, 64),
            message: line(&status.message, 2000),
            since: time("status.since_ms", status.since_ms)?,
            aborted_by: optional("status.aborted_by", &status.aborted_by)?,
            local: bounded("status.local", status.local, LOCAL_ACTS)?
                .into_iter()
                .map(local_in)
                .collect::<Result<_, _>>()?,
        })
    }
}

const VERBS: [(LocalVerb, wire::LocalVerb); 3] = [
    (LocalVerb::Hold, wire::LocalVerb::Hold),
    (LocalVerb::Retreat, wire::LocalVerb::Retreat),
    (LocalVerb::Release, wire::LocalVerb::Release),
];

fn local_out(act: LocalAct) -> wire::LocalAct {
    use wire::local_act::By;
    let LocalAct {
        id,
        verb,
        by,
        at,
        reason,
    } = act;
    wire::LocalAct {
        id: id.into(),
        verb: out(&VERBS, verb),
        at_ms: at.as_millisecond(),
        reason,
        by: Some(match by {
            LocalActor::Spot { user, uid } => By::Spot(wire::LocalUser { user, uid }),
            LocalActor::Hub { actor } => By::Hub(actor),
        }),
    }
}

fn local_in(wire: wire::LocalAct) -> Result<LocalAct, ConvertError> {
    use wire::local_act::By;
    let name = |text: String| line(&text, LONGEST_NAME);
    Ok(LocalAct {
        id: text("status.local.id", &wire.id)?,
        verb: known("status.local.verb", &VERBS, wire.verb)?,
        by: match wire.by.ok_or(missing("status.local.by"))? {
            By::Spot(wire::LocalUser { user, uid }) => LocalActor::Spot {
                user: name(user),
                uid,
            },
            By::Hub(actor) => LocalActor::Hub { actor: name(actor) },
        },
        at: time("status.local.at_ms", wire.at_ms)?,
        reason: line(&wire.reason, LONGEST_REASON),
    })
}

fn evidence_out((workload, evidence): (WorkloadRef, Evidence)) -> wire::Evidence {
    let counts = |counts: Counts| wire::Counts {
        total: counts.total,
        bad: counts.bad,
    };
    let buckets = |latency: Latency| {
        let pairs = latency.buckets.into_iter();
        pairs
            .map(|(upper_ms, count)| wire::Bucket { upper_ms, count })
            .collect()
    };
    wire::Evidence {
        workload: workload.into(),
        digest: evidence.digest.into(),
        revision: Some(evidence.revision.into()),
        step: evidence.step,
        incarnation: evidence.incarnation.0,
        proxy_started_ms: evidence.proxy_started.as_millisecond(),
        from_ms: evidence.from.as_millisecond(),
        to_ms: evidence.to.as_millisecond(),
        canary: Some(counts(evidence.canary)),
        primary: Some(counts(evidence.primary)),
        canary_latency: buckets(evidence.canary_latency),
        primary_latency: buckets(evidence.primary_latency),
    }
}

fn evidence_in(wire: wire::Evidence) -> Result<(WorkloadRef, Evidence), ConvertError> {
    let evidence = Evidence {
        digest: text("evidence.digest", &wire.digest)?,
        revision: wire.revision.ok_or(missing("evidence.revision"))?.into(),
        step: wire.step,
        incarnation: Incarnation(wire.incarnation),
        proxy_started: time("evidence.proxy_started_ms", wire.proxy_started_ms)?,
        from: time("evidence.from_ms", wire.from_ms)?,
        to: time("evidence.to_ms", wire.to_ms)?,
        canary: counts_in("evidence.canary", wire.canary)?,
        primary: counts_in("evidence.primary", wire.primary)?,
        canary_latency: latency_in("evidence.canary_latency", wire.canary_latency)?,
        primary_latency: latency_in("evidence.primary_latency", wire.primary_latency)?,
    };
    Ok((text("evidence.workload", &wire.workload)?, evidence))
}

fn counts_in(field: &'static str, wire: Option<wire::Counts>) -> Result<Counts, ConvertError> {
    let wire::Counts { total, bad: failed } = wire.unwrap_or_default();
    if failed > total {
        return Err(bad(
            field,
            format!("{failed} bad of {total} requests cannot be"),
        ));
    }
    Ok(Counts { total, bad: failed })
}

fn latency_in(field: &'static str, wire: Vec<wire::Bucket>) -> Result<Latency, ConvertError> {
    let wire = bounded(field, wire, MOST_BUCKETS)?;
    let ascending = wire
        .windows(2)
        .all(|pair| pair[0].upper_ms < pair[1].upper_ms && pair[0].count <= pair[1].count);
    if !ascending || wire.iter().any(|bucket| bucket.upper_ms.is_nan()) {
        return Err(bad(field, "bounds must ascend and counts must not fall"));
    }
    Ok(Latency {
        buckets: wire.into_iter().map(|b| (b.upper_ms, b.count)).collect(),
    })
}
