//! What the agent keeps of what it accepted: releases, aborts, local control and the record of itself. Kept before
//! it is obeyed (P13), so that a restart knows what was known before. Decides nothing.

pub mod files;
mod local;
#[cfg(test)]
mod tests;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use flagship_proto::model::{
    Abort, AbortId, ClusterUid, FleetId, HubIncarnation, Incarnation, Lift, Mono, Order, Position,
    Signed, Term, Tick, Witness, WorkloadRef,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

pub use local::{LocalBook, LocalRecord, Run};

/// The order that was accepted for a workload, and what became of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Release {
    /// The order with its bytes as the hub signed them: the proof of P22.
    #[serde(with = "shared")]
    pub order: Arc<Signed<Order>>,
    /// When it was accepted, by this machine's clock.
    pub accepted: Timestamp,
    /// The abort that voided it, for ever (P8); of several the one that takes back the most.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub voided_by: Option<Abort>,
    /// The time without a lease, where the order says `onDisconnect: retreat` (P20).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub lapse: Option<Lapse>,
}

impl Release {
    /// A release of an order just accepted.
    pub fn new(order: Signed<Order>, now: Tick) -> Self {
        Self {
            order: Arc::new(order),
            accepted: now.wall,
            voided_by: None,
            lapse: None,
        }
    }

    /// The order itself.
    pub fn order(&self) -> &Order {
        &self.order.value
    }
}

/// How long an unfinished canary has been without a lease. A restart never extends it: what is
/// stored is both the time counted and the wall clock at its start, and the longer of the two counts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Lapse {
    /// When the lease ended, by this machine's clock.
    pub since: Timestamp,
    /// Milliseconds counted up to the last time it was stored.
    pub elapsed_ms: u64,
    /// Whether the time ran out; from then on the way is back, whatever lease comes.
    pub fired: bool,
    /// The reading at which `elapsed_ms` was right; none right after a restart.
    #[serde(skip)]
    pub mark: Option<Mono>,
}

impl Lapse {
    /// Begins now.
    pub fn new(now: Tick) -> Self {
        Self {
            since: now.wall,
            elapsed_ms: 0,
            fired: false,
            mark: Some(now.mono),
        }
    }

    /// Time without a lease until now. In one run of the process it is monotonic time; over a
    /// restart, at least what the wall clock says.
    pub fn elapsed(&self, now: Tick) -> Duration {
        let counted = Duration::from_millis(self.elapsed_ms);
        match self.mark.and_then(|mark| now.mono.since(mark)) {
            Some(more) => counted + more,
            None => {
                let by_wall = now.wall.as_millisecond() - self.since.as_millisecond();
                counted.max(Duration::from_millis(u64::try_from(by_wall).unwrap_or(0)))
            }
        }
    }
}

/// An abort that is kept until it is lifted.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct KeptAbort {
    /// The abort with its bytes as signed.
    pub signed: Signed<Abort>,
    /// The highest revision that was held when it came: what a provisional abort voids (P7).
    pub held: Position,
    /// Workloads that were back, or had nothing in flight, when it came: it stopped nothing there.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub at_rest: BTreeSet<WorkloadRef>,
    /// Which state of the book first had it; tells whether it is on disk.
    #[serde(skip)]
    pub generation: u64,
}

impl KeptAbort {
    /// Whether it voids a Run order of this revision in its scope (P7, P8).
    pub fn voids(&self, order: &Order) -> bool {
        let abort = &self.signed.value;
        let before = match abort.position {
            Some(position) => order.fence.revision < position,
            None => order.fence.revision <= self.held,
        };
        before
            && abort
                .scope
                .covers(&order.workload, &order.plan, &order.rollout)
    }
}

/// What is left of a lifted abort: its id stays dead, and the orders that it voided stay void.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Tombstone {
    /// The lift with its bytes as signed.
    pub lift: Signed<Lift>,
    /// The abort, where this agent had it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub abort: Option<KeptAbort>,
}

/// The most tombstones that are kept, by the positions of their lifts.
///
/// A lifted id has to stay dead for as long as some hub may still send its abort. On one session the
/// lift comes after its abort. A replica that lags, or a session that was cut between the two, is
/// behind by the lifts of seconds, not by this many. A hub whose store was put back is behind by more,
/// but P22 stops it, and what it can do to a forgotten id is to stop things once more: the abort is
/// then listed in `Hello`, and the first hub that has the lift's row sends it again. Nothing ever
/// advances because of a forgotten tombstone: the releases that its abort voided are marked so
/// themselves, and the hub sends such rows as Retreat (P8).
pub const MOST_TOMBSTONES: usize = 256;

/// All aborts that stand, and the tombstones of those that were lifted (P7).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct AbortBook {
    /// Standing, by id.
    pub standing: BTreeMap<AbortId, KeptAbort>,
    /// Lifted, by id.
    pub lifted: BTreeMap<AbortId, Tombstone>,
}

