//! The loop around [`Driver::pass`]: after each change of what rollouts rest on, after each wait.

use std::{
    collections::BTreeMap,
    time::{Duration, Instant},
};

use flagship_proto::{model::ClusterUid, process::Clock};
use tokio_util::sync::CancellationToken;

use super::{Driver, DriverError, LONGEST_WAIT};
use crate::fleet::Presence;

/// Changes that come close together are looked at together.
const GATHER: Duration = Duration::from_millis(5);

/// Runs until stopped or deposed. A store that cannot answer is asked again; nothing advances
/// meanwhile, since nothing can be written.
pub async fn run(
    mut driver: Driver,
    presence: impl Fn() -> BTreeMap<ClusterUid, Presence>,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), DriverError> {
    loop {
        let began = Instant::now();
        let passed = driver.pass(&presence, clock.now()).await;
        driver.took(began.elapsed());
        let wait = match passed {
            Ok(wait) => wait,
            Err(DriverError::Store(error)) => {
                tracing::error!(%error, "rollouts cannot be driven, trying again");
                LONGEST_WAIT
            }
            Err(deposed @ DriverError::Deposed(_)) => return Err(deposed),
        };
        let changed = async {
            if driver.changed().await.is_err() {
                // The next pass says what is wrong.
                tokio::time::sleep(LONGEST_WAIT).await;
            }
            tokio::time::sleep(GATHER).await;
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            () = changed => {}
            () = tokio::time::sleep(wait) => {}
        }
    }
}
