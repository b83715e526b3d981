//! What a person can do about a rollout now, as commands to copy.

use flagship_proto::model::ReturnTo;
use flagship_waves::{Reason, RolloutPhase, Wish, allowed};

use super::Seen;
use crate::records::RolloutRow;

/// The commands, the most likely one first; none while it goes its way.
pub fn next(seen: &Seen, row: &RolloutRow) -> Vec<String> {
    let state = &row.state;
    let stopped = match state.phase {
        RolloutPhase::Paused | RolloutPhase::Aborted | RolloutPhase::Failed => true,
        RolloutPhase::Retreating => return stuck(row),
        RolloutPhase::Pending
        | RolloutPhase::Progressing { .. }
        | RolloutPhase::Succeeded
        | RolloutPhase::RolledBack
        | RolloutPhase::Superseded => false,
    };
    if !stopped || state.accepted.is_some() {
        return Vec::new();
    }
    let name = row.full_name();
    let mut steps: Vec<String> = seen
        .covering(row)
        .map(|abort| {
            format!(
                "flagship lift {} --reason …   (moves nothing by itself)",
                abort.id()
            )
        })
        .collect();
    let stands = !steps.is_empty();
    let back = Wish::Retreat {
        to: ReturnTo::LastPromoted,
        now: false,
    };
    for (wish, meaning) in [
        (Wish::Resume, "goes on"),
        (back, "takes every cluster back, Done ones too"),
        (Wish::Retry, "begins again at step 0; Done clusters stay"),
        (Wish::Accept, "takes the mixed state as final"),
    ] {
        if allowed(state, &wish, stands).is_ok() {
            steps.push(format!(
                "flagship {} {name} --reason …   ({meaning})",
                wish.verb()
            ));
        }
    }
    steps
}

/// What ends a retreat that has something in its way; none where it goes its way, or was accepted.
fn stuck(row: &RolloutRow) -> Vec<String> {
    let mut waits = row.state.waiting.iter();
    let is_stuck = waits.any(|wait| matches!(wait.reason, Reason::CannotReturn { .. }));
    if !is_stuck || row.state.accepted.is_some() {
        return Vec::new();
    }
    let name = row.full_name();
    vec![
        format!(
            "flagship retreat {name} --to VERSION --reason …   (sends them to another version)"
        ),
        format!(
            "flagship-agent ctl retreat {} --reason …   (in a cluster that is not heard)",
            row.workload
        ),
        format!("flagship accept {name} --reason …   (takes the mixed state as final)"),
    ]
}
