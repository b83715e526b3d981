//! The table of phases: what is looked at in which, and in which order. Ways back come first.

use flagship_proto::model::{Intent, Phase};

use crate::{decision::Action, observation::Scale, reason::Reason, status::Returning, work::Work};

impl Work<'_> {
    /// Decides everything but the route; the reason is why nothing more is done now.
    pub(crate) fn decide(&mut self) -> Reason {
        if self.next.primary.is_none() {
            self.next.primary = Some(self.seen.initial.clone());
        }
        if self.next.phase == Phase::Initializing {
            let reason = self.initialize();
            if self.next.phase == Phase::Initializing {
                return reason;
            }
        }
        self.obey();
        self.keep_settled();
        if self.next.returning.is_some() {
            return self.go_back();
        }
        let reason = match self.next.phase {
            Phase::Initializing => Reason::Initializing,
            Phase::Waiting => self.wait_for_start(),
            Phase::Progressing | Phase::WaitingPromotion => self.analyse(),
            Phase::Promoting => self.promote(),
            Phase::Finalising => self.finalise(),
            Phase::Succeeded => self.soak(),
            Phase::Initialized | Phase::Failed | Phase::Terminating | Phase::Terminated => {
                self.rest()
            }
        };
        if self.next.returning.is_some() {
            return self.go_back();
        }
        reason
    }

    /// Nothing is in flight: says why, and tells the hooks that want to know the end.
    pub(crate) fn rest(&mut self) -> Reason {
        self.drive_post();
        if let Some(primary) = self.next.primary.clone()
            && let Some(seen) = self.version(&primary)
            && let Some(words) = seen
                .crash_loop
                .clone()
                .or_else(|| seen.not_startable.clone())
        {
            return Reason::PrimaryDown {
                version: primary.version,
                words,
            };
        }
        let version = self
            .next
            .primary
            .as_ref()
            .map(|primary| primary.version.clone());
        let version = version.unwrap_or_default();
        match (&self.next.ended, self.next.phase) {
            (Some(ended), _) => ended.clone(),
            (None, Phase::Succeeded) => Reason::Succeeded { version },
            (None, _) => Reason::NoOrder,
        }
    }

    /// Keeps the serving version up, and stops what no longer has a role.
    fn keep_settled(&mut self) {
        let Some(primary) = self.next.primary.clone() else {
            return;
        };
        // While traffic goes back, the version that it leaves is not started again.
        if self.next.returning.is_none() {
            self.ensure(&primary, Scale::Full);
        }
        if self.next.returning.is_none()
            && self.next.swapped()
            && let Some(old) = self.next.other.clone()
        {
            self.ensure(&old, Scale::Full);
        }
    }

    /// Stops what no longer has a role, once no proxy has traffic for it or names it.
    pub(crate) fn stop_old(&mut self) {
        let running = &self.seen.versions;
        self.next
            .stopping
            .retain(|old| running.contains_key(&old.version));
        for old in &self.next.stopping {
            let version = &old.version;
            let told = self.seen.route.told.as_ref();
            let named = told.is_none_or(|told| {
                told.primary == *version || told.canary.as_ref() == Some(version)
            });
            let served = self.share(old).is_none_or(|share| share.max.get() > 0);
            if !named && !served {
                self.actions.push(Action::StopVersion {
                    version: version.clone(),
                });
            }
        }
    }

    /// What the order and the intent make of the status, before the phases are looked at.
    fn obey(&mut self) {
        match self.seen.permission.intent {
            Intent::Run | Intent::Hold => self.adopt(),
            Intent::Retreat => {
                self.adopt();
                self.retreat(false);
            }
            Intent::Remove => {
                self.is_same_run();
                self.retreat(true);
            }
        }
    }

    /// Ends the run: traffic goes back from now on, and nothing that was asked counts any more.
    pub(crate) fn fail(&mut self, reason: Reason) {
        let Some(base) = self.base().cloned() else {
            return;
        };
        self.begin_return(
            Returning {
                to: base,
                paced: false,
                start: false,
                forget: false,
                elsewhere: None,
            },
            reason,
        );
    }
}
