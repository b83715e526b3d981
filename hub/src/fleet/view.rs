//! What the store says that sessions need: members, orders, aborts and lifts; and from them the order
//! as it is sent (P8) and the aborts that concern a cluster (P9). Reads only; rows come from `rows`.

use std::{
    collections::{BTreeMap, BTreeSet},
    iter::successors,
    sync::Arc,
    time::Duration,
};

use flagship_proto::{
    model::{
        Abort, AbortId, AbortMode, Bound, ClusterName, ClusterUid, Fence, Incarnation, Intent,
        Inventory, Labels, Lift, LocalRelease, Order, Phase, Position, ReturnTo, Scope, Signed,
        Tick, WorkloadRef, WorkloadStatus,
    },
    mutant,
    words::given,
};

use crate::{
    auth::is_joined_by,
    records::{MOST_NARROWED, SeenRow},
};

/// A cluster as its row says.
#[derive(Debug, Clone, PartialEq)]
pub struct Member {
    /// Drawn at enrolment.
    pub uid: ClusterUid,
    /// Its name.
    pub name: ClusterName,
    /// Its labels.
    pub labels: Labels,
    /// The certificates (DER) that it may come with, by serial.
    pub certificates: BTreeMap<String, Arc<[u8]>>,
    /// Why nothing advances there until a person looked; none for a member in good standing.
    pub quarantine: Option<String>,
    /// Why nothing advances there until a person confirmed that it is a member, after history went back.
    pub unconfirmed: Option<String>,
    /// What its agent last said of itself.
    pub inventory: Inventory,
    /// The highest incarnation that was stored (P2).
    pub incarnation: Incarnation,
    /// Where its row was last written.
    pub modified: Position,
}

/// A stored status of a workload.
#[derive(Debug, Clone, PartialEq)]
pub struct StoredReport {
    /// Whose incarnation said it.
    pub incarnation: Incarnation,
    /// In which report of that incarnation.
    pub seq: u64,
    /// What was said.
    pub status: WorkloadStatus,
    /// Where the row was last written.
    pub modified: Position,
}

/// What is known of a stored receipt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct StoredReceipt {
    /// The incarnation that signed it.
    pub incarnation: Incarnation,
    /// Its number in that incarnation.
    pub seq: u64,
    /// Whether the agent has stopped for good.
    pub is_final: bool,
    /// Whether a workload of it could not stop.
    pub not_stopped: bool,
    /// Where the row was last written.
    pub modified: Position,
}

/// One row that was written or deleted, as values.
#[derive(Debug, Clone, PartialEq)]
pub enum Change {
    /// A member was written, or who had this name left. Another uid under the name is a leaver and a
    /// joiner (P1).
    Member(ClusterName, Option<Box<Member>>),
    /// An order was written, its fence complete; or deleted.
    Order(ClusterUid, WorkloadRef, Option<Box<Order>>),
    /// An abort was stored or changed; its position is set.
    Abort {
        /// The abort.
        abort: Box<Abort>,
        /// Whom it covers where not everybody: whom its selector met, or who is left of it.
        clusters: Option<BTreeSet<ClusterUid>>,
        /// The wider one that it is what is left of.
        narrowed_from: Option<AbortId>,
        /// The longest lease in its scope: the bound that was said counts with it (P5).
        lease: Duration,
    },
    /// An abort was lifted; the position is set.
    Lift(Box<Lift>),
    /// A person on the hub ended local control; or the row was deleted.
    LocalRelease(ClusterUid, WorkloadRef, Option<Box<LocalRelease>>),
    /// A workload's status was stored, or deleted.
    Report(ClusterUid, WorkloadRef, Option<Box<StoredReport>>),
    /// What was seen of a history that the store does not have was stored.
    Seen(Box<SeenRow>),
    /// A receipt was stored.
    Receipt(AbortId, ClusterUid, StoredReceipt),
}

/// An abort, standing or lifted.
#[derive(Debug, Clone)]
pub(crate) struct StoredAbort {
    pub(crate) abort: Abort,
    /// Whom it covers where not everybody: whom its selector met, or who is left of it (P9).
    pub(crate) clusters: Option<BTreeSet<ClusterUid>>,
    /// The wider one that it is what is left of.
    pub(crate) narrowed_from: Option<AbortId>,
    /// The longest lease in its scope, where its row says it.
    pub(crate) lease: Option<Duration>,
    pub(crate) lift: Option<Lift>,
    /// When this process first saw it; the bound counts from here.
    pub(crate) seen: Tick,
    /// Whether the lift has taken effect (P8).
    pub(crate) over: bool,
    /// As signed, once for all sessions.
    pub(crate) signed: Option<Arc<Signed<Abort>>>,
    pub(crate) signed_lift: Option<Arc<Signed<Lift>>>,
}

