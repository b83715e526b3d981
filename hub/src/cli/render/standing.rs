//! How a rollout and its clusters stand, in the few words that its page and its live picture share.

use flagship_proto::words::count;

use crate::api::types::{RolloutCluster, RolloutView};

/// `project/id`.
pub(super) fn named(view: &RolloutView) -> String {
    format!("{}/{}", view.project, view.id)
}

/// Its state in words.
pub(super) fn stands(view: &RolloutView) -> String {
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
    text + &format!(", {} of {} done", view.done, count(view.total, "cluster"))
}

/// `9000 Done, 960 Waiting`.
pub(super) fn tally(clusters: &[&RolloutCluster]) -> String {
    let mut counts: Vec<(&str, usize)> = Vec::new();
    for cluster in clusters {
        match counts.iter_mut().find(|(state, _)| *state == cluster.state) {
            Some((_, count)) => *count += 1,
            None => counts.push((&cluster.state, 1)),
        }
    }
    let words = counts
        .iter()
        .map(|(state, count)| format!("{count} {state}"));
    words.collect::<Vec<_>>().join(", ")
}

/// Whether a cluster goes back, and what its proxies have could not be read from each of them.
pub(super) fn is_unread(cluster: &RolloutCluster) -> bool {
    let goes_back = ["Retreating", "Failed"].contains(&cluster.state.as_str());
    let is_known = cluster.observed.is_some() || cluster.version.is_none();
    goes_back && cluster.phase.as_deref() == Some("Failed") && !is_known
}

/// The version that the share of a cluster is of, where that is not what is released.
pub(super) fn of_another<'a>(cluster: &'a RolloutCluster, change: &str) -> Option<&'a str> {
    let version = cluster.version.as_deref();
    version.filter(|version| *version != change)
}

/// The share of traffic on the change there; `?` where it goes back and is not known.
pub(super) fn weight(cluster: &RolloutCluster) -> String {
    match cluster.weight {
        Some(_) if is_unread(cluster) => "?".to_owned(),
        Some(weight) => format!("{weight}%"),
        None => "-".to_owned(),
    }
}
