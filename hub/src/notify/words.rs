//! Which change of the store is worth a message, and in which words. Pure: rows in, messages out.
//!
//! What happened in a rollout is told in the words of its history, so that a person reads the same in
//! the chat, in `describe` and in the log.

use flagship_notify::{Fact, Link, Message, Severity, Subject};
use flagship_proto::{
    model::{FleetId, ReceiptState, Scope},
    process::traces::TraceId,
    words::given,
};

use crate::records::{
    AbortRow, ClusterRow, ClusterState, HistoryRow, LiftRow, ReceiptRow, RolloutRow, Stored,
};
use Severity::{Critical, Info, Warning};

/// (kind of a history entry, code of the message, how much it matters, whether it ends its story). A kind that
/// is not here is not told: it would be one line a minute.
#[rustfmt::skip]
const TOLD: &[(&str, &str, Severity, bool)] = &[
    ("Started",            "rollout.started",     Info,     false),
    ("WaveDone",           "rollout.waveDone",    Info,     false),
    ("Succeeded",          "rollout.succeeded",   Info,     true),
    ("Halted",             "rollout.halted",      Critical, false),
    ("RetreatBegun",       "rollout.retreating",  Critical, false),
    ("RetreatDone",        "rollout.rolledBack",  Warning,  true),
    ("Aborted",            "rollout.aborted",     Critical, false),
    ("Frozen",             "rollout.frozen",      Warning,  false),
    ("FreezeEnded",        "rollout.unfrozen",    Info,     false),
    ("PausedBy",           "rollout.paused",      Info,     false),
    ("ResumedBy",          "rollout.resumed",     Info,     false),
    ("RetriedBy",          "rollout.retried",     Info,     false),
    ("AcceptedBy",         "rollout.accepted",    Warning,  true),
    ("SupersededBy",       "rollout.superseded",  Warning,  true),
    ("ClusterFailed",      "cluster.failed",      Critical, false),
    ("ClusterReturned",    "cluster.returned",    Info,     true),
    ("ClusterUnreachable", "cluster.unreachable", Warning,  false),
    ("ClusterHeard",       "cluster.heard",       Info,     true),
    ("ClusterSkipped",     "cluster.skipped",     Warning,  false),
    ("CatchUpStopped",     "cluster.notCaughtUp", Warning,  false),
];

/// An entry of a rollout's history; none if it is not worth a message.
pub(super) fn of_history(
    row: &HistoryRow,
    rollout: Option<&RolloutRow>,
    fleet: Option<&FleetId>,
    public: Option<&str>,
) -> Option<Message> {
    let (_, code, severity, resolves) = TOLD.iter().find(|(kind, ..)| *kind == row.kind)?;
    let name = format!("{}/{}", row.project, row.rollout);
    let about = match (code.strip_prefix("cluster."), cluster_of(row)) {
        (Some(_), Some(cluster)) => format!("rollout/{name}/{cluster}"),
        (Some(_), None) | (None, _) => format!("rollout/{name}"),
    };
    let metadata = rollout.map(|rollout| &rollout.plan.metadata);
    let subject = Subject {
        project: Some(row.project.to_string()),
        plan: metadata.map(|metadata| metadata.name.to_string()),
        rollout: Some(row.rollout.to_string()),
        cluster: cluster_of(row),
        version: rollout.map(|rollout| rollout.change.to_string()),
        trace: fleet.map(|fleet| TraceId::of(fleet, &row.project, &row.rollout).to_string()),
        labels: metadata
            .map(|metadata| metadata.labels.clone())
            .unwrap_or_default(),
    };
    let mut facts = facts(&[
        ("rollout", Some(name.clone())),
        ("cluster", subject.cluster.clone()),
        ("version", subject.version.clone()),
    ]);
    if let Some(rollout) = rollout {
        facts.push(fact("started by", &rollout.started_by));
        facts.extend(rollout.ticket.as_ref().map(|ticket| fact("ticket", ticket)));
    }
    let mut links = Vec::new();
    links.extend(public.map(|url| link("rollout", &format!("{url}/#/rollouts/{name}"))));
    links.extend(
        metadata
            .and_then(|metadata| metadata.runbook.as_deref())
            .map(|url| link("runbook", url)),
    );
    Some(Message {
        id: format!("history/{name}/{}", row.seq),
        key: about,
        code: (*code).to_owned(),
        severity: *severity,
        resolves: *resolves,
        // An abort's own message is never muted; this one says what it did to one rollout.
        never_muted: false,
        at: row.at,
        title: format!("{name}: {}", row.message),
        text: String::new(),
        subject,
        facts,
        links,
    })
}

/// The cluster that an entry speaks of: named by the row, else the first word of its sentence.
fn cluster_of(row: &HistoryRow) -> Option<String> {
    if let Some(cluster) = &row.cluster {
        return Some(cluster.to_string());
    }
    let speaks = row.kind.starts_with("Cluster") || row.kind.starts_with("CatchUp");
    let first = row.message.split(' ').next().filter(|_| speaks)?;
    Some(first.to_owned())
}

