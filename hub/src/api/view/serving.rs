//! Stopped is not fixed: who still serves a change that was stopped, to how many, and the command that
//! takes it back.

use flagship_proto::{
    command::{Command, OPEN},
    model::{
        AbortMode, ClusterUid, Intent, OnDisconnect, Phase, Weight, WorkloadStatus, lease::Bound,
    },
    words::after_colon,
};
use flagship_waves::{ClusterPhase, ClusterState, RolloutPhase, cannot_return, is_served};
use jiff::Timestamp;

use super::{
    Seen,
    abort::{bound_at, later},
};
use crate::{
    api::{
        sight::Sight,
        types::{About, Banner, NotFixed},
    },
    ops::{PreviewCluster, RolloutName, unread_there},
    records::{AbortRow, ClaimRow, RolloutRow, Stored, key},
};

/// So many clusters are named in a banner.
const NAMED: usize = 6;

impl Seen {
    /// Clusters of a rollout that are Done and still serve its change. Of one that has ended only what it left
    /// behind can be said so.
    pub fn done_and_serving(
        &self,
        rollout: &RolloutRow,
        meant: impl Fn(&ClusterUid) -> bool,
    ) -> Vec<NotFixed> {
        let clusters = rollout.state.clusters.iter();
        let is_left = |uid: &ClusterUid, cluster: &ClusterState| {
            let report = self.report(uid, &rollout.workload);
            let serves = report.is_none_or(|report| is_served(&report.status, &rollout.change));
            cluster.touched && serves
        };
        let is_over = rollout.state.phase == RolloutPhase::RolledBack;
        let done = clusters.filter(|(uid, cluster)| {
            cluster.phase.succeeded() && meant(uid) && (!is_over || is_left(uid, cluster))
        });
        done.map(|(uid, cluster)| {
            let report = self.report(uid, &rollout.workload);
            let status = report.map(|report| &report.status);
            NotFixed {
                cluster: cluster.name.to_string(),
                workload: rollout.workload.to_string(),
                version: status
                    .and_then(|status| status.primary_version.clone())
                    .or_else(|| Some(rollout.change.to_string())),
                rollout: Some(rollout.full_name()),
                done: true,
                soaked: cluster.phase == ClusterPhase::Done,
                share: status.map(|status| {
                    // What a later canary does not have, the primary has: what was released here.
                    let own = status.rollout.as_ref() == Some(&rollout.id);
                    let share = status.share().get();
                    if own { share } else { 100 - share.min(100) }
                }),
                unheard: self.silent(uid),
                stuck: stuck(status),
                command: self.retreat_from(uid, rollout, stuck(status).is_some()),
            }
        })
        .collect()
    }

    /// What is said of a Done cluster that is not heard: nothing advances there any more.
    fn silent(&self, uid: &ClusterUid) -> Option<String> {
        let since = match self.is_unconfirmed(uid) {
            true => "not heard since history went back",
            false => "not heard",
        };
        (!self.connected(uid)).then(|| since.to_owned())
    }

    /// The same of what an abort would meet.
    pub fn silence_of(&self, found: &PreviewCluster) -> Option<String> {
        self.silent(&self.named(&found.cluster)?.uid)
    }

    /// Why what an abort would meet does not go back, where its agent says so.
    pub fn stuck_at(&self, found: &PreviewCluster) -> Option<String> {
        let uid = &self.named(&found.cluster)?.uid;
        let report = self.report(uid, &found.workload)?;
        stuck(Some(&report.status))
    }

