//! Why something is as it is: the chain of reasons from the start to now, and why what has not happened
//! has not. Pure functions of a rollout and its history.

use flagship_proto::words::count;
use jiff::Timestamp;

use super::{
    rollout::steps,
    standing::{is_unread, named, of_another, stands, weight},
    words::{ago, banners, clock, heard, millis, why},
};
use crate::{
    api::types::{HistoryView, RolloutCluster, RolloutView, RolloutWave},
    cli::output::{Look, Tone},
};

/// So many clusters are named where each has the same reason.
const NAMED: usize = 10;

/// The explanation of a rollout, or of one cluster in it.
pub fn page(
    look: Look,
    view: &RolloutView,
    history: &[HistoryView],
    cluster: Option<&RolloutCluster>,
    now: Timestamp,
) -> String {
    let head = format!(
        "{} releases {} of {}: {}",
        named(view),
        view.change,
        view.workload,
        stands(view)
    );
    let mut text = banners(look, &view.banners, now);
    text += &(look.paint(Tone::Strong, &head) + "\n\nFrom the start to now:\n");
    let asked = match &view.ticket {
        Some(ticket) => format!("{} ({ticket})", view.reason),
        None => view.reason.clone(),
    };
    let asked = if asked.is_empty() {
        asked
    } else {
        format!(": {asked}")
    };
    let first = format!("{} asked for it{asked}", view.started_by);
    text += &entry(view.started_at, view.started_at, &first, now);
    let mut told: Vec<String> = Vec::new();
    for line in history {
        if cluster.is_none_or(|cluster| concerns(line, &cluster.cluster)) {
            let said = said(line);
            text += &entry(line.at, view.started_at, &once(&told, &said), now);
            told.push(said);
        }
    }
    text += "\nNow:\n";
    if let Some(cluster) = cluster {
        text += &format!("  {}\n", here(cluster, &view.change, now));
    }
    let word = if view.ended { "ended" } else { "it waits for" };
    text += &format!("  {word}: {}\n", why(&view.why, now));
    let missing = missing(view, cluster, now);
    if !missing.is_empty() {
        text += "\nWhat has not happened, and why:\n";
        for line in missing {
            text += &format!("  {line}\n");
        }
    }
    let steps = steps("What you can do", &view.next_steps);
    if !steps.is_empty() {
        text += &format!("\n{steps}");
    }
    text
}

fn entry(at: Timestamp, start: Timestamp, text: &str, now: Timestamp) -> String {
    let since = format!("+{}", ago(start, at));
    format!("  {}  {since:<8} {text}\n", clock(at, now))
}

fn said(line: &HistoryView) -> String {
    match &line.cluster {
        Some(cluster) if !names(&line.message, cluster) => format!("{cluster}: {}", line.message),
        Some(_) | None => line.message.clone(),
    }
}

/// A sentence without a cause that one of the lines just before it has told already.
fn once(told: &[String], said: &str) -> String {
    let recent = &told[told.len().saturating_sub(RECENT)..];
    let ends = said.match_indices([':', ',']).map(|(at, _)| at + 1);
    for cause in ends.map(|at| (at, said[at..].trim_start())) {
        let (at, cause) = cause;
        if cause.len() >= CAUSE && recent.iter().any(|line| line.contains(cause)) {
            return format!("{} as above", &said[..at]);
        }
    }
    said.to_owned()
}

/// A cause is looked for in so many lines before.
const RECENT: usize = 50;
/// What is shorter than this is no cause worth leaving out.
const CAUSE: usize = 30;

/// Whether a line of history is about a cluster: it is its own, or names it.
fn concerns(line: &HistoryView, cluster: &str) -> bool {
    match &line.cluster {
        Some(own) => own == cluster,
        None => names(&line.message, cluster) || CHAPTERS.contains(&line.code.as_str()),
    }
}

/// What happened to the rollout as a whole happened to each of its clusters.
const CHAPTERS: &[&str] = &[
    "Started",
    "Halted",
    "Aborted",
    "StillAborted",
    "Lifted",
    "Frozen",
    "FreezeEnded",
    "PausedBy",
    "ResumedBy",
    "RetriedBy",
    "AcceptedBy",
    "StillGoBack",
    "SupersededBy",
    "RetreatBegun",
];

