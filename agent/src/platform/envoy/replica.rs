//! One process of one version, for as long as it is wanted: started or adopted, checked, started again
//! after a crash, and in the end drained without cutting a request (trap 20).

mod book;
mod drain;
mod key;

use std::{net::SocketAddr, sync::Arc, time::Duration};

use flagship_proto::{digest::Digest, process::retry::Backoff};
use rustix::process::Signal;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use tracing::{info, warn};

pub(super) use key::{ReplicaKey, Wish};

use super::{
    command::{self, NotStartable, Own},
    config::WorkloadConfig,
    http,
    mark::Mark,
    ports,
    process::{self, Launch, Running},
    record::ReplicaRecord,
    state::Shared,
};

/// Between two checks of a process that is not ready yet.
const STARTING: Duration = Duration::from_millis(100);

/// A process that ran this long has no crash loop behind it.
const STABLE: Duration = Duration::from_secs(60);

/// Before another look at a version that cannot be started.
const NOT_STARTABLE: Duration = Duration::from_secs(3);

/// Why a task stopped looking after a process.
enum Outcome {
    /// It ended by itself, or was ended because it did not become ready; how, in words.
    Crashed(String),
    /// It was drained and ended as wished.
    Ended,
    /// The agent ends; the process lives on.
    Left,
}

/// Looks after one process until it has ended as wished, or the agent ends.
pub(super) async fn run(
    shared: Arc<Shared>,
    key: ReplicaKey,
    wish: watch::Receiver<Wish>,
) -> ReplicaKey {
    let Some(config) = shared
        .lock()
        .workloads
        .get(&key.workload)
        .map(|w| w.config.clone())
    else {
        return key;
    };
    let mut replica = Replica {
        shared,
        config,
        key,
        wish,
    };
    replica.look_after().await;
    replica.key
}

struct Replica {
    shared: Arc<Shared>,
    config: Arc<WorkloadConfig>,
    key: ReplicaKey,
    wish: watch::Receiver<Wish>,
}

impl Replica {
    async fn look_after(&mut self) {
        let mut backoff = Backoff::new(Duration::from_millis(200), Duration::from_secs(10));
        loop {
            let since = Instant::now();
            let outcome = match self.take_up().await {
                Ok(Some(running)) => self.watch(running).await,
                Ok(None) => Outcome::Ended,
                Err(error) => {
                    self.trouble(|troubles| troubles.not_startable = Some(error.to_string()));
                    if self.pause(NOT_STARTABLE).await {
                        continue;
                    }
                    return self.forget().await;
                }
            };
            if matches!(outcome, Outcome::Left) {
                // It goes on serving: no Envoy hears of the agent's end.
                return;
            }
            self.set_ready(false).await;
            match outcome {
                Outcome::Left => return,
                Outcome::Ended => return self.forget().await,
                Outcome::Crashed(words) => {
                    if since.elapsed() >= STABLE {
                        backoff.reset();
                    }
                    self.crashed(&words, since.elapsed()).await;
                    if !self.pause(backoff.next_wait()).await {
                        return if self.shared.shutdown.is_cancelled() {
                        } else {
                            self.forget().await;
                        };
                    }
                }
            }
        }
    }

    /// The process that an earlier agent left, or a new one. None: there is none, and none is wanted.
    async fn take_up(&mut self) -> Result<Option<Running>, NotStartable> {
        let kept = self.record(|record| record.clone());
        if let Some(kept) = &kept {
            let found = match &kept.process {
                Some(process) => Some(process.clone()).filter(|process| process.is_alive()),
                None => process::find_by_token(&kept.token),
            };
            if let Some(process) = found {
                info!(
                    version = self.key.version,
                    pid = process.pid,
                    "a process was adopted"
                );
                self.keep_record(ReplicaRecord {
                    process: Some(process.clone()),
                    ..kept.clone()
                })
                .await;
                return Ok(Some(Running::Adopted(process)));
            }
        }
        if *self.wish.borrow() == Wish::End {
            return Ok(None);
        }
        self.start().await.map(Some)
    }

    async fn start(&mut self) -> Result<Running, NotStartable> {
        let version = self.key.version.clone();
        let cannot = |why: String| NotStartable::new(&version, why);
        let digest = self.same_digest().await?;
        let taken = self.shared.lock().ports_in_use();
        let port = ports::pick(&taken).map_err(|error| cannot(format!("no free port: {error}")))?;
        let data = self.shared.folders.data_of(&self.key.workload);
        flagship_proto::process::files::private_folder(&data)
            .map_err(|error| cannot(error.to_string()))?;
        let own = Own {
            port,
            replica: self.key.number,
            data: &data,
        };
        let (program, arguments) = command::argv(&self.config.command, &version, own)?;
        let mark = Mark {
            data: self.shared.folders.name().to_owned(),
            workload: self.key.workload.clone(),
            version: version.clone(),
            digest,
            number: self.key.number,
            port,
            nonce: format!("{:032x}", rand::random::<u128>()),
        };
        let token = mark.token();
        let mut record = ReplicaRecord {
            port,
            token: token.clone(),
            process: None,
            was_ready: false,
        };
        // Kept before it is started: an agent that dies in between finds the process by its token.
        self.keep_record(record.clone()).await;
        let launch = Launch {
            program,
            arguments,
            env: self.config.env.clone(),
            token,
            log: self.log(),
        };
        let running = process::launch(&launch)
            .map_err(|error| cannot(format!("{}: {error}", launch.program.display())))?;
        info!(
            version,
            pid = running.id().pid,
            port,
            "a process was started"
        );
        record.process = Some(running.id().clone());
        self.keep_record(record).await;
        self.trouble(|troubles| troubles.not_startable = None);
        Ok(running)
    }

