//! What `watch` shows: a live picture that fits the terminal, or what changed as plain lines.

use flagship_proto::words::count;
use jiff::Timestamp;

use super::{
    rollout,
    standing::{named, stands, tally, weight},
    words::{ago, banner_remedy, banner_word, banners, bar, clock, millis, state, tone, why},
};
use crate::{
    api::types::{Banner, MORE, MORE_ABORTS, RolloutCluster, RolloutView, RolloutWave},
    cli::output::{Look, Tone, cut},
};

/// Below so many columns a picture has names, weights and states only.
const NARROW: usize = 60;
/// A reason that is cut to fewer columns says nothing.
const SHORTEST_REASON: usize = 8;
/// The rows of a terminal that are left alone: the prompt, and what was typed.
const MARGIN: usize = 2;
/// So many rows a long sentence may take.
const SENTENCE: usize = 3;

/// The live picture: the waves, a line a cluster, and below what is waited for. Where not every cluster
/// has room, those that are under way or went wrong come first and the others are counted.
pub fn picture(look: Look, view: &RolloutView, now: Timestamp) -> String {
    let mut page = banners(look, &view.banners, now);
    let head = format!("{}  {}  {}", named(view), view.change, stands(view));
    page += &look.paint(Tone::Strong, &look.sentence(&head, SENTENCE));
    page.push('\n');
    for wave in &view.waves {
        page += &cut(&wave_line(look, view, wave), look.width);
        page.push('\n');
    }
    let sentence = format!("{}: {}", ending(view), why(&view.why, now));
    let sentence = look.sentence(&sentence, SENTENCE);
    let taken = look.rows(&page) + look.rows(&sentence) + MARGIN;
    let room = look.height.saturating_sub(taken).max(3);
    for line in clusters(look, view, room, now) {
        page += &line;
        page.push('\n');
    }
    page + &sentence + "\n"
}

fn wave_line(look: Look, view: &RolloutView, wave: &RolloutWave) -> String {
    let done = view.clusters.iter().filter(|c| c.wave == wave.name);
    let done = done.filter(|c| matches!(c.state.as_str(), "Done" | "Soaking"));
    let longest = view.waves.iter().map(|w| w.name.chars().count()).max();
    let width = longest.unwrap_or(0).min(24).min(look.width / 3);
    let mut line = format!(
        "{:<width$}  {}/{}  {}",
        cut(&wave.name, width),
        done.count(),
        wave.clusters.len(),
        wave.state
    );
    if let Some(soak) = wave.soak.as_ref().filter(|_| wave.state == "soaking") {
        let elapsed = millis(soak.elapsed_ms.min(soak.needed_ms));
        line += &format!("  soaked {elapsed} of {}", millis(soak.needed_ms));
    }
    line
}

fn clusters(look: Look, view: &RolloutView, room: usize, now: Timestamp) -> Vec<String> {
    let mut shown: Vec<&RolloutCluster> = view.clusters.iter().collect();
    let mut rest = Vec::new();
    if shown.len() > room {
        shown.sort_by_key(|cluster| rank(&cluster.state));
        rest = shown.split_off(room - 1);
    }
    let longest = |text: fn(&RolloutCluster) -> usize| {
        let lengths = shown.iter().map(|cluster| text(cluster));
        lengths.max().unwrap_or(0).min(24)
    };
    let names = longest(|c| c.cluster.chars().count());
    let waves = longest(|c| c.wave.chars().count());
    let line = |cluster: &&RolloutCluster| line(look, cluster, names, waves, now);
    let mut lines: Vec<String> = shown.iter().map(line).collect();
    if !rest.is_empty() {
        let text = format!("… {} more: {}", rest.len(), tally(&rest));
        lines.push(look.paint(Tone::Dim, &cut(&text, look.width)));
    }
    lines
}

/// Who is looked at first.
fn rank(state: &str) -> u8 {
    match state {
        "Failed" | "Unreachable" => 0,
        "Retreating" | "Running" | "Ordered" => 1,
        "Skipped" | "RolledBack" | "Left" => 2,
        "Soaking" => 3,
        "Waiting" => 4,
        _ => 5,
    }
}

fn line(
    look: Look,
    cluster: &RolloutCluster,
    names: usize,
    waves: usize,
    now: Timestamp,
) -> String {
    let label = if cluster.connected {
        &cluster.state
    } else {
        "not heard"
    };
    if look.width < NARROW {
        let names = names.min(look.width / 2);
        let name = cut(&cluster.cluster, names);
        let line = format!("{name:<names$} {:>4} {label}", weight(cluster));
        return look.paint(tone(&cluster.state), &cut(&line, look.width));
    }
    let cells = if look.width >= 100 { 20 } else { 10 };
    let rest = cells + 4 + 6 + 14;
    let (waves, names) = if waves + names + rest > look.width {
        (waves.min(look.width / 6), names.min(look.width / 4))
    } else {
        (waves, names)
    };
    let left = format!(
        "{:<waves$}  {:<names$}  ",
        cut(&cluster.wave, waves),
        cut(&cluster.cluster, names)
    );
    let share = bar(cluster.weight.unwrap_or(0), cells);
    let room = look.width.saturating_sub(waves + names + rest);
    let reason = if room < SHORTEST_REASON {
        String::new()
    } else {
        cut(&said(cluster, now), room)
    };
    let line = format!(
        "{left}{} {:>4}  {}  {}",
        look.paint(tone(&cluster.state), &share),
        weight(cluster),
        state(look, label, 11),
        look.paint(Tone::Dim, &reason)
    );
    line.trim_end().to_owned()
}

