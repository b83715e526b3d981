//! Aborts as text: who has stopped, who has not, by when, and what is still to be fixed.

use flagship_proto::words::{count, count_with, given};
use jiff::Timestamp;

use super::words::{ago, clock, millis, several};
use crate::{
    api::types::{
        AbortCluster, AbortOutcome, AbortPreview, AbortState, AbortView, NotFixed, ScopeHit,
    },
    cli::output::{Look, Tone, table},
};

/// One line an abort.
pub fn list(look: Look, aborts: &[AbortView], now: Timestamp) -> String {
    let rows = aborts
        .iter()
        .map(|abort| {
            vec![
                abort.id.clone(),
                match (abort.standing, &abort.lifted) {
                    (true, None) => "stands",
                    (true, Some(_)) => "lifting",
                    (false, _) => "lifted",
                }
                .to_owned(),
                abort.scope.clone(),
                ago(abort.at, now),
                abort.actor.clone(),
                look.cut(&abort.reason, 48),
                look.cut(&abort.summary, 72),
            ]
        })
        .collect();
    let head = ["ABORT", "STATE", "SCOPE", "AGE", "BY", "REASON", "OUTCOME"];
    table(look, &head, rows)
}

/// The whole page: first whether everything stopped, then a line a cluster, then what is not fixed.
pub fn page(look: Look, view: &AbortView, now: Timestamp) -> String {
    let mut text = head(look, view, now);
    for cluster in &view.clusters {
        text += &line(look, cluster);
    }
    text += &summary(look, view, now);
    text
}

/// The same for a terminal that is drawn over: it has to fit. Where not every cluster has room, those
/// that did not stop come first and the others are counted.
pub fn picture(look: Look, view: &AbortView, now: Timestamp) -> String {
    let mut text = head(look, view, now);
    let summary = summary(look, view, now);
    let taken = look.rows(&text) + look.rows(&summary) + MARGIN;
    let room = look.height.saturating_sub(taken).max(MARGIN);
    let mut clusters: Vec<&AbortCluster> = view.clusters.iter().collect();
    let all: String = clusters.iter().map(|cluster| line(look, cluster)).collect();
    if look.rows(&all) <= room {
        return text + &all + &summary;
    }
    clusters.sort_by_key(|cluster| rank(cluster.state));
    let mut rows = 0;
    let fits = |cluster: &&&AbortCluster| {
        rows += look.rows(&line(look, cluster));
        rows < room
    };
    let shown = clusters.iter().take_while(fits).count();
    let (shown, rest) = clusters.split_at(shown);
    text.extend(shown.iter().map(|cluster| line(look, cluster)));
    text + &format!("  … and {}\n", count(rest.len(), "more cluster")) + &summary
}

/// The rows of a terminal that are left alone: the prompt, and what was typed.
const MARGIN: usize = 2;

/// Who is looked at first.
fn rank(state: AbortState) -> u8 {
    match state {
        AbortState::NotStopped => 0,
        AbortState::NotHeard => 1,
        AbortState::Told => 2,
        AbortState::Returning => 3,
        AbortState::Done => 4,
        AbortState::Returned | AbortState::Held => 5,
        AbortState::Idle => 6,
    }
}

/// Before the names of rollouts that had ended and that an abort takes back.
const ENDED: &str = "ended, goes back:";

/// What was ordered and what bound holds.
pub fn head(look: Look, view: &AbortView, now: Timestamp) -> String {
    let what = match view.mode.as_str() {
        "hold" => "all weights stay",
        "retreat" => "all traffic goes back, Done clusters too",
        _ => "unfinished canaries go back, Done clusters stay",
    };
    let title = format!("Abort {} stops {}: {what}", view.id, view.scope);
    let mut text = format!("{}\n", look.paint(Tone::Strong, &title));
    text += &format!(
        "  ordered at {} by {}: {}\n",
        clock(view.at, now),
        view.actor,
        given(&view.reason)
    );
    if view.stood {
        text += "  it stood already: nothing new was ordered, and who asked is in the audit log\n";
    }
    if !view.taken_back.is_empty() {
        let names = several(look, &view.taken_back);
        text += &format!("  {ENDED} {names}\n");
    }
    if !view.durable {
        let warning = "  NOT STORED: it was sent to whoever is connected, but the store could not be written; order it again";
        text += &format!("{}\n", look.paint(Tone::Bad, warning));
    }
    if let Some(lift) = &view.lifted {
        let what = match view.standing {
            true => "is lifted and ends at",
            false => "lifted at",
        };
        let (at, by, why) = (clock(lift.at, now), &lift.actor, given(&lift.reason));
        text += &format!("  {what} {at}, by {by}: {why}\n");
    }
    if view.standing {
        text += &format!(
            "  nothing advances anywhere in scope after {} ({} after the order), heard or not\n",
            clock(view.bound_at, now),
            millis(view.bound_ms)
        );
        text += &joins(view.joins.as_ref());
    }
    text
}

