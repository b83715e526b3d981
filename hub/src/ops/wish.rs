//! What people wish of a rollout: stored on its row for the wave engine, which turns it into state.

use flagship_proto::{
    command::Command,
    model::{ClusterUid, Order, ProjectName, ReturnTo, RolloutId, Tick},
};
use flagship_waves::{ClusterPhase, Request, RolloutPhase, Wish, allowed};
use serde::{Deserialize, Serialize};

use super::{
    Caller, OpError, Ops, Prepared,
    error::named,
    standing::{all_covering, standing_aborts},
};
use crate::{
    auth::{Object, Right},
    records::{ClaimRow, Record as _, RolloutRow, Stored, key},
    store::Txn,
};

/// A rollout by project and id.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct RolloutName {
    /// Its project.
    pub project: ProjectName,
    /// Its id.
    pub id: RolloutId,
}

impl RolloutName {
    /// The one that gave an order.
    pub fn of(order: &Order) -> Self {
        Self {
            project: order.plan.project.clone(),
            id: order.rollout.clone(),
        }
    }

    /// That of a stored one.
    pub fn of_row(rollout: &RolloutRow) -> Self {
        Self {
            project: rollout.project.clone(),
            id: rollout.id.clone(),
        }
    }
}

impl std::fmt::Display for RolloutName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.project, self.id)
    }
}

fn no_rollout(name: &RolloutName) -> OpError {
    let message = format!("there is no rollout {name}");
    OpError::not_found("rollout.notFound", &message).in_field("rollout")
}

/// The answer to a wish: it is stored, and the engine takes it at its next step.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct WishAnswer {
    /// Of which rollout.
    pub rollout: RolloutName,
    /// The request's number on it; handled once the state's `handled` reaches it.
    pub request: u64,
    /// The verb.
    pub verb: String,
}

impl Ops {
    /// Traffic stays, nothing starts.
    pub async fn pause(
        &self,
        caller: &Caller,
        rollout: RolloutName,
        now: Tick,
    ) -> Result<WishAnswer, OpError> {
        self.wish(caller, rollout, Wish::Pause, now).await
    }

    /// Ends a pause.
    pub async fn resume(
        &self,
        caller: &Caller,
        rollout: RolloutName,
        now: Tick,
    ) -> Result<WishAnswer, OpError> {
        self.wish(caller, rollout, Wish::Resume, now).await
    }

    /// All clusters of the rollout go back, Done too.
    pub async fn retreat(
        &self,
        caller: &Caller,
        rollout: RolloutName,
        to: ReturnTo,
        unpaced: bool,
        now: Tick,
    ) -> Result<WishAnswer, OpError> {
        let wish = Wish::Retreat { to, now: unpaced };
        self.wish(caller, rollout, wish, now).await
    }

    /// The same rollout again, from step 0 where it is not Done. Clears a rejection, with a reason (S8).
    pub async fn retry(
        &self,
        caller: &Caller,
        rollout: RolloutName,
        now: Tick,
    ) -> Result<WishAnswer, OpError> {
        self.wish(caller, rollout, Wish::Retry, now).await
    }

    /// A person takes the mixed state as final.
    pub async fn accept(
        &self,
        caller: &Caller,
        rollout: RolloutName,
        now: Tick,
    ) -> Result<WishAnswer, OpError> {
        caller.insist_on_reason("accepting a mixed state")?;
        self.wish(caller, rollout, Wish::Accept, now).await
    }

    async fn wish(
        &self,
        caller: &Caller,
        rollout: RolloutName,
        wish: Wish,
        now: Tick,
    ) -> Result<WishAnswer, OpError> {
        let action = format!("rollout.{}", wish.verb());
        self.transact(caller, &action, &(&rollout, &wish), now, || {
            self.prepare_wish(caller, &rollout, &wish, now)
        })
        .await
    }

