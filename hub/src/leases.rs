//! How long a lease may be that is still out: the hub's own length, and that of a former process which
//! gave longer ones, until the last of those has run out. Every bound that is said rests on it (P5).

use std::time::Duration;

use flagship_proto::{
    model::{Tick, lease::Bound},
    process::Clock,
};
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use crate::{
    audit::AuditEntry,
    leader::Leadership,
    records::{LeaseRow, Record as _, Stored},
    store::{Outcome, Store, StoreError, Txn},
};

/// When what could not be written is tried again.
const AGAIN: Duration = Duration::from_secs(60);

/// The lengths of leases that may be out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Leases {
    /// What this process gives.
    pub own: Duration,
    former: Option<Former>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Former {
    lease: Duration,
    until: Tick,
}

impl Leases {
    /// Those of a hub before which there was none.
    pub fn of(own: Duration) -> Self {
        Self { own, former: None }
    }

    /// Those of a hub that started now, where `longest` is the longest that a former process gave: one
    /// may have been given a moment ago.
    pub fn after(own: Duration, longest: Duration, now: Tick) -> Self {
        let former = Former {
            lease: longest,
            until: now.plus(Bound { lease: longest }.length()),
        };
        Self {
            own,
            former: (longest > own).then_some(former),
        }
    }

    /// The longest that may be out.
    pub fn longest(&self, now: Tick) -> Duration {
        let former = self.former.filter(|former| !left(former, now).is_zero());
        former.map_or(self.own, |former| former.lease)
    }

    /// Forgets in the store what a former process gave longer, when it has run out; then waits to be told
    /// to stop. What cannot be written is tried again: until then a restart says longer bounds, not shorter.
    pub async fn forget(
        self,
        store: Store,
        led: Leadership,
        clock: Clock,
        stop: CancellationToken,
    ) -> anyhow::Result<()> {
        let mut wait = self.former.map(|former| left(&former, clock.now()));
        while let Some(time) = wait {
            if stop
                .run_until_cancelled(tokio::time::sleep(time))
                .await
                .is_none()
            {
                return Ok(());
            }
            let done = forget_longer(&store, &led, self.own, clock.now().wall).await;
            wait = done.is_err().then_some(AGAIN);
            if let Err(error) = done {
                tracing::debug!(%error, "that longer leases have run out was not written");
            }
        }
        stop.cancelled().await;
        Ok(())
    }
}

fn left(former: &Former, now: Tick) -> Duration {
    former.until.mono.since(now.mono).unwrap_or_default()
}

/// Forgets the longer leases, once none is out any more.
async fn forget_longer(
    store: &Store,
    led: &Leadership,
    own: Duration,
    now: Timestamp,
) -> Result<(), StoreError> {
    let own = LeaseRow::of(own);
    let before: Option<Stored<LeaseRow>> = store.read(&own.key())?;
    let Some(before) = before.filter(|before| before.lease_ms > own.lease_ms) else {
        return Ok(());
    };
    let object = format!("leases of {} ms", own.lease_ms);
    let reason = format!("those of {} ms have run out", before.lease_ms);
    let entry = AuditEntry::new(now, "hub", "lease.shorten", &object, &reason);
    let txn = Txn::new().unchanged(&before).put(&own).audit(entry);
    match store.txn(led.fence(txn)).await? {
        Outcome::Committed { .. } => {
            tracing::info!(
                own_ms = own.lease_ms,
                former_ms = before.lease_ms,
                "longer leases have run out"
            );
        }
        // Another hub leads: it knows what it gives.
        Outcome::Conflict { .. } => {}
    }
    Ok(())
}

#[cfg(test)]
mod tests;
