//! The agent's side of the link, as a plain state machine: hub messages, statuses and outcomes of
//! writes go in; permissions, messages and writes come out. It opens no connection, reads no clock
//! and writes no file (S1); `connect` is the thin edge that does.
//!
//! What is kept before it is obeyed, and what is obeyed at once (P13):
//!
//! | | obeyed | counts as kept |
//! |---|---|---|
//! | Run | once its release is on disk | then |
//! | Hold, Retreat, Remove | at once | once its release is on disk |
//! | local control | at once | once its book is on disk; whoever asked is told which |
//! | abort | at once | once the book of aborts is on disk; only then is a receipt final |

pub mod connect;
pub mod enrol;
pub mod handle;
mod hello;
pub mod identity;
mod keep;
mod lease;
pub mod local;
mod permission;
mod receipt;
mod receive;
mod report;
mod ruling;
pub mod run;
mod seal;
mod session;
mod slot;
#[cfg(test)]
mod tests;
mod traced;
mod witness;

use std::{collections::BTreeMap, fmt, time::Duration};

use flagship_proto::model::{
    AgentMessage, ClusterName, ClusterUid, Evidence, FleetId, Goodbye, GoodbyeCode, Incarnation,
    Intent, Inventory, Mono, Position, Tick, WorkloadRef, WorkloadStatus,
};

pub use permission::{NoLease, Permission, Why};
pub use seal::{Keys, Seal};
pub use session::{Hangup, Refused, Session, Then};

use crate::release::{
    AbortBook, Kept, KeptAbort, LocalBook, Record, Release, Save, SaveKey, Saved,
};
use keep::{Keep, reached};
use lease::Leases;
use receipt::{Receipts, Seen};
use report::Outbox;
use ruling::{Case, rule};
use slot::Slot;
use witness::Watching;

/// Who this agent is, as its certificate and its enrolment say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Member {
    /// The fleet.
    pub fleet: FleetId,
    /// The cluster's name.
    pub cluster: ClusterName,
    /// The cluster's uid.
    pub uid: ClusterUid,
}

/// The state of the link. See the module's words for what it promises.
pub struct Link {
    member: Member,
    seal: Box<dyn Seal>,
    inventory: Inventory,
    record: Keep<Record>,
    aborts: Keep<AbortBook>,
    local: Keep<LocalBook>,
    watching: Watching,
    slots: BTreeMap<WorkloadRef, Slot>,
    /// Releases of an earlier life of this cluster: not obeyed, only settled and forgotten (P1).
    left: BTreeMap<WorkloadRef, Release>,
    seen: BTreeMap<WorkloadRef, Seen>,
    leases: Leases,
    outbox: Outbox,
    receipts: Receipts,
    session: Session,
    /// Why `continue` may not be used: a hub that was heard said so.
    barred: Option<Goodbye>,
    /// Whether the incarnation was raised on the hub's word in this run (S13).
    raised: bool,
}

impl fmt::Debug for Link {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Link")
            .field("member", &self.member)
            .field("session", &self.session)
            .field("record", &self.record)
            .finish_non_exhaustive()
    }
}

impl Link {
    /// A link with what was kept. The record's incarnation is the one of this start: raise it
    /// before. No lease survives a restart (S3).
    pub fn new(member: Member, kept: Kept, inventory: Inventory, seal: Box<dyn Seal>) -> Self {
        let of = kept.record.fleet.clone();
        let moved = of.is_some_and(|of| of != member.fleet);
        let (kept, left) = kept.of_member(&member.fleet, &member.uid);
        for (workload, release) in &left {
            let (uid, rollout) = (&release.order().uid, &release.order().rollout);
            tracing::warn!(%workload, %uid, %rollout, "a release of an earlier life of this cluster is not obeyed");
        }
        let slots = kept
            .releases
            .into_iter()
            .map(|(workload, release)| (workload, Slot::loaded(release)))
            .collect();
        let mut link = Self {
            member,
            seal,
            inventory,
            record: Keep::fresh(kept.record),
            // What another fleet ordered is gone from disk before the record says whose it is.
            aborts: if moved {
                Keep::fresh(kept.aborts)
            } else {
                Keep::loaded(kept.aborts)
            },
            local: Keep::loaded(kept.local),
            watching: Watching::loaded(kept.witness),
            slots,
            left,
            seen: BTreeMap::new(),
            leases: Leases::default(),
            outbox: Outbox::default(),
            receipts: Receipts::default(),
            session: Session::Closed,
            barred: None,
            raised: false,
        };
        // An abort may have been kept by a run that ended before its releases were.
        link.void_orders();
        link
    }

    /// Who this agent is.
    pub fn member(&self) -> &Member {
        &self.member
    }

