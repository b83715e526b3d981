//! A rollout as a view: its state, what it waits for and since when, and each of its clusters.

use flagship_proto::{
    command::Command,
    model::{ClusterUid, Phase, Weight, WorkloadStatus},
    words::given,
};
use flagship_waves::{
    Activity, ClusterPhase, ClusterState, Retreat, RolloutPhase, RolloutState, Stage,
};

use super::{Seen, serving::is_unread};
use crate::{
    api::{
        sight::Sight,
        types::{Banner, RolloutCluster, RolloutView, RolloutWave, SoakView, Why},
    },
    records::{RolloutRow, Stored},
};

/// The view; without its clusters for lists.
pub fn view(
    seen: &Seen,
    sight: &Sight<'_>,
    row: &Stored<RolloutRow>,
    with_clusters: bool,
) -> RolloutView {
    let state = &row.state;
    let (wave, stage) = match &state.phase {
        RolloutPhase::Progressing { wave, stage } => {
            (Some(wave.to_string()), Some(capital(&stage.to_string())))
        }
        RolloutPhase::Pending
        | RolloutPhase::Succeeded
        | RolloutPhase::Paused
        | RolloutPhase::Retreating
        | RolloutPhase::RolledBack
        | RolloutPhase::Aborted
        | RolloutPhase::Failed
        | RolloutPhase::Superseded => (None, None),
    };
    let members = state
        .clusters
        .values()
        .filter(|c| c.phase != ClusterPhase::Left);
    let succeeded = members.clone().filter(|c| c.phase.succeeded()).count();
    RolloutView {
        project: row.project.to_string(),
        id: row.id.to_string(),
        plan: row.plan.metadata.name.to_string(),
        plan_digest: row.plan_digest.to_string(),
        workload: row.workload.to_string(),
        change: row.change.to_string(),
        state: word(state).to_owned(),
        ended: state.is_over(),
        wave,
        stage,
        attempt: state.attempt,
        why: why(state),
        next_steps: sight.next_steps(seen, row),
        requests: row
            .open_requests()
            .map(|request| format!("{} by {}", request.wish.verb(), request.actor))
            .collect(),
        started_at: row.started,
        started_by: row.started_by.clone(),
        reason: row.reason.clone(),
        ticket: row.ticket.clone(),
        ended_at: state.ended,
        advancing_ms: millis(state.times.advanced()),
        waiting_ms: waited(state),
        waves: waves(row),
        clusters: if with_clusters {
            clusters(seen, row)
        } else {
            Vec::new()
        },
        done: u32::try_from(succeeded).unwrap_or(u32::MAX),
        total: u32::try_from(members.count()).unwrap_or(u32::MAX),
        banners: banners(seen, sight, row, with_clusters),
        seq: seen.seq,
    }
}

/// What stands over it; of one that has ended and is looked at alone also what serves there and nobody wants.
fn banners(
    seen: &Seen,
    sight: &Sight<'_>,
    row: &Stored<RolloutRow>,
    with_clusters: bool,
) -> Vec<Banner> {
    let mut banners = seen.banners_over(sight, row);
    if with_clusters {
        banners.extend(seen.halted_banners(sight, row));
        // Who cannot read that is told so by what is read besides.
        banners.extend(seen.unwanted_after(sight, row).unwrap_or_default());
    }
    banners
}

/// The state in one word.
pub fn word(state: &RolloutState) -> &'static str {
    if state.accepted.is_some() {
        "Accepted"
    } else {
        state.phase.word()
    }
}

/// What it waits for, or why it is as it is.
pub fn why(state: &RolloutState) -> Why {
    let standing = standing(state);
    let Some(first) = state.waiting.first().filter(|_| !state.is_over()) else {
        return Why {
            code: word(state).to_owned(),
            message: standing.unwrap_or_else(|| resting(state)),
            since: Some(state.ended.unwrap_or(state.since)),
        };
    };
    let mut sentences: Vec<String> = standing.into_iter().collect();
    sentences.extend(
        state
            .waiting
            .iter()
            .map(|waiting| waiting.reason.to_string()),
    );
    Why {
        code: first.reason.code().to_owned(),
        message: sentences.join("; "),
        since: Some(first.since),
    }
}

