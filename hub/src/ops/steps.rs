//! What a person can do about a rollout now, as commands to copy. It does none of it.

use flagship_proto::{
    command::{Command, OPEN, below},
    model::{AbortId, Change, ReturnTo},
};
use flagship_waves::{Reason, RolloutPhase, Wish, allowed};

use super::StartRollout;
use crate::records::RolloutRow;

/// The commands, the most likely one first; none while it goes its way. `aborts` stand over it.
pub fn next_steps(row: &RolloutRow, aborts: &[&AbortId]) -> Vec<String> {
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
    let shows = aborts.iter().map(|id| {
        let describe = Command::flagship("describe").of("abort").of(id);
        describe.that("who has stopped, and who has not")
    });
    let lifts = aborts.iter().map(|id| {
        let lift = Command::flagship("lift").of(id).because();
        lift.that("moves nothing by itself")
    });
    let mut steps: Vec<String> = shows.chain(lifts).collect();
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
            let command = Command::flagship(wish.verb()).of(&name).because();
            steps.push(command.that(meaning));
        }
    }
    if !stands && matches!(state.phase, RolloutPhase::Aborted | RolloutPhase::Failed) {
        let start = Command::flagship("start").of(row.plan_ref());
        let start = start.of("--to-version").of(OPEN).of("--supersede");
        steps.push(
            start
                .because()
                .that("releases another version in its place"),
        );
    }
    steps
}

/// What ends a retreat that has something in its way; none where it goes its way, or was accepted.
fn stuck(row: &RolloutRow) -> Vec<String> {
    if row.state.accepted.is_some() {
        return Vec::new();
    }
    let waits = |is: fn(&Reason) -> bool| row.state.waiting.iter().any(|wait| is(&wait.reason));
    let name = row.full_name();
    let mut ways = Vec::new();
    if waits(|reason| matches!(reason, Reason::ReturnNotHeard { .. })) {
        let there = Command::agent("retreat").of(&row.workload).because();
        ways.push(there.that("on the machine of a cluster that is not heard"));
    }
    if waits(|reason| matches!(reason, Reason::CannotReturn { .. })) {
        let other = Command::flagship("retreat").of(&name).of("--to").of(OPEN);
        ways.push(other.because().that("sends them to another version"));
    }
    if !ways.is_empty() {
        let accept = Command::flagship("accept").of(&name).because();
        ways.push(accept.that("takes the mixed state as final"));
    }
    ways
}

/// When a rollout ends that goes back and is not back everywhere.
fn ends_when_back(row: &RolloutRow) -> String {
    let late: Vec<&str> = row
        .state
        .waiting
        .iter()
        .filter_map(|wait| {
            let (Reason::CannotReturn { cluster, .. } | Reason::ReturnNotHeard { cluster }) =
                &wait.reason
            else {
                return None;
            };
            Some(cluster.as_str())
        })
        .collect();
    let late = late.join(", ");
    format!("it ends once all its clusters are heard and back, not yet: {late}; before that:")
}

/// What can be done about a rollout that holds clusters of the plan that is to be started.
pub(super) fn ways_out(args: &StartRollout, holder: &RolloutRow, aborts: &[&AbortId]) -> String {
    let name = holder.full_name();
    let mut ways = next_steps(holder, aborts);
    let said = if ways.is_empty() {
        let back = Command::flagship("retreat").of(&name).because();
        ways.push(back.that("takes every cluster back, Done ones too"));
        "wait for its end, or:"
    } else if holder.state.phase == RolloutPhase::Retreating {
        &ends_when_back(holder)
    } else {
        "it does not end by itself:"
    };
    // Which version is to be started is known here.
    ways.retain(|way| !way.starts_with("flagship start "));
    let over = args.command().of("--supersede").because();
    ways.push(over.that("takes over from it"));
    below(said, &ways)
}

impl StartRollout {
    /// The command that asks for this.
    pub(super) fn command(&self) -> Command {
        let start = Command::flagship("start").of(&self.plan);
        let mut start = match &self.change {
            Change::Version(version) => start.of("--to-version").of(version),
            Change::Image { .. } | Change::Patch(_) | Change::Delivered(_) => start,
        };
        for (is_asked, option) in [(self.again, "--again"), (self.supersede, "--supersede")] {
            if is_asked {
                start = start.of(option);
            }
        }
        start
    }
}
