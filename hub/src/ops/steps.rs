//! What a person can do about a rollout now, as commands to copy. It does none of it.

use flagship_proto::{
    command::{Command, OPEN, below},
    model::{AbortId, Change, FreezeId, ReturnTo},
    words::count_with,
};
use flagship_waves::{Reason, RolloutPhase, Wish, allowed};

use super::StartRollout;
use crate::{auth::Right, records::RolloutRow};

/// So many aborts are named with what ends them.
const NAMED: usize = 3;

/// One thing that can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The command, with what it does as its comment.
    pub command: String,
    /// What it is called, for who may not do it.
    pub verb: &'static str,
    /// The right that it takes.
    pub right: Right,
}

impl Step {
    fn new(verb: &'static str, right: Right, command: String) -> Self {
        Self {
            command,
            verb,
            right,
        }
    }
}

/// What each may do of these, as commands. What only others may is no command, but who may is told by one.
pub fn offered(steps: Vec<Step>, may: impl Fn(Right) -> bool) -> Vec<String> {
    let (own, others): (Vec<_>, Vec<_>) = steps.into_iter().partition(|step| may(step.right));
    let mut offered: Vec<String> = own.into_iter().map(|step| step.command).collect();
    let mut verbs: Vec<&str> = others.iter().map(|step| step.verb).collect();
    verbs.dedup();
    if !verbs.is_empty() {
        offered.push(who_may(&verbs.join(", ")));
    }
    offered
}

/// The command that says who may do something.
pub fn who_may(verbs: &str) -> String {
    Command::flagship("access list").that(&format!("says who may {verbs}"))
}

/// What can be done, the most likely first; nothing while it goes its way. `aborts` and `freezes` stand
/// over it; of an abort that is lifted its end is waited for.
pub fn next_steps(
    row: &RolloutRow,
    aborts: &[&AbortId],
    freezes: &[&FreezeId],
    is_lifted: impl Fn(&AbortId) -> bool,
) -> Vec<Step> {
    let state = &row.state;
    let stopped = match state.phase {
        RolloutPhase::Paused | RolloutPhase::Aborted | RolloutPhase::Failed => true,
        RolloutPhase::Retreating => return stuck(row),
        RolloutPhase::Pending | RolloutPhase::Progressing { .. } => !freezes.is_empty(),
        RolloutPhase::Succeeded | RolloutPhase::RolledBack | RolloutPhase::Superseded => false,
    };
    if !stopped || state.accepted.is_some() {
        return Vec::new();
    }
    let name = row.full_name();
    let shows = aborts.iter().map(|id| {
        let describe = Command::flagship("describe").of("abort").of(id);
        let command = describe.that("who has stopped, and who has not");
        Step::new("describe", Right::View, command)
    });
    let lifts = aborts.iter().filter(|id| !is_lifted(id)).map(|id| {
        let lift = Command::flagship("lift").of(id).because();
        Step::new("lift", Right::Lift, lift.that("moves nothing by itself"))
    });
    let ends = freezes.iter().map(|id| {
        let end = Command::flagship("unfreeze").of(id).because();
        Step::new("unfreeze", Right::Unfreeze, end.that("lets it go on"))
    });
    let mut steps: Vec<Step> = shows.take(NAMED).chain(lifts.take(NAMED)).collect();
    let stands = !steps.is_empty();
    if let more @ 1.. = aborts.len().saturating_sub(NAMED) {
        let more = format!(
            "{} over it",
            count_with(more, "more abort", ["stands", "stand"])
        );
        let command = Command::flagship("get").of("aborts").that(&more);
        steps.push(Step::new("get", Right::View, command));
    }
    steps.extend(unread(row));
    steps.extend(ends);
    let back = Wish::Retreat {
        to: ReturnTo::LastPromoted,
        now: false,
    };
    let is_stuck = waits(row, |reason| matches!(reason, Reason::CannotReturn { .. }));
    let is_frozen = matches!(
        state.phase,
        RolloutPhase::Pending | RolloutPhase::Progressing { .. }
    );
    for (wish, right, meaning) in [
        (Wish::Resume, Right::Ship, "goes on"),
        (back, Right::Stop, "takes every cluster back, Done ones too"),
        (
            Wish::Retry,
            Right::Ship,
            "begins again at step 0; Done clusters stay",
        ),
        (Wish::Accept, Right::Ship, "takes the mixed state as final"),
    ] {
        // Of what is only frozen nothing is final.
        let is_meant = !is_frozen || right == Right::Stop;
        if is_meant && allowed(state, &wish, stands).is_ok() {
            let command = Command::flagship(wish.verb()).of(&name);
            // What cannot go back to what it had is sent nowhere by the plain order.
            let command = match is_stuck && right == Right::Stop {
                true => command.of("--to").of(OPEN).because().that(
                    "takes every cluster back, Done ones too, and to another version as some cannot go back",
                ),
                false => command.because().that(meaning),
            };
            steps.push(Step::new(wish.verb(), right, command));
        }
    }
    if !stands && matches!(state.phase, RolloutPhase::Aborted | RolloutPhase::Failed) {
        let start = Command::flagship("start").of(row.plan_ref());
        let start = start.of("--to-version").of(OPEN).of("--supersede");
        let command = start
            .because()
            .that("releases another version in its place");
        steps.push(Step::new("start", Right::Ship, command));
    }
    steps
}