    /// The incarnation of this run.
    pub fn incarnation(&self) -> Incarnation {
        self.record.value().incarnation
    }

    /// How the session stands.
    pub fn session(&self) -> &Session {
        &self.session
    }

    /// In the hub's words that it has let this cluster go, if it said so last.
    pub fn removed(&self) -> Option<&str> {
        let goodbye = self.barred.as_ref();
        let removed = goodbye.filter(|goodbye| goodbye.code == GoodbyeCode::Removed);
        removed.map(|goodbye| goodbye.message.as_str())
    }

    /// New keys: after a renewal or a new enrolment.
    pub fn reseal(&mut self, seal: Box<dyn Seal>) {
        self.seal = seal;
    }

    /// What the cluster is and has; told at the next `Hello`.
    pub fn set_inventory(&mut self, inventory: Inventory) {
        self.inventory = inventory;
    }

    /// Workloads that have an order in force.
    pub fn workloads(&self) -> impl Iterator<Item = &WorkloadRef> {
        let in_force = self
            .slots
            .iter()
            .filter(|(_, slot)| slot.in_force().is_some());
        in_force.map(|(workload, _)| workload)
    }

    /// What a workload may do now. None: no order is in force, so nothing is to be released. Ask
    /// right before each Advance, and act within `lease_left`.
    pub fn permission(&self, workload: &WorkloadRef, now: Tick) -> Option<Permission> {
        let Some(slot) = self.slots.get(workload) else {
            return self.left.get(workload).map(Permission::of_left);
        };
        let release = slot.in_force()?;
        let case = Case {
            release,
            standing: self.aborts.value().standing.values().collect(),
            local: self.local_record(workload),
            done: self.seen.get(workload).map(|seen| seen.is_done(release)),
            begun: self
                .seen
                .get(workload)
                .is_none_or(|seen| seen.has_begun(release)),
            lease: if slot.is_pending() {
                Err(NoLease::OrderMissing)
            } else {
                self.lease(release.order().lease, now)
            },
            may_continue: self.barred.is_none() && !self.leases.is_refused(),
        };
        Some(rule(&case, now))
    }

    /// Whether the hub of this session has granted a lease, and it is live: what it ordered is in
    /// force, what it aborted is kept.
    pub fn is_consistent(&self, now: Tick) -> bool {
        let welcomed = matches!(self.session, Session::Welcomed { behind: false, .. });
        welcomed && self.leases.is_granted_here() && self.lease(Duration::MAX, now).is_ok()
    }

    fn lease(&self, length: Duration, now: Tick) -> Result<Duration, NoLease> {
        let not_kept = |abort: &_| !self.is_kept(abort);
        let left = self
            .leases
            .left(length, now.mono, self.applied(), not_kept)?;
        if self.record.is_durable() {
            Ok(left)
        } else {
            Err(NoLease::RecordNotKept)
        }
    }

    /// What is left of the lease, whatever the length that an order asks for.
    pub fn lease_left(&self, now: Tick) -> Option<Duration> {
        self.lease(Duration::MAX, now).ok()
    }

    /// How many aborts stand here.
    pub fn standing_aborts(&self) -> usize {
        self.aborts.value().standing.len()
    }

    /// The highest revision in force.
    fn applied(&self) -> Position {
        let in_force = self.slots.values().filter_map(Slot::in_force);
        in_force
            .map(|release| release.order().fence.revision)
            .max()
            .unwrap_or_default()
    }

    fn is_kept(&self, abort: &flagship_proto::model::AbortId) -> bool {
        let book = self.aborts.value();
        let on_disk = |kept: &KeptAbort| self.aborts.has(kept.generation);
        book.standing.get(abort).is_some_and(on_disk) || book.lifted.contains_key(abort)
    }

    /// What the driver sees: a workload's status with the weight read back, over how many proxies.
    pub fn observe(&mut self, mut status: WorkloadStatus, proxies: u32, now: Tick) {
        let workload = status.workload.clone();
        status.local = self.local.value().acts(&workload).to_vec();
        let seen = Seen { status, proxies };
        let old = self.seen.insert(workload, seen.clone());
        if old.as_ref().map(|old| &old.status) != Some(&seen.status) {
            self.outbox.status(seen.status);
        }
        self.tick(now);
    }

    /// Evidence of a step, to go with the next report.
    pub fn evidence(&mut self, workload: WorkloadRef, evidence: Evidence) {
        self.outbox.evidence(workload, evidence);
    }