/// What aborts made of a Run order.
#[derive(Debug, Clone, Copy)]
struct Voided<'a> {
    intent: Intent,
    revision: Position,
    by: &'a Abort,
}

/// The rows, as last applied.
#[derive(Debug, Default)]
pub(crate) struct View {
    /// The store's position up to which rows were applied.
    pub(crate) at: Position,
    pub(crate) members: BTreeMap<ClusterUid, Box<Member>>,
    pub(crate) names: BTreeMap<ClusterName, ClusterUid>,
    pub(crate) orders: BTreeMap<ClusterUid, BTreeMap<WorkloadRef, Box<Order>>>,
    pub(crate) aborts: BTreeMap<AbortId, StoredAbort>,
    /// Lifts whose abort was not seen yet.
    pub(crate) lifts: BTreeMap<AbortId, Lift>,
    pub(crate) reports: BTreeMap<ClusterUid, BTreeMap<WorkloadRef, Box<StoredReport>>>,
    /// What was seen of a history that the store does not have.
    pub(crate) seen: SeenRow,
    /// Local control that people on the hub ended, as last stored.
    pub(crate) local_releases: BTreeMap<ClusterUid, BTreeMap<WorkloadRef, LocalRelease>>,
    pub(crate) receipts: BTreeMap<AbortId, BTreeMap<ClusterUid, StoredReceipt>>,
}

impl View {
    /// The order for a workload as it is sent: the row, or what an abort made of it (P8).
    pub(crate) fn order(&self, uid: &ClusterUid, workload: &WorkloadRef) -> Option<Order> {
        let row = self.orders.get(uid)?.get(workload)?;
        let mut order = Order::clone(row);
        if let Some(voided) = self.voided(uid, row) {
            order.intent = voided.intent;
            order.return_to = ReturnTo::LastPromoted;
            order.fence.revision = voided.revision;
            let abort = voided.by;
            order.reason = format!(
                "abort {} ({}): {}",
                abort.id,
                abort.scope,
                given(&abort.reason)
            );
        }
        Some(order)
    }

    /// Where the order for a workload stands in history as it is sent.
    pub(crate) fn fence(&self, uid: &ClusterUid, workload: &WorkloadRef) -> Option<Fence> {
        let row = self.orders.get(uid)?.get(workload)?;
        Some(self.fence_of(uid, row))
    }

    /// The same for all orders of a cluster.
    pub(crate) fn fences(&self, uid: &ClusterUid) -> Vec<(WorkloadRef, Fence)> {
        let rows = self.orders.get(uid).into_iter().flatten();
        rows.map(|(workload, row)| (workload.clone(), self.fence_of(uid, row)))
            .collect()
    }

    fn fence_of(&self, uid: &ClusterUid, row: &Order) -> Fence {
        let voided = self.voided(uid, row);
        let revision = voided.map_or(row.fence.revision, |voided| voided.revision);
        Fence {
            revision,
            ..row.fence
        }
    }