    /// What goes back first in a cluster of a rollout: it, or a later one of the same plan that holds the
    /// cluster; a retreat of the earlier one is refused as long as it does, and comes after. One that is not
    /// heard goes back by its own machine's command, one that cannot take its way back to another version.
    fn retreat_from(&self, uid: &ClusterUid, rollout: &RolloutRow, is_stuck: bool) -> String {
        if !self.connected(uid) {
            return self.there(uid, rollout);
        }
        let claim = key::claim(&rollout.workload, uid);
        let claim = self.store.read::<ClaimRow>(&claim).ok().flatten();
        let holder = claim.and_then(|claim| {
            let holder = key::rollout(&claim.project, &claim.rollout);
            self.store.read::<RolloutRow>(&holder).ok().flatten()
        });
        // Who sees the one sees the other.
        let is_alike = |holder: &Stored<RolloutRow>| {
            holder.plan_ref() == rollout.plan_ref() && holder.labels() == rollout.labels()
        };
        let own = retreat(rollout.full_name());
        match holder.filter(is_alike) {
            Some(first) if first.id != rollout.id => {
                retreat(first.full_name()).that(&format!("then {own}"))
            }
            Some(_) | None if is_stuck => elsewhere(rollout.full_name()),
            Some(_) | None => own.into(),
        }
    }

    /// The command that takes a workload back in a cluster that is not heard, and where it is typed.
    fn there(&self, uid: &ClusterUid, rollout: &RolloutRow) -> String {
        let name = match self.clusters.get(uid) {
            Some(row) => row.name.to_string(),
            None => uid.to_string(),
        };
        let there = Command::agent("retreat").of(&rollout.workload).because();
        there.that(&format!("on the machine of {name}, which is not heard"))
    }

    /// The same of what an abort would meet.
    pub fn retreat_of(&self, found: &PreviewCluster) -> String {
        let RolloutName { project, id } = &found.rollout;
        let rollout = self.store.read::<RolloutRow>(&key::rollout(project, id));
        match (self.named(&found.cluster), rollout) {
            (Some(row), Ok(Some(rollout))) => self.retreat_from(&row.uid, &rollout, false),
            (None, _) | (_, Ok(None) | Err(_)) => retreat(&found.rollout).into(),
        }
    }

    /// Clusters of a rollout that are not Done, where some users get its change and go on getting it: its
    /// canary was held, or it does not go back. Until one is known to be back, what was last known counts.
    pub fn in_flight_and_serving(
        &self,
        rollout: &RolloutRow,
        meant: impl Fn(&ClusterUid) -> bool,
    ) -> Vec<NotFixed> {
        let clusters = rollout.state.clusters.iter().filter(|(uid, _)| meant(uid));
        let serving = clusters.filter_map(|(uid, cluster)| {
            let status = &self.report(uid, &rollout.workload)?.status;
            let is_known_back = cluster.returned || cluster.phase == ClusterPhase::RolledBack;
            let is_left = !is_known_back && is_served(status, &rollout.change);
            let own = status.rollout.as_ref() == Some(&rollout.id);
            // What an earlier rollout brought, and goes back before this one's order is taken up, or cannot.
            let is_before = !own && cluster.attempt > 0 && status.phase == Phase::Failed;
            let serves = own && (status.phase.is_active() || is_left) || is_before;
            let is_done = cluster.phase.succeeded();
            // What is not read is not nothing.
            let is_unread = own && !is_known_back && is_unread(status);
            let is_served = serves && status.share() > Weight::ZERO;
            if is_done || !(is_served || is_unread) || self.goes_back(rollout, cluster, uid, status)
            {
                return None;
            }
            let was_done = status.phase == Phase::Succeeded;
            let wave = rollout.state.waves.get(cluster.wave);
            let unheard = if was_done {
                self.silent(uid)
            } else {
                self.unheard(rollout, uid)
            };
            Some(NotFixed {
                cluster: cluster.name.to_string(),
                workload: rollout.workload.to_string(),
                version: status
                    .version
                    .clone()
                    .or_else(|| Some(rollout.change.to_string())),
                rollout: Some(rollout.full_name()),
                done: was_done,
                soaked: was_done && wave.is_some_and(|wave| wave.finished.is_some()),
                share: (!is_unread).then(|| status.share().get()),
                command: match unheard {
                    None if stuck(Some(status)).is_some() => elsewhere(rollout.full_name()),
                    None if is_unread => unread_there(cluster.name.as_str()),
                    None => retreat(rollout.full_name()).into(),
                    Some(_) => self.there(uid, rollout),
                },
                unheard,
                stuck: stuck(Some(status)).or_else(|| is_unread.then(|| unread(status))),
            })
        });
        serving.collect()
    }