/// Whether a sentence has this name as a word of its own: `eu-1` is not in `eu-10`.
fn names(text: &str, name: &str) -> bool {
    let part = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut from = 0;
    while let Some(found) = text[from..].find(name) {
        let start = from + found;
        let end = start + name.len();
        let before = text[..start].chars().next_back().is_some_and(part);
        let after = text[end..].chars().next().is_some_and(part);
        if !before && !after {
            return true;
        }
        from = end;
    }
    false
}

fn here(cluster: &RolloutCluster, change: &str, now: Timestamp) -> String {
    let mut text = format!(
        "{} is {} in wave {}",
        cluster.cluster, cluster.state, cluster.wave
    );
    if let Some(weight) = cluster.weight {
        let on = of_another(cluster, change).unwrap_or("the change");
        text += &match cluster.observed {
            None if is_unread(cluster) => {
                format!(
                    ", what share of its traffic is on {on} is not known: not every proxy is read"
                )
            }
            Some(read) if read != weight => {
                format!(", {read}% of its traffic on {on} ({weight}% wanted)")
            }
            Some(_) | None => format!(", {weight}% of its traffic on {on}"),
        };
    }
    if cluster.failed_checks > 0 {
        text += &format!(", {}", count(cluster.failed_checks, "failed check"));
    }
    if !cluster.connected {
        let heard = heard(cluster.heard(), now);
        text += &format!(", not connected (heard {heard})");
    }
    if cluster.why.message.is_empty() {
        return text;
    }
    format!("{text}: {}", why(&cluster.why, now))
}

/// What has not happened in the rollout, or in this cluster of it, each with the reason.
pub fn missing(
    view: &RolloutView,
    cluster: Option<&RolloutCluster>,
    now: Timestamp,
) -> Vec<String> {
    match cluster {
        Some(cluster) => cluster_not_yet(view, cluster, now).into_iter().collect(),
        None => not_yet(view, now),
    }
}

/// What the rollout has not done yet, each with the reason; nothing once it has ended.
fn not_yet(view: &RolloutView, now: Timestamp) -> Vec<String> {
    if view.ended {
        return Vec::new();
    }
    let mut lines = Vec::new();
    for wave in view.waves.iter().filter(|wave| wave.state != "done") {
        lines.push(format!(
            "wave {} is not done: {}",
            wave.name,
            blocks(view, wave, now)
        ));
        if wave_runs(wave) {
            let members = view.clusters.iter().filter(|c| c.wave == wave.name);
            let mut open = members.filter(|c| has_to_go(&c.state));
            let first = open.by_ref().take(NAMED);
            let first = first.filter_map(|cluster| cluster_not_yet(view, cluster, now));
            lines.extend(first.map(|line| format!("  {line}")));
            let more = open.count();
            if more > 0 {
                lines.push(format!(
                    "  and {more} more: flagship explain {} CLUSTER",
                    named(view)
                ));
            }
        }
    }
    lines
}

/// Whether a cluster in this state has something before it, or is amiss.
fn has_to_go(state: &str) -> bool {
    const OPEN: &[&str] = &[
        "Waiting",
        "Ordered",
        "Running",
        "Retreating",
        "Failed",
        "Skipped",
        "Unreachable",
    ];
    OPEN.contains(&state)
}

fn wave_runs(wave: &RolloutWave) -> bool {
    matches!(
        wave.state.as_str(),
        "running" | "soaking" | "begun" | "stopped"
    )
}

/// Why a wave is not done.
fn blocks(view: &RolloutView, wave: &RolloutWave, now: Timestamp) -> String {
    let before = view
        .waves
        .iter()
        .take_while(|other| other.name != wave.name);
    if let Some(first) = before.into_iter().find(|other| other.state != "done") {
        return format!("wave {} comes before it and is not done", first.name);
    }
    if !matches!(view.state.as_str(), "Progressing" | "Pending") {
        return format!("the rollout is {}: {}", view.state, why(&view.why, now));
    }
    match (wave.state.as_str(), &wave.soak) {
        ("soaking", Some(soak)) if soak.elapsed_ms < soak.needed_ms => format!(
            "it soaks, {} of {} are over",
            millis(soak.elapsed_ms),
            millis(soak.needed_ms)
        ),
        _ => why(&view.why, now),
    }
}

