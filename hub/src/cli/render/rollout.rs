//! Rollouts as text: the list, the page in words, the live picture, and what changed as lines.

use jiff::Timestamp;

use super::words::{ago, banner_word, banners, bar, clock, fact, heard, millis, state, why};
use crate::{
    api::types::{RolloutCluster, RolloutView, RolloutWave},
    cli::output::{Look, Tone, cut, table},
};

/// One line a rollout.
pub fn list(look: Look, rollouts: &[RolloutView], now: Timestamp) -> String {
    let rows = rollouts
        .iter()
        .map(|rollout| {
            vec![
                format!("{}/{}", rollout.project, rollout.id),
                rollout.change.clone(),
                rollout.state.clone(),
                rollout.wave.clone().unwrap_or_else(|| "-".to_owned()),
                format!("{}/{}", rollout.done, rollout.total),
                ago(rollout.started_at, now),
                cut(&rollout.why.message, 72),
            ]
        })
        .collect();
    let head = ["ROLLOUT", "CHANGE", "STATE", "WAVE", "DONE", "AGE", "WHY"];
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
    if !view.next_steps.is_empty() {
        page += "\nWhat you can do:\n";
        for step in &view.next_steps {
            page += &format!("  {step}\n");
        }
    }
    page
}

fn stands(view: &RolloutView) -> String {
    let mut text = view.state.clone();
    if let Some(wave) = &view.wave {
        text += &format!(", wave {wave}");
        if let Some(stage) = &view.stage {
            text += &format!(" ({})", stage.to_lowercase());
        }
    }
    if view.attempt > 1 {
        text += &format!(", attempt {}", view.attempt);
    }
    text + &format!(", {} of {} clusters done", view.done, view.total)
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
        for cluster in view.clusters.iter().filter(|c| c.wave == wave.name) {
            text += &cluster_words(look, cluster, now);
        }
    }
    let placed = |c: &&RolloutCluster| !view.waves.iter().any(|wave| wave.name == c.wave);
    let others: Vec<_> = view.clusters.iter().filter(placed).collect();
    if !others.is_empty() {
        text += "\nOutside the waves:\n";
        for cluster in others {
            text += &cluster_words(look, cluster, now);
        }
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

fn cluster_words(look: Look, cluster: &RolloutCluster, now: Timestamp) -> String {
    let mut line = format!(
        "  {:<16} {} {:>4}",
        cluster.cluster,
        state(look, &cluster.state, 11),
        weight(cluster)
    );
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
            &format!(
                "  not connected, heard {}",
                heard(cluster.last_heard, false, now)
            ),
        );
    }
    line.push('\n');
    let reason = why(&cluster.why, now);
    if !reason.is_empty() {
        line += &format!("  {:<16} {}\n", "", look.paint(Tone::Dim, &reason));
    }
    line
}

fn weight(cluster: &RolloutCluster) -> String {
    match cluster.weight {
        Some(weight) => format!("{weight}%"),
        None => "-".to_owned(),
    }
}

/// The live picture: a line a cluster with a bar, and below it what is waited for.
pub fn picture(look: Look, view: &RolloutView, now: Timestamp) -> String {
    let mut page = banners(look, &view.banners, now);
    let head = format!(
        "{}/{}  {}  {}",
        view.project,
        view.id,
        view.change,
        stands(view)
    );
    page += &look.paint(Tone::Strong, &cut(&head, look.width));
    page.push('\n');
    let longest = |text: fn(&RolloutCluster) -> usize| {
        view.clusters.iter().map(text).max().unwrap_or(0).min(24)
    };
    let names = longest(|c| c.cluster.chars().count());
    let in_waves = longest(|c| c.wave.chars().count());
    let cells = if look.width >= 100 { 20 } else { 10 };
    for cluster in &view.clusters {
        let left = format!(
            "{:<in_waves$}  {:<names$}  ",
            cut(&cluster.wave, in_waves),
            cut(&cluster.cluster, names)
        );
        let share = cluster.weight.unwrap_or(0);
        let drawn = look.paint(super::words::tone(&cluster.state), &bar(share, cells));
        let label = if cluster.connected {
            &cluster.state
        } else {
            "not heard"
        };
        let fixed = in_waves + names + cells + 4 + 6 + 14;
        let room = look.width.saturating_sub(fixed);
        let reason = if room < 8 {
            String::new()
        } else {
            cut(&said(cluster, now), room)
        };
        page += &format!(
            "{left}{drawn} {:>4}  {}  {}",
            weight(cluster),
            state(look, label, 11),
            look.paint(Tone::Dim, &reason)
        );
        page = page.trim_end().to_owned();
        page.push('\n');
    }
    page += &cut(
        &format!("{}: {}", ending(view), why(&view.why, now)),
        look.width,
    );
    page.push('\n');
    page
}