    /// What is known of a cluster that is not heard: until the bound has passed it may advance, and only
    /// after it is it known to be frozen.
    fn unheard(&self, rollout: &RolloutRow, uid: &ClusterUid) -> Option<String> {
        if self.connected(uid) {
            return None;
        }
        if rollout.plan.on_disconnect() == OnDisconnect::Continue {
            return Some("not heard; its plan lets it go on".to_owned());
        }
        let aborts = self.covering(rollout).filter(|abort| abort.concerns(uid));
        let aborts = aborts.map(|abort| bound_at(abort));
        // Where an abort has bounded it nothing else lets it go on, a hub that has begun since least of all.
        let until = match aborts.max() {
            Some(until) => Some(until).filter(|until| self.now.wall < *until),
            None => self.may_advance_until(uid),
        };
        Some(match until {
            Some(until) => unheard_until("not heard", until),
            None => "frozen, not heard".to_owned(),
        })
    }

    /// Whether a cluster that is heard is on its way back, and there is time left for that.
    fn goes_back(
        &self,
        rollout: &RolloutRow,
        cluster: &ClusterState,
        uid: &ClusterUid,
        status: &WorkloadStatus,
    ) -> bool {
        let aborts: Vec<_> = self
            .covering(rollout)
            .filter(|abort| abort.concerns(uid))
            .collect();
        let in_time = |abort: &AbortRow| self.now.wall < bound_at(abort);
        // One that failed goes back by itself; one that is told so now has not answered yet.
        let asked = later(cluster.since, Bound { lease: self.lease }.length());
        let is_asked =
            matches!(cluster.phase, ClusterPhase::Retreating { .. }) && self.now.wall < asked;
        let is_told =
            status.intent == Some(Intent::Retreat) || status.phase == Phase::Failed || is_asked;
        let returns = aborts
            .iter()
            .any(|abort| abort.unplaced().mode != AbortMode::Hold && in_time(abort));
        // What cannot be read in the time of a bound is not known to move.
        let is_lost = is_unread(status) && self.now.wall >= asked;
        let is_late = is_lost || aborts.iter().any(|abort| !in_time(abort));
        self.connected(uid) && !cannot_return(status) && (returns || is_told && !is_late)
    }

    /// What is not fixed of a rollout that was stopped, or is frozen in mid-canary, as a banner.
    pub fn serving_banner(&self, sight: &Sight<'_>, rollout: &RolloutRow) -> Option<Banner> {
        let state = &rollout.state;
        let by = state.retreat.as_ref().and_then(|back| back.abort.as_ref());
        let is_left = state.left_behind().next().is_some()
            && by.is_some_and(|by| self.standing.iter().any(|abort| abort.id() == by));
        if state.is_over() && !is_left {
            return None;
        }
        let name = rollout.full_name();
        let is_aborted = state.phase == RolloutPhase::Aborted;
        let (why, mut serving) = if is_left {
            ("has gone back", self.done_and_serving(rollout, |_| true))
        } else if is_aborted || self.covering(rollout).next().is_some() {
            let why = if is_aborted {
                "is Aborted"
            } else {
                "is being stopped"
            };
            (why, self.done_and_serving(rollout, |_| true))
        } else if state.phase == RolloutPhase::Retreating {
            ("is going back", Vec::new())
        } else if state.phase == RolloutPhase::Failed {
            ("has Failed", self.done_and_serving(rollout, |_| true))
        } else if self.freezing(rollout).next().is_some() {
            ("is frozen", Vec::new())
        } else {
            return None;
        };
        serving.extend(self.in_flight_and_serving(rollout, |_| true));
        for one in &mut serving {
            sight.cut_way_back(one, rollout, None);
        }
        let first = serving.first()?;
        let mut remedies: Vec<&str> = serving.iter().map(|one| one.command.as_str()).collect();
        remedies.sort_unstable();
        remedies.dedup();
        remedies.truncate(NAMED);
        let version = first.version.as_deref().unwrap_or("the change");
        Some(Banner {
            kind: "serving".to_owned(),
            id: name.clone(),
            text: format!(
                "{name} {why}, and {version} is still served by {}",
                named(&serving)
            ),
            since: state.since,
            remedy: remedies.join("\n"),
            about: About::Seen,
        })
    }
}

