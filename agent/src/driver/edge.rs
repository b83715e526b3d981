//! The edge of the driver: one task a workload, which looks, steps, stores, acts and waits.
//!
//! Right before each Advance the permission is asked again (P19, trap 8), and the act gets a
//! deadline inside the lease. What returns traffic needs neither, and is done also when the status
//! could not be stored.

#[cfg(test)]
mod tests;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use flagship_canary::{Action, Answer, CanaryStatus, Direction, Revision};
use flagship_proto::{
    digest::Digest,
    model::{
        ACTION_DEADLINE, Change, Evidence, Intent, Order, RolloutId, Tick, WorkloadRef,
        WorkloadStatus,
    },
    process::{Clock, files},
};
use tokio::sync::{Semaphore, mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use super::{Effect, QueryClient, Turn, WorkloadDriver, look};
use crate::{
    hook::HookClient,
    link,
    platform::{Act, Platform},
};

/// Largest status file that is read.
const LARGEST_STATUS: u64 = 4 << 20;

/// Turns that may follow each other without a wait.
const TURNS_AT_ONCE: u32 = 16;

/// What the driver needs of the link.
pub trait LinkPort: Send + Sync {
    /// What a workload may do now; none where nothing is ordered.
    fn permission(&self, workload: &WorkloadRef, now: Tick) -> Option<link::Permission>;

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
    /// Time.
    pub clock: Clock,
    /// Shutdown.
    pub stop: CancellationToken,
}

/// A status that cannot be read back. Nothing is changed; the workload goes on as it is.
#[derive(Debug, thiserror::Error)]
pub enum StatusError {
    /// The file cannot be read.
    #[error(transparent)]
    File(#[from] files::FileError),
    /// It holds something else.
    #[error("{} is torn or not a canary's status ({source}): put back a copy of it, or remove it to begin with what serves now", path.display())]
    Torn {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        source: serde_json::Error,
    },
}

/// What identifies the version of one attempt of one rollout, once that is known.
type Identified = Option<((RolloutId, u32, String), Revision)>;

fn status_path(folder: &Path, workload: &WorkloadRef) -> PathBuf {
    let name = percent_encoding::utf8_percent_encode(
        &workload.to_string(),
        percent_encoding::NON_ALPHANUMERIC,
    )
    .to_string();
    folder.join(format!("{name}.json"))
}

/// The status of a workload as it was last stored; none if it never was.
pub fn load_status(
    folder: &Path,
    workload: &WorkloadRef,
) -> Result<Option<CanaryStatus>, StatusError> {
    let path = status_path(folder, workload);
    let Some(bytes) = files::read(&path, LARGEST_STATUS)? else {
        return Ok(None);
    };
    let status = serde_json::from_slice(&bytes);
    status
        .map(Some)
        .map_err(|source| StatusError::Torn { path, source })
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
    let mut identified: Identified = None;
    let mut at_once = 0;
    while !drive.stop.is_cancelled() {
        platform_changes.borrow_and_update();
        link_changes.borrow_and_update();
        let wait = drive.turn(&workload, &mut identified, &answer).await;
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
        identified: &mut Identified,
        answer: &mpsc::Sender<(String, Answer)>,
    ) -> Duration {
        let now = self.clock.now();
        let ruling = self.link.permission(workload, now);
        if let Some(ruling) = &ruling {
            self.identify(workload, ruling, identified).await;
        }
        let Some(seen) = self.platform.observe(workload) else {
            tracing::error!(%workload, "workload is no longer in the configuration");
            return Duration::from_secs(60);
        };
        let proxies = seen.route.proxies;
        let digest = ruling
            .as_ref()
            .and_then(|ruling| digest_of(ruling.order(), identified, &seen.digests));
        let seen = look(seen, ruling.as_ref(), digest);
        let turn = self.driver.turn(seen, now);
        let stored = !turn.persist || self.store(workload, now);
        if let Some(report) = turn.report.clone() {
            self.link.observe(report, proxies, now);
        }
        if let Some(evidence) = turn.evidence.clone() {
            self.link.evidence(workload, evidence);
        }
        let wake_after = turn.wake_after;
        self.carry_out(workload, turn, stored, answer).await;
        if stored {
            wake_after
        } else {
            wake_after.max(Duration::from_secs(1))
        }
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
        let goes_back = match ruling.intent {
            Intent::Retreat | Intent::Remove => true,
            Intent::Run | Intent::Hold => false,
        };
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

    fn store(&mut self, workload: &WorkloadRef, now: Tick) -> bool {
        let path = status_path(&self.folder, workload);
        let bytes = serde_json::to_vec(self.driver.status()).expect("a status is plain data");
        match files::write_atomic(&path, &bytes, files::PRIVATE) {
            Ok(()) => {
                self.driver.persisted(now);
                true
            }
            Err(error) => {
                tracing::error!(%workload, %error, "status cannot be stored, nothing advances");
                false
            }
        }
    }

    async fn carry_out(
        &self,
        workload: &WorkloadRef,
        turn: Turn,
        stored: bool,
        answer: &mpsc::Sender<(String, Answer)>,
    ) {
        let returning = self.driver.status().returning.is_some();
        for effect in turn.effects {
            let goes_back = effect.is_retreat() || (returning && effect.is_ensure());
            if !stored && !goes_back {
                continue;
            }
            match effect {
                Effect::Act(action) => self.act(workload, action).await,
                Effect::Hook(call) => {
                    let hooks = self.hooks.clone();
                    self.ask(call.id.clone(), answer, async move {
                        let said = hooks.call(&call).await;
                        Answer::Hook {
                            passed: said.ok,
                            words: said.words,
                        }
                    });
                }
                Effect::Query(call) => {
                    let queries = self.queries.clone();
                    self.ask(
                        call.id.clone(),
                        answer,
                        async move { queries.ask(&call).await },
                    );
                }
                Effect::Event {
                    warning: true,
                    code,
                    message,
                } => {
                    tracing::warn!(%workload, code, "{message}");
                }
                Effect::Event {
                    warning: false,
                    code,
                    message,
                } => {
                    tracing::info!(%workload, code, "{message}");
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
                tracing::info!(%workload, "permission ended before the advance, not done");
                return;
            };
            if !ruling.lease_left.is_zero() {
                deadline = deadline.min(ruling.lease_left);
            }
        }
        match tokio::time::timeout(deadline, self.platform.act(workload, act)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) if error.is_retryable() => {
                tracing::warn!(%workload, %error, "act not taken over, it is decided again");
            }
            Ok(Err(error)) => tracing::error!(%workload, %error, "act refused"),
            Err(_) => {
                tracing::warn!(%workload, ?deadline, "act not taken over in time, observing again")
            }
        }
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