    /// Time passed. Keeps the times without a lease (P20); everything else is judged when it is asked.
    pub fn tick(&mut self, now: Tick) {
        let workloads: Vec<WorkloadRef> = self.slots.keys().cloned().collect();
        for workload in workloads {
            let Some(slot) = self.slots.get(&workload) else {
                continue;
            };
            let Some(release) = slot.in_force() else {
                continue;
            };
            let seen = self.seen.get(&workload);
            let in_flight =
                seen.map(|seen| seen.status.phase.is_active() && !seen.is_done(release));
            let lease = self.lease(release.order().lease, now);
            if let Some(slot) = self.slots.get_mut(&workload) {
                slot.count_lapse(in_flight, &lease, now);
            }
        }
    }

    /// The write that is due now, if one is. Hand its outcome to [`Link::saved`].
    pub fn next_save(&mut self, now: Tick) -> Option<Save> {
        if let Some(generation) = self.aborts.due(now.mono) {
            let what = Saved::Aborts(Box::new(self.aborts.value().clone()));
            return Some(Save { generation, what });
        }
        if let Some(generation) = self.local.due(now.mono) {
            let what = Saved::Local(Box::new(self.local.value().clone()));
            return Some(Save { generation, what });
        }
        if let Some(save) = self.slots.values_mut().find_map(|slot| slot.due(now.mono)) {
            return Some(save);
        }
        if let Some(generation) = self.record.due(now.mono) {
            let what = Saved::Record(self.record.value().clone());
            return Some(Save { generation, what });
        }
        let generation = self.watching.kept.due(now.mono)?;
        let what = Saved::Witness(*self.watching.kept.value());
        Some(Save { generation, what })
    }

    /// A write ended; a failed one is tried again after a second.
    pub fn saved(&mut self, key: &SaveKey, generation: u64, succeeded: bool, now: Tick) {
        match key {
            SaveKey::Aborts => self.aborts.written(generation, succeeded, now.mono),
            SaveKey::Local => self.local.written(generation, succeeded, now.mono),
            SaveKey::Record => self.record.written(generation, succeeded, now.mono),
            SaveKey::Witness => self.watching.kept.written(generation, succeeded, now.mono),
            SaveKey::Release(workload) => {
                if let Some(slot) = self.slots.get_mut(workload) {
                    slot.written(generation, succeeded, now.mono);
                }
            }
        }
    }

    /// The message to send now, if one is due; receipts before lease before reports (P10). Call it
    /// only when the stream can take one: what waits here coalesces.
    pub fn next_message(&mut self, now: Tick) -> Option<AgentMessage> {
        match &self.session {
            Session::Closed | Session::Greeted | Session::Over(_) => None,
            Session::Opened => {
                self.session = Session::Greeted;
                Some(AgentMessage::Hello(Box::new(self.hello())))
            }
            Session::Welcomed { .. } => self
                .next_receipt(now)
                .or_else(|| self.next_request(now))
                .or_else(|| {
                    let incarnation = self.incarnation();
                    self.outbox.next(incarnation, now).map(AgentMessage::Report)
                }),
        }
    }

    fn next_request(&mut self, now: Tick) -> Option<AgentMessage> {
        let shortest = self.orders_in_force().map(|order| order.lease).min();
        let unsaid = self.outbox.has_unsaid();
        let request = self.leases.ask(now.mono, shortest, unsaid)?;
        Some(AgentMessage::LeaseRequest(request))
    }

    /// Workloads of the configuration and of orders; one may come twice.
    pub fn known(&self) -> impl Iterator<Item = &WorkloadRef> {
        let configured = self.inventory.workloads.iter().map(|of| &of.workload);
        configured.chain(self.slots.keys())
    }

    fn orders_in_force(&self) -> impl Iterator<Item = &flagship_proto::model::Order> {
        self.slots
            .values()
            .filter_map(|slot| slot.in_force().map(|release| release.order()))
    }

    /// How long nothing changes by itself: look again then, and after every input.
    pub fn wake_after(&self, now: Tick) -> Duration {
        let orders = self.orders_in_force();
        let ends = orders.filter(|order| matches!(order.intent, Intent::Run | Intent::Hold));
        let ends = ends.filter_map(|order| self.leases.ends_at(order.lease));
        let timers = self.slots.values().flat_map(|slot| slot.wakes(now));
        let lease = self.leases.ask_at();
        let writes = [
            self.aborts.again_at(),
            self.local.again_at(),
            self.record.again_at(),
            self.watching.kept.again_at(),
        ];
        ends.filter(|at| !reached(*at, now.mono))
            .chain(timers)
            .chain(lease)
            .chain(self.outbox.again_at())
            .chain(self.receipts.waits_until(now.mono))
            .chain(writes.into_iter().flatten())
            .map(|at: Mono| at.since(now.mono).unwrap_or_default())
            .min()
            .unwrap_or(Duration::from_secs(60))
            .min(Duration::from_secs(60))
    }
}
