//! PURE: which order wins. Abort before term before revision (P9, P12, P13), and what an abort makes of an order (P8).

use crate::model::{Abort, AbortMode, ClusterUid, Fence, Intent, Order};

/// Why an order that arrived is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// It is for another cluster, or for an earlier life of this one.
    #[error("order is for cluster uid {theirs}, this is {ours}")]
    OtherCluster {
        /// Whom it names.
        theirs: ClusterUid,
        /// Who we are.
        ours: ClusterUid,
    },
    /// What is held is newer. Normal after a stale view: counted, not alarmed.
    #[error("order at {offered} is older than the one held at {held}")]
    Older {
        /// What came.
        offered: Fence,
        /// What is held.
        held: Fence,
    },
}

/// What to do with an order that arrived.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// Persist it, then obey it.
    Take,
    /// It is held already; acknowledge and do nothing (S3).
    Held,
}

/// Compares an order with what is held for its workload.
pub fn admit(ours: &ClusterUid, held: Option<Fence>, order: &Order) -> Result<Verdict, Refusal> {
    if order.uid != *ours {
        return Err(Refusal::OtherCluster {
            theirs: order.uid.clone(),
            ours: ours.clone(),
        });
    }
    match held {
        Some(held) if order.fence < held && !crate::mutant("p12") => Err(Refusal::Older {
            offered: order.fence,
            held,
        }),
        Some(held) if order.fence == held => Ok(Verdict::Held),
        Some(_) | None => Ok(Verdict::Take),
    }
}

/// The intent that counts for an order under the aborts that stand (P8, P9, P11). `done` says that
/// the order's change already has all traffic and its canary ended (S2).
///
/// An abort never stops a Retreat, a Remove never advances. A Run order that is *newer* than a
/// standing abort in whose scope it is must not advance either: it holds until the lift.
pub fn effective_intent<'a>(
    order: &Order,
    standing: impl IntoIterator<Item = &'a Abort>,
    done: bool,
) -> Intent {
    let mut intent = order.intent;
    for abort in standing {
        if !abort
            .scope
            .covers(&order.workload, &order.plan, &order.rollout)
        {
            continue;
        }
        let under = match (intent, abort.mode) {
            (Intent::Retreat | Intent::Remove, _) => intent,
            (Intent::Run | Intent::Hold, AbortMode::Hold) => Intent::Hold,
            (Intent::Run | Intent::Hold, AbortMode::RetreatDone) => Intent::Retreat,
            (Intent::Run | Intent::Hold, AbortMode::Return) => {
                if done {
                    Intent::Hold
                } else {
                    Intent::Retreat
                }
            }
        };
        intent = under;
    }
    intent
}