/// Who joins a selector later.
pub fn joins(who: Option<&String>) -> String {
    who.map_or_else(String::new, |who| format!("  {who}\n"))
}

/// One cluster.
pub fn line(look: Look, cluster: &AbortCluster) -> String {
    let word = word(cluster.state);
    let painted = look.paint(tone(cluster.state), &format!("{word:<11}"));
    let after = match cluster.after_ms {
        Some(after) => format!("{after:>6} ms"),
        None => " ".repeat(9),
    };
    let mut line = format!(
        "  {:<16} {painted} {after}  {}\n",
        cluster.cluster, cluster.text
    );
    if let Some(command) = &cluster.local_command {
        line += &format!("  {:<16} to stop it there: {command}\n", "");
    }
    line
}

/// Totals, and what stays to be fixed.
pub fn summary(look: Look, view: &AbortView, now: Timestamp) -> String {
    let mut text = format!(
        "{}\n",
        look.paint(outcome_tone(view.outcome), &view.summary)
    );
    for (head, some) in [
        ("Stopped is not fixed", &view.not_fixed),
        ("Out of scope and not taken back", &view.held_with),
    ] {
        text += &serving(look, head, "was aborted", some);
    }
    if view
        .clusters
        .iter()
        .any(|cluster| cluster.local_command.is_some())
    {
        text += &format!("{THERE}\n");
    }
    if view.standing && view.lifted.is_some() {
        text += "Its lift is ordered, and it ends at the time that is said above\n";
    } else if view.standing {
        text += &format!(
            "It stands until somebody lifts it ({} so far): {}\n",
            ago(view.at, now),
            view.remedy
        );
    }
    text + &stays(view)
}

/// What had succeeded and stays, and the command that takes it back too.
pub fn stays(view: &AbortView) -> String {
    let line = |stays: &String| format!("{stays}\n");
    view.stays.as_ref().map_or_else(String::new, line)
}

/// How the commands are typed that stop a cluster without the hub.
const THERE: &str = "What stops a cluster there is typed on its machine, with --config FILE where the agent's is not /etc/flagship/agent.yaml.";

/// So many clusters that are to be fixed are named.
const WRITTEN: usize = 20;

/// Who still serves what was stopped, and the commands that take it back.
pub fn serving(look: Look, head: &str, what: &str, clusters: &[NotFixed]) -> String {
    if clusters.is_empty() {
        return String::new();
    }
    let title = format!(
        "{head}: {} what {what}",
        count_with(clusters.len(), "cluster", ["still serves", "still serve"])
    );
    let mut text = format!("{}\n", look.paint(Tone::Warn, &title));
    let written = if look.is_whole() {
        clusters.len()
    } else {
        WRITTEN
    };
    for cluster in clusters.iter().take(written) {
        let version = cluster.version.as_deref().unwrap_or("the change");
        let how = match (cluster.done, cluster.soaked) {
            (true, true) => ", done",
            (true, false) => ", done, not soaked",
            (false, _) => ", in flight",
        };
        let more = cluster.unheard.iter().chain(&cluster.stuck);
        let more: String = more.map(|what| format!(", {what}")).collect();
        let share = match cluster.share {
            Some(share) => format!(" with {share}% of its traffic"),
            None => String::new(),
        };
        text += &format!(
            "  {:<16} serves {version} of {}{share}{how}{more}\n",
            cluster.cluster, cluster.workload
        );
    }
    if clusters.len() > written {
        text += &format!(
            "  and {} more (-o wide names them)\n",
            clusters.len() - written
        );
    }
    let mut commands: Vec<&str> = clusters.iter().map(|c| c.command.as_str()).collect();
    commands.sort_unstable();
    commands.dedup();
    // One that is said with what comes after it needs no line without that.
    let all = commands.clone();
    commands.retain(|one| {
        let mut others = all.iter().filter(|other| *other != one);
        !others.any(|other| other.starts_with(&format!("{one}   # then ")))
    });
    for command in commands {
        text += &format!("  to take them back: {command}\n");
    }
    text
}

