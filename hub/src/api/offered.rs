//! What a person is told to type, cut to what this caller may: who may not is told who may.

use flagship_proto::command::{Command, OPEN};

use super::{
    sight::Sight,
    types::{Banner, NotFixed},
    view::Seen,
};
use crate::{
    auth::Right,
    ops::{offered, who_may},
    records::RolloutRow,
};

impl Sight<'_> {
    /// What this caller can do about a rollout now, as commands to copy.
    pub fn next_steps(&self, seen: &Seen, row: &RolloutRow) -> Vec<String> {
        offered(seen.next_steps(self, row), |right| self.may(right, row))
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

    /// Where this caller may not take a rollout back: `own`, which does it too and is theirs, or the command
    /// of those who may. What is typed on a cluster's machine is typed by who is there, and what cannot go
    /// back is taken nowhere by `own`.
    pub fn cut_way_back(&self, one: &mut NotFixed, row: &RolloutRow, own: Option<&str>) {
        let is_typed_there = one.command.starts_with("flagship-agent ");
        if is_typed_there || self.may_do(Right::Stop, row) {
            return;
        }
        let there = || {
            let abort = Command::flagship("abort").of("--cluster").of(&one.cluster);
            match one.done {
                true => {
                    let back = abort.of("--retreat").because();
                    back.that("takes back whatever had succeeded in that cluster")
                }
                false => {
                    let stop = abort.because();
                    stop.that("takes back whatever is in flight in that cluster")
                }
            }
        };
        let there = self.stops_in(&one.cluster).then(there);
        let own = own.map(str::to_owned).or(there);
        one.command = match own.filter(|_| one.stuck.is_none()) {
            Some(own) => own,
            None => self.retreat_of_others(row, one.stuck.is_some()),
        };
    }

    /// The command that takes a rollout back, for who asks those who may.
    pub fn retreat_of_others(&self, row: &RolloutRow, is_stuck: bool) -> String {
        let retreat = Command::flagship("retreat").of(row.full_name());
        let retreat = match is_stuck {
            true => retreat.of("--to").of(OPEN),
            false => retreat,
        };
        let others = format!("who may stop all of plan {} orders it", row.plan_ref());
        retreat.because().that(&others)
    }
}
