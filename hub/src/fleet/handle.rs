//! The fleet for everyone else in the process: a lock around the state machine, and the tasks that
//! carry out its effects. It decides nothing.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flagship_proto::{
    identity::PeerId,
    model::{Abort, AbortId, AgentMessage, ClusterName, ClusterUid, Goodbye, Tick},
    process::Clock,
};
use futures::{StreamExt as _, stream::FuturesUnordered, task::AtomicWaker};
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio_util::sync::CancellationToken;

use super::{
    Alarm, Behind, Census, Checked, Effect, Fleet, Job, KeptReceipt, Next, Presence, SessionId,
    Stored, Ticket, Unstored, follow::Follower, rows,
};
use crate::store::{Outcome, Store, StoreError};

/// How often time is told to the fleet.
const TICK: Duration = Duration::from_millis(500);

/// How a session's stream is reached.
#[derive(Debug, Clone)]
pub struct Line {
    /// Wakes who asks [`FleetHandle::take`].
    pub waker: Arc<AtomicWaker>,
    /// Cuts the connection.
    pub cut: CancellationToken,
}

/// A shared fleet; clones share it.
#[derive(Debug, Clone)]
pub struct FleetHandle(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    fleet: Mutex<Fleet>,
    lines: Mutex<BTreeMap<SessionId, Line>>,
    jobs: UnboundedSender<(Ticket, Box<Job>)>,
    store: Store,
    clock: Clock,
    started: Tick,
}

/// What [`FleetHandle::run`] needs; made with the handle, used once.
#[derive(Debug)]
pub struct Running {
    follower: Follower,
    jobs: UnboundedReceiver<(Ticket, Box<Job>)>,
}

impl FleetHandle {
    /// Loads the fleet's view from the store.
    pub fn new(
        mut fleet: Fleet,
        store: Store,
        clock: Clock,
    ) -> Result<(Self, Running), StoreError> {
        let started = clock.now();
        let follower = Follower::start(&store, &mut fleet, started)?;
        let (jobs, waiting) = unbounded_channel();
        let shared = Shared {
            fleet: Mutex::new(fleet),
            lines: Mutex::new(BTreeMap::new()),
            jobs,
            store,
            clock,
            started,
        };
        let running = Running {
            follower,
            jobs: waiting,
        };
        Ok((Self(Arc::new(shared)), running))
    }

    /// Follows the store, tells time and carries out writes until it is told to stop. Returns early
    /// only with an error: then nothing is decided any more and the process has to end.
    pub async fn run(self, running: Running, stop: CancellationToken) -> Result<(), StoreError> {
        let Running { follower, jobs } = running;
        tokio::select! {
            () = stop.cancelled() => Ok(()),
            ended = self.follow(follower) => ended,
            () = self.work(jobs) => Err(StoreError::Closed),
        }
    }

    async fn follow(&self, mut follower: Follower) -> Result<(), StoreError> {
        let mut ticks = tokio::time::interval(TICK);
        loop {
            let found = tokio::select! {
                _ = ticks.tick() => None,
                found = follower.next() => Some(found),
            };
            self.with(|fleet, now| match found {
                Some(found) => follower.take_in(found, fleet, now),
                None => {
                    fleet.tick(now);
                    follower.catch_up(fleet, now)
                }
            })?;
        }
    }

    async fn work(&self, mut jobs: UnboundedReceiver<(Ticket, Box<Job>)>) {
        let mut running = FuturesUnordered::new();
        loop {
            tokio::select! {
                job = jobs.recv() => match job {
                    Some((ticket, job)) => running.push(self.store(ticket, job)),
                    None => return,
                },
                Some((ticket, outcome)) = running.next() => {
                    self.with(|fleet, now| fleet.stored(ticket, outcome, now));
                }
            }
        }
    }

    async fn store(&self, ticket: Ticket, job: Box<Job>) -> (Ticket, Stored) {
        let store = &self.0.store;
        let outcome = match rows::transaction(store, &job, self.now()) {
            Ok(Some(txn)) => store.txn(txn).await,
            Ok(None) => return (ticket, Stored::Conflict),
            Err(error) => Err(error),
        };
        let stored = match outcome {
            Ok(Outcome::Committed { position }) => Stored::Committed(position),
            Ok(Outcome::Conflict { .. }) => Stored::Conflict,
            Err(error) => Stored::Failed(error.to_string()),
        };
        (ticket, stored)
    }

    /// A stream was opened; see [`Fleet::opened`].
    pub fn open(&self, peer: PeerId, line: Line) -> Result<SessionId, Goodbye> {
        let opened = self.with(|fleet, now| fleet.opened(peer, now));
        if let Ok(id) = &opened {
            lock(&self.0.lines).insert(*id, line);
        }
        opened
    }

    /// Whether a certificate's bearer may speak now.
    pub fn check_peer(&self, peer: &PeerId) -> Result<(), Goodbye> {
        self.with(|fleet, now| fleet.check_peer(peer, now))
    }

    /// The key that signs orders and aborts: its id and its public half (SubjectPublicKeyInfo, DER).
    pub fn signing_key(&self) -> (String, Vec<u8>) {
        lock(&self.0.fleet).signing_key()
    }