fn ending(view: &RolloutView) -> &'static str {
    if view.ended { "ended" } else { "waits for" }
}

fn said(cluster: &RolloutCluster, now: Timestamp) -> String {
    let mut message = if cluster.why.message.is_empty() {
        cluster.phase.clone().unwrap_or_default()
    } else {
        cluster.why.message.clone()
    };
    if cluster.failed_checks > 0 {
        let failed = count(cluster.failed_checks as usize, "failed check");
        message = format!("{failed}; {message}");
    }
    match cluster.why.since {
        Some(since) if !message.is_empty() => format!("{message} ({})", ago(since, now)),
        Some(_) | None => message,
    }
}

/// The last words: who still serves what was stopped, who is on the way back, and what can be done.
pub fn last_words(look: Look, over: &[Banner], view: &RolloutView, now: Timestamp) -> String {
    let serving = over
        .iter()
        .filter(|one| ["serving", "stays"].contains(&one.kind.as_str()));
    let serving: Vec<_> = serving.cloned().collect();
    let steps = rollout::steps("What you can do", &view.next_steps);
    banners(look, &serving, now) + &rollout::still_go_back(view) + &steps
}

/// What changed between two looks, as plain lines; everything at the first look.
pub fn changes(before: Option<&RolloutView>, view: &RolloutView, now: Timestamp) -> Vec<String> {
    let at = clock(now, now);
    let mut lines = Vec::new();
    for banner in &view.banners {
        if !before.is_some_and(|before| before.banners.iter().any(|old| old.id == banner.id)) {
            lines.push(format!("{at} {} {}", banner_word(banner), banner.text));
            let remedy = banner_remedy(banner);
            let remedies = banner.remedy.lines();
            lines.extend(remedies.map(|command| format!("  {remedy}: {command}")));
        }
    }
    // Where some are counted, one that is not named any more may stand among them.
    let counts = |kind: &str| view.banners.iter().any(|banner| banner.kind == kind);
    for banner in before.iter().flat_map(|before| &before.banners) {
        if !view.banners.iter().any(|new| new.id == banner.id) {
            lines.push(match banner.kind.as_str() {
                "freeze" if counts(MORE) => continue,
                "freeze" => format!("{at} freeze {} has ended", banner.id),
                "abort" | "lifted" if counts(MORE_ABORTS) => continue,
                "abort" | "lifted" => format!("{at} abort {} was lifted", banner.id),
                // What has ended waits for neither any more, and tells of none.
                "unconfirmed" | "behind" if view.ended => continue,
                "unconfirmed" => format!("{at} nothing in it waits to be confirmed any more"),
                "behind" => format!("{at} the hub gives orders again"),
                _ => continue,
            });
        }
    }
    let what = |v: &RolloutView| {
        let place = (v.state.clone(), v.wave.clone(), v.stage.clone());
        (place, v.attempt, v.why.code.clone())
    };
    let mut told = "";
    if before.is_none_or(|old| what(old) != what(view)) {
        told = &view.why.message;
        let known = before.map_or("", |old| &old.why.message);
        let reason = news(known, &view.why.message);
        lines.push(format!("{at} {} {}{reason}", named(view), stands(view)));
    }
    for cluster in &view.clusters {
        let old = before.and_then(|b| b.clusters.iter().find(|c| c.cluster == cluster.cluster));
        lines.extend(cluster_change(old, cluster, told).map(|line| format!("{at} {line}")));
    }
    lines
}

/// `: ` and what of a message was not said by the one before it: a cause is told once, however many
/// states follow from it.
fn news(known: &str, message: &str) -> String {
    let same = |(old, new): &(&str, &str)| old == new;
    let told = known.split("; ").zip(message.split("; "));
    let told = told.take_while(same).count();
    let fresh: Vec<&str> = message.split("; ").skip(told).collect();
    match fresh.join("; ") {
        fresh if fresh.is_empty() => fresh,
        fresh => format!(": {fresh}"),
    }
}

/// What changed in one cluster; not its reason again where `told` has said it just before.
fn cluster_change(
    old: Option<&RolloutCluster>,
    new: &RolloutCluster,
    told: &str,
) -> Option<String> {
    let what = |c: &RolloutCluster| {
        let place = (c.state.clone(), c.phase.clone(), c.weight);
        (place, c.why.code.clone(), c.connected, c.failed_checks)
    };
    let same = old.is_some_and(|old| what(old) == what(new));
    let never_began = new.state == "NotBegun" || (old.is_none() && new.state == "Waiting");
    if same || never_began {
        return None;
    }
    let mut line = format!("{} {} {}", new.cluster, new.state, weight(new));
    if let Some(phase) = &new.phase {
        line += &format!(" {phase}");
    }
    if !new.connected {
        line += " (not heard)";
    }
    if new.failed_checks > 0 {
        let failed = count(new.failed_checks as usize, "failed check");
        line += &format!(" ({failed})");
    }
    let known = old.map_or("", |old| &old.why.message);
    if !told.contains(&new.why.message) {
        line += &news(known, &new.why.message);
    }
    Some(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_is_told_once() {
        let cause = "taken back: 1 failed, 0 allowed; last eu-1: success rate 90% < 99%";
        assert_eq!(news("", cause), format!(": {cause}"));
        let more = format!("{cause}; eu-1 still going back");
        assert_eq!(news(cause, &more), ": eu-1 still going back");
        assert_eq!(news(&more, cause), "");
        assert_eq!(news("", ""), "");
    }
}
