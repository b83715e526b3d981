//! The link as the tasks of the process share it: one lock held for moments, and two counters that
//! say "look again": one for drivers, one for the tasks that write and send.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use flagship_proto::{
    model::{Evidence, Inventory, Tick, WorkloadRef, WorkloadStatus},
    process::Clock,
};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::{
    Link, Permission,
    local::{Controlled, NotControlled, Wanted},
};
use crate::release::files::Files;

/// The shortest time between two looks at the clock.
const SHORTEST_WAIT: Duration = Duration::from_millis(20);

/// A shared link. Before enrolment there is none: no workload has a permission then, and what
/// drivers see is kept for the link to come.
#[derive(Debug, Clone)]
pub struct LinkHandle(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    clock: Clock,
    state: Mutex<State>,
    permissions: watch::Sender<u64>,
    work: watch::Sender<u64>,
}

#[derive(Debug, Default)]
struct State {
    link: Option<Link>,
    /// Why the last write failed; none after one that succeeded.
    trouble: Option<String>,
    waiting: BTreeMap<WorkloadRef, (WorkloadStatus, u32)>,
}

impl State {
    /// How the write of a state of the book of local control ended; none while it has not.
    fn is_local_kept(&self, generation: u64) -> Option<Result<(), String>> {
        let link = self.link.as_ref()?;
        if link.is_local_kept(generation) {
            return Some(Ok(()));
        }
        let failing = link.is_local_failing().then(|| self.trouble.clone())?;
        Some(Err(
            failing.unwrap_or_else(|| "it cannot be written".to_owned())
        ))
    }
}

impl LinkHandle {
    /// A handle without a link yet.
    pub fn new(clock: Clock) -> Self {
        Self(Arc::new(Inner {
            clock,
            state: Mutex::default(),
            permissions: watch::Sender::new(0),
            work: watch::Sender::new(0),
        }))
    }

    /// This moment.
    pub fn now(&self) -> Tick {
        self.0.clock.now()
    }

    /// The agent is a member: from now on there is a link.
    pub fn install(&self, mut link: Link) {
        let now = self.now();
        let mut state = self.lock();
        for (status, proxies) in std::mem::take(&mut state.waiting).into_values() {
            link.observe(status, proxies, now);
        }
        state.link = Some(link);
        drop(state);
        self.ring(true);
    }

    /// What a workload may do now; none while there is no order for it.
    pub fn permission(&self, workload: &WorkloadRef, now: Tick) -> Option<Permission> {
        self.lock().link.as_ref()?.permission(workload, now)
    }

    /// Whether this agent and its hub agree; see [`Link::is_consistent`].
    pub fn is_consistent(&self) -> bool {
        self.quietly(|link, now| link.is_consistent(now))
    }

    /// What a driver sees of its workload, read back over so many proxies.
    pub fn observe(&self, status: WorkloadStatus, proxies: u32, now: Tick) {
        let mut state = self.lock();
        match &mut state.link {
            Some(link) => link.observe(status, proxies, now),
            None => {
                let workload = status.workload.clone();
                state.waiting.insert(workload, (status, proxies));
            }
        }
        drop(state);
        self.ring(false);
    }

    /// Evidence of a step, to go with the next report.
    pub fn evidence(&self, workload: &WorkloadRef, evidence: Evidence) {
        if let Some(link) = &mut self.lock().link {
            link.evidence(workload.clone(), evidence);
        }
        self.ring(false);
    }

    /// Whether the last write failed.
    pub fn is_in_trouble(&self) -> bool {
        self.lock().trouble.is_some()
    }

    /// Grows when a permission may have changed.
    pub fn changes(&self) -> watch::Receiver<u64> {
        self.0.permissions.subscribe()
    }

    /// What the cluster is and has; told at the next `Hello`.
    pub fn set_inventory(&self, inventory: Inventory) {
        if let Some(link) = &mut self.lock().link {
            link.set_inventory(inventory);
        }
    }

