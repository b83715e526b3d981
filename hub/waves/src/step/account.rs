//! The end of a step: where the time goes, what is waited for, when to look again, what to store.

use std::time::Duration;

use flagship_proto::{
    model::{AbortId, Mono, Stopwatch},
    words::moment,
};

use super::{LONGEST_GAP, Turn};
use crate::{
    decision::{Commit, Decision},
    reason::Reason,
    state::{Activity, ClusterPhase, RolloutPhase, RolloutState, Stage, Waiting},
};

/// Waits are stored at least this often, and looked at least this often.
const CHECKPOINT: Duration = Duration::from_secs(10);
/// How soon to look again for a report after a soak.
const CONFIRM: Duration = Duration::from_millis(500);

/// So many aborts are named besides the one that stopped it.
const NAMED: usize = 2;

impl Turn<'_> {
    pub(super) fn close_account(mut self) -> Decision {
        let activity = self.activity();
        self.state
            .times
            .turn_to(activity, self.now.mono, LONGEST_GAP);
        self.explain_stop();
        self.keep_since();
        let wake_after = self.wake_after(activity);
        let commit = self.commit();
        Decision {
            next: self.state,
            actions: self.actions,
            wake_after,
            reasons: self.reasons,
            commit,
        }
    }

    fn activity(&self) -> Option<Activity> {
        if self.state.is_over() {
            return None;
        }
        Some(match &self.state.phase {
            RolloutPhase::Paused => Activity::Paused,
            RolloutPhase::Aborted | RolloutPhase::Failed => Activity::Stopped,
            RolloutPhase::Retreating => Activity::Retreating,
            RolloutPhase::Succeeded | RolloutPhase::RolledBack | RolloutPhase::Superseded => {
                return None;
            }
            RolloutPhase::Pending | RolloutPhase::Progressing { .. }
                if self.waits_for_freezes() =>
            {
                Activity::Frozen
            }
            RolloutPhase::Pending => Activity::Gate,
            RolloutPhase::Progressing { stage, .. } => match stage {
                Stage::Gate => Activity::Gate,
                Stage::Soaking if self.confirming => Activity::Confirming,
                Stage::Soaking => Activity::Soaking,
                Stage::Running if self.is_stuck_on_local_control() => Activity::LocalControl,
                Stage::Running if self.is_stuck_on_the_unheard() => Activity::Unreachable,
                Stage::Running => Activity::Advancing,
            },
        })
    }

    fn is_stuck_on_the_unheard(&self) -> bool {
        let mut unheard = false;
        for cluster in self.state.clusters.values() {
            match cluster.phase {
                ClusterPhase::Unreachable => unheard = true,
                ClusterPhase::Ordered | ClusterPhase::Running { .. } => return false,
                ClusterPhase::Waiting
                | ClusterPhase::Soaking
                | ClusterPhase::Done
                | ClusterPhase::Failed { .. }
                | ClusterPhase::Retreating { .. }
                | ClusterPhase::RolledBack
                | ClusterPhase::Skipped { .. }
                | ClusterPhase::Left => {}
            }
        }
        unheard
    }

    fn explain_stop(&mut self) {
        if self.state.is_over() {
            return;
        }
        let reason = match &self.state.phase {
            RolloutPhase::Paused => {
                self.state
                    .paused
                    .as_ref()
                    .map(|paused| Reason::WaitingForResume {
                        actor: paused.actor.clone(),
                        reason: paused.reason.clone(),
                    })
            }
            RolloutPhase::Aborted => self.state.aborted.as_ref().map(|aborted| {
                if aborted.lifted {
                    person("retry, retreat, accept or supersede it")
                } else {
                    let waits = Reason::WaitingForLift {
                        abort: aborted.id.clone(),
                    };
                    self.end_of(&aborted.id).unwrap_or(waits)
                }
            }),
            RolloutPhase::Failed => Some(person("retry, retreat, accept or supersede it")),
            RolloutPhase::Pending | RolloutPhase::Progressing { .. } => {
                self.frozen().map(|freeze| Reason::WaitingForUnfreeze {
                    freeze: freeze.id.clone(),
                    ends: freeze.ends(),
                    reason: freeze.reason.clone(),
                })
            }
            RolloutPhase::Succeeded
            | RolloutPhase::Retreating
            | RolloutPhase::RolledBack
            | RolloutPhase::Superseded => None,
        };
        self.waiting.extend(reason);
        if self.state.phase == RolloutPhase::Aborted {
            self.name_the_other_aborts();
        }
        self.say_what_is_in_the_way_back();
    }

    /// Each of them has to be lifted: who lifts one is not to think that it was the last.
    fn name_the_other_aborts(&mut self) {
        let named = self.state.aborted.as_ref().map(|aborted| &aborted.id);
        let standing = self.oldest_first();
        let others = standing.iter().rev();
        let mut others: Vec<_> = others.filter(|abort| Some(&abort.id) != named).collect();
        // Those that somebody has to lift come first.
        others.sort_by_key(|abort| self.end_of(&abort.id).is_some());
        let rest = others.iter().skip(NAMED);
        let more = rest
            .filter(|abort| self.end_of(&abort.id).is_none())
            .count();
        let others = others.into_iter().take(NAMED);
        let others = others.map(|abort| {
            let stands = Reason::AlsoStands {
                abort: abort.id.clone(),
                actor: abort.actor.clone(),
                reason: abort.reason.clone(),
            };
            self.end_of(&abort.id).unwrap_or(stands)
        });
        let mut others: Vec<Reason> = others.collect();
        others.extend((more > 0).then_some(Reason::MoreStand { more }));
        self.waiting.extend(others);
    }

    /// The end of an abort that a person has lifted: nobody has to lift it again.
    fn end_of(&self, id: &AbortId) -> Option<Reason> {
        let mut standing = self.fleet.aborts.iter();
        let end = standing.find(|one| one.abort.id == *id)?.end.as_ref()?;
        Some(Reason::WaitingForLiftsEnd {
            abort: id.clone(),
            actor: end.actor.clone(),
            ends: moment(end.at),
        })
    }

    /// A wait keeps its beginning while the same thing is waited for in the same place.
    fn keep_since(&mut self) {
        let same_place = match (&self.before.phase, &self.state.phase) {
            (
                RolloutPhase::Progressing { wave: before, .. },
                RolloutPhase::Progressing { wave: after, .. },
            ) => before == after,
            (before, after) => before == after,
        };
        let since = |reason: &Reason| {
            if let Some(at) = self.aborted_at(reason) {
                return at;
            }
            self.before
                .waiting
                .iter()
                .find(|waiting| same_place && waiting.reason.code() == reason.code())
                .map_or(self.now.wall, |waiting| waiting.since)
        };
        self.state.waiting = self
            .waiting
            .iter()
            .map(|reason| Waiting {
                reason: reason.clone(),
                since: since(reason),
            })
            .collect();
    }

    /// What waits for the lift of an abort waits since that one came, however many others stand.
    fn aborted_at(&self, reason: &Reason) -> Option<jiff::Timestamp> {
        let standing = self.oldest_first();
        let found = standing
            .into_iter()
            .find(|abort| reason.waits_for(&abort.id));
        found.map(|abort| abort.at)
    }

    fn wake_after(&self, activity: Option<Activity>) -> Option<Duration> {
        if self.confirming {
            return Some(CONFIRM);
        }
        activity?;
        let mut wake = CHECKPOINT;
        let mut sooner = |watch: &Stopwatch, wait: Duration| {
            if watch.mark.is_some() {
                wake = wake.min(watch.remaining(wait).max(Duration::from_millis(1)));
            }
        };
        for (wave, spec) in self.state.waves.iter().zip(&self.plan.spec.waves) {
            sooner(&wave.soak, spec.soak.time.get());
        }
        for cluster in self.state.clusters.values() {
            let wait = self.plan.spec.unreachable.wait.get();
            if !cluster.unheard.remaining(wait).is_zero() {
                sooner(&cluster.unheard, wait);
            }
        }
        if let Some(deadline) = self.plan.spec.deadline {
            sooner(&self.state.deadline, deadline.get());
        }
        Some(wake)
    }

    fn commit(&self) -> Commit {
        if !self.actions.is_empty() || without_watches(self.before) != without_watches(&self.state)
        {
            return Commit::Change;
        }
        let due = watches(self.before)
            .iter()
            .zip(&watches(&self.state))
            .any(|(before, after)| match (before, after) {
                (None, None) => false,
                (Some(before), Some(after)) => {
                    after.since(*before).is_none_or(|gap| gap >= CHECKPOINT)
                }
                (None, Some(_)) | (Some(_), None) => true,
            });
        let new_watch = self.before.times.spent.len() != self.state.times.spent.len();
        if due || new_watch {
            Commit::Checkpoint
        } else {
            Commit::Nothing
        }
    }
}

fn person(verbs: &str) -> Reason {
    Reason::WaitingForPerson {
        verbs: verbs.to_owned(),
    }
}

/// Every stopwatch, in a fixed order.
fn each_watch(state: &mut RolloutState, mut visit: impl FnMut(&mut Stopwatch)) {
    visit(&mut state.deadline);
    for wave in &mut state.waves {
        visit(&mut wave.soak);
    }
    for cluster in state.clusters.values_mut() {
        visit(&mut cluster.unheard);
    }
    for watch in state.times.spent.values_mut() {
        visit(watch);
    }
}

fn without_watches(state: &RolloutState) -> RolloutState {
    let mut still = state.clone();
    each_watch(&mut still, |watch| *watch = Stopwatch::default());
    still.times.spent.clear();
    still
}

fn watches(state: &RolloutState) -> Vec<Option<Mono>> {
    let mut marks = Vec::new();
    each_watch(&mut state.clone(), |watch| marks.push(watch.mark));
    marks
}
