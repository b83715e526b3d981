//! `start`: a rollout of a plan, with claims on its whole scope, in one transaction (P16, S8, S9).

use std::collections::BTreeMap;

use flagship_proto::{
    command::Command,
    model::{
        AbortId, Change, ClusterName, ClusterUid, PlanRef, ProjectName, RolloutId, Tick, WaveName,
        WorkloadRef,
    },
    words::moment,
};
use flagship_waves::{Finding, Request, RolloutState, Wish, allowed, lint_members, members};
use serde::{Deserialize, Serialize};

use super::{
    Caller, OpError, Ops, Prepared, RolloutName,
    error::named,
    standing::{all_covering, standing_aborts},
    steps::ways_out,
};
use crate::{
    auth::{Object, Right},
    records::{
        AbortRow, ClaimRow, Guard, LiftRow, PlanRow, Record as _, RejectedRow, RolloutRow, Stored,
        key,
    },
    store::Txn,
};

/// What to start.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StartRollout {
    /// Which plan.
    pub plan: PlanRef,
    /// What to release.
    pub change: Change,
    /// Although this change was aborted or retreated before; needs a reason.
    pub again: bool,
    /// Take over what another rollout holds.
    pub supersede: bool,
}

/// A cluster's place in a rollout.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Place {
    /// The cluster.
    pub cluster: ClusterName,
    /// Its wave.
    pub wave: WaveName,
}

/// The answer to `start`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Started {
    /// The project.
    pub project: ProjectName,
    /// The new rollout.
    pub rollout: RolloutId,
    /// What it releases.
    pub change: Change,
    /// Where, in the order of its waves.
    pub places: Vec<Place>,
    /// Rollouts whose claims it took.
    pub superseded: Vec<RolloutId>,
    /// Warnings and notes about the plan and today's members.
    pub findings: Vec<Finding>,
}

impl Ops {
    /// Starts a rollout: the plan is frozen in it, every cluster of its scope is claimed for it.
    pub async fn start(
        &self,
        caller: &Caller,
        args: StartRollout,
        now: Tick,
    ) -> Result<Started, OpError> {
        self.transact(caller, "rollout.start", &args, now, || {
            self.prepare_start(caller, &args, now)
        })
        .await
    }