/// What an abort or a freeze would do.
pub fn preview(look: Look, what: &str, preview: &AbortPreview, now: Timestamp) -> String {
    let title = format!("{what} of {} would hit:", preview.scope);
    let mut text = format!("{}\n", look.paint(Tone::Strong, &title));
    text += &format!("  {}\n", preview.summary);
    let names = |some: &[NotFixed]| some.iter().map(settled).collect();
    let (done, left): (Vec<String>, Vec<String>) = (names(&preview.done), names(&preview.left));
    let done_name = if preview.done_stays {
        "Done, and stays so:"
    } else {
        "Done, goes back:"
    };
    for (name, some) in [
        ("rollouts:", &preview.rollouts),
        (ENDED, &preview.taken_back),
        ("stops at once:", &preview.connected),
        ("not heard now:", &preview.not_heard),
        ("held, out of scope:", &preview.held_with),
        (done_name, &done),
        ("left on what was:", &left),
    ] {
        if !some.is_empty() {
            text += &format!("  {name:<20} {}\n", several(look, some));
        }
    }
    text += &format!(
        "  nothing advances in its scope after {} ({} from now), heard or not{}\n",
        clock(preview.bound_at, now),
        millis(preview.bound_ms),
        if preview.outside.is_empty() {
            ""
        } else {
            ", but for:"
        }
    );
    for cluster in &preview.outside {
        let line = format!("    outside the bound: {cluster}");
        text += &format!("{}\n", look.paint(Tone::Bad, &line));
    }
    text += &joins(preview.joins.as_ref());
    text + "Nothing was ordered.\n"
}

/// `us-1 (1.1.0 of shop/checkout-1)`.
fn settled(one: &NotFixed) -> String {
    match (&one.version, &one.rollout) {
        (Some(version), Some(rollout)) => format!("{} ({version} of {rollout})", one.cluster),
        (Some(what), None) | (None, Some(what)) => format!("{} ({what})", one.cluster),
        (None, None) => one.cluster.clone(),
    }
}

/// Columns that what a scope would hit needs beside it.
const HITS: usize = 42;

/// The scopes that there are, for one who named none.
pub fn scopes(look: Look, scopes: &[ScopeHit]) -> String {
    // An option is there to be copied: it is broken nowhere.
    let widest = scopes
        .iter()
        .map(|scope| scope.option.chars().count())
        .max();
    if widest.unwrap_or(0) + HITS > look.width {
        let below = |scope: &ScopeHit| {
            let hits = look.wrap(&format!("    {}", scope.hits));
            format!("{}\n{hits}\n", scope.option)
        };
        return scopes.iter().map(below).collect();
    }
    let rows = scopes
        .iter()
        .map(|scope| vec![scope.option.clone(), scope.hits.clone()])
        .collect();
    table(look, &["SCOPE", "WOULD HIT"], rows)
}

/// The word for a cluster's state.
pub fn word(state: AbortState) -> &'static str {
    match state {
        AbortState::NotStopped => "NOT STOPPED",
        AbortState::NotHeard => "not heard",
        AbortState::Told => "told",
        AbortState::Returning => "returning",
        AbortState::Returned => "returned",
        AbortState::Held => "held",
        AbortState::Done => "done",
        AbortState::Idle => "idle",
    }
}

fn tone(state: AbortState) -> Tone {
    match state {
        AbortState::NotStopped => Tone::Bad,
        AbortState::NotHeard | AbortState::Done => Tone::Warn,
        AbortState::Told | AbortState::Returning => Tone::Busy,
        AbortState::Returned | AbortState::Held => Tone::Good,
        AbortState::Idle => Tone::Dim,
    }
}

fn outcome_tone(outcome: AbortOutcome) -> Tone {
    match outcome {
        AbortOutcome::Stopped => Tone::Good,
        AbortOutcome::Stopping => Tone::Busy,
        AbortOutcome::Bounded => Tone::Warn,
        AbortOutcome::NotStopped => Tone::Bad,
    }
}