fn waits(row: &RolloutRow, is: fn(&Reason) -> bool) -> bool {
    row.state.waiting.iter().any(|wait| is(&wait.reason))
}

/// What ends a retreat that has something in its way; none where it goes its way, or was accepted.
fn stuck(row: &RolloutRow) -> Vec<Step> {
    if row.state.accepted.is_some() {
        return Vec::new();
    }
    let name = row.full_name();
    let mut ways = Vec::new();
    if waits(row, |reason| {
        matches!(reason, Reason::ReturnNotHeard { .. })
    }) {
        let there = Command::agent("retreat").of(&row.workload).because();
        let command = there.that("on the machine of a cluster that is not heard");
        ways.push(Step::new("retreat", Right::View, command));
    }
    ways.extend(unread(row));
    if waits(row, |reason| matches!(reason, Reason::CannotReturn { .. })) {
        let other = Command::flagship("retreat").of(&name).of("--to").of(OPEN);
        let command = other
            .because()
            .that("sends those that are not back to another version");
        ways.push(Step::new("retreat", Right::Stop, command));
    }
    if !ways.is_empty() {
        let accept = Command::flagship("accept").of(&name).because();
        let command = accept.that("takes the mixed state as final");
        ways.push(Step::new("accept", Right::Ship, command));
    }
    ways
}

fn unread(row: &RolloutRow) -> Option<Step> {
    let step = || Step::new("status", Right::View, unread_there("the cluster"));
    waits(row, |reason| matches!(reason, Reason::ReturnUnread { .. })).then(step)
}

/// What is typed where not every proxy can be read: nothing that the hub orders mends that.
pub fn unread_there(cluster: &str) -> String {
    let status = Command::agent("status");
    status.that(&format!(
        "on the machine of {cluster} names the proxy that does not answer: have it answer, or end it"
    ))
}

/// When a rollout ends that goes back and is not back everywhere.
fn ends_when_back(row: &RolloutRow) -> String {
    let late: Vec<&str> = row
        .state
        .waiting
        .iter()
        .filter_map(|wait| {
            let (Reason::CannotReturn { cluster, .. }
            | Reason::ReturnUnread { cluster, .. }
            | Reason::ReturnNotHeard { cluster }) = &wait.reason
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
pub(super) fn ways_out(
    args: &StartRollout,
    holder: &RolloutRow,
    aborts: &[&AbortId],
    is_lifted: impl Fn(&AbortId) -> bool,
) -> String {
    let name = holder.full_name();
    // Who starts is told of every way, also of what others have to go for them.
    let steps = next_steps(holder, aborts, &[], is_lifted).into_iter();
    let mut ways: Vec<String> = steps.map(|step| step.command).collect();
    let said = if ways.is_empty() && holder.state.phase == RolloutPhase::Retreating {
        "it goes back and ends by that; wait for it, or:"
    } else if ways.is_empty() {
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
