//! The way back: it needs no permission, comes before everything else, and is not done before every
//! proxy shows that the change has no traffic left.

use flagship_proto::model::{Phase, ReturnTo, Stopwatch, Weight};

use crate::{
    decision::Severity,
    observation::{Revision, Scale},
    reason::Reason,
    status::Returning,
    work::Work,
};

impl Work<'_> {
    /// Obeys Retreat, or Remove with `forget`.
    pub(crate) fn retreat(&mut self, forget: bool) {
        let now = self.seen.target.as_ref().is_some_and(|target| target.now);
        if let Some(returning) = &mut self.next.returning {
            returning.paced &= !now;
            returning.forget |= forget;
            self.turn_elsewhere();
            return;
        }
        let reason = Reason::RetreatOrdered {
            why: self.seen.permission.why.clone(),
        };
        if self.next.phase.is_active() && self.next.other.is_some() {
            let Some(to) = self.base().cloned() else {
                return;
            };
            let returning = Returning {
                to,
                paced: false,
                start: false,
                forget,
                elsewhere: None,
            };
            self.begin_return(returning, reason);
            return;
        }
        if self.next.phase == Phase::Waiting {
            self.next.ended = Some(reason.clone());
            self.next.asking.clear();
            self.enter(Phase::Failed);
        }
        if forget {
            self.next.run = None;
            return;
        }
        self.return_done(!now, reason);
    }

    /// A Retreat of what is settled: to what the order names, if that is not what serves.
    fn return_done(&mut self, paced: bool, reason: Reason) {
        let Some(primary) = self.next.primary.clone() else {
            return;
        };
        let Some(to) = self.resolve() else {
            let Some(target) = &self.seen.target else {
                return;
            };
            let to = match &target.return_to {
                ReturnTo::LastPromoted => "what was promoted before".to_owned(),
                ReturnTo::Digest(digest) => digest.to_string(),
                ReturnTo::Version(version) => version.clone(),
            };
            let words = "this cluster does not know it any more".to_owned();
            self.next.ended = Some(Reason::CannotReturn { to, words });
            return;
        };
        if to.is(&primary) {
            return;
        }
        self.next.change = Some(primary);
        self.next.weight = Weight::FULL;
        self.next.other = Some(to.clone());
        let returning = Returning {
            to,
            paced,
            start: true,
            forget: false,
            elsewhere: None,
        };
        self.begin_return(returning, reason);
    }

    /// What this cluster may go back to, the newest first.
    fn known(&self) -> impl Iterator<Item = &Revision> {
        let serving = self.next.primary.as_ref();
        let promoted = self.next.promoted.iter().chain(serving);
        promoted.chain([&self.seen.initial])
    }

    /// What the order's `return_to` names.
    fn resolve(&self) -> Option<Revision> {
        let target = self.seen.target.as_ref()?;
        match &target.return_to {
            ReturnTo::LastPromoted => self.known().find(|old| !old.is(&target.change)).cloned(),
            ReturnTo::Digest(digest) => {
                let mut known = self.known();
                known.find(|old| old.digest == Some(*digest)).cloned()
            }
            ReturnTo::Version(version) => {
                let found = self.known().find(|old| old.version == *version).cloned();
                Some(found.unwrap_or_else(|| Revision {
                    version: version.clone(),
                    digest: None,
                }))
            }
        }
    }

    /// A return that leads nowhere goes where the order says, if that is somewhere else: that is started, and
    /// takes over once it carries what the barred one cannot.
    fn turn_elsewhere(&mut self) {
        let (Some(mut returning), Some(change)) =
            (self.next.returning.clone(), self.next.change.clone())
        else {
            return;
        };
        let elsewhere = self.elsewhere(&returning, &change);
        let last = returning.elsewhere.take();
        let left = last.filter(|last| elsewhere.as_ref().is_none_or(|to| !to.is(last)));
        self.next.stopping.extend(left);
        let Some(to) = elsewhere else {
            self.next.returning = Some(returning);
            return;
        };
        self.ensure(&to, Scale::Full);
        let ready = |of: &Revision| self.version(of).map_or(0, |seen| seen.ready);
        let is_whole = self
            .version(&to)
            .is_some_and(|seen| seen.ready > 0 && seen.ready >= seen.wanted);
        // Users of what has no instance left are better off with any.
        let carries = is_whole || ready(&returning.to) == 0 && ready(&to) > 0;
        if !carries {
            returning.elsewhere = Some(to);
            self.next.returning = Some(returning);
            return;
        }
        if self.next.swapped() {
            self.next.other = Some(to.clone());
        } else {
            self.next.primary = Some(to.clone());
        }
        self.next.stopping.push(returning.to);
        let reason = Reason::RetreatOrdered {
            why: self.seen.permission.why.clone(),
        };
        self.event(Severity::Warning, &reason);
        self.next.ended = Some(reason);
        returning.to = to;
        self.next.returning = Some(returning);
    }

    /// Where the order leads instead of where a return cannot go: what it names, and never to what is left.
    fn elsewhere(&self, returning: &Returning, change: &Revision) -> Option<Revision> {
        let target = self.seen.target.as_ref()?;
        let is_failing = self.failing(&returning.to).is_some();
        let has_none = self
            .version(&returning.to)
            .is_some_and(|seen| seen.ready == 0);
        let to = match &target.return_to {
            ReturnTo::LastPromoted if !is_failing => None,
            ReturnTo::LastPromoted => self
                .known()
                .find(|old| !old.is(&target.change) && !old.is(change))
                .cloned(),
            ReturnTo::Digest(_) | ReturnTo::Version(_) if !is_failing && !has_none => None,
            ReturnTo::Digest(_) | ReturnTo::Version(_) => self.resolve(),
        };
        to.filter(|to| !to.is(&returning.to) && !to.is(change))
    }

    /// Why a version cannot serve, where that is known.
    fn failing(&self, version: &Revision) -> Option<String> {
        let seen = self.version(version)?;
        let words = seen.not_startable.clone();
        words.or_else(|| seen.crash_loop.clone())
    }

    /// Whether a return leads nowhere and nothing has moved: then a new order may mend what it cannot.
    pub(crate) fn returns_in_vain(&self) -> bool {
        let returning = self.next.returning.as_ref();
        self.next.swapped()
            && self.next.weight == Weight::FULL
            && returning.is_some_and(|returning| self.failing(&returning.to).is_some())
    }

    /// Ends such a return: what serves goes on serving.
    pub(crate) fn let_return_be(&mut self, reason: &Reason) {
        let Some(returning) = self.next.returning.take() else {
            return;
        };
        self.event(Severity::Warning, reason);
        self.next.other = None;
        self.next.stopping.push(returning.to);
        self.next.stopping.extend(returning.elsewhere);
    }

    /// From now on traffic goes back, whatever the permission says.
    pub(crate) fn begin_return(&mut self, returning: Returning, reason: Reason) {
        self.event(Severity::Warning, &reason);
        self.next.ended = Some(reason);
        self.next.asking.clear();
        self.next.waits.rollback = Stopwatch::default();
        self.next.returning = Some(returning);
        self.enter(Phase::Failed);
    }

    /// Moves traffic back as far as ready instances carry it, and ends when all proxies show it.
    pub(crate) fn go_back(&mut self) -> Reason {
        let (Some(returning), Some(change)) =
            (self.next.returning.clone(), self.next.change.clone())
        else {
            return self.rest();
        };
        let to = returning.to.clone();
        self.ensure(&to, Scale::Full);
        let (weight, trouble) = self.carried(&returning, &change);
        self.next.weight = self.next.weight.min(weight);
        let share = self.change_share();
        if self.next.weight == Weight::ZERO && self.next.swapped() {
            self.next.primary = Some(to.clone());
            self.next.other = Some(change.clone());
        }
        let role = self.seen.route.primary.as_deref() == Some(to.version.as_str());
        let back = self.next.weight == Weight::ZERO && self.seen.route.is_without(&change.version);
        if back && role {
            return self.returned(returning, change);
        }
        let because = self.next.ended.as_ref().map(ToString::to_string);
        // What is started instead is what is waited for.
        let awaited = returning.elsewhere.as_ref().unwrap_or(&to);
        let trouble = match &returning.elsewhere {
            Some(_) => Some(self.readiness(awaited).to_string()),
            None => trouble.or_else(|| self.seen.route.trouble.clone()),
        };
        match self.failing(awaited) {
            Some(words) if !back => Reason::CannotReturn {
                to: awaited.version.clone(),
                words,
            },
            Some(_) | None => Reason::Returning {
                to: awaited.version.clone(),
                seen: share.map(|share| share.max),
                trouble,
                because: because.unwrap_or_default(),
            },
        }
    }

    /// The least share of the change that leaves no user without a ready instance, and what is in the
    /// way of less.
    fn carried(&self, returning: &Returning, change: &Revision) -> (Weight, Option<String>) {
        let change_serves = self.version(change).is_some_and(|seen| seen.ready > 0);
        let Some(seen) = self.version(&returning.to) else {
            // Unknown is no reason to wait, unless it must be started first.
            let weight = if returning.start {
                Weight::FULL
            } else {
                Weight::ZERO
            };
            return (weight, None);
        };
        let waits = |ready, wanted| {
            let version = &returning.to.version;
            Some(format!("{version} has {ready} of {wanted} instances ready"))
        };
        if seen.ready == 0 && change_serves {
            return (Weight::FULL, waits(0, seen.wanted));
        }
        if !returning.paced || seen.ready >= seen.wanted || !change_serves {
            return (Weight::ZERO, None);
        }
        let carried = u64::from(seen.ready) * 100 / u64::from(seen.wanted.max(1));
        let carried = Weight::saturating(u32::try_from(carried).unwrap_or(100));
        (carried.rest(), waits(seen.ready, seen.wanted))
    }

    fn returned(&mut self, returning: Returning, change: Revision) -> Reason {
        self.next.returning = None;
        self.next.other = None;
        self.next.promoted.retain(|old| !old.is(&change));
        self.remember(returning.to);
        self.next.stopping.push(change);
        self.next.stopping.extend(returning.elsewhere);
        if returning.forget {
            self.next.run = None;
        }
        self.begin_post();
        let ended = self.next.ended.clone();
        ended.unwrap_or(Reason::NoOrder)
    }
}