/// Why it ended or was stopped, where something is known of that.
fn standing(state: &RolloutState) -> Option<String> {
    if let Some(accepted) = &state.accepted {
        return Some(format!(
            "accepted as it is by {}: {}",
            accepted.actor,
            given(&accepted.reason)
        ));
    }
    match &state.phase {
        RolloutPhase::Failed => state.failed.as_ref().map(ToString::to_string),
        RolloutPhase::Aborted => state.aborted.as_ref().map(|aborted| {
            format!(
                "stopped by abort {} of {}: {}",
                aborted.id,
                aborted.actor,
                given(&aborted.reason)
            )
        }),
        RolloutPhase::Retreating | RolloutPhase::RolledBack => {
            let why = |retreat: &Retreat| match &retreat.actor {
                Some(actor) => format!("taken back by {actor}: {}", given(&retreat.reason)),
                None => format!("taken back: {}", retreat.reason),
            };
            let retreat = state.retreat.as_ref();
            retreat.map(|retreat| why(retreat) + &state.but_left_behind())
        }
        RolloutPhase::Superseded => state
            .superseded_by
            .as_ref()
            .map(|by| format!("superseded by {by}")),
        RolloutPhase::Pending
        | RolloutPhase::Progressing { .. }
        | RolloutPhase::Succeeded
        | RolloutPhase::Paused => None,
    }
}

fn resting(state: &RolloutState) -> String {
    let late: Vec<&str> = state.catching_up().map(|late| late.name.as_str()).collect();
    if !late.is_empty() {
        return format!("it has succeeded; {} catching up with it", late.join(", "));
    }
    match &state.phase {
        RolloutPhase::Pending => "it was stored and is about to begin",
        RolloutPhase::Progressing { .. } => "clusters are being released",
        RolloutPhase::Succeeded => {
            "every cluster was seen on the new version and soaked, or is listed as skipped"
        }
        RolloutPhase::Paused => "a person paused it",
        RolloutPhase::Retreating => "clusters go back",
        RolloutPhase::RolledBack => "all clusters have gone back",
        RolloutPhase::Aborted => "an abort stopped it",
        RolloutPhase::Failed => "it stopped by its failure policy",
        RolloutPhase::Superseded => "another rollout took over",
    }
    .to_owned()
}

fn waited(state: &RolloutState) -> std::collections::BTreeMap<String, u64> {
    let spent = state.times.spent.iter();
    spent
        .filter(|(activity, _)| **activity != Activity::Advancing)
        .map(|(activity, watch)| (activity.to_string(), watch.elapsed_ms))
        .collect()
}

fn millis(duration: std::time::Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}

fn waves(row: &RolloutRow) -> Vec<RolloutWave> {
    let state = &row.state;
    let planned = row.plan.spec.waves.iter();
    planned
        .zip(&state.waves)
        .enumerate()
        .map(|(place, (plan, wave))| {
            let mut clusters: Vec<String> = state
                .clusters
                .values()
                .filter(|cluster| cluster.wave == place)
                .map(|cluster| cluster.name.to_string())
                .collect();
            clusters.sort();
            let needed = plan.soak.time.get();
            RolloutWave {
                name: wave.name.to_string(),
                state: wave_word(state, place).to_owned(),
                clusters,
                max_concurrent: plan.max_concurrent.to_string(),
                soak: (!needed.is_zero()).then(|| SoakView {
                    needed_ms: millis(needed),
                    elapsed_ms: wave.soak.elapsed_ms,
                }),
            }
        })
        .collect()
}

fn wave_word(state: &RolloutState, place: usize) -> &'static str {
    let wave = &state.waves[place];
    if wave.finished.is_some() {
        return "done";
    }
    match &state.phase {
        RolloutPhase::Progressing { wave: now, stage } if *now == wave.name => match stage {
            Stage::Gate => "gate",
            Stage::Running => "running",
            Stage::Soaking => "soaking",
        },
        RolloutPhase::Progressing { .. }
        | RolloutPhase::Pending
        | RolloutPhase::Succeeded
        | RolloutPhase::Paused
        | RolloutPhase::Retreating
        | RolloutPhase::RolledBack
        | RolloutPhase::Aborted
        | RolloutPhase::Failed
        | RolloutPhase::Superseded => match (wave.started.is_some(), &state.phase) {
            (false, _) if state.is_over() => "not begun",
            (false, _) => "waiting",
            (true, _) if state.is_over() => "ended",
            (true, RolloutPhase::Aborted) => "stopped",
            (true, _) => "begun",
        },
    }
}

fn clusters(seen: &Seen, row: &RolloutRow) -> Vec<RolloutCluster> {
    let mut clusters: Vec<(usize, RolloutCluster)> = row
        .state
        .clusters
        .iter()
        .map(|(uid, state)| (state.wave, cluster(seen, row, uid, state)))
        .collect();
    clusters.sort_by(|(one, a), (other, b)| (one, &a.cluster).cmp(&(other, &b.cluster)));
    clusters.into_iter().map(|(_, cluster)| cluster).collect()
}

