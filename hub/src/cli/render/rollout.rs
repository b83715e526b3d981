//! Rollouts as text: the list, the page in words, the live picture, and what changed as lines.

use jiff::Timestamp;

use super::{
    standing::{named, of_another, stands, tally, weight},
    words::{ago, banners, clock, fact, heard, millis, state, why},
};
use crate::{
    api::types::{RolloutCluster, RolloutView, RolloutWave},
    cli::output::{Look, Tone, table},
};

/// One line a rollout.
pub fn list(look: Look, rollouts: &[RolloutView], now: Timestamp) -> String {
    let rows = rollouts
        .iter()
        .map(|rollout| {
            let mut row = vec![
                named(rollout),
                rollout.change.clone(),
                rollout.state.clone(),
                rollout.wave.clone().unwrap_or_else(|| "-".to_owned()),
                format!("{}/{}", rollout.done, rollout.total),
                ago(rollout.started_at, now),
                look.cut(&rollout.why.message, 72),
            ];
            if look.wide {
                row.extend([
                    rollout.workload.clone(),
                    rollout.plan_digest.clone(),
                    rollout.started_by.clone(),
                    rollout.ticket.clone().unwrap_or_else(|| "-".to_owned()),
                    rollout.reason.clone(),
                ]);
            }
            row
        })
        .collect();
    let mut head = vec!["ROLLOUT", "CHANGE", "STATE", "WAVE", "DONE", "AGE", "WHY"];
    if look.wide {
        head.extend(["WORKLOAD", "PLAN DIGEST", "BY", "TICKET", "REASON"]);
    }
    table(look, &head, rows)
}

/// The whole page, in words.
pub fn describe(look: Look, view: &RolloutView, now: Timestamp) -> String {
    let mut page = banners(look, &view.banners, now);
    page += &fact("Rollout", &format!("{}/{}", view.project, view.id));
    page += &fact(
        "Releases",
        &format!("{} of {} by plan {}", view.change, view.workload, view.plan),
    );
    page += &fact(
        "State",
        &look.paint(super::words::tone(&view.state), &stands(view)),
    );
    page += &fact(
        if view.ended { "Ended by" } else { "Waits for" },
        &why(&view.why, now),
    );
    page += &fact(
        "Started",
        &format!(
            "{} ({} ago) by {}",
            clock(view.started_at, now),
            ago(view.started_at, now),
            view.started_by
        ),
    );
    page += &fact("Reason", &view.reason);
    page += &fact("Ticket", view.ticket.as_deref().unwrap_or_default());
    if let Some(ended) = view.ended_at {
        page += &fact(
            "Ended",
            &format!("{} ({} ago)", clock(ended, now), ago(ended, now)),
        );
    }
    page += &fact("Time", &times(view));
    page += &fact("Plan digest", &view.plan_digest);
    page += &fact("Asked for", &view.requests.join(", "));
    page += &waves(look, view, now);
    let steps = steps("What you can do", &view.next_steps);
    if !steps.is_empty() {
        page += &format!("\n{steps}");
    }
    page
}

/// What can be done about a rollout, as commands to copy.
pub fn steps(head: &str, steps: &[String]) -> String {
    if steps.is_empty() {
        return String::new();
    }
    let steps = steps.iter().map(|step| format!("  {step}\n"));
    format!("{head}:\n{}", steps.collect::<String>())
}

/// Who still goes back when nobody looks any more, because the rollout was accepted or has stopped.
pub fn still_go_back(view: &RolloutView) -> String {
    let going = view.clusters.iter().filter(|one| one.state == "Retreating");
    let (heard, silent): (Vec<_>, Vec<_>) = going.partition(|one| one.connected);
    let mut text = String::new();
    for (how, some) in [
        ("still going back:", heard),
        ("not heard, going back when heard again:", silent),
    ] {
        let names: Vec<&str> = some.iter().map(|one| one.cluster.as_str()).collect();
        if !names.is_empty() {
            text += &format!("{how} {}\n", names.join(", "));
        }
    }
    text
}

fn times(view: &RolloutView) -> String {
    let mut parts = Vec::new();
    if view.advancing_ms > 0 {
        parts.push(format!("advanced for {}", millis(view.advancing_ms)));
    }
    parts.extend(
        view.waiting_ms
            .iter()
            .filter(|(_, waited)| **waited > 0)
            .map(|(what, waited)| format!("waited {} for {what}", millis(*waited))),
    );
    parts.join(", ")
}

fn waves(look: Look, view: &RolloutView, now: Timestamp) -> String {
    let mut text = String::new();
    for wave in &view.waves {
        text += &format!("\nWave {}: {}\n", wave.name, wave_words(wave));
        let members = view.clusters.iter().filter(|c| c.wave == wave.name);
        text += &group(look, &view.change, members.collect(), now);
    }
    let placed = |c: &&RolloutCluster| !view.waves.iter().any(|wave| wave.name == c.wave);
    let others: Vec<_> = view.clusters.iter().filter(placed).collect();
    if !others.is_empty() {
        text += "\nOutside the waves:\n";
        text += &group(look, &view.change, others, now);
    }
    text
}

/// So many clusters of a wave are written out; of more, those that have nothing to say are counted.
const WRITTEN: usize = 50;

fn group(look: Look, change: &str, clusters: Vec<&RolloutCluster>, now: Timestamp) -> String {
    let many = clusters.len() > WRITTEN && !look.is_whole();
    let quiet =
        |c: &&RolloutCluster| many && matches!(c.state.as_str(), "Waiting" | "NotBegun" | "Done");
    let (quiet, told): (Vec<_>, Vec<_>) = clusters.into_iter().partition(quiet);
    let told = told.into_iter();
    let mut text: String = told.map(|c| cluster_words(look, change, c, now)).collect();
    if !quiet.is_empty() {
        text += &format!("  and {} (-o wide names them)\n", tally(&quiet));
    }
    text
}

fn wave_words(wave: &RolloutWave) -> String {
    let mut text = format!("{}, {} at once", wave.state, wave.max_concurrent);
    if let Some(soak) = &wave.soak {
        text += &format!(
            ", soak {} of {}",
            millis(soak.elapsed_ms.min(soak.needed_ms)),
            millis(soak.needed_ms)
        );
    }
    text
}

fn cluster_words(look: Look, change: &str, cluster: &RolloutCluster, now: Timestamp) -> String {
    let mut line = format!(
        "  {:<16} {} {:>4}",
        cluster.cluster,
        state(look, &cluster.state, 11),
        weight(cluster)
    );
    if let Some(version) = of_another(cluster, change) {
        line += &format!(" on {version}");
    }
    if let Some(phase) = &cluster.phase {
        line += &format!("  {phase}");
    }
    if let Some(observed) = cluster
        .observed
        .filter(|seen| Some(*seen) != cluster.weight)
    {
        line += &format!(" (read back {observed}%)");
    }
    if let Some(primary) = &cluster.primary_version {
        line += &format!("  primary {primary}");
    }
    if !cluster.connected {
        line += &look.paint(
            Tone::Warn,
            &format!("  not connected, heard {}", heard(cluster.heard(), now)),
        );
    }
    line.push('\n');
    if !cluster.why.message.is_empty() {
        let reason = why(&cluster.why, now);
        line += &format!("  {:<16} {}\n", "", look.paint(Tone::Dim, &reason));
    }
    line
}