    fn prepare_wish(
        &self,
        caller: &Caller,
        name: &RolloutName,
        wish: &Wish,
        now: Tick,
    ) -> Result<Prepared<WishAnswer>, OpError> {
        let row = self.rollout(caller, name)?;
        let right = match wish {
            Wish::Pause | Wish::Retreat { .. } => Right::Stop,
            Wish::Resume | Wish::Retry | Wish::Accept | Wish::Supersede { .. } => Right::Ship,
        };
        let plan = row.plan_ref();
        caller.may(right, Object::Plan(&plan, row.labels()), || {
            no_rollout(name)
        })?;
        if let Wish::Retreat { to, .. } = wish {
            self.may_return(&row, to)?;
        }
        let uids: Vec<ClusterUid> = row.state.clusters.keys().cloned().collect();
        let standing = standing_aborts(&self.store, now.wall)?;
        let aborts = all_covering(&standing, &row.workload, &plan, &row.id, &uids);
        let aborts: Vec<_> = aborts.collect();
        let told = self.told_of(caller, &aborts)?;
        allowed(&row.state, wish, told.is_some()).map_err(|why| {
            let mut message = format!("cannot {} rollout {name}: {}", why.verb, why.why);
            let told = told
                .as_ref()
                .filter(|_| allowed(&row.state, wish, false).is_ok());
            if let Some(told) = told {
                message += &format!(": {}", told.stands);
            }
            let refusal = OpError::refused("wish.notAllowed", &message);
            match (wish, told) {
                (Wish::Retry, Some(told)) => {
                    let retry = Command::flagship(wish.verb()).of(name).because();
                    refusal.try_this(&told.remedy("retry", &retry.to_string()))
                }
                // A person's word that it is final is undone by one that says that it is not.
                (Wish::Retreat { .. }, _) if row.state.accepted.is_some() => {
                    let abort = Command::flagship("abort").of("--plan").of(row.plan_ref());
                    let abort = abort.of("--retreat").because();
                    refusal.try_this(&abort.that("takes back what it brought all the same"))
                }
                (
                    Wish::Pause
                    | Wish::Resume
                    | Wish::Retreat { .. }
                    | Wish::Retry
                    | Wish::Accept
                    | Wish::Supersede { .. },
                    _,
                ) => {
                    let describe = Command::flagship("describe").of("rollout").of(name);
                    refusal.try_this(&describe.to_string())
                }
            }
        })?;
        let is_retreat = |wish: &Wish| matches!(wish, Wish::Retreat { .. });
        let is_under_way = row.state.phase == RolloutPhase::Retreating
            || row.requests.iter().any(|asked| is_retreat(&asked.wish));
        if *wish == Wish::Pause || (is_under_way && is_retreat(wish)) {
            self.not_without_end(caller, now)?;
        }
        let mut next = row.to_value();
        let request = Request {
            id: row.next_request(),
            at: now.wall,
            actor: caller.actor.clone(),
            reason: caller.reason.clone(),
            wish: wish.clone(),
        };
        let answer = WishAnswer {
            rollout: name.clone(),
            request: request.id,
            verb: wish.verb().to_owned(),
        };
        next.requests.push(request);
        let mut txn = Txn::new().unchanged(&row).put(&next);
        match wish {
            Wish::Pause => txn = txn.urgent(),
            Wish::Retreat { .. } => txn = self.claim_again(txn, caller, &row, now)?.urgent(),
            Wish::Retry => {
                txn = self.clear_rejection(txn, caller, &row.workload, &row.change, None)?;
                txn = self.claim_again(txn, caller, &row, now)?;
            }
            Wish::Resume | Wish::Accept | Wish::Supersede { .. } => {}
        }
        let requests = (&row.requests, &next.requests);
        let object = format!("rollout {name}");
        let prepared = Prepared::new(txn, answer, object).of(row.key());
        Ok(prepared.digests(Some(requests.0), Some(requests.1)))
    }

    /// A rollout that the caller may see.
    pub(super) fn rollout(
        &self,
        caller: &Caller,
        name: &RolloutName,
    ) -> Result<Stored<RolloutRow>, OpError> {
        let sees = |row: &Stored<RolloutRow>| row.is_seen_by(&caller.grants);
        let row: Option<Stored<RolloutRow>> =
            self.store.read(&key::rollout(&name.project, &name.id))?;
        if let Some(row) = row.filter(sees) {
            return Ok(row);
        }
        let mut known: Vec<Stored<RolloutRow>> =
            self.store.read_all(&key::rollouts_of(&name.project))?;
        known.retain(sees);
        let known = named(known.iter().rev().map(|row| &row.id));
        Err(no_rollout(name).try_this(&format!("rollouts in {}: {known}", name.project)))
    }

    /// A rollout in words; one that the caller may not see is not named.
    pub(super) fn shown(&self, caller: &Caller, rollout: &RolloutName) -> String {
        if self.sight(&caller.grants).rollout_named(rollout) {
            return format!("rollout {rollout}");
        }
        "a rollout of others".to_owned()
    }

    /// A rollout that has ended released its claims; who moves its clusters again takes them again,
    /// so that there is one writer. Refused where another rollout holds one by now.
    fn claim_again(
        &self,
        mut txn: Txn,
        caller: &Caller,
        row: &Stored<RolloutRow>,
        now: Tick,
    ) -> Result<Txn, OpError> {
        for (uid, cluster) in &row.state.clusters {
            let took_part = match &cluster.phase {
                // Where it never ordered anything it moves nothing: who holds such a cluster must not
                // stand in the way of a retreat everywhere else (rule 4).
                ClusterPhase::Left | ClusterPhase::Skipped { .. } | ClusterPhase::Waiting => {
                    cluster.touched
                }
                ClusterPhase::Ordered
                | ClusterPhase::Running { .. }
                | ClusterPhase::Soaking
                | ClusterPhase::Done
                | ClusterPhase::Failed { .. }
                | ClusterPhase::Retreating { .. }
                | ClusterPhase::RolledBack
                | ClusterPhase::Unreachable => true,
            };
            if !took_part {
                continue;
            }
            let claim = ClaimRow {
                workload: row.workload.clone(),
                uid: uid.clone(),
                cluster: cluster.name.clone(),
                project: row.project.clone(),
                rollout: row.id.clone(),
                at: now.wall,
            };
            let Some(held) = self.store.read::<ClaimRow>(&claim.key())? else {
                txn = txn.absent(claim.key()).put(&claim);
                continue;
            };
            if (&held.project, &held.rollout) == (&row.project, &row.id) {
                continue;
            }
            let other = RolloutName {
                project: held.project.clone(),
                id: held.rollout.clone(),
            };
            let holder = self.shown(caller, &other);
            let message = format!(
                "{holder} holds {} in cluster {} by now",
                row.workload, cluster.name
            );
            let remedy = if self.sight(&caller.grants).rollout_named(&other) {
                let back = Command::flagship("retreat").of(&other).because();
                format!("wait for its end, or take it back: {back}")
            } else {
                "wait for its end, or ask who sees everything whose it is".to_owned()
            };
            return Err(OpError::refused("claim.held", &message).try_this(&remedy));
        }
        Ok(txn)
    }
}
