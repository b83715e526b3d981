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

/// The share of traffic on the change there.
pub(super) fn weight(cluster: &RolloutCluster) -> String {
    match cluster.weight {
        Some(weight) => format!("{weight}%"),
        None => "-".to_owned(),
    }
}