    /// A Run order below an abort in whose scope it is is void for ever, also after the lift: it goes
    /// out as Retreat to what was last promoted, as Hold only if every such abort said so or the
    /// cluster was done already. Its revision becomes the abort's position, so that an agent that
    /// holds the Run takes it, and so that every order written after the abort is newer still.
    fn voided(&self, uid: &ClusterUid, row: &Order) -> Option<Voided<'_>> {
        if row.intent != Intent::Run || mutant("p08") {
            return None;
        }
        let mut voided: Option<Voided<'_>> = None;
        for stored in self.aborts.values() {
            let abort = &stored.abort;
            let Some(position) = abort.position else {
                continue;
            };
            let covered = abort.scope.covers(&row.workload, &row.plan, &row.rollout)
                && self.matches(stored, uid);
            if !covered || !abort.voids(row.fence) {
                continue;
            }
            let intent = match abort.mode {
                AbortMode::Hold => Intent::Hold,
                AbortMode::Return if self.is_done(uid, row) => Intent::Hold,
                AbortMode::Return | AbortMode::RetreatDone => Intent::Retreat,
            };
            voided = Some(match voided {
                Some(before) if before.intent == Intent::Retreat => Voided {
                    revision: before.revision.max(position),
                    ..before
                },
                before => Voided {
                    intent,
                    revision: before.map_or(position, |before| before.revision.max(position)),
                    by: abort,
                },
            });
        }
        voided
    }

    /// Whether the last stored report says that this order's change was already promoted.
    fn is_done(&self, uid: &ClusterUid, row: &Order) -> bool {
        let reports = self.reports.get(uid);
        reports
            .and_then(|workloads| workloads.get(&row.workload))
            .is_some_and(|last| {
                last.status.fence >= row.fence && last.status.phase == Phase::Succeeded
            })
    }

    /// The highest revision among a cluster's orders as they are sent (P4).
    pub(crate) fn watermark(&self, uid: &ClusterUid) -> Position {
        let fences = self.fences(uid).into_iter();
        fences
            .map(|(_, fence)| fence.revision)
            .max()
            .unwrap_or_default()
    }

    fn matches(&self, stored: &StoredAbort, uid: &ClusterUid) -> bool {
        let listed = stored
            .clusters
            .as_ref()
            .is_none_or(|clusters| clusters.contains(uid));
        if listed || mutant("p09") {
            return listed;
        }
        let member = self.members.get(uid);
        member.is_some_and(|member| self.is_joined_by(stored, member))
    }

    /// Whether a member that comes joins an abort, as the store says when it becomes one.
    pub(crate) fn is_joined_by(&self, stored: &StoredAbort, member: &Member) -> bool {
        let wider = |abort: &&StoredAbort| self.aborts.get(abort.narrowed_from.as_ref()?);
        let narrowed = successors(Some(stored), wider).take(MOST_NARROWED);
        let scopes = narrowed.map(|abort| (&abort.abort.scope, abort.abort.reach.as_ref()));
        is_joined_by(scopes, &member.name, &member.labels)
    }

    /// Whether a cluster has to know of an abort: the fleet, a selector that meets it, or work in scope.
    pub(crate) fn concerns(&self, stored: &StoredAbort, uid: &ClusterUid) -> bool {
        match &stored.abort.scope {
            Scope::Fleet | Scope::Selector(_) => self.matches(stored, uid),
            scope @ (Scope::Project(_)
            | Scope::Plan(_)
            | Scope::Rollout { .. }
            | Scope::Workload(_)) => {
                let mut orders = self.orders.get(uid).into_iter().flat_map(BTreeMap::values);
                self.matches(stored, uid)
                    && orders.any(|o| scope.covers(&o.workload, &o.plan, &o.rollout))
            }
        }
    }

    /// Every standing abort that concerns a cluster, complete (P4).
    pub(crate) fn standing<'a>(
        &'a self,
        uid: &'a ClusterUid,
    ) -> impl Iterator<Item = &'a StoredAbort> + 'a {
        self.aborts
            .values()
            .filter(move |stored| !stored.over && self.concerns(stored, uid))
    }

    /// Members that have something to stop under an abort: a lift waits for their answers (P8), as
    /// the operation that lifts says.
    fn have_to_answer<'a>(
        &'a self,
        stored: &'a StoredAbort,
    ) -> impl Iterator<Item = &'a ClusterUid> + 'a {
        let scope = &stored.abort.scope;
        let is_ordered = move |uid: &&ClusterUid| {
            let mut orders = self.orders.get(*uid).into_iter().flat_map(BTreeMap::values);
            orders.any(|order| scope.covers(&order.workload, &order.plan, &order.rollout))
        };
        let members = self.members.keys();
        members
            .filter(move |uid| self.matches(stored, uid))
            .filter(is_ordered)
    }

    /// Those of them that have not proved yet that they stopped.
    pub(crate) fn unanswered<'a>(
        &'a self,
        stored: &'a StoredAbort,
    ) -> impl Iterator<Item = &'a ClusterUid> + 'a {
        let receipts = self.receipts.get(&stored.abort.id);
        self.have_to_answer(stored).filter(move |uid| {
            let receipt = receipts.and_then(|receipts| receipts.get(*uid));
            receipt.is_none_or(|receipt| !receipt.is_final)
        })
    }
}

impl StoredAbort {
    /// As the store holds it, first seen at `seen`.
    pub(crate) fn new(abort: Abort, clusters: Option<BTreeSet<ClusterUid>>, seen: Tick) -> Self {
        Self {
            abort,
            clusters,
            narrowed_from: None,
            lease: None,
            lift: None,
            seen,
            over: false,
            signed: None,
            signed_lift: None,
        }
    }

    /// Whether every cluster that does not answer has stopped by itself: `L + D + drift` since this
    /// process saw the abort, or since it was stored when that was before this process began (P5).
    pub(crate) fn is_past_bound(&self, lease: Duration, now: Tick) -> bool {
        let bound = Bound { lease }.length();
        let seen_long_ago = now
            .mono
            .since(self.seen.mono)
            .is_some_and(|age| age >= bound);
        let stored_before = self
            .seen
            .wall
            .duration_since(self.abort.at)
            .try_into()
            .is_ok_and(|age: Duration| age >= bound);
        seen_long_ago || stored_before
    }
}

/// Whether others decide on what changed: phase, step, weight, intent, reason, order, versions.
/// Counters and texts that only grow (failed checks, messages) stay in the agent.
pub(super) fn is_transition(from: &WorkloadStatus, to: &WorkloadStatus) -> bool {
    let quiet = WorkloadStatus {
        message: from.message.clone(),
        since: from.since,
        failed_checks: from.failed_checks,
        ..to.clone()
    };
    quiet != *from
}
