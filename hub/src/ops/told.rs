//! Aborts that stand in the way of what a person wants, in words: which, how each ends, and what comes then.

use flagship_proto::{
    command::{Command, below},
    model::AbortId,
    words::{count, given, moment},
};
use jiff::Timestamp;

use super::{Caller, OpError, Ops, who_may};
use crate::{
    auth::Right,
    records::{AbortRow, LiftRow, Stored, key},
};

/// So many are told of by all that is known of them.
const TOLD: usize = 3;

/// What is told of aborts that are in the way.
pub(super) struct Told {
    /// What stands, in one line.
    pub(super) stands: String,
    /// What ends those that nobody has lifted, as commands; who may do so, for who may not.
    lifts: Vec<String>,
    /// Which those are.
    unlifted: usize,
    /// When the last of those ends that are lifted.
    last_end: Option<Timestamp>,
}

impl Ops {
    /// What is told of these; none where there are none.
    pub(super) fn told_of(
        &self,
        caller: &Caller,
        aborts: &[&Stored<AbortRow>],
    ) -> Result<Option<Told>, OpError> {
        let (mut stands, mut unlifted, mut last_end) = (Vec::new(), Vec::new(), None);
        for row in aborts {
            let abort = row.unplaced();
            let name = format!("abort {} ({}) of {}", abort.id, abort.scope, abort.actor);
            let lift: Option<Stored<LiftRow>> = self.store.read(&key::lift(&abort.id))?;
            stands.push(match lift {
                Some(lift) => {
                    last_end = last_end.max(Some(lift.effective));
                    let (by, at) = (&lift.actor, moment(lift.effective));
                    format!("{name} is lifted by {by} and ends at {at}")
                }
                None => {
                    unlifted.push(&abort.id);
                    let (since, why) = (moment(abort.at), given(&abort.reason));
                    format!("{name} stands since {since}: {why}")
                }
            });
        }
        if stands.is_empty() {
            return Ok(None);
        }
        let more = stands.len().saturating_sub(TOLD);
        stands.truncate(TOLD);
        if more > 0 {
            stands.push(count(more, "more abort"));
        }
        let lift = |id: &&AbortId| {
            let lift = Command::flagship("lift").of(id).because();
            lift.that("moves nothing by itself")
        };
        let may_lift = caller.grants.somewhere(Right::Lift).is_ok();
        Ok(Some(Told {
            stands: stands.join("; "),
            lifts: match may_lift {
                true => unlifted.iter().map(lift).collect(),
                false if unlifted.is_empty() => Vec::new(),
                false => vec![who_may("lift")],
            },
            unlifted: unlifted.len(),
            last_end,
        }))
    }
}

impl Told {
    /// The refusal of what they are in the way of.
    pub(super) fn refusal(&self, code: &'static str, verb: &str, then: &str) -> OpError {
        OpError::refused(code, &self.stands).try_this(&self.remedy(verb, then))
    }

    /// What to do, and then.
    pub(super) fn remedy(&self, verb: &str, then: &str) -> String {
        let end = self.last_end.map(moment);
        let head = match (self.unlifted, end) {
            (0, Some(end)) => format!("nothing more has to be lifted: from {end} on, {verb}:"),
            (0 | 1, None) => format!("first lift it, then {verb}:"),
            (_, None) => format!("first lift them, then {verb}:"),
            (_, Some(end)) => {
                format!("first lift what nobody has lifted, then, from {end} on, {verb}:")
            }
        };
        let mut steps = self.lifts.clone();
        steps.push(then.to_owned());
        below(&head, &steps)
    }
}
