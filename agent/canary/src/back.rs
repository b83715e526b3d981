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
        };
        self.begin_return(returning, reason);
    }

    /// What the order's `return_to` names.
    fn resolve(&self) -> Option<Revision> {
        let target = self.seen.target.as_ref()?;
        let known = || {
            self.next
                .promoted
                .iter()
                .chain(self.next.primary.as_ref())
                .chain([&self.seen.initial])
        };
        match &target.return_to {
            ReturnTo::LastPromoted => known().find(|old| !old.is(&target.change)).cloned(),
            ReturnTo::Digest(digest) => known().find(|old| old.digest == Some(*digest)).cloned(),
            ReturnTo::Version(version) => {
                let found = known().find(|old| old.version == *version).cloned();
                Some(found.unwrap_or_else(|| Revision {
                    version: version.clone(),
                    digest: None,
                }))
            }
        }
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
        let failing = self.version(&to).and_then(|seen| {
            let words = seen.not_startable.clone();
            words.or_else(|| seen.crash_loop.clone())
        });
        match failing {
            Some(words) if !back => Reason::CannotReturn {
                to: to.version,
                words,
            },
            Some(_) | None => Reason::Returning {
                to: to.version,
                seen: share.map(|share| share.max),
                trouble: trouble.or_else(|| self.seen.route.trouble.clone()),
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
        if returning.forget {
            self.next.run = None;
        }
        self.begin_post();
        let ended = self.next.ended.clone();
        ended.unwrap_or(Reason::NoOrder)
    }
}
