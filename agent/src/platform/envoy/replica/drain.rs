//! The end of a process: no share in any route, acknowledged and read back; then its endpoint out,
//! acknowledged; then no request in flight; then SIGTERM, and SIGKILL after the deadline (traps 16, 20).

use std::time::Duration;

use flagship_proto::words::count_with;
use rustix::process::Signal;
use tokio::time::{Instant, sleep, timeout};
use tracing::{info, warn};

use super::{Replica, Wish};
use crate::platform::envoy::{admin, process::Running, state::State};

/// Between two looks at requests in flight.
const LOOK: Duration = Duration::from_millis(200);

/// A process gets at least this long after SIGTERM.
const LEAST: Duration = Duration::from_secs(2);

/// How a drain went.
pub(super) enum Drained {
    Ended,
    /// The agent ends meanwhile; the next one goes on with it.
    Left,
    /// It is to run again, and still does.
    WantedAgain,
}

impl Replica {
    pub(super) async fn drain(&mut self, running: &mut Running) -> Drained {
        let deadline = self.config.drain_deadline.0;
        let began = Instant::now();
        let drained = tokio::select! {
            drained = self.empty(deadline) => drained,
            _ = running.ended() => Drained::Ended,
        };
        match drained {
            Drained::Left => return Drained::Left,
            Drained::WantedAgain => {
                self.set_draining(false);
                return Drained::WantedAgain;
            }
            Drained::Ended => {}
        }
        self.hold(None);
        running.id().signal(Signal::TERM);
        let rest = deadline.saturating_sub(began.elapsed()).max(LEAST);
        if timeout(rest, running.ended()).await.is_err() {
            warn!(
                version = self.key.version,
                ?rest,
                "a process did not end on SIGTERM"
            );
            running.id().signal(Signal::KILL);
            running.ended().await;
        }
        info!(
            version = self.key.version,
            replica = self.key.number,
            "a process has ended"
        );
        Drained::Ended
    }

    /// Until nothing is sent to it and nothing is in flight, or the deadline for requests has passed.
    async fn empty(&self, deadline: Duration) -> Drained {
        let (workload, version) = (&self.key.workload, &self.key.version);
        let unused = |state: &State| {
            let known = state.workloads.get(workload);
            let record = known.and_then(|known| Some((known, known.record.versions.get(version)?)));
            match record {
                Some((known, record)) if !record.stopping => {
                    // One that is above the scale ends under traffic; one that is not is to run again,
                    // and its wish will say so.
                    if self.key.number < known.count(record) {
                        Err("it is wanted again".to_owned())
                    } else {
                        Ok(())
                    }
                }
                Some(_) | None => state.is_without_traffic(workload, version),
            }
        };
        if let Some(other) = self.until(unused).await {
            return other;
        }
        self.set_draining(true);
        if let Some(other) = self
            .until(|state| state.has_new_endpoints(workload, version))
            .await
        {
            return other;
        }
        let began = Instant::now();
        while began.elapsed() < deadline {
            match self.in_flight().await {
                Ok(0) => return Drained::Ended,
                Ok(flying) => {
                    let flying = count_with(flying, "request", ["is", "are"]);
                    self.hold(Some(format!("{flying} in flight")));
                }
                Err(error) => self.hold(Some(error)),
            }
            if self.shared.shutdown.is_cancelled() {
                return Drained::Left;
            }
            if *self.wish.borrow() == Wish::Run {
                return Drained::WantedAgain;
            }
            sleep(LOOK).await;
        }
        warn!(version, "requests were still in flight at the deadline");
        Drained::Ended
    }

    /// Waits for a condition that needs no deadline: a process that may still get requests is not ended.
    async fn until(&self, met: impl Fn(&State) -> Result<(), String>) -> Option<Drained> {
        let mut seen = self.shared.seen.subscribe();
        let mut wish = self.wish.clone();
        loop {
            seen.mark_unchanged();
            let answer = met(&self.shared.lock());
            match answer {
                Ok(()) => return None,
                Err(words) => self.hold(Some(words)),
            }
            tokio::select! {
                _ = seen.changed() => {}
                // The holding words themselves are a change that others see; do not spin on them.
                () = sleep(LOOK) => {}
                _ = wish.wait_for(|wish| *wish == Wish::Run) => return Some(Drained::WantedAgain),
                () = self.shared.shutdown.cancelled() => return Some(Drained::Left),
            }
        }
    }

    async fn in_flight(&self) -> Result<u64, String> {
        let port = self.record(|record| record.port).unwrap_or_default();
        let admins: Vec<_> = self
            .shared
            .lock()
            .nodes
            .values()
            .map(|node| node.admin)
            .collect();
        let mut sum = 0;
        for address in admins {
            sum += admin::active_on_port(address, port).await?;
        }
        Ok(sum)
    }

    fn set_draining(&self, draining: bool) {
        {
            let mut state = self.shared.lock();
            if let Some(known) = state.workloads.get_mut(&self.key.workload) {
                known.live(&self.key.version, self.key.number).draining = draining;
            }
        }
        self.shared.want();
    }

    fn hold(&self, words: Option<String>) {
        let changed = {
            let mut state = self.shared.lock();
            let known = state.workloads.get_mut(&self.key.workload);
            known.is_some_and(|known| {
                let held = &mut known.troubles(&self.key.version).held;
                let changed = *held != words;
                *held = words;
                changed
            })
        };
        if changed {
            self.shared.saw();
        }
    }
}
