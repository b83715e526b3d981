//! The agent as a witness of the hub's audit log: it keeps the end that it was last shown, and complains
//! when a later one contradicts it. It changes nothing that the agent does: a log that was cut is for
//! people to look at.

use std::time::Duration;

use flagship_proto::model::{AuditComplaint, AuditMark, Mono, Tick, Witness};

use super::{Link, keep::Keep};

/// A log that grows is written down this often; what is in memory is newer.
const EVERY: Duration = Duration::from_secs(300);

/// What was seen, in memory and on disk.
#[derive(Debug)]
pub(super) struct Watching {
    pub(super) kept: Keep<Witness>,
    newest: Witness,
    written: Option<Mono>,
}

impl Watching {
    pub(super) fn loaded(kept: Witness) -> Self {
        Self {
            newest: kept,
            kept: Keep::loaded(kept),
            written: None,
        }
    }

    /// The hub showed where its log ends.
    fn shown(&mut self, shown: AuditMark, now: Tick) {
        let before = self.newest;
        match before.seen {
            Some(seen) if seen.contradicts(&shown) => {
                if before.complaint.is_none() {
                    let complaint = AuditComplaint {
                        seen,
                        shown,
                        at: now.wall,
                    };
                    tracing::error!(code = "AuditWentBack", reason = %complaint, "entries of the hub's audit log are missing");
                    self.newest.complaint = Some(complaint);
                }
            }
            Some(seen) if seen.epoch < shown.epoch => {
                if shown.count < seen.count {
                    tracing::warn!(code = "AuditBeganAnew", %seen, %shown, "the hub's history was put back by a person");
                }
                self.newest = Witness {
                    seen: Some(shown),
                    complaint: None,
                };
            }
            Some(_) | None => self.newest.seen = Some(shown),
        }
        let is_news = before.complaint != self.newest.complaint || before.seen.is_none();
        let is_due = self
            .written
            .is_none_or(|at| now.mono.since(at).is_none_or(|age| age >= EVERY));
        if self.newest != *self.kept.value() && (is_news || is_due) {
            *self.kept.change() = self.newest;
            self.written = Some(now.mono);
        }
    }
}

impl Link {
    /// What this agent knows of the hub's audit log.
    pub fn witness(&self) -> Witness {
        self.watching.newest
    }

    pub(super) fn shown_audit(&mut self, shown: Option<AuditMark>, now: Tick) {
        if let Some(shown) = shown {
            self.watching.shown(shown, now);
        }
    }
}