/// Whether a canary goes back, and what its proxies have was not read from each of them.
pub(super) fn is_unread(status: &WorkloadStatus) -> bool {
    status.phase == Phase::Failed && status.version.is_some() && status.observed.is_none()
}

/// What is said of a cluster whose proxies cannot all be read.
fn unread(status: &WorkloadStatus) -> String {
    let why = after_colon(&status.message);
    format!("not every proxy there can be read{why}")
}

/// `not heard; nothing advances there after 03:04:41Z`.
fn unheard_until(heard: &str, until: Timestamp) -> String {
    let until = until.strftime("%H:%M:%SZ");
    format!("{heard}; nothing advances there after {until}")
}

/// How a cluster stands that does not answer: it is known to be frozen only after the bound has passed.
pub(super) fn frozen(at: &str, heard: &str, until: Timestamp, now: Timestamp) -> String {
    let bound = unheard_until(heard, until);
    if now < until {
        format!("{at} when last heard ({bound})")
    } else {
        format!("frozen {at} ({bound})")
    }
}

fn retreat(rollout: impl std::fmt::Display) -> Command {
    Command::flagship("retreat").of(rollout).because()
}

/// Where the way back cannot be taken: to another version.
fn elsewhere(rollout: impl std::fmt::Display) -> String {
    let retreat = Command::flagship("retreat").of(rollout);
    let elsewhere = retreat.of("--to").of(OPEN).because();
    elsewhere.that("another version, as it cannot go back to what it had")
}

/// Why a cluster cannot go back, as its agent says it.
pub(super) fn stuck(status: Option<&WorkloadStatus>) -> Option<String> {
    let status = status.filter(|status| cannot_return(status) && status.share() > Weight::ZERO)?;
    Some(status.message.clone())
}

/// `pilot-1 (done, 100%), eu-1 (30%)`, those with all traffic first.
fn named(serving: &[NotFixed]) -> String {
    let one = |one: &NotFixed| {
        let done = one.done.then(|| "done".to_owned());
        let share = one.share.map(|share| format!("{share}% of its traffic"));
        let more = [one.unheard.clone(), one.stuck.clone()];
        let said: Vec<String> = [done, share].into_iter().chain(more).flatten().collect();
        match said.as_slice() {
            [] => one.cluster.clone(),
            said => format!("{} ({})", one.cluster, said.join(", ")),
        }
    };
    let names: Vec<String> = serving.iter().take(NAMED).map(one).collect();
    let more = match serving.len().saturating_sub(NAMED) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    format!("{}{more}", names.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_does_not_answer_is_known_to_be_frozen_only_after_the_bound() {
        let until: Timestamp = "2026-11-26T03:04:41Z".parse().unwrap();
        let said = |now: &str| frozen("at 30%", "not heard", until, now.parse().unwrap());
        assert_eq!(
            said("2026-11-26T03:04:40Z"),
            "at 30% when last heard (not heard; nothing advances there after 03:04:41Z)"
        );
        assert_eq!(
            said("2026-11-26T03:04:41Z"),
            "frozen at 30% (not heard; nothing advances there after 03:04:41Z)"
        );
    }
}