    /// Takes up what a person on the spot wants; none while there is no link.
    pub fn control(&self, wanted: Wanted) -> Option<Result<Controlled, NotControlled>> {
        let now = self.now();
        let outcome = self.lock().link.as_mut()?.control(wanted, now);
        self.ring(true);
        Some(outcome)
    }

    /// Waits until a state of the book of local control is on disk; else why it is not.
    pub async fn local_kept(&self, generation: u64, deadline: Duration) -> Result<(), String> {
        let mut changes = self.changes();
        let waiting = async {
            loop {
                changes.borrow_and_update();
                if let Some(outcome) = self.lock().is_local_kept(generation) {
                    return outcome;
                }
                if changes.changed().await.is_err() {
                    return Err("the agent stops".to_owned());
                }
            }
        };
        let outcome = tokio::time::timeout(deadline, waiting).await;
        outcome.unwrap_or_else(|_| Err(format!("not written after {} s", deadline.as_secs())))
    }

    /// Looks at the link; none while there is none.
    pub fn see<R>(&self, look: impl FnOnce(&mut Link, Tick) -> R) -> Option<R> {
        let now = self.now();
        self.lock().link.as_mut().map(|link| look(link, now))
    }

    /// Something that may change permissions.
    pub(super) fn change<R: Default>(&self, change: impl FnOnce(&mut Link, Tick) -> R) -> R {
        let outcome = self.quietly(change);
        self.ring(true);
        outcome
    }

    /// Something that changes none.
    pub(super) fn quietly<R: Default>(&self, change: impl FnOnce(&mut Link, Tick) -> R) -> R {
        let now = self.now();
        let mut state = self.lock();
        state
            .link
            .as_mut()
            .map(|link| change(link, now))
            .unwrap_or_default()
    }

    /// Changes when there may be something to write or to send.
    pub(super) fn work(&self) -> watch::Receiver<u64> {
        self.0.work.subscribe()
    }

    fn ring(&self, permissions: bool) {
        if permissions {
            self.0.permissions.send_modify(|count| *count += 1);
        }
        self.0.work.send_modify(|count| *count += 1);
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes what is due, and looks again when time alone changes something. Ends at shutdown,
    /// with everything written that could be.
    pub async fn keep(&self, files: Files, shutdown: CancellationToken) {
        let files = Arc::new(files);
        let mut work = self.work();
        loop {
            work.borrow_and_update();
            let wrote = self.write_due(&files).await;
            if wrote {
                continue;
            }
            if shutdown.is_cancelled() {
                return;
            }
            let wait = self.quietly(|link, now| Wait(link.wake_after(now))).0;
            tokio::select! {
                () = shutdown.cancelled() => {}
                _ = work.changed() => {}
                () = tokio::time::sleep(wait.max(SHORTEST_WAIT)) => {
                    self.change(|link, now| link.tick(now));
                }
            }
        }
    }

    async fn write_due(&self, files: &Arc<Files>) -> bool {
        let Some(save) = self.quietly(|link, now| link.next_save(now)) else {
            return false;
        };
        let (key, generation) = (save.key(), save.generation);
        let on_disk = Arc::clone(files);
        let written = tokio::task::spawn_blocking(move || on_disk.save(&save)).await;
        let trouble = match written {
            Ok(Ok(())) => None,
            Ok(Err(error)) => {
                tracing::error!(%error, "what was accepted cannot be kept; nothing advances on it, trying again");
                Some(error.to_string())
            }
            Err(error) => {
                tracing::error!(%error, "a write ended early, trying again");
                Some(error.to_string())
            }
        };
        let succeeded = trouble.is_none();
        self.lock().trouble = trouble;
        self.change(|link, now| link.saved(&key, generation, succeeded, now));
        true
    }
}

/// A wait; a minute where there is no link.
struct Wait(Duration);

impl Default for Wait {
    fn default() -> Self {
        Self(Duration::from_secs(60))
    }
}