/// A new abort; nothing mutes it.
pub(super) fn of_abort(row: &Stored<AbortRow>, public: Option<&str>) -> Message {
    let abort = row.abort();
    let id = &abort.id;
    let project = project_of(&abort.scope);
    Message {
        id: format!("abort/{id}"),
        key: format!("abort/{id}"),
        code: "abort.stored".into(),
        severity: Critical,
        resolves: false,
        never_muted: true,
        at: abort.at,
        title: format!(
            "ABORT {id} of {} ({}) by {}: {}",
            abort.scope,
            abort.mode,
            abort.actor,
            given(&abort.reason)
        ),
        text: format!(
            "It stands until it is lifted. Stopped is not fixed: `flagship describe abort {id}` shows \
             who has stopped, who was not heard, and who still serves the version."
        ),
        subject: Subject {
            project: project.clone(),
            ..Subject::default()
        },
        facts: facts(&[
            ("scope", Some(abort.scope.to_string())),
            ("by", Some(abort.actor.clone())),
            ("ticket", row.value.ticket.clone()),
        ]),
        links: public
            .map(|url| link("abort", &format!("{url}/#/aborts/{id}")))
            .into_iter()
            .collect(),
    }
}

/// The end of an abort.
pub(super) fn of_lift(row: &LiftRow, abort: Option<&AbortRow>) -> Message {
    let id = &row.abort;
    let scope = abort.map(|abort| &abort.unplaced().scope);
    Message {
        id: format!("lift/{id}"),
        key: format!("abort/{id}"),
        code: "abort.lifted".into(),
        severity: Warning,
        resolves: true,
        never_muted: true,
        at: row.at,
        title: format!(
            "abort {id} is lifted by {}: {}",
            row.actor,
            given(&row.reason)
        ),
        text: "Nothing moves by that: retry, start again or retreat what it stopped.".into(),
        subject: Subject {
            project: scope.and_then(project_of),
            ..Subject::default()
        },
        facts: facts(&[("scope", scope.map(ToString::to_string))]),
        links: Vec::new(),
    }
}

/// A cluster's answer to an abort: told where it could not stop, and where that is over.
pub(super) fn of_receipt(row: &ReceiptRow, abort: Option<&AbortRow>) -> Option<Message> {
    let receipt = &row.receipt.receipt;
    let (id, cluster) = (&receipt.abort, &receipt.cluster);
    let failures: Vec<String> = receipt
        .workloads
        .iter()
        // That passes in a moment, or another answer says what is wrong.
        .filter(|workload| !workload.state.is_untold())
        .filter_map(|workload| match &workload.state {
            ReceiptState::NotStopped { reason, .. } => {
                Some(format!("{}: {reason}", workload.workload))
            }
            ReceiptState::Returned
            | ReceiptState::Returning { .. }
            | ReceiptState::Held
            | ReceiptState::Done
            | ReceiptState::Idle => None,
        })
        .collect();
    let is_stuck = !failures.is_empty();
    if !is_stuck && !receipt.is_final() {
        return None;
    }
    let (code, severity, title) = if is_stuck {
        let title = format!("{cluster} is NOT STOPPED under abort {id}");
        ("abort.notStopped", Critical, title)
    } else {
        let title = format!("{cluster} has stopped under abort {id}");
        ("abort.stopped", Info, title)
    };
    let scope = abort.map(|abort| &abort.unplaced().scope);
    Some(Message {
        id: format!(
            "receipt/{id}/{}/{}/{}",
            receipt.uid, receipt.incarnation.0, receipt.seq
        ),
        key: format!("abort/{id}/{cluster}"),
        code: code.into(),
        severity,
        resolves: !is_stuck,
        never_muted: is_stuck,
        at: row.received,
        title,
        text: failures.join("\n"),
        subject: Subject {
            project: scope.and_then(project_of),
            cluster: Some(cluster.to_string()),
            ..Subject::default()
        },
        facts: facts(&[
            ("cluster", Some(cluster.to_string())),
            (
                "stop it there",
                is_stuck.then(|| "flagship-agent ctl retreat --all".to_owned()),
            ),
        ]),
        links: Vec::new(),
    })
}

/// A cluster that a person has to look at.
pub(super) fn of_cluster(row: &Stored<ClusterRow>) -> Option<Message> {
    let ClusterState::Quarantined { reason } = &row.value.state else {
        return None;
    };
    let name = &row.value.name;
    Some(Message {
        id: format!("quarantine/{}/{}", row.value.uid, row.modified.seq),
        key: format!("cluster/{name}"),
        code: "cluster.quarantined".into(),
        severity: Critical,
        resolves: false,
        never_muted: true,
        at: row.value.enrolled.at,
        title: format!("cluster {name} is quarantined: {reason}"),
        text: "Nothing advances there until a person has looked.".into(),
        subject: Subject {
            cluster: Some(name.to_string()),
            ..Subject::default()
        },
        facts: facts(&[("cluster", Some(name.to_string()))]),
        links: Vec::new(),
    })
}

fn project_of(scope: &Scope) -> Option<String> {
    match scope {
        Scope::Project(project) | Scope::Rollout { project, .. } => Some(project.to_string()),
        Scope::Plan(plan) => Some(plan.project.to_string()),
        Scope::Fleet | Scope::Workload(_) | Scope::Selector(_) => None,
    }
}

fn fact(name: &str, value: &str) -> Fact {
    Fact {
        name: name.to_owned(),
        value: value.to_owned(),
    }
}

fn facts(known: &[(&str, Option<String>)]) -> Vec<Fact> {
    let known = known.iter();
    known
        .filter_map(|(name, value)| value.as_deref().map(|value| fact(name, value)))
        .collect()
}

fn link(name: &str, url: &str) -> Link {
    Link {
        name: name.to_owned(),
        url: url.to_owned(),
    }
}
