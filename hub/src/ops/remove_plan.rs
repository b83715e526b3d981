//! Removing a plan. Rollouts hold the plan that they started with and are not touched; their numbers
//! are never given again, also not to a later plan of this name.

use flagship_proto::{
    digest::Digest,
    model::{PlanRef, Tick},
};
use serde::{Deserialize, Serialize};

use super::{Caller, OpError, Ops, Prepared, RolloutName, error::named, start::no_plan};
use crate::{
    auth::Right,
    epoch::NUMBERS,
    records::{RolloutRow, Stored, key},
    store::{StoreError, Txn},
};

/// The answer to a removal.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct RemovedPlan {
    /// Which plan.
    pub plan: PlanRef,
    /// SHA-256 of what it said.
    pub digest: Digest,
}

impl Ops {
    /// Removes a plan of which nothing runs.
    pub async fn remove_plan(
        &self,
        caller: &Caller,
        plan: PlanRef,
        now: Tick,
    ) -> Result<RemovedPlan, OpError> {
        self.transact(caller, "plan.remove", &plan, now, || {
            self.prepare_removal(caller, &plan)
        })
        .await
    }

    fn prepare_removal(
        &self,
        caller: &Caller,
        plan: &PlanRef,
    ) -> Result<Prepared<RemovedPlan>, OpError> {
        let row = self.plan(caller, plan)?;
        caller.may(Right::Ship, row.object(), || no_plan(plan))?;
        let rollouts = self.rollouts_of(plan)?;
        let running = rollouts.iter().filter(|rollout| !rollout.state.is_over());
        let mut running: Vec<String> = running
            .map(|rollout| self.shown(caller, &RolloutName::of_row(rollout)))
            .collect();
        running.dedup();
        if !running.is_empty() {
            let message = format!(
                "plan {plan} has rollouts that have not ended: {}",
                named(running)
            );
            return Err(OpError::conflict("plan.running", &message)
                .in_field("name")
                .try_this("wait for their end, or retreat or accept them, then remove it"));
        }
        let answer = RemovedPlan {
            plan: plan.clone(),
            digest: row.digest,
        };
        // a start raises the number in this row, so that none can begin in between
        let txn = Txn::new().unchanged(&row).delete(key::plan(plan));
        let prepared = Prepared::new(txn, answer, format!("plan {plan}")).of(key::plan(plan));
        Ok(prepared.digests(Some(&row.plan), None::<&()>))
    }

    fn rollouts_of(&self, plan: &PlanRef) -> Result<Vec<Stored<RolloutRow>>, StoreError> {
        let mut rows: Vec<Stored<RolloutRow>> =
            self.store.read_all(&key::rollouts_of(&plan.project))?;
        rows.retain(|row| row.plan_ref() == *plan);
        Ok(rows)
    }

    /// After which number the rollouts of a new plan are numbered: each epoch has its own thousand, as a
    /// plan of this name may have had rollouts in a history that was given up; and a plan of this name
    /// may have been removed.
    pub(super) fn numbered_after(&self, plan: &PlanRef) -> Result<u64, StoreError> {
        let first = self.store.epoch().saturating_sub(1).saturating_mul(NUMBERS);
        let rollouts = self.rollouts_of(plan)?;
        let used = rollouts.iter().filter_map(|row| {
            let (_, number) = row.id.as_str().rsplit_once('-')?;
            number.parse::<u64>().ok()
        });
        Ok(used.max().map_or(first, |used| used.max(first)))
    }
}