    fn prepare_start(
        &self,
        caller: &Caller,
        args: &StartRollout,
        now: Tick,
    ) -> Result<Prepared<Started>, OpError> {
        // read first: what changes membership, aborts or rejections from here on conflicts (P15)
        let guard: Option<Stored<Guard>> = self.store.read(&key::guard())?;
        let plan_row = self.plan(caller, &args.plan)?;
        caller.may(Right::Ship, plan_row.object(), || no_plan(&args.plan))?;
        let plan = &plan_row.plan;
        check_change(plan, &args.change)?;
        let workload = plan.workload().map_err(|error| {
            OpError::bad_input("plan.invalid", &error.to_string()).in_field("spec.workload")
        })?;
        let number = plan_row.last_number + 1;
        let id: RolloutId = format!("{}-{number}", args.plan.name)
            .parse()
            .map_err(|error| OpError::bad_input("plan.name", &format!("{error}")))?;

        let candidates = self.candidates(&workload)?;
        let findings = lint_members(plan, &candidates);
        if flagship_waves::has_errors(&findings) {
            return Err(OpError::refused(
                "plan.members",
                "the fleet's members have changed since the plan was applied, and it no longer fits",
            )
            .with_findings(findings)
            .try_this("mend the plan and apply it again"));
        }
        let scope = members(plan, &candidates);
        if scope.is_empty() {
            let message = format!("no cluster of the plan has workload {workload}");
            return Err(OpError::refused("plan.noClusters", &message)
                .try_this("enrol a cluster whose agent has it, or mend the plan's workload"));
        }
        let uids: Vec<ClusterUid> = scope.iter().map(|member| member.uid.clone()).collect();
        let standing = standing_aborts(&self.store, now.wall)?;
        let aborts: Vec<_> = all_covering(&standing, &workload, &args.plan, &id, &uids).collect();
        if let Some(told) = self.told_of(caller, &aborts)? {
            let then = args.command().because();
            return Err(told.refusal("abort.stands", "start", &then.to_string()));
        }

        let row = RolloutRow {
            project: args.plan.project.clone(),
            id: id.clone(),
            plan: plan.clone(),
            plan_digest: plan.digest(),
            workload: workload.clone(),
            change: args.change.clone(),
            state: RolloutState::new(plan, id.clone(), args.change.clone(), now.wall),
            requests: Vec::new(),
            started: now.wall,
            started_by: caller.actor.clone(),
            reason: caller.reason.clone(),
            ticket: caller.ticket.clone(),
            supersedes: None,
        };
        let mut txn = match &guard {
            Some(guard) => Txn::new().unchanged(guard),
            None => Txn::new().absent(key::guard()),
        };
        let again = (!args.again).then(|| args.command().of("--again"));
        txn = self.clear_rejection(txn, caller, &workload, &args.change, again)?;

        let mut holders: BTreeMap<(ProjectName, RolloutId), Stored<RolloutRow>> = BTreeMap::new();
        for member in &scope {
            let claim = ClaimRow {
                workload: workload.clone(),
                uid: member.uid.clone(),
                cluster: member.name.clone(),
                project: row.project.clone(),
                rollout: id.clone(),
                at: now.wall,
            };
            match self.store.read::<ClaimRow>(&claim.key())? {
                None => txn = txn.absent(claim.key()),
                Some(held) => {
                    let key = key::rollout(&held.project, &held.rollout);
                    if let Some(holder) = self.store.read::<RolloutRow>(&key)? {
                        holders.insert((held.project.clone(), held.rollout.clone()), holder);
                    }
                    txn = txn.unchanged(&held);
                }
            }
            txn = txn.put(&claim);
        }
        holders.retain(|_, holder| !holder.state.is_over());
        let mut superseded = Vec::new();
        for holder in holders.values() {
            txn = self.supersede(txn, caller, args, (&row, holder), &standing, now)?;
            superseded.push(holder.id.clone());
        }

        let row = RolloutRow {
            supersedes: superseded.first().cloned(),
            ..row
        };
        let applied = PlanRow {
            last_number: number,
            ..plan_row.to_value()
        };
        let txn = txn
            .absent(row.key())
            .put(&row)
            .unchanged(&plan_row)
            .put(&applied);
        let places = scope.iter().map(|member| Place {
            cluster: member.name.clone(),
            wave: plan.spec.waves[member.wave].name.clone(),
        });
        let answer = Started {
            project: row.project.clone(),
            rollout: id.clone(),
            change: args.change.clone(),
            places: places.collect(),
            superseded,
            findings,
        };
        let object = format!("rollout {}/{id}", row.project);
        let before: Option<&()> = None;
        let frozen = (&row.plan, &row.change);
        let prepared = Prepared::new(txn, answer, object).of(key::plan(&row.plan_ref()));
        Ok(prepared.digests(before, Some(&frozen)))
    }

    /// A plan that the caller may see.
    pub(super) fn plan(&self, caller: &Caller, id: &PlanRef) -> Result<Stored<PlanRow>, OpError> {
        let row: Option<Stored<PlanRow>> = self.store.read(&key::plan(id))?;
        if let Some(row) = row.filter(|row| caller.grants.sees(row.object())) {
            return Ok(row);
        }
        let mut known: Vec<Stored<PlanRow>> = self.store.read_all(key::PLANS)?;
        known.retain(|row| caller.grants.sees(row.object()));
        let known = named(known.iter().map(|row| &row.id));
        Err(no_plan(id).try_this(&format!("apply it first; plans here: {known}")))
    }

    /// A rejected change starts again only by a person's word, which clears it (S8); without it that is
    /// `refused`, with the command that says it.
    pub(super) fn clear_rejection(
        &self,
        mut txn: Txn,
        caller: &Caller,
        workload: &WorkloadRef,
        change: &Change,
        refused: Option<Command>,
    ) -> Result<Txn, OpError> {
        let rejected: Vec<Stored<RejectedRow>> =
            self.store.read_all(&key::rejected_of(workload))?;
        let same = rejected.iter().filter(|row| row.change == *change);
        for row in same {
            if let Some(again) = &refused {
                let at = moment(row.at);
                let mut message = format!("{} of {workload} was rejected at {at}", row.change);
                if self.sees_rejection(caller, row)? {
                    message += &format!(" in rollout {}: {}", row.rollout, row.reason);
                }
                let again = again.clone().because();
                return Err(OpError::refused("change.rejected", &message)
                    .try_this(&format!("if it is to be tried all the same: {again}")));
            }
            caller.insist_on_reason("trying a rejected change again")?;
            txn = txn.unchanged(row).delete(row.value.key());
        }
        Ok(txn)
    }