    /// Waits until the fleet's view shows what the store holds now; at most a second.
    pub async fn caught_up(&self) {
        let wanted = self.0.store.position();
        for _ in 0..100 {
            if lock(&self.0.fleet).position() >= wanted {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// An agent said something.
    pub fn message(&self, id: SessionId, message: AgentMessage) {
        match message {
            AgentMessage::Receipt(signed) => {
                // Signatures are checked outside the lock: after an abort all clusters answer at once.
                let certificate = lock(&self.0.fleet).certificate(id, &signed.serial);
                let checked = Checked::new(*signed, certificate);
                self.with(|fleet, now| fleet.receipt(id, checked, now));
            }
            message @ (AgentMessage::Hello(_)
            | AgentMessage::Report(_)
            | AgentMessage::LeaseRequest(_)) => {
                self.with(|fleet, now| fleet.message(id, message, now));
            }
        }
    }

    /// An agent sent what is no message.
    pub fn garbled(&self, id: SessionId, problem: &str) {
        self.with(|fleet, now| fleet.garbled(id, problem, now));
    }

    /// An agent says more than it may.
    pub fn flooded(&self, id: SessionId) {
        self.with(|fleet, now| fleet.flooded(id, now));
    }

    /// What a session sends next; its waker is woken when there is more.
    pub fn take(&self, id: SessionId) -> Next {
        self.with(|fleet, now| fleet.take(id, now))
    }

    /// The stream is gone.
    pub fn close(&self, id: SessionId) {
        lock(&self.0.lines).remove(&id);
        self.with(|fleet, _| fleet.closed(id));
    }

    /// Says goodbye to all sessions.
    pub fn drain(&self) {
        self.with(Fleet::drain);
    }

    /// An abort that the store could not take goes out all the same (P7).
    pub fn abort_provisionally(&self, abort: Abort) {
        self.with(|fleet, now| fleet.abort_provisionally(abort, now));
    }

    /// Aborts that went out and wait for a store that can be written.
    pub fn unstored(&self) -> Vec<Unstored> {
        lock(&self.0.fleet).unstored()
    }

    /// Answers to an abort that are not stored yet.
    pub fn receipts_under_way(&self, abort: &AbortId) -> BTreeMap<ClusterUid, KeptReceipt> {
        lock(&self.0.fleet).receipts_under_way(abort)
    }

    /// What is known of a cluster's connection.
    pub fn presence(&self, uid: &ClusterUid) -> Presence {
        lock(&self.0.fleet).presence(uid)
    }

    /// The same for all clusters that were heard of since this process began.
    pub fn presences(&self) -> BTreeMap<ClusterUid, Presence> {
        lock(&self.0.fleet).presences()
    }

    /// Why nothing advances in a cluster until a person looked, if so.
    pub fn quarantine(&self, uid: &ClusterUid) -> Option<String> {
        lock(&self.0.fleet).quarantine(uid)
    }

    /// Why this hub gives no Run order and no lease at all, if so (P22).
    pub fn behind(&self) -> Option<Behind> {
        lock(&self.0.fleet).behind().cloned()
    }

    /// Members that saw another end of the audit log than it can have had, and what they say.
    pub fn audit_complaints(&self) -> Vec<(ClusterName, Behind)> {
        lock(&self.0.fleet).audit_complaints()
    }

    /// The fleet in numbers.
    pub fn census(&self) -> Census {
        lock(&self.0.fleet).census(self.now())
    }

    /// How many streams are open.
    pub fn session_count(&self) -> usize {
        lock(&self.0.fleet).session_count()
    }

    /// When this process began to hear agents; presence is not known from before.
    pub fn started(&self) -> Tick {
        self.0.started
    }

    /// This moment, on the clock of leases and presence.
    pub fn now(&self) -> Tick {
        self.0.clock.now()
    }

    fn with<T>(&self, act: impl FnOnce(&mut Fleet, Tick) -> T) -> T {
        let (outcome, effects) = {
            let mut fleet = lock(&self.0.fleet);
            let outcome = act(&mut fleet, self.now());
            (outcome, fleet.effects())
        };
        self.carry_out(effects);
        outcome
    }

    fn carry_out(&self, effects: Vec<Effect>) {
        for effect in effects {
            match effect {
                Effect::Wake(id) => {
                    let line = lock(&self.0.lines).get(&id).cloned();
                    if let Some(line) = line {
                        line.waker.wake();
                    }
                }
                Effect::Cut(id) => {
                    if let Some(line) = lock(&self.0.lines).get(&id) {
                        line.cut.cancel();
                    }
                }
                Effect::Store(ticket, job) => {
                    // After the end nobody writes; what is lost was never acknowledged.
                    let _ = self.0.jobs.send((ticket, job));
                }
                Effect::Alarm(alarm) => shout(&alarm),
            }
        }
    }
}

fn shout(alarm: &Alarm) {
    let code = alarm.code();
    match alarm {
        Alarm::Behind(_) => tracing::error!(code, reason = %alarm, "hub is behind"),
        Alarm::Quarantined(cluster, _) => {
            tracing::warn!(code, %cluster, reason = %alarm, "cluster quarantined");
        }
        Alarm::Forged(cluster, _) => {
            tracing::warn!(code, %cluster, reason = %alarm, "receipt refused");
        }
        Alarm::AuditWentBack(cluster, _) => {
            tracing::error!(code, %cluster, reason = %alarm, "audit log went back");
        }
        Alarm::NotStored(_) => tracing::warn!(code, reason = %alarm, "write failed"),
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
