//! The fleet as text: its state at a glance, and its clusters.

use flagship_proto::words::{count, count_with};
use jiff::Timestamp;

use super::{
    rollout,
    standing::named,
    words::{ago, banners, clock, fact, heard, several, state, why},
};
use crate::{
    api::types::{ClusterView, StatusView, WorkloadView},
    cli::output::{Look, Tone, table},
};

/// What is said, and what to do, where no cluster is a member.
pub const NO_CLUSTER: &str = "No cluster that you may see is enrolled; `flagship token create --cluster NAME` makes a token for one.";

/// The fleet at a glance.
pub fn status(look: Look, view: &StatusView, now: Timestamp) -> String {
    let mut text = banners(look, &view.banners, now);
    let head = format!(
        "Fleet {}: {} of {} connected, hub {} term {}",
        view.fleet,
        view.connected,
        count(view.clusters, "cluster"),
        view.version,
        view.term
    );
    text += &format!("{}\n", look.paint(Tone::Strong, &head));
    if !view.not_heard.is_empty() {
        let names: Vec<String> = view
            .not_heard
            .iter()
            .map(|one| format!("{} ({})", one.cluster, heard(one.heard(), now)))
            .collect();
        let line = format!("  not heard: {}", several(look, &names));
        text += &format!("{}\n", look.paint(Tone::Warn, &line));
    }
    if !view.pending.is_empty() {
        text += &format!(
            "  waiting for approval: {} (flagship cluster approve NAME)\n",
            several(look, &view.pending)
        );
    }
    if view.clusters == 0 {
        text += &format!("{NO_CLUSTER}\n");
    } else if view.rollouts.is_empty() {
        text += "No rollout is under way.\n";
    } else {
        text.push('\n');
        text += &rollout::list(look, &view.rollouts, now);
        text += &unattended(look, view);
    }
    text
}

/// So many rollouts that wait for a person have their commands below the list.
const ATTENDED: usize = 3;

/// What can be done about rollouts that nothing moves any more; where an abort stands, its banner says
/// what comes first.
fn unattended(look: Look, view: &StatusView) -> String {
    let is_first = |step: &String| step.starts_with("flagship lift ");
    let waiting = view.rollouts.iter().filter(|rollout| {
        !rollout.next_steps.is_empty() && !rollout.next_steps.iter().any(is_first)
    });
    let waiting: Vec<_> = waiting.collect();
    let shown = if look.is_whole() {
        waiting.len()
    } else {
        waiting.len().min(ATTENDED)
    };
    let (shown, more) = waiting.split_at(shown);
    let mut text = String::new();
    for view in shown {
        let head = format!("What you can do about {}", named(view));
        text += &format!("\n{}", rollout::steps(&head, &view.next_steps));
    }
    if !more.is_empty() {
        let more = count_with(more.len(), "more rollout", ["waits", "wait"]);
        text += &format!("\n{more} for a person: flagship get rollouts -o wide\n");
    }
    text
}

/// One line a cluster.
pub fn clusters(look: Look, clusters: &[ClusterView], now: Timestamp) -> String {
    let rows = clusters
        .iter()
        .map(|cluster| {
            let mut row = vec![
                cluster.name.clone(),
                cluster.state.clone(),
                heard_now(cluster, now),
                cluster.agent.clone().unwrap_or_else(|| "-".to_owned()),
                labels(cluster),
                look.cut(&running(&cluster.workloads), 60),
            ];
            if look.wide {
                let end = cluster.certificate_ends.map(|end| clock(end, now));
                row.extend([
                    cluster.platform.clone().unwrap_or_else(|| "-".to_owned()),
                    end.unwrap_or_else(|| "-".to_owned()),
                    cluster.uid.clone(),
                    cluster.text.clone(),
                ]);
            }
            row
        })
        .collect();
    let mut head = vec!["CLUSTER", "STATE", "HEARD", "AGENT", "LABELS", "RUNS"];
    if look.wide {
        head.extend(["PLATFORM", "CERTIFICATE UNTIL", "UID", "TEXT"]);
    }
    table(look, &head, rows)
}

fn heard_now(cluster: &ClusterView, now: Timestamp) -> String {
    if cluster.connected {
        "now".to_owned()
    } else {
        heard(cluster.heard(), now)
    }
}

fn labels(cluster: &ClusterView) -> String {
    let labels: Vec<String> = cluster
        .labels
        .iter()
        .map(|(key, value)| format!("{key}={value}"))
        .collect();
    if labels.is_empty() {
        "-".to_owned()
    } else {
        labels.join(",")
    }
}

fn running(workloads: &[WorkloadView]) -> String {
    let names: Vec<String> = workloads
        .iter()
        .map(|workload| {
            let version = workload.version.as_deref().unwrap_or("?");
            let mut text = format!("{} {version}", workload.workload);
            if let Some(weight) = workload
                .weight
                .filter(|weight| *weight > 0 && *weight < 100)
            {
                text += &format!(" ({weight}% on the change)");
            }
            if let Some(local) = &workload.local {
                text += &format!(" (local {})", local.verb);
            }
            text
        })
        .collect();
    if names.is_empty() {
        "-".to_owned()
    } else {
        names.join(", ")
    }
}

/// One cluster's page.
pub fn cluster(look: Look, view: &ClusterView, now: Timestamp) -> String {
    let mut page = fact("Cluster", &view.name);
    page += &fact("Uid", &view.uid);
    page += &fact(
        "State",
        &format!("{} {}", state(look, &view.state, 0), view.text),
    );
    page += &fact("Labels", &labels(view));
    page += &fact("Heard", &heard_now(view, now));
    if let Some(at) = view.enrolled_at {
        page += &fact(
            "Enrolled",
            &format!("{} ({} ago)", clock(at, now), ago(at, now)),
        );
    }
    if let Some(end) = view.certificate_ends {
        page += &fact("Certificate", &format!("until {}", clock(end, now)));
    }
    let agent = [view.agent.as_deref(), view.platform.as_deref()];
    let agent: Vec<&str> = agent.into_iter().flatten().collect();
    page += &fact("Agent", &agent.join(", platform "));
    for workload in &view.workloads {
        page += &format!("\nWorkload {}\n", workload.workload);
        page += &fact(
            "  Primary",
            workload.version.as_deref().unwrap_or("not known"),
        );
        page += &fact("  Digest", workload.digest.as_deref().unwrap_or_default());
        page += &fact("  Phase", workload.phase.as_deref().unwrap_or_default());
        if let Some(weight) = workload.weight {
            page += &fact("  Weight", &format!("{weight}% on the change"));
        }
        page += &fact("  Rollout", workload.rollout.as_deref().unwrap_or_default());
        page += &fact("  Why", &why(&workload.why, now));
        if let Some(local) = &workload.local {
            let since = format!("{} (since {})", local.text, clock(local.since, now));
            page += &fact("  Local", &look.paint(Tone::Bad, &since));
            page += &fact("  To end it", &local.remedy);
        }
    }
    page
}