    /// Whether the rollout that rejected a change is for the caller to see.
    fn sees_rejection(&self, caller: &Caller, row: &RejectedRow) -> Result<bool, OpError> {
        if caller.grants.sees_everything() {
            return Ok(true);
        }
        let rollouts: Vec<Stored<RolloutRow>> = self.store.read_all(key::ROLLOUTS)?;
        let mut rollouts = rollouts
            .iter()
            .filter(|of| of.id == row.rollout && of.workload == row.workload);
        Ok(rollouts.any(|of| of.is_seen_by(&caller.grants)))
    }

    /// Takes over from a rollout that holds clusters of this plan. Of one that the caller may not see no
    /// more is told than that somebody holds them.
    fn supersede(
        &self,
        txn: Txn,
        caller: &Caller,
        args: &StartRollout,
        (row, holder): (&RolloutRow, &Stored<RolloutRow>),
        standing: &[Stored<AbortRow>],
        now: Tick,
    ) -> Result<Txn, OpError> {
        let name = self.shown(caller, &RolloutName::of_row(holder));
        if !holder.is_seen_by(&caller.grants) {
            let message = format!("{name} holds clusters of this plan");
            return Err(OpError::refused("claim.held", &message)
                .try_this("wait for its end, or ask who sees everything whose it is"));
        }
        if !args.supersede {
            let message = format!(
                "{name} ({}, {}) holds clusters of this plan",
                holder.change,
                holder.state.phase.word()
            );
            let uids: Vec<ClusterUid> = holder.state.clusters.keys().cloned().collect();
            let plan = holder.plan_ref();
            let aborts = all_covering(standing, &holder.workload, &plan, &holder.id, &uids);
            let aborts: Vec<_> = aborts.map(|row| row.id()).collect();
            let lift = |id: &AbortId| self.store.read::<LiftRow>(&key::lift(id));
            let is_lifted = |id: &AbortId| lift(id).is_ok_and(|lift| lift.is_some());
            let remedy = ways_out(args, holder, &aborts, is_lifted);
            return Err(OpError::refused("claim.held", &message).try_this(&remedy));
        }
        if holder.project != row.project {
            let message = format!("{name} is of another project and cannot be superseded");
            return Err(OpError::refused("claim.otherProject", &message)
                .try_this("ask its owners to retreat or accept it"));
        }
        let plan = holder.plan_ref();
        caller.may(Right::Ship, Object::Plan(&plan, holder.labels()), || {
            no_plan(&plan)
        })?;
        let wish = Wish::Supersede { by: row.id.clone() };
        let uids: Vec<ClusterUid> = holder.state.clusters.keys().cloned().collect();
        let mut aborts = all_covering(standing, &holder.workload, &plan, &holder.id, &uids);
        allowed(&holder.state, &wish, aborts.next().is_some())
            .map_err(|why| OpError::refused("supersede.notAllowed", &why.to_string()))?;
        let mut next = holder.to_value();
        next.requests.push(Request {
            id: holder.next_request(),
            at: now.wall,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            wish,
        });
        Ok(txn.unchanged(holder).put(&next))
    }
}

pub(super) fn no_plan(id: &PlanRef) -> OpError {
    OpError::not_found("plan.notFound", &format!("there is no plan {id}")).in_field("plan")
}

fn check_change(plan: &flagship_waves::Plan, change: &Change) -> Result<(), OpError> {
    if !plan.spec.change.accepts(change) {
        return Err(OpError::bad_input(
            "change.kind",
            "this plan releases another kind of change than the one given",
        )
        .in_field("change")
        .try_this("`change: version` takes --to-version VERSION"));
    }
    match change {
        Change::Version(version) => {
            let fits = !version.is_empty()
                && version.len() <= 128
                && version
                    .chars()
                    .all(|c| c.is_ascii_alphanumeric() || "._+-".contains(c))
                && !version.starts_with(['-', '.']);
            if fits {
                return Ok(());
            }
            Err(OpError::bad_input(
                "change.version",
                &format!("version {version:?} is not valid"),
            )
            .in_field("toVersion")
            .try_this("use 1 to 128 letters, digits, '.', '_', '+' and '-', such as 1.9.0"))
        }
        Change::Image { .. } | Change::Patch(_) | Change::Delivered(_) => Err(OpError::bad_input(
            "change.notSupported",
            "changes by image, patch and delivered are not yet supported",
        )
        .in_field("change")
        .try_this("use `change: {version: {}}` in the plan")),
    }
}
