//! `apply`: a plan is parsed, linted against the fleet's members, and stored.

use flagship_proto::{
    digest::Digest,
    model::{PlanRef, Tick, WorkloadRef},
};
use flagship_waves::{Candidate, Finding, Plan, check_plan, has_errors, lint_members};
use serde::{Deserialize, Serialize};

use super::{Caller, OpError, Ops, Prepared, once::Once};
use crate::{
    auth::{Object, Right},
    records::{ClusterRow, PlanRow, ProjectRow, Record as _, Stored, key},
    store::{StoreError, Txn},
};

/// A plan file, as it was written.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ApplyPlan {
    /// The file's text.
    pub source: String,
    /// Only say what would happen.
    pub dry_run: bool,
}

/// What became of a plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub enum ApplyOutcome {
    /// It was not there.
    Created,
    /// It said something else.
    Changed,
    /// It says what it said; nothing was stored.
    Unchanged,
}

/// The answer to `apply`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Applied {
    /// Which plan.
    pub plan: PlanRef,
    /// What became of it.
    pub outcome: ApplyOutcome,
    /// SHA-256 of what it says now.
    pub digest: Digest,
    /// Warnings and notes.
    pub findings: Vec<Finding>,
    /// Whether nothing was stored because that was asked for.
    pub dry_run: bool,
}

impl Ops {
    /// Lints a plan and stores it. Running rollouts keep the plan they were started with.
    pub async fn apply_plan(
        &self,
        caller: &Caller,
        args: ApplyPlan,
        now: Tick,
    ) -> Result<Applied, OpError> {
        let once = Once::of(caller, "plan.apply", &args)?;
        if let Some(first) = once.replay(&self.store)? {
            return Ok(first);
        }
        // Once: what a text says does not change, however often it is decided.
        let checked = check_plan(&args.source);
        let prepared = self.prepare_plan(caller, &args, &checked, now)?;
        if args.dry_run || prepared.answer.outcome == ApplyOutcome::Unchanged {
            self.check(caller, &prepared)?;
            return Ok(prepared.answer);
        }
        self.transact(caller, "plan.apply", &args, now, || {
            self.prepare_plan(caller, &args, &checked, now)
        })
        .await
    }

    fn prepare_plan(
        &self,
        caller: &Caller,
        args: &ApplyPlan,
        checked: &(Option<Plan>, Vec<Finding>),
        now: Tick,
    ) -> Result<Prepared<Applied>, OpError> {
        let (Some(plan), mut findings) = checked.clone() else {
            return Err(invalid(checked.1.clone()));
        };
        let id = plan.id();
        let before: Option<Stored<PlanRow>> = self.store.read(&key::plan(&id))?;
        let wanted = Object::Plan(&id, &plan.metadata.labels);
        for object in before.iter().map(|row| row.object()).chain([wanted]) {
            if caller.grants.decide(Right::Ship, object).is_err() {
                // Whether such a plan is there already is not told: it may be another's.
                let missing = caller.grants.refusal(Right::Ship, &object);
                return Err(OpError::forbidden(&caller.actor, &missing));
            }
        }
        let workload = plan.workload().map_err(|error| {
            OpError::bad_input("plan.invalid", &error.to_string()).in_field("spec.workload")
        })?;
        self.is_own(caller, &id, &workload)?;
        findings.extend(lint_members(&plan, &self.candidates(&workload)?));
        if has_errors(&findings) {
            return Err(invalid(findings));
        }
        let outcome = match &before {
            None => ApplyOutcome::Created,
            Some(row) if row.plan == plan => ApplyOutcome::Unchanged,
            Some(_) => ApplyOutcome::Changed,
        };
        let row = PlanRow {
            id: id.clone(),
            source: args.source.clone(),
            digest: plan.digest(),
            plan,
            findings: findings.clone(),
            applied: now.wall,
            applied_by: caller.actor.clone(),
            last_number: match &before {
                Some(row) => row.last_number,
                None => self.numbered_after(&id)?,
            },
        };
        let answer = Applied {
            plan: id.clone(),
            outcome,
            digest: row.digest,
            findings,
            dry_run: args.dry_run,
        };
        let mut txn = match &before {
            Some(row) => Txn::new().unchanged(row),
            None => Txn::new().absent(key::plan(&id)),
        };
        let project = key::project(&id.project);
        if self.store.get(&project)?.is_none() {
            txn = txn.absent(project).put(&ProjectRow {
                project: id.project.clone(),
                created: now.wall,
                created_by: caller.actor.clone(),
            });
        }
        let prepared = Prepared::new(txn.put(&row), answer, format!("plan {id}")).of(row.key());
        Ok(prepared.digests(before.as_ref().map(|row| &row.plan), Some(&row.plan)))
    }

    /// The members of the fleet, as plans see them: only those whose inventory has the workload count.
    pub fn candidates(&self, workload: &WorkloadRef) -> Result<Vec<Candidate>, StoreError> {
        let clusters: Vec<Stored<ClusterRow>> = self.store.read_all(key::CLUSTERS)?;
        let members = clusters.into_iter().filter(|row| row.state.is_member());
        Ok(members
            .map(|row| Candidate {
                uid: row.uid.clone(),
                name: row.name.clone(),
                labels: row.labels.clone(),
                has_workload: row
                    .inventory
                    .workloads
                    .iter()
                    .any(|had| had.workload == *workload),
            })
            .collect())
    }
}

impl Ops {
    /// A workload is of those who may ship every plan that names it: nobody comes to what another
    /// project or team releases by writing a plan of his own, whatever labels he gives it.
    fn is_own(&self, caller: &Caller, id: &PlanRef, workload: &WorkloadRef) -> Result<(), OpError> {
        let plans: Vec<Stored<PlanRow>> = self.store.read_all(key::PLANS)?;
        let mut others = plans.iter().filter(|row| {
            row.id != *id && row.plan.workload().is_ok_and(|named| named == *workload)
        });
        if others.all(|row| caller.grants.decide(Right::Ship, row.object()).is_ok()) {
            return Ok(());
        }
        let whole = Object::Workload(workload);
        let missing = caller.grants.refusal(Right::Ship, &whole);
        Err(OpError::forbidden(&caller.actor, &missing))
    }
}

fn invalid(findings: Vec<Finding>) -> OpError {
    let errors = findings
        .iter()
        .filter(|finding| finding.severity == flagship_waves::Severity::Error);
    let message = match errors.clone().count() {
        1 => errors.map(ToString::to_string).collect(),
        count => format!("the plan has {count} errors; nothing was stored"),
    };
    OpError::bad_input("plan.invalid", &message)
        .with_findings(findings)
        .try_this("mend the file, then apply it again")
}
