//! The edge of the driver: one task a workload, which looks, steps, stores, acts and waits.
//!
//! Right before each Advance the permission is asked again (P19, trap 8), and the act gets a
//! deadline inside the lease. What returns traffic needs neither, and is done before the status is
//! stored: a disk that is slow or full holds nothing up that goes back (P13).

mod store;
#[cfg(test)]
mod tests;

mod ruled;
mod traced;

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use flagship_canary::{Action, Answer, Direction, Revision};
use flagship_proto::{
    digest::Digest,
    model::{
        ACTION_DEADLINE, Change, Evidence, Incarnation, Order, RolloutId, Tick, WorkloadRef,
        WorkloadStatus,
    },
    process::{Clock, traces::Tracer},
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

pub use store::{StatusError, load_status};

use super::{Effect, QueryClient, WorkloadDriver, look};
use crate::{
    hook::HookClient,
    link,
    metrics::Counters,
    platform::{Act, ActError, Platform},
};
use ruled::Ruled;
use store::{Writing, goes_back};
use traced::Traced;

/// Turns that may follow each other without a wait.
const TURNS_AT_ONCE: u32 = 16;

/// Hooks and queries that wait for a status to be stored.
const MOST_DEFERRED: usize = 256;

/// What the driver needs of the link.
pub trait LinkPort: Send + Sync {
    /// What a workload may do now; none where nothing is ordered.
    fn permission(&self, workload: &WorkloadRef, now: Tick) -> Option<link::Permission>;

    /// The incarnation that evidence carries; it may grow while the process runs (S13).
    fn incarnation(&self) -> Incarnation;

    /// A workload's status with the weight read back, over how many proxies.
    fn observe(&self, status: WorkloadStatus, proxies: u32, now: Tick);

    /// Evidence to go with the next report.
    fn evidence(&self, workload: &WorkloadRef, evidence: Evidence);

    /// Grows whenever a permission may have changed.
    fn changes(&self) -> watch::Receiver<u64>;
}

/// Everything that one workload's task works with.
#[derive(Debug)]
pub struct Drive<P, L> {
    /// The state machine.
    pub driver: WorkloadDriver,
    /// Where its status is kept.
    pub folder: PathBuf,
    /// What carries the workload.
    pub platform: Arc<P>,
    /// What may be done.
    pub link: Arc<L>,
    /// Hooks.
    pub hooks: HookClient,
    /// Queries.
    pub queries: QueryClient,
    /// Bounds hooks and queries under way, over all workloads.
    pub workers: Arc<Semaphore>,
    /// Ends hooks and queries with the process.
    pub tasks: TaskTracker,
    /// What is counted.
    pub counters: Counters,
    /// Where rollouts are traced.
    pub tracer: Tracer,
    /// Time.
    pub clock: Clock,
    /// Shutdown.
    pub stop: CancellationToken,
}

/// What identifies the version of one attempt of one rollout, once that is known.
type Identified = Option<((RolloutId, u32, String), Revision)>;

/// What one workload's task carries from turn to turn.
#[derive(Debug, Default)]
struct Carry {
    identified: Identified,
    writing: Option<Writing>,
    /// Hooks and queries of turns that were not stored: asked once one is (acts are decided again).
    deferred: Vec<Effect>,
    ruled: Ruled,
    traced: Traced,
}

/// Runs until stopped. Stopping leaves versions, proxies and their traffic as they are.
pub async fn drive<P, L>(mut drive: Drive<P, L>)
where
    P: Platform + 'static,
    L: LinkPort + 'static,
{
    let workload = drive.driver.workload().clone();
    let mut platform_changes = drive.platform.changes();
    let mut link_changes = drive.link.changes();
    let (answer, mut answers) = mpsc::channel::<(String, Answer)>(64);
    let mut carry = Carry {
        traced: Traced::new(drive.tracer.clone()),
        ..Carry::default()
    };
    let mut at_once = 0;
    while !drive.stop.is_cancelled() {
        platform_changes.borrow_and_update();
        link_changes.borrow_and_update();
        let wait = drive.turn(&workload, &mut carry, &answer).await;
        if wait.is_zero() && at_once < TURNS_AT_ONCE {
            at_once += 1;
            continue;
        }
        at_once = 0;
        tokio::select! {
            () = drive.stop.cancelled() => {}
            Some((id, answer)) = answers.recv() => drive.driver.answered(id, answer),
            Ok(()) = platform_changes.changed() => {}
            Ok(()) = link_changes.changed() => {}
            () = tokio::time::sleep(wait.max(Duration::from_millis(20))) => {}
        }
        while let Ok((id, answer)) = answers.try_recv() {
            drive.driver.answered(id, answer);
        }
    }
}

impl<P: Platform + 'static, L: LinkPort + 'static> Drive<P, L> {
    async fn turn(
        &mut self,
        workload: &WorkloadRef,
        carry: &mut Carry,
        answer: &mpsc::Sender<(String, Answer)>,
    ) -> Duration {
        let now = self.clock.now();
        let ruling = self.link.permission(workload, now);
        carry.ruled.tell(workload, ruling.as_ref());
        if let Some(ruling) = &ruling {
            self.identify(workload, ruling, &mut carry.identified).await;
        }
        let Some(seen) = self.platform.observe(workload) else {
            tracing::error!(%workload, "workload is no longer in the configuration");
            return Duration::from_secs(60);
        };
        let proxies = seen.route.proxies;
        let digest = ruling
            .as_ref()
            .and_then(|ruling| digest_of(ruling.order(), &carry.identified, &seen.digests));
        let seen = look(seen, ruling.as_ref(), digest, self.link.incarnation());
        let turn = self.driver.turn(seen, now);
        if let Some(verdict) = turn.judged {
            self.counters.judged(workload, verdict);
        }
        let status = self.driver.status();
        carry
            .traced
            .see(ruling.as_ref(), status, turn.judged, now.wall);
        self.carry_out(workload, turn.at_once, &carry.traced, answer)
            .await;
        let goes_back = ruling.is_some_and(|ruling| goes_back(ruling.intent));
        let stored = !turn.persist || self.store(workload, &mut carry.writing, goes_back).await;
        if let Some(report) = turn.report {
            self.link.observe(report, proxies, now);
        }
        if let Some(evidence) = turn.evidence {
            self.link.evidence(workload, evidence);
        }
        if !stored {
            let asked = turn.effects.into_iter().filter(Effect::is_asked_once);
            carry.deferred.extend(asked);
            carry.deferred.truncate(MOST_DEFERRED);
            return turn.wake_after.max(Duration::from_secs(1));
        }
        let deferred = std::mem::take(&mut carry.deferred);
        let traced = &carry.traced;
        self.carry_out(workload, deferred, traced, answer).await;
        self.carry_out(workload, turn.effects, traced, answer).await;
        turn.wake_after
    }

    /// Finds out what identifies the order's version here: anew for each attempt, because the
    /// executable may have been put right since. Nothing that goes back waits for it.
    async fn identify(
        &self,
        workload: &WorkloadRef,
        ruling: &link::Permission,
        identified: &mut Identified,
    ) {
        let order = ruling.order();
        let goes_back = goes_back(ruling.intent);
        let Change::Version(version) = &order.change else {
            return;
        };
        let of = (order.rollout.clone(), order.attempt, version.clone());
        if goes_back || identified.as_ref().is_some_and(|(known, _)| *known == of) {
            return;
        }
        match self.platform.identify(workload, version).await {
            Ok(revision) => *identified = Some((of, revision)),
            Err(error) => {
                tracing::debug!(%workload, %version, %error, "version is not identified yet");
            }
        }
    }

    async fn carry_out(
        &self,
        workload: &WorkloadRef,
        effects: Vec<Effect>,
        traced: &Traced,
        answer: &mpsc::Sender<(String, Answer)>,
    ) {
        for effect in effects {
            match effect {
                Effect::Act(action) => self.act(workload, action).await,
                Effect::Hook(call) => {
                    let (hooks, counters) = (self.hooks.clone(), self.counters.clone());
                    let clock = self.clock;
                    let asking = traced.asks("hook", &call.id, &call.hook.name, clock.now().wall);
                    self.ask(call.id.clone(), answer, async move {
                        let said = hooks.call(&call).await;
                        counters.asked_hook(said.ok);
                        let failed = (!said.ok).then_some(said.words.as_str());
                        asking.ended(failed, clock.now().wall);
                        Answer::Hook {
                            passed: said.ok,
                            words: said.words,
                        }
                    });
                }
                Effect::Query(call) => {
                    let (queries, clock) = (self.queries.clone(), self.clock);
                    let asking = traced.asks("query", &call.id, &call.id, clock.now().wall);
                    self.ask(call.id.clone(), answer, async move {
                        let said = queries.ask(&call).await;
                        asking.ended(no_measure(&said), clock.now().wall);
                        said
                    });
                }
                Effect::Event {
                    warning,
                    code,
                    message,
                } => {
                    self.counters.told(workload, code);
                    if warning {
                        tracing::warn!(%workload, code, reason = message, "decided");
                    } else {
                        tracing::info!(%workload, code, reason = message, "decided");
                    }
                }
            }
        }
    }

    async fn act(&self, workload: &WorkloadRef, action: Action) {
        let (act, advances) = match action {
            Action::SetRoute { route, direction } => {
                let advances = match direction {
                    Direction::Advance => true,
                    Direction::Retreat => false,
                };
                (Act::SetRoute { route, direction }, advances)
            }
            Action::EnsureVersion { revision, scale } => {
                (Act::EnsureVersion { revision, scale }, false)
            }
            Action::StopVersion { version } => (Act::StopVersion { version }, false),
            Action::RunHook { .. } | Action::Query { .. } | Action::Event { .. } => return,
        };
        let mut deadline = ACTION_DEADLINE;
        if advances {
            let ruling = self.link.permission(workload, self.clock.now());
            let Some(ruling) = ruling.filter(|ruling| ruling.may_advance) else {
                tracing::info!(%workload, code = "PermissionEnded", "not advanced");
                return;
            };
            if !ruling.lease_left.is_zero() {
                deadline = deadline.min(ruling.lease_left);
            }
        }
        let acted = tokio::time::timeout(deadline, self.platform.act(workload, act)).await;
        self.counters.acted(match acted {
            Ok(Ok(())) => "taken",
            Ok(Err(error @ ActError::NotReady(_))) => {
                tracing::debug!(%workload, %error, "act waits for its version");
                "again"
            }
            Ok(Err(error)) if error.is_retryable() => {
                tracing::warn!(%workload, %error, "act not taken over, it is decided again");
                "again"
            }
            Ok(Err(error)) => {
                tracing::error!(%workload, %error, "act refused");
                "refused"
            }
            Err(_) => {
                tracing::warn!(%workload, ?deadline, "act not taken over in time, observing again");
                "late"
            }
        });
    }

    /// Asks in a task of its own, so that no answer holds up a retreat.
    fn ask(
        &self,
        id: String,
        answer: &mpsc::Sender<(String, Answer)>,
        asking: impl Future<Output = Answer> + Send + 'static,
    ) {
        let workers = Arc::clone(&self.workers);
        let answer = answer.clone();
        let stop = self.stop.clone();
        self.tasks.spawn(async move {
            let asked = async {
                let Ok(_permit) = workers.acquire().await else {
                    return;
                };
                let said = asking.await;
                // The driver may have ended; its next run asks again under the same id.
                let _ = answer.send((id, said)).await;
            };
            tokio::select! {
                () = stop.cancelled() => {}
                () = asked => {}
            }
        });
    }
}

/// Why a query has no result, if it has none.
fn no_measure(said: &Answer) -> Option<&str> {
    match said {
        Answer::Measured(measured) => measured.error.as_deref(),
        Answer::Hook { .. } => None,
    }
}

/// The digest that this attempt was identified by, else the one that its version had before.
fn digest_of(
    order: &Order,
    identified: &Identified,
    known: &BTreeMap<String, Digest>,
) -> Option<Digest> {
    let version = order.change.to_string();
    let of = (order.rollout.clone(), order.attempt, version);
    let fresh = identified.as_ref().filter(|(known, _)| *known == of);
    fresh
        .and_then(|(_, revision)| revision.digest)
        .or_else(|| known.get(&of.2).copied())
}
