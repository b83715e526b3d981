//! A rollout in words: where it stands, what it waits for and since when, what people can do.

use std::time::Duration;

use flagship_proto::{
    model::{Stopwatch, Tick},
    words::given,
};

use crate::{
    plan::{Period, Plan},
    reason::Reason,
    state::{ClusterState, FrozenBy, RolloutPhase, RolloutState, Waiting},
};

/// Lines for `flagship describe` and the pages: the rollout, its waits, its waves, its times.
pub fn describe(plan: &Plan, state: &RolloutState, now: Tick) -> Vec<String> {
    let mut lines = vec![headline(state)];
    lines.extend(why(state));
    lines.extend(state.freezes.iter().map(frozen));
    lines.extend(
        state
            .waiting
            .iter()
            .map(|waiting| wait(plan, state, waiting, now)),
    );
    if let Some(wait) = &plan.spec.deadline
        && !state.is_over()
    {
        let left = left(&state.deadline, wait.get(), now);
        lines.push(format!("deadline {wait}: {} left", words(left)));
    }
    for (index, wave) in state.waves.iter().enumerate() {
        lines.push(format!("wave {}: {}", wave.name, wave_line(state, index)));
    }
    if let Some(lane) = &state.catch_up
        && let Some(cluster) = state.clusters.get(&lane.uid)
    {
        lines.push(format!(
            "catch-up: {} goes to {} since {}",
            cluster.name,
            lane.change,
            short(lane.since)
        ));
    }
    lines.push(times(state));
    lines
}

fn headline(state: &RolloutState) -> String {
    let mut line = format!(
        "{} of {}: {} to {}, attempt {}, since {}",
        state.rollout,
        state.plan,
        state.phase,
        state.change,
        state.attempt,
        short(state.since)
    );
    if let Some(accepted) = &state.accepted {
        line.push_str(&format!(
            "; accepted as it is by {} ({})",
            accepted.actor,
            given(&accepted.reason)
        ));
    }
    line
}

/// What brought it to where it stands.
fn why(state: &RolloutState) -> Option<String> {
    match &state.phase {
        RolloutPhase::Failed => state
            .failed
            .as_ref()
            .map(|cause| format!("failed: {cause}")),
        RolloutPhase::Retreating | RolloutPhase::RolledBack => {
            let retreat = state.retreat.as_ref();
            retreat.map(|back| format!("goes back: {}{}", back.why(), state.but_left_behind()))
        }
        RolloutPhase::Aborted => state.aborted.as_ref().map(|aborted| {
            let lifted = if aborted.lifted { ", lifted since" } else { "" };
            format!(
                "abort {} ({}) of {} at {}: {}{lifted}",
                aborted.id,
                aborted.mode,
                aborted.actor,
                short(aborted.at),
                given(&aborted.reason)
            )
        }),
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

fn frozen(freeze: &FrozenBy) -> String {
    let whom = if freeze.whole {
        "frozen"
    } else {
        "some clusters frozen"
    };
    format!(
        "{whom} by {} of {} {}: {}",
        freeze.id,
        freeze.actor,
        freeze.ends,
        given(&freeze.reason)
    )
}

fn wait(plan: &Plan, state: &RolloutState, waiting: &Waiting, now: Tick) -> String {
    let mut line = format!("waits: {}, since {}", waiting.reason, short(waiting.since));
    if let Reason::WaitingForSoak { wave, .. } = &waiting.reason
        && let Some((at, spec)) = state
            .waves
            .iter()
            .zip(&plan.spec.waves)
            .find(|(at, _)| at.name == *wave)
    {
        let left = left(&at.soak, spec.soak.time.get(), now);
        line.push_str(&format!(", {} left", words(left)));
    }
    line
}

/// What is left of a wait that may be running since it was stored.
fn left(watch: &Stopwatch, wait: Duration, now: Tick) -> Duration {
    let mut running = *watch;
    if running.mark.is_some() {
        running.run(now.mono, crate::step::LONGEST_GAP);
    }
    running.remaining(wait)
}

fn wave_line(state: &RolloutState, index: usize) -> String {
    let mut counts: Vec<(&str, Vec<&ClusterState>)> = Vec::new();
    for cluster in state.clusters.values().filter(|c| c.wave == index) {
        let word = state.word_of(cluster);
        match counts.iter_mut().find(|(other, _)| *other == word) {
            Some((_, clusters)) => clusters.push(cluster),
            None => counts.push((word, vec![cluster])),
        }
    }
    counts.sort_by_key(|(word, _)| *word);
    if counts.is_empty() {
        return "no clusters".to_owned();
    }
    let parts: Vec<String> = counts
        .into_iter()
        .map(|(word, mut clusters)| {
            clusters.sort_by(|a, b| a.name.cmp(&b.name));
            let names: Vec<&str> = clusters.iter().take(5).map(|c| c.name.as_str()).collect();
            let more = match clusters.len().saturating_sub(5) {
                0 => String::new(),
                more => format!(" and {more} more"),
            };
            format!("{} {word} ({}{more})", clusters.len(), names.join(", "))
        })
        .collect();
    parts.join(", ")
}

/// How long it advanced, how long it waited, and for what.
fn times(state: &RolloutState) -> String {
    let others: Vec<String> = state
        .times
        .spent
        .iter()
        .filter(|(activity, watch)| {
            **activity != crate::state::Activity::Advancing && watch.elapsed_ms >= 1_000
        })
        .map(|(activity, watch)| format!("{activity} {}", words(watch.elapsed())))
        .collect();
    let mut line = format!(
        "advanced for {}, waited for {}",
        words(state.times.advanced()),
        words(state.times.waited())
    );
    if !others.is_empty() {
        line.push_str(&format!(" ({})", others.join(", ")));
    }
    line
}

/// Whole seconds, rounded up.
fn words(duration: Duration) -> String {
    let whole = duration.as_millis().div_ceil(1_000);
    Period::from_secs(u64::try_from(whole).unwrap_or(u64::MAX)).to_string()
}

fn short(at: jiff::Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}