/// Why a cluster has not got further; none if it is done or waits for nothing.
pub fn cluster_not_yet(
    view: &RolloutView,
    cluster: &RolloutCluster,
    now: Timestamp,
) -> Option<String> {
    let name = &cluster.cluster;
    if view.ended {
        return (cluster.state == "NotBegun").then(|| {
            format!(
                "{name} was never started: the rollout ended before the turn of wave {}",
                cluster.wave
            )
        });
    }
    match cluster.state.as_str() {
        "Waiting" => Some(format!(
            "{name} has not started: {}",
            waits(view, cluster, now)
        )),
        "Ordered" => Some(format!(
            "{name} has its order and has not taken it up: {}",
            match (cluster.connected, cluster.why.message.as_str()) {
                (true, "") => "its agent has not answered yet".to_owned(),
                (true, before) => before.to_owned(),
                (false, _) => not_connected(cluster, now),
            }
        )),
        state if has_to_go(state) => {
            let doing = match cluster.state.as_str() {
                "Running" => format!("stays at {}", weight(cluster)),
                state => format!("is {state}"),
            };
            let stale = if cluster.connected {
                String::new()
            } else {
                let heard = heard(cluster.heard(), now);
                format!(" as it was last heard ({heard}; it is not connected)")
            };
            Some(format!("{name} {doing}{stale}: {}", why(&cluster.why, now)))
        }
        _ => None,
    }
}

fn waits(view: &RolloutView, cluster: &RolloutCluster, now: Timestamp) -> String {
    let Some(wave) = view.waves.iter().find(|wave| wave.name == cluster.wave) else {
        return why(&view.why, now);
    };
    if !wave_runs(wave) || !matches!(view.state.as_str(), "Progressing" | "Pending") {
        return format!("its wave {}: {}", wave.name, blocks(view, wave, now));
    }
    if !cluster.connected {
        return not_connected(cluster, now);
    }
    if cluster.why.code == "LocalControl" {
        return why(&cluster.why, now);
    }
    let busy = |c: &&RolloutCluster| {
        c.wave == wave.name && !matches!(c.state.as_str(), "Waiting" | "Done" | "Soaking" | "Left")
    };
    let busy: Vec<&str> = view
        .clusters
        .iter()
        .filter(busy)
        .map(|c| c.cluster.as_str())
        .collect();
    if busy.is_empty() {
        return why(&view.why, now);
    }
    let (shown, more) = busy.split_at(busy.len().min(NAMED));
    let more = match more.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!(
        "wave {} takes {} at once, and these have the places: {}{more}",
        wave.name,
        wave.max_concurrent,
        shown.join(", ")
    )
}

fn not_connected(cluster: &RolloutCluster, now: Timestamp) -> String {
    let heard = heard(cluster.heard(), now);
    format!("it is not connected (heard {heard}), so that nothing can start there")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cause_that_was_told_is_not_told_again() {
        let cause = "2 of 2 failed checks; the last: request-success-rate: 88 < 99";
        let told = [format!("pilot-1 failed: {cause}")];
        let back =
            format!("the whole rollout goes back: 1 failed, 0 allowed; last pilot-1: {cause}");
        assert_eq!(
            once(&told, &back),
            "the whole rollout goes back: 1 failed, 0 allowed; last pilot-1: as above"
        );
        assert_eq!(once(&[], &back), back);
        assert_eq!(
            once(&told, "eu-1 started, attempt 1"),
            "eu-1 started, attempt 1"
        );
    }

    #[test]
    fn a_name_counts_as_a_word_of_its_own_only() {
        assert!(names("eu-1 failed: x", "eu-1"));
        assert!(names("wave a waits for us-1, eu-1", "eu-1"));
        assert!(!names("eu-10 failed, eu-1-b too, xeu-1", "eu-1"));
        assert!(!names("", "eu-1"));
    }
}
