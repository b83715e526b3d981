//! What a workload may do now, and why, in words that print themselves; `ruling` finds it.

use std::{fmt, sync::Arc, time::Duration};

use flagship_proto::{
    model::{
        AbortId, AbortMode, Change, ClusterUid, Intent, LocalAct, OnDisconnect, Order, ReturnTo,
        Signed, Tick,
    },
    words::given,
};
use jiff::Timestamp;

use crate::release::{Lapse, Release};

/// What one workload may do at one moment. Ask again right before each Advance (trap 8): it is
/// worth nothing a moment later.
#[derive(Debug, Clone, PartialEq)]
pub struct Permission {
    /// What counts now: the order's intent, or a stronger one.
    pub intent: Intent,
    /// Whether traffic may move towards the change. Only ever true with intent Run.
    pub may_advance: bool,
    /// What is left of the lease for this workload; zero without one. An Advance must be over, or
    /// have its deadline, inside it.
    pub lease_left: Duration,
    /// Why it is so.
    pub why: Why,
    /// Where a Retreat goes; for one that an abort or a lapse caused, what was last promoted.
    pub return_to: ReturnTo,
    /// Retreat: skip pacing and the wait for capacity.
    pub now: bool,
    /// The abort that counts, if one does.
    pub aborted_by: Option<AbortId>,
    /// The order in force.
    pub order: Arc<Signed<Order>>,
}

impl Permission {
    /// The order in force.
    pub fn order(&self) -> &Order {
        &self.order.value
    }

    /// The change of the order in force.
    pub fn change(&self) -> &Change {
        &self.order.value.change
    }

    /// Whether the order speaks to this cluster; else it is of an earlier life of it, and nothing of
    /// it counts but that what it left behind is settled and forgotten.
    pub fn is_ours(&self) -> bool {
        !matches!(self.why, Why::Left { .. })
    }

    /// For what an earlier life of this cluster left (P1): an unfinished canary goes back, what is
    /// done stays, and the run is forgotten, so that a new order begins at step 0.
    pub(super) fn of_left(release: &Release) -> Self {
        Self {
            intent: Intent::Remove,
            may_advance: false,
            lease_left: Duration::ZERO,
            why: Why::Left {
                uid: release.order().uid.clone(),
            },
            return_to: ReturnTo::LastPromoted,
            now: false,
            aborted_by: None,
            order: Arc::clone(&release.order),
        }
    }
}

/// Why a permission is as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// The order says so; under a live lease where it is Run.
    Ordered {
        /// The order's own words.
        reason: String,
    },
    /// An abort stands, or voided the order.
    Aborted {
        /// Which.
        abort: AbortId,
        /// What it does.
        mode: AbortMode,
        /// Who ordered it.
        actor: String,
        /// In that person's words.
        reason: String,
        /// Whether it still stands; a lifted one leaves its orders void.
        stands: bool,
    },
    /// The order's not-after has passed.
    NotAfter {
        /// When that was.
        at: Timestamp,
    },
    /// A person on the spot said so.
    Local {
        /// What was said.
        act: LocalAct,
    },
    /// No live lease.
    WaitingForLease(NoLease),
    /// No live lease, but the plan says `continue`.
    Continues {
        /// Until then.
        until: Timestamp,
    },
    /// The order is of an earlier life of this cluster (P1).
    Left {
        /// Whom it was for.
        uid: ClusterUid,
    },
    /// Too long without a lease, and the plan says `retreat`.
    Lapsed {
        /// How long it was to wait.
        after: Duration,
        /// When the lease ended.
        since: Timestamp,
    },
}

/// Why there is no live lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum NoLease {
    /// None was granted since this agent started.
    None,
    /// It ended.
    Ended {
        /// How long ago.
        ago: Duration,
    },
    /// The hub refused it.
    Refused {
        /// In the hub's words.
        reason: String,
    },
    /// The hub knows of an order that has not been applied here.
    OrderMissing,
    /// An abort that the grant lists is not kept durably yet.
    AbortNotKept {
        /// Which.
        abort: AbortId,
    },
    /// The record of the hub's term is not kept durably yet.
    RecordNotKept,
}

impl Why {
    /// A stable word for programs, as status and reports carry it.
    pub fn word(&self) -> &'static str {
        match self {
            Self::Ordered { .. } => "Ordered",
            Self::Aborted { .. } => "Aborted",
            Self::NotAfter { .. } => "NotAfter",
            Self::Local { .. } => "LocalControl",
            Self::WaitingForLease(_) => "WaitingForLease",
            Self::Continues { .. } => "ContinuesWithoutLease",
            Self::Left { .. } => "LeftBehind",
            Self::Lapsed { .. } => "LeaseLapsed",
        }
    }
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Ordered { reason } => f.write_str(reason),
            Self::Aborted {
                abort,
                mode,
                actor,
                reason,
                stands,
            } => {
                // Said of one that stands, these words outlive its lift: they must not say that it stands.
                let state = if *stands { "" } else { " voided the order" };
                let reason = given(reason);
                write!(f, "abort {abort} by {actor} ({mode}){state}: {reason}")
            }
            Self::NotAfter { at } => write!(f, "the order was not to go on after {at}"),
            Self::Local { act } => act.fmt(f),
            Self::WaitingForLease(none) => write!(f, "waiting for a lease: {none}"),
            Self::Continues { until } => {
                write!(f, "goes on without a lease until {until}, as the plan says")
            }
            Self::Left { uid } => write!(
                f,
                "the order was for {uid}, an earlier life of this cluster, and is not obeyed"
            ),
            Self::Lapsed { after, since } => write!(
                f,
                "without a lease since {since}; the plan takes it back after {} s",
                after.as_secs_f64()
            ),
        }
    }
}

impl fmt::Display for NoLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => f.write_str("none was granted since the agent started"),
            Self::Ended { ago } => write!(f, "the last one ended {:.1} s ago", ago.as_secs_f64()),
            Self::Refused { reason } => write!(f, "the hub refused it: {reason}"),
            Self::OrderMissing => f.write_str("the hub has a newer order that is not applied here"),
            Self::AbortNotKept { abort } => write!(f, "abort {abort} is not kept durably yet"),
            Self::RecordNotKept => f.write_str("the hub's term is not kept durably yet"),
        }
    }
}

/// How long an order waits without a lease before it goes back; none where it does not.
pub(super) fn retreat_after(order: &Order) -> Option<Duration> {
    match order.on_disconnect {
        OnDisconnect::Hold | OnDisconnect::Continue => None,
        OnDisconnect::Retreat { after_ms } => Some(Duration::from_millis(after_ms)),
    }
}

/// Time without a lease. Where it is known when the last one ended, no more than since then.
pub(super) fn time_without(lapse: &Lapse, none: &NoLease, now: Tick) -> Duration {
    let counted = lapse.elapsed(now);
    match none {
        NoLease::Ended { ago } => counted.min(*ago),
        NoLease::None
        | NoLease::Refused { .. }
        | NoLease::OrderMissing
        | NoLease::AbortNotKept { .. }
        | NoLease::RecordNotKept => counted,
    }
}
