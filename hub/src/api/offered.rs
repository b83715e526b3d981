//! What a person is told to type, cut to what this caller may: who may not is told who may.

use flagship_proto::command::Command;

use super::{sight::Sight, types::Banner, view::Seen};
use crate::{
    auth::Right,
    ops::{offered, who_may},
    records::RolloutRow,
};

impl Sight<'_> {
    /// What this caller can do about a rollout now, as commands to copy.
    pub fn next_steps(&self, seen: &Seen, row: &RolloutRow) -> Vec<String> {
        offered(seen.next_steps(row), |right| self.may(right, row))
    }

    /// Whether a command about a rollout would be taken from this caller. What ends a stop is asked about
    /// where it stands, which may be elsewhere: there it is enough to have the right somewhere.
    fn may(&self, right: Right, row: &RolloutRow) -> bool {
        match right {
            Right::View => true,
            Right::Lift | Right::Unfreeze => self.grants().somewhere(right).is_ok(),
            Right::Stop | Right::Ship | Right::Approve | Right::Administer => {
                self.may_do(right, row)
            }
        }
    }

    /// A banner with a remedy that this caller may type.
    pub fn offer(&self, mut banner: Banner) -> Banner {
        let (right, verb) = match banner.kind.as_str() {
            "abort" => (Right::Lift, "lift"),
            "freeze" => (Right::Unfreeze, "unfreeze"),
            "local" => (Right::Lift, "release"),
            "unconfirmed" => (Right::Approve, "confirm"),
            _ => return banner,
        };
        if self.grants().somewhere(right).is_err() {
            banner.remedy = who_may(verb);
        }
        banner
    }

    /// The command that takes a rollout back, where this caller may not order it.
    pub fn of_others(&self, row: &RolloutRow) -> Option<String> {
        let retreat = Command::flagship("retreat").of(row.full_name()).because();
        let others = format!("who may stop all of plan {} orders it", row.plan_ref());
        (!self.may_do(Right::Stop, row)).then(|| retreat.that(&others))
    }
}