fn cluster(
    seen: &Seen,
    row: &RolloutRow,
    uid: &ClusterUid,
    state: &ClusterState,
) -> RolloutCluster {
    let report = seen.report(uid, &row.workload).map(|report| &report.status);
    let own = report.filter(|status| status.rollout.as_ref() == Some(&row.id));
    let wave = row.state.waves.get(state.wave);
    let inventory = seen.clusters.get(uid).and_then(|cluster| {
        let workloads = cluster.inventory.workloads.iter();
        let found = workloads.clone().find(|has| has.workload == row.workload);
        found.and_then(|has| has.version.clone())
    });
    let is_in_lane = row.state.is_in_lane(uid);
    let why = match (&state.phase, own) {
        (_, Some(status)) if is_in_lane => of_agent(status),
        (ClusterPhase::Failed { reason } | ClusterPhase::Skipped { reason }, _) => Why {
            code: state.phase.word().to_owned(),
            message: reason.clone(),
            since: Some(state.since),
        },
        (
            ClusterPhase::Waiting
            | ClusterPhase::Ordered
            | ClusterPhase::Running { .. }
            | ClusterPhase::Soaking
            | ClusterPhase::Done
            | ClusterPhase::Retreating { .. }
            | ClusterPhase::RolledBack
            | ClusterPhase::Unreachable
            | ClusterPhase::Left,
            Some(status),
        ) if state.touched || state.attempt > 0 => of_agent(status),
        (_, _) if state.local.is_some() => Why {
            code: "LocalControl".to_owned(),
            message: state.local.iter().map(ToString::to_string).collect(),
            since: state.local.as_ref().map(|act| act.at),
        },
        (_, None) if row.state.phase == RolloutPhase::Superseded && state.attempt > 0 => {
            let by = row.state.superseded_by.as_ref();
            Why {
                code: row.state.word_of(state).to_owned(),
                message: by.map_or_else(String::new, |by| format!("{by} has taken over there")),
                since: Some(state.since),
            }
        }
        (ClusterPhase::Waiting | ClusterPhase::Ordered, None) if seen.is_unconfirmed(uid) => Why {
            code: "Unconfirmed".to_owned(),
            message: format!(
                "history went back, and nobody has confirmed since that it is a member: {}",
                Command::flagship("cluster confirm")
                    .of(&state.name)
                    .because()
            ),
            since: Some(state.since),
        },
        (ClusterPhase::Ordered | ClusterPhase::Retreating { .. }, None) if seen.connected(uid) => {
            Why {
                code: row.state.word_of(state).to_owned(),
                message: report.map_or_else(String::new, before),
                since: Some(state.since),
            }
        }
        (_, _) => Why {
            code: row.state.word_of(state).to_owned(),
            message: String::new(),
            since: Some(state.since),
        },
    };
    RolloutCluster {
        cluster: state.name.to_string(),
        wave: wave.map_or_else(String::new, |wave| wave.name.to_string()),
        state: match is_in_lane {
            true => "CatchingUp".to_owned(),
            false => row.state.word_of(state).to_owned(),
        },
        phase: own.map(|status| status.phase.to_string()),
        weight: own.map(|status| status.weight.get()),
        observed: own
            .and_then(|status| status.observed)
            .map(|weight| weight.get()),
        failed_checks: own.map_or(0, |status| status.failed_checks),
        version: own.and_then(|status| status.version.clone()),
        primary_version: report
            .and_then(|status| status.primary_version.clone())
            .or(inventory),
        why,
        connected: seen.connected(uid),
        last_heard: seen.last_heard(uid),
        unheard_since: seen.unheard_since(uid),
    }
}

/// Why an agent says that it is where it is.
fn of_agent(status: &WorkloadStatus) -> Why {
    Why {
        code: status.reason.clone(),
        message: status.message.clone(),
        since: Some(status.since),
    }
}

/// Whether something moves there, or is to.
fn is_under_way(status: &WorkloadStatus) -> bool {
    let share = status.share();
    let goes_back = status.phase == Phase::Failed && share > Weight::ZERO;
    status.phase.is_active() || goes_back || is_unread(status)
}

/// What an agent that is heard and has not taken up its order still does of an earlier rollout.
fn before(status: &WorkloadStatus) -> String {
    match &status.rollout {
        Some(rollout) if !status.message.is_empty() && is_under_way(status) => {
            format!("first comes {rollout} there: {}", status.message)
        }
        Some(_) | None => String::new(),
    }
}

fn capital(word: &str) -> String {
    let mut letters = word.chars();
    match letters.next() {
        Some(first) => first.to_uppercase().chain(letters).collect(),
        None => String::new(),
    }
}