impl AbortBook {
    /// Forgets the oldest lifts beyond [`MOST_TOMBSTONES`].
    pub fn prune(&mut self) {
        while self.lifted.len() > MOST_TOMBSTONES {
            let oldest = self
                .lifted
                .iter()
                .min_by_key(|(_, tombstone)| tombstone.lift.value.position)
                .map(|(id, _)| id.clone());
            oldest.and_then(|id| self.lifted.remove(&id));
        }
    }
}

/// The hub that was first seen under a term (P21).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Binding {
    /// The term.
    pub term: Term,
    /// The incarnation of the hub that leads in it.
    pub hub: HubIncarnation,
}

/// What the agent remembers of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Record {
    /// Grows with each start (P2).
    pub incarnation: Incarnation,
    /// The fleet whose aborts and terms are kept here; none before the first enrolment.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<FleetId>,
    /// The newest term seen, and its hub.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bound: Option<Binding>,
}

/// Everything that is kept, as it is read at a start.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Kept {
    /// By workload.
    pub releases: BTreeMap<WorkloadRef, Release>,
    /// Aborts and tombstones.
    pub aborts: AbortBook,
    /// What people on the spot said.
    pub local: LocalBook,
    /// What was shown of the hub's audit log.
    pub witness: Witness,
    /// The record of itself; its incarnation is the one of this start.
    pub record: Record,
}

/// One thing to be written durably. It replaces what was kept under the same [`SaveKey`].
#[derive(Debug, Clone, PartialEq)]
pub struct Save {
    /// Which state of that thing this is; handed back with the outcome.
    pub generation: u64,
    /// What.
    pub what: Saved,
}

/// What is to be kept.
#[derive(Debug, Clone, PartialEq)]
pub enum Saved {
    /// A workload's release.
    Release(Box<Release>),
    /// All aborts and tombstones.
    Aborts(Box<AbortBook>),
    /// Local control of all workloads.
    Local(Box<LocalBook>),
    /// The record of itself.
    Record(Record),
    /// What was shown of the hub's audit log.
    Witness(Witness),
}

/// Names one thing that is kept.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum SaveKey {
    /// The release of this workload.
    Release(WorkloadRef),
    /// Aborts and tombstones.
    Aborts,
    /// Local control.
    Local,
    /// The record of itself.
    Record,
    /// What was shown of the hub's audit log.
    Witness,
}

impl Save {
    /// The thing that is replaced.
    pub fn key(&self) -> SaveKey {
        match &self.what {
            Saved::Release(release) => SaveKey::Release(release.order().workload.clone()),
            Saved::Aborts(_) => SaveKey::Aborts,
            Saved::Local(_) => SaveKey::Local,
            Saved::Record(_) => SaveKey::Record,
            Saved::Witness(_) => SaveKey::Witness,
        }
    }
}

impl Kept {
    /// What of it is this member's, and the releases that are not: those of an earlier life of the
    /// cluster, or of another fleet (P1). Aborts and the term outlive the uid, as only a lift ends an
    /// abort (P7), but not the fleet: of another one no hub could ever lift them.
    pub fn of_member(
        mut self,
        fleet: &FleetId,
        uid: &ClusterUid,
    ) -> (Self, BTreeMap<WorkloadRef, Release>) {
        let is_own = |release: &Release| {
            let order = release.order();
            order.fleet == *fleet && order.uid == *uid
        };
        let (own, left) = self
            .releases
            .into_iter()
            .partition(|(_, release)| is_own(release));
        self.releases = own;
        if self.record.fleet.as_ref().is_some_and(|of| of != fleet) {
            self.aborts = AbortBook::default();
            self.record.bound = None;
            self.witness = Witness::default();
        }
        self.record.fleet = Some(fleet.clone());
        (self, left)
    }

    /// Takes over what was saved, as a disk would; a store in memory for simulations.
    pub fn apply(&mut self, what: Saved) {
        match what {
            Saved::Release(release) => {
                let workload = release.order().workload.clone();
                self.releases.insert(workload, *release);
            }
            Saved::Aborts(aborts) => self.aborts = *aborts,
            Saved::Local(local) => self.local = *local,
            Saved::Record(record) => self.record = record,
            Saved::Witness(witness) => self.witness = witness,
        }
    }
}

/// Serde of a shared value as the value itself.
mod shared {
    use std::sync::Arc;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    pub(super) fn serialize<T: Serialize, S: Serializer>(
        value: &Arc<T>,
        serializer: S,
    ) -> Result<S::Ok, S::Error> {
        value.as_ref().serialize(serializer)
    }

    pub(super) fn deserialize<'de, T: Deserialize<'de>, D: Deserializer<'de>>(
        deserializer: D,
    ) -> Result<Arc<T>, D::Error> {
        T::deserialize(deserializer).map(Arc::new)
    }
}
