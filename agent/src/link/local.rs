//! Local control (DESIGN §6): a hold or a retreat by a person on the spot. It outranks Run, never
//! delays a retreat, and is in force at once, whether or not it can be written.

use flagship_proto::model::{
    LocalAct, LocalActor, LocalId, LocalRelease, LocalVerb, Signed, Tick, WorkloadRef,
    local::LONGEST_REASON,
};

use super::{Link, Refused, slot::Slot};
use crate::release::LocalRecord;

/// What a person on the spot says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wanted {
    /// Drawn for this act.
    pub id: LocalId,
    /// Over which workload.
    pub workload: WorkloadRef,
    /// What.
    pub verb: LocalVerb,
    /// Who.
    pub by: LocalActor,
    /// Why.
    pub reason: String,
}

/// Why it is not done.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotControlled {
    /// There is no such workload here.
    #[error("there is no workload {workload} here; this agent has {known}")]
    Unknown {
        /// What was asked for.
        workload: WorkloadRef,
        /// What there is.
        known: String,
    },
    /// A hold would be less than what stands.
    #[error(
        "{standing} stands for {workload} and holds it already: release it first if you want less"
    )]
    Less {
        /// Which workload.
        workload: WorkloadRef,
        /// What stands.
        standing: Box<LocalAct>,
    },
    /// There is nothing to release.
    #[error("no local control stands for {workload}: there is nothing to release")]
    Nothing {
        /// Which workload.
        workload: WorkloadRef,
    },
}

/// What came of it: the act that counts now, and the state of the book that has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Controlled {
    /// The act; one that stood before where the same was wanted again.
    pub act: LocalAct,
    /// Kept once [`Link::is_local_kept`] says so of this state.
    pub generation: u64,
}

impl Link {
    /// Takes up what a person on the spot wants. It counts from now on.
    pub fn control(&mut self, wanted: Wanted, now: Tick) -> Result<Controlled, NotControlled> {
        let workload = wanted.workload.clone();
        if !self.knows(&workload) {
            let known: Vec<String> = self.known().map(|known| known.to_string()).collect();
            let known = if known.is_empty() {
                "none".to_owned()
            } else {
                known.join(", ")
            };
            return Err(NotControlled::Unknown { workload, known });
        }
        let standing = self.local_record(&workload).and_then(LocalRecord::standing);
        match (wanted.verb, standing.map(|act| (act.verb, act))) {
            (LocalVerb::Release, None) => return Err(NotControlled::Nothing { workload }),
            (LocalVerb::Hold, Some((LocalVerb::Retreat, standing))) => {
                let standing = Box::new(standing.clone());
                return Err(NotControlled::Less { workload, standing });
            }
            (LocalVerb::Hold, Some((LocalVerb::Hold, standing))) => {
                return Ok(Controlled {
                    act: standing.clone(),
                    generation: self.local.generation(),
                });
            }
            (
                LocalVerb::Hold | LocalVerb::Retreat | LocalVerb::Release,
                Some((LocalVerb::Hold | LocalVerb::Retreat | LocalVerb::Release, _)) | None,
            ) => {}
        }
        let act = LocalAct {
            id: wanted.id,
            verb: wanted.verb,
            by: wanted.by,
            at: now.wall,
            reason: wanted.reason.chars().take(LONGEST_REASON).collect(),
        };
        Ok(self.note_act(&workload, act, now))
    }

    /// A person on the hub ends the act that the release names; another one stays.
    pub(super) fn local_release(
        &mut self,
        signed: Signed<LocalRelease>,
        now: Tick,
    ) -> Result<(), Refused> {
        self.term_of("the end of a local control")?;
        self.seal
            .check_local_release(&signed)
            .map_err(|error| Refused::Signature {
                what: format!("end of local control over {}", signed.value.workload),
                error,
            })?;
        let release = signed.value;
        let standing = self
            .local_record(&release.workload)
            .and_then(LocalRecord::standing);
        let meant = standing.is_some_and(|standing| standing.id == release.act);
        if release.uid != self.member.uid || !meant {
            return Ok(());
        }
        // The act that it ends names it, so that both sides call it the same.
        let id: String = format!("{}-end", release.act).chars().take(63).collect();
        let act = LocalAct {
            id: id.parse().unwrap_or(release.act),
            verb: LocalVerb::Release,
            by: LocalActor::Hub {
                actor: release.actor,
            },
            at: now.wall,
            reason: release.reason,
        };
        self.note_act(&release.workload, act, now);
        Ok(())
    }

    fn note_act(&mut self, workload: &WorkloadRef, act: LocalAct, now: Tick) -> Controlled {
        let runs = match act.verb {
            LocalVerb::Retreat => self.slots.get(workload).map(Slot::runs).unwrap_or_default(),
            LocalVerb::Hold | LocalVerb::Release => Vec::new(),
        };
        let record = self.local.change().0.entry(workload.clone()).or_default();
        record.add(act.clone(), runs);
        if let Some(seen) = self.seen.get(workload) {
            let (status, proxies) = (seen.status.clone(), seen.proxies);
            self.observe(status, proxies, now);
        }
        Controlled {
            act,
            generation: self.local.generation(),
        }
    }

    /// Whether this state of the book of local control, or a later one, is on disk.
    pub fn is_local_kept(&self, generation: u64) -> bool {
        self.local.has(generation)
    }

    /// Whether the book of local control could not be written the last time that it was tried.
    pub fn is_local_failing(&self) -> bool {
        self.local.again_at().is_some()
    }

    /// The state of the book of local control.
    pub fn local_generation(&self) -> u64 {
        self.local.generation()
    }

    /// Local control of one workload, if it ever had any.
    pub fn local_record(&self, workload: &WorkloadRef) -> Option<&LocalRecord> {
        self.local.value().0.get(workload)
    }

    /// What the driver last saw of a workload.
    pub fn last_seen(
        &self,
        workload: &WorkloadRef,
    ) -> Option<&flagship_proto::model::WorkloadStatus> {
        self.seen.get(workload).map(|seen| &seen.status)
    }

    fn knows(&self, workload: &WorkloadRef) -> bool {
        self.known().any(|known| known == workload)
    }
}