fn ending(view: &RolloutView) -> &'static str {
    if view.ended { "ended" } else { "waits for" }
}

fn said(cluster: &RolloutCluster, now: Timestamp) -> String {
    let message = if cluster.why.message.is_empty() {
        cluster.phase.clone().unwrap_or_default()
    } else {
        cluster.why.message.clone()
    };
    match cluster.why.since {
        Some(since) if !message.is_empty() => format!("{message} ({})", ago(since, now)),
        Some(_) | None => message,
    }
}

/// What changed between two looks, as plain lines; everything at the first look.
pub fn changes(before: Option<&RolloutView>, view: &RolloutView, now: Timestamp) -> Vec<String> {
    let at = clock(now, now);
    let mut lines = Vec::new();
    for banner in &view.banners {
        if !before.is_some_and(|before| before.banners.iter().any(|old| old.id == banner.id)) {
            lines.push(format!(
                "{at} {} {}; to end it: {}",
                banner_word(banner),
                banner.text,
                banner.remedy
            ));
        }
    }
    for banner in before.iter().flat_map(|before| &before.banners) {
        if !view.banners.iter().any(|new| new.id == banner.id) {
            lines.push(match banner.kind.as_str() {
                "freeze" => format!("{at} freeze {} has ended", banner.id),
                _ => format!("{at} abort {} was lifted", banner.id),
            });
        }
    }
    let moved = before.is_none_or(|old| {
        (
            &old.state,
            &old.wave,
            &old.stage,
            old.attempt,
            &old.why.code,
        ) != (
            &view.state,
            &view.wave,
            &view.stage,
            view.attempt,
            &view.why.code,
        )
    });
    if moved {
        let reason = &view.why.message;
        let reason = if reason.is_empty() {
            String::new()
        } else {
            format!(": {reason}")
        };
        lines.push(format!(
            "{at} {}/{} {}{reason}",
            view.project,
            view.id,
            stands(view)
        ));
    }
    for cluster in &view.clusters {
        let old = before.and_then(|b| b.clusters.iter().find(|c| c.cluster == cluster.cluster));
        lines.extend(cluster_change(old, cluster).map(|line| format!("{at} {line}")));
    }
    lines
}

fn cluster_change(old: Option<&RolloutCluster>, new: &RolloutCluster) -> Option<String> {
    let same = old.is_some_and(|old| {
        (
            &old.state,
            &old.phase,
            old.weight,
            &old.why.code,
            old.connected,
        ) == (
            &new.state,
            &new.phase,
            new.weight,
            &new.why.code,
            new.connected,
        )
    });
    if same || (old.is_none() && new.state == "Waiting") {
        return None;
    }
    let mut line = format!("{} {} {}", new.cluster, new.state, weight(new));
    if let Some(phase) = &new.phase {
        line += &format!(" {phase}");
    }
    if !new.connected {
        line += " (not heard)";
    }
    if !new.why.message.is_empty() {
        line += &format!(": {}", new.why.message);
    }
    Some(line)
}
