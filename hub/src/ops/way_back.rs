//! Where a retreat may lead: to what was promoted and soaked, and to nothing else. A way back passes every
//! wave, gate, freeze and abort, so it must not be a way to release.

use std::collections::BTreeSet;

use flagship_proto::{
    digest::Digest,
    model::{Change, ReturnTo},
};

use super::{OpError, Ops};
use crate::records::{ClusterRow, LastGoodRow, ReportRow, RolloutRow, Stored, key};

/// What was promoted of a workload, as far as the store knows.
#[derive(Debug, Default)]
struct Promoted {
    versions: BTreeSet<String>,
    digests: BTreeSet<Digest>,
}

impl Ops {
    /// Refuses a way back to what no cluster had before, or what is being released only now.
    pub(super) fn may_return(&self, row: &RolloutRow, to: &ReturnTo) -> Result<(), OpError> {
        let (is_known, named, promoted) = match to {
            ReturnTo::LastPromoted => return Ok(()),
            ReturnTo::Digest(digest) => {
                let promoted = self.promoted(row)?;
                let known = promoted.digests.contains(digest);
                (known, digest.to_string(), promoted)
            }
            ReturnTo::Version(version) => {
                let promoted = self.promoted(row)?;
                let known = promoted.versions.contains(version);
                (known, format!("{version:?}"), promoted)
            }
        };
        if is_known {
            return Ok(());
        }
        let what = match self.taken_back(row, to)? {
            Some(by) => format!("{named} was taken back by {by} in {}", row.workload),
            None => format!("{named} was never promoted and soaked in {}", row.workload),
        };
        let versions: Vec<&str> = promoted.versions.iter().map(String::as_str).collect();
        let known = if versions.is_empty() {
            "none".to_owned()
        } else {
            versions.join(", ")
        };
        let remedy = format!(
            "leave out --to for what each cluster last promoted; versions to go back to: {known}"
        );
        Err(OpError::refused("retreat.to", &what)
            .in_field("to")
            .try_this(&remedy))
    }

    /// Who took back what a rollout had released of a version, where one did.
    fn taken_back(&self, row: &RolloutRow, to: &ReturnTo) -> Result<Option<String>, OpError> {
        let ReturnTo::Version(wanted) = to else {
            return Ok(None);
        };
        let rollouts: Vec<Stored<RolloutRow>> = self.store.read_all(key::ROLLOUTS)?;
        let mut of_it: Vec<&Stored<RolloutRow>> = rollouts
            .iter()
            .filter(|of| {
                of.workload == row.workload && version(&of.change).as_ref() == Some(wanted)
            })
            .collect();
        of_it.sort_by_key(|of| std::cmp::Reverse(of.started));
        Ok(of_it.into_iter().find_map(|of| {
            let retreat = of.state.retreat.as_ref()?;
            // A reader of this plan need not see another's.
            let is_own = of.plan_ref() == row.plan_ref();
            Some(match is_own {
                true => format!("{} (rollout {})", retreat.why(), of.full_name()),
                false => "others".to_owned(),
            })
        }))
    }

    /// By rollouts that succeeded and were not taken back, and by what the clusters serve that no
    /// rollout brought.
    fn promoted(&self, row: &RolloutRow) -> Result<Promoted, OpError> {
        let mut promoted = Promoted::default();
        let good: Option<Stored<LastGoodRow>> = self.store.read(&key::last_good(&row.workload))?;
        for good in good
            .iter()
            .flat_map(|row| row.before.iter().chain([&row.good]))
        {
            promoted.versions.extend(version(&good.change));
            promoted.digests.extend(good.digest);
        }
        let rollouts: Vec<Stored<RolloutRow>> = self.store.read_all(key::ROLLOUTS)?;
        let rollouts = rollouts.iter().filter(|of| of.workload == row.workload);
        let mut unproven: BTreeSet<String> = rollouts.flat_map(|of| version(&of.change)).collect();
        unproven.retain(|version| !promoted.versions.contains(version));

        let (mut versions, mut digests, mut barred) =
            (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
        let reports: Vec<Stored<ReportRow>> = self.store.read_all(key::REPORTS)?;
        for report in reports
            .iter()
            .filter(|of| of.status.workload == row.workload)
        {
            let status = &report.status;
            digests.extend(status.can_return_to.iter().copied());
            for (version, digest) in [
                (&status.primary_version, status.primary_digest),
                (&status.version, status.digest),
            ] {
                if version.as_ref().is_some_and(|v| unproven.contains(v)) {
                    barred.extend(digest);
                }
            }
            versions.extend(status.primary_version.clone());
            digests.extend(status.primary_digest);
        }
        let clusters: Vec<Stored<ClusterRow>> = self.store.read_all(key::CLUSTERS)?;
        for had in clusters.iter().flat_map(|row| &row.inventory.workloads) {
            if had.workload == row.workload {
                versions.extend(had.version.clone());
            }
        }
        versions.retain(|version| !unproven.contains(version));
        digests.retain(|digest| !barred.contains(digest));
        promoted.versions.extend(versions);
        promoted.digests.extend(digests);
        Ok(promoted)
    }
}

fn version(change: &Change) -> Option<String> {
    match change {
        Change::Version(version) => Some(version.clone()),
        Change::Image { .. } | Change::Patch(_) | Change::Delivered(_) => None,
    }
}
