//! The loop around [`Driver::pass`]: after each change of the store, after each wait.

use std::{collections::BTreeMap, time::Duration};

use flagship_proto::{model::ClusterUid, process::Clock};
use tokio_util::sync::CancellationToken;

use super::{Driver, DriverError, LONGEST_WAIT};
use crate::{
    fleet::Presence,
    store::{Store, WatchError},
};

/// Changes that come close together are looked at together.
const GATHER: Duration = Duration::from_millis(5);

/// Runs until stopped or deposed. A store that cannot answer is asked again; nothing advances
/// meanwhile, since nothing can be written.
pub async fn run(
    mut driver: Driver,
    store: Store,
    presence: impl Fn() -> BTreeMap<ClusterUid, Presence>,
    clock: Clock,
    stop: CancellationToken,
) -> Result<(), DriverError> {
    loop {
        let mut watch = store
            .watch(crate::records::key::ALL, store.position().seq)
            .ok();
        let wait = match driver.pass(&presence(), clock.now()).await {
            Ok(wait) => wait,
            Err(DriverError::Store(error)) => {
                tracing::error!(%error, "rollouts cannot be driven, trying again");
                LONGEST_WAIT
            }
            Err(deposed @ DriverError::Deposed(_)) => return Err(deposed),
        };
        let changed = async {
            match &mut watch {
                Some(watch) => match watch.next().await {
                    Ok(_) | Err(WatchError::TooOld { .. } | WatchError::Ahead { .. }) => {}
                    Err(WatchError::Closed | WatchError::Store(_)) => {
                        tokio::time::sleep(LONGEST_WAIT).await;
                    }
                },
                None => std::future::pending().await,
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