    /// Nothing else is ever started under a version's name than what was first started under it.
    async fn same_digest(&self) -> Result<Digest, NotStartable> {
        let expected = {
            let state = self.shared.lock();
            state.revision(&self.key.workload, &self.key.version)
        };
        let expected = expected.and_then(|revision| revision.digest);
        let (shared, config) = (self.shared.clone(), self.config.clone());
        let version = self.key.version.clone();
        let read = tokio::task::spawn_blocking(move || {
            shared.identifier.digest(&config.command, &version)
        });
        let found = read.await.expect("reading a file does not panic")?;
        match expected {
            Some(expected) if expected != found => Err(NotStartable::new(
                &self.key.version,
                format!(
                    "its command or executable changed since it was released: digest {} now, {} then; give the change its own version",
                    found.short(),
                    expected.short()
                ),
            )),
            Some(_) | None => Ok(found),
        }
    }

    /// Checks a running process until it ends, or is ended as wished.
    async fn watch(&mut self, mut running: Running) -> Outcome {
        let check = self.config.health_check.clone();
        let (port, was_ready) = self
            .record(|record| (record.port, record.was_ready))
            .unwrap_or_default();
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        // Envoy has been sending to it: a look that fails once must not take its traffic away.
        let mut ready = was_ready && matches!(running, Running::Adopted(_));
        let mut failures = 0;
        let mut not_ready_since = Instant::now();
        let mut steady_since: Option<Instant> = ready.then(Instant::now);
        let mut last = String::from("no answer yet");
        if ready {
            self.set_ready(true).await;
        }
        let shutdown = self.shared.shutdown.clone();
        loop {
            if *self.wish.borrow_and_update() == Wish::End {
                match self.drain(&mut running).await {
                    drain::Drained::Ended => return Outcome::Ended,
                    drain::Drained::Left => return Outcome::Left,
                    drain::Drained::WantedAgain => continue,
                }
            }
            let wait = if ready { check.interval.0 } else { STARTING };
            tokio::select! {
                words = running.ended() => return Outcome::Crashed(self.with_log(&words)),
                () = sleep(wait) => {}
                _ = self.wish.changed() => continue,
                () = shutdown.cancelled() => return Outcome::Left,
            }
            match http::get(address, &check.path, check.timeout.0).await {
                Ok((200..=299, _)) => {
                    failures = 0;
                    let steady = *steady_since.get_or_insert_with(Instant::now);
                    if !ready {
                        ready = true;
                        self.set_ready(true).await;
                    }
                    if steady.elapsed() >= STABLE {
                        self.trouble(|troubles| troubles.crashes = 0);
                    }
                }
                answer => {
                    last =
                        answer.map_or_else(|error| error, |(status, _)| format!("status {status}"));
                    failures += 1;
                    if ready && failures >= check.unhealthy_threshold {
                        ready = false;
                        not_ready_since = Instant::now();
                        steady_since = None;
                        warn!(
                            version = self.key.version,
                            last, "a process is no longer ready"
                        );
                        self.set_ready(false).await;
                    }
                }
            }
            let deadline = self.config.start_deadline.0;
            if !ready && not_ready_since.elapsed() >= deadline {
                running.id().signal(Signal::KILL);
                running.ended().await;
                let words =
                    format!("was not ready within {deadline:?} and was ended; last answer: {last}");
                return Outcome::Crashed(self.with_log(&words));
            }
        }
    }

    async fn crashed(&self, words: &str, after: Duration) {
        warn!(workload = %self.key.workload, version = self.key.version, words, "a process crashed");
        self.trouble(|troubles| {
            if after >= STABLE {
                troubles.crashes = 0;
            }
            troubles.crashes += 1;
            troubles.last_crash = Some(words.to_owned());
        });
    }

    /// Waits; false if meanwhile the process is wanted no more or the agent ends.
    async fn pause(&self, wait: Duration) -> bool {
        let shutdown = self.shared.shutdown.clone();
        let mut wish = self.wish.clone();
        tokio::select! {
            () = sleep(wait) => *self.wish.borrow() == Wish::Run,
            () = shutdown.cancelled() => false,
            _ = wish.wait_for(|wish| *wish == Wish::End) => false,
        }
    }
}
