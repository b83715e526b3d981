//! Rules on one workload at one moment: the order, then what aborts, its not-after, local control, the time
//! without a lease and the lease itself make of it.

use std::{sync::Arc, time::Duration};

use flagship_proto::{
    model::{Intent, LocalVerb, OnDisconnect, ReturnTo, Tick},
    mutant,
    precedence::effective_intent,
};

use super::permission::{NoLease, Permission, Why, retreat_after, time_without};
use crate::release::{KeptAbort, LocalRecord, Release, Run};

/// Everything that a ruling rests on, besides the release itself.
#[derive(Debug)]
pub(super) struct Case<'a> {
    pub(super) release: &'a Release,
    /// Aborts that stand.
    pub(super) standing: Vec<&'a KeptAbort>,
    /// What people on the spot said.
    pub(super) local: Option<&'a LocalRecord>,
    /// Whether the order's change has all traffic and its canary ended; none while that is unknown.
    pub(super) done: Option<bool>,
    /// Whether anything of this order's run was started; unknown counts as begun.
    pub(super) begun: bool,
    /// What is left of the lease for this order, or why there is none.
    pub(super) lease: Result<Duration, NoLease>,
    /// Whether `continue` may be used: not while a hub that is heard refuses.
    pub(super) may_continue: bool,
}

/// Rules on one workload at one moment.
pub(super) fn rule(case: &Case<'_>, now: Tick) -> Permission {
    let order = case.release.order();
    let lease_left = case.lease.clone().unwrap_or_default();
    let mut permission = Permission {
        intent: order.intent,
        may_advance: false,
        lease_left,
        why: Why::Ordered {
            reason: order.reason.clone(),
        },
        return_to: order.return_to.clone(),
        now: order.now,
        aborted_by: None,
        order: Arc::clone(&case.release.order),
    };
    under_aborts(case, &mut permission);
    let is_late = now.wall > order.not_after && !mutant("p06");
    if permission.intent == Intent::Run && is_late {
        permission.intent = Intent::Hold;
        permission.why = Why::NotAfter {
            at: order.not_after,
        };
    }
    under_local(case.local, case.release, &mut permission);
    under_lapse(case, now, &mut permission);
    if permission.intent == Intent::Run {
        under_lease(case, &mut permission);
    }
    permission
}

fn under_aborts(case: &Case<'_>, permission: &mut Permission) {
    let order = case.release.order();
    // What Return does depends on whether the canary is Done. While that is unknown nothing moves.
    let done = case.done.unwrap_or(true);
    let standing = case
        .standing
        .iter()
        .map(|kept| (&kept.signed.value, true, kept.voids(order)));
    let voiding = case.release.voided_by.iter();
    let voiding = voiding.map(|abort| (abort, false, true));
    let covers = standing.chain(voiding).filter(|(abort, _, _)| {
        abort
            .scope
            .covers(&order.workload, &order.plan, &order.rollout)
    });
    for (abort, stands, voids) in covers {
        if matches!(order.intent, Intent::Retreat | Intent::Remove) {
            // An abort never stops a Retreat (P9).
            return;
        }
        let mut intent = effective_intent(order, [abort], done);
        if intent == Intent::Retreat && !case.begun && !voids {
            // Newer than the abort, and nothing of it runs: it waits for the lift, it does not fail.
            intent = Intent::Hold;
        }
        let stronger = permission.aborted_by.is_none()
            || (permission.intent == Intent::Hold && intent == Intent::Retreat);
        if stronger {
            permission.intent = intent;
            permission.return_to = ReturnTo::LastPromoted;
            permission.aborted_by = Some(abort.id.clone());
            permission.why = Why::Aborted {
                abort: abort.id.clone(),
                mode: abort.mode,
                actor: abort.actor.clone(),
                reason: abort.reason.clone(),
                stands,
            };
        }
    }
}

/// What local control makes of a ruling. What goes back already goes on going back.
fn under_local(record: Option<&LocalRecord>, release: &Release, permission: &mut Permission) {
    let Some((record, act)) = record.and_then(|record| Some((record, record.standing()?))) else {
        return;
    };
    match permission.intent {
        Intent::Retreat | Intent::Remove => return,
        Intent::Run | Intent::Hold => {}
    }
    let takes_back =
        act.verb == LocalVerb::Retreat && record.runs.contains(&Run::of(release.order()));
    if takes_back {
        permission.intent = Intent::Retreat;
        permission.return_to = ReturnTo::LastPromoted;
    } else {
        permission.intent = Intent::Hold;
    }
    if takes_back || permission.aborted_by.is_none() {
        permission.why = Why::Local { act: act.clone() };
    }
}

fn under_lapse(case: &Case<'_>, now: Tick, permission: &mut Permission) {
    let advancing = matches!(permission.intent, Intent::Run | Intent::Hold);
    let (Some(lapse), Some(after)) = (&case.release.lapse, retreat_after(case.release.order()))
    else {
        return;
    };
    let over = |none: &NoLease| time_without(lapse, none, now) >= after;
    let lapsed = lapse.fired || case.lease.as_ref().err().is_some_and(over);
    // An abort with `--hold` is a person's word; it counts more than the plan's timer.
    if advancing && lapsed && case.done != Some(true) && permission.aborted_by.is_none() {
        permission.intent = Intent::Retreat;
        permission.return_to = ReturnTo::LastPromoted;
        permission.why = Why::Lapsed {
            after,
            since: lapse.since,
        };
    }
}

fn under_lease(case: &Case<'_>, permission: &mut Permission) {
    let order = case.release.order();
    match &case.lease {
        Ok(_) => permission.may_advance = true,
        Err(_) if order.on_disconnect == OnDisconnect::Continue && case.may_continue => {
            permission.may_advance = true;
            permission.why = Why::Continues {
                until: order.not_after,
            };
        }
        Err(none) => {
            permission.intent = Intent::Hold;
            permission.why = Why::WaitingForLease(none.clone());
        }
    }
}
