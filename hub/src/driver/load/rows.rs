//! Rows as the driver holds them, and which rollouts a changed one is about.

use std::collections::{BTreeMap, BTreeSet};

use flagship_proto::model::{ClusterUid, WorkloadRef};

use crate::{
    records::{self, Record, Stored},
    store::{Key, Row, StoreError},
};

/// Rows of one kind.
pub(in crate::driver) type Rows<R> = BTreeMap<Key, Stored<R>>;

/// Rows about a workload in a cluster.
#[derive(Debug, Clone)]
pub(in crate::driver) struct Places<R>(BTreeMap<WorkloadRef, BTreeMap<ClusterUid, Stored<R>>>);

impl<R> Default for Places<R> {
    fn default() -> Self {
        Self(BTreeMap::new())
    }
}

impl<R: Record> Places<R> {
    /// The row of one place.
    pub(in crate::driver) fn get(
        &self,
        workload: &WorkloadRef,
        uid: &ClusterUid,
    ) -> Option<&Stored<R>> {
        self.0.get(workload)?.get(uid)
    }

    /// All rows of a workload.
    pub(in crate::driver) fn of(&self, workload: &WorkloadRef) -> impl Iterator<Item = &Stored<R>> {
        self.0.get(workload).into_iter().flat_map(BTreeMap::values)
    }

    /// Takes in the row of a workload and a uid that was written or deleted.
    pub(super) fn take(&mut self, place: [&str; 2], key: &Key, row: Option<&Row>) -> Taken {
        let (Ok(workload), Ok(uid)) = (place[0].parse::<WorkloadRef>(), place[1].parse()) else {
            return Ok(Touched::Nothing);
        };
        let here = self.0.entry(workload.clone()).or_default();
        match row {
            Some(row) => here.insert(uid, records::decode(key, row)?),
            None => here.remove(&uid),
        };
        Ok(Touched::Workload(workload))
    }
}

/// What a change is about.
pub(super) enum Touched {
    /// Nothing that a step rests on.
    Nothing,
    /// The rollouts of a workload.
    Workload(WorkloadRef),
    /// Any rollout.
    Any,
}

/// What taking a row in comes to.
pub(super) type Taken = Result<Touched, StoreError>;

/// Takes in a row that was written or deleted; `workload` says whose it is, where it is of one.
pub(super) fn take<R: Record>(
    rows: &mut Rows<R>,
    key: &Key,
    row: Option<&Row>,
    workload: impl FnOnce(&R) -> Option<WorkloadRef>,
) -> Taken {
    let Some(row) = row else {
        rows.remove(key);
        return Ok(Touched::Any);
    };
    let row = records::decode(key, row)?;
    let touched = workload(&row).map_or(Touched::Any, Touched::Workload);
    rows.insert(key.clone(), row);
    Ok(touched)
}

/// Which rollouts may have something to do because of what changed.
#[derive(Debug, Default)]
pub(in crate::driver) struct Dirty {
    all: bool,
    workloads: BTreeSet<WorkloadRef>,
}

impl Dirty {
    /// All of them.
    pub(in crate::driver) fn all() -> Self {
        Self {
            all: true,
            ..Self::default()
        }
    }

    /// Whether one of a workload is among them.
    pub(in crate::driver) fn concerns(&self, workload: &WorkloadRef) -> bool {
        self.all || self.workloads.contains(workload)
    }

    pub(super) fn add(&mut self, touched: Touched) {
        match touched {
            Touched::Nothing => {}
            Touched::Workload(workload) => {
                self.workloads.insert(workload);
            }
            Touched::Any => self.all = true,
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        !self.all && self.workloads.is_empty()
    }
}
