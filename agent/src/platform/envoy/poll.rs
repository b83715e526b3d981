//! Reads each proxy again and again: its routes as it has them, and its counters.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::time::timeout;

use super::{
    admin,
    state::{Shared, State},
};

/// Between two looks; sooner when there is a reason.
const EVERY: Duration = Duration::from_millis(500);

/// Two starts computed from whole seconds of uptime that lie closer than this are the same start.
const SAME_START: Duration = Duration::from_secs(3);

/// Reads one proxy until shutdown.
pub(super) async fn run(shared: Arc<Shared>, node: String) {
    let Some((address, look)) = shared
        .lock()
        .nodes
        .get(&node)
        .map(|n| (n.admin, n.look.clone()))
    else {
        return;
    };
    loop {
        tokio::select! {
            // Either the time has come or there is a reason: both mean to look.
            _ = timeout(EVERY, look.notified()) => {}
            () = shared.shutdown.cancelled() => return,
        }
        let taken = |state: &State| state.nodes.get(&node).map(|known| known.routes_taken);
        let before = taken(&shared.lock());
        let routes = admin::read_routes(address).await;
        let reading = admin::read_stats(address).await;
        let at = shared.clock.now().wall;
        let mut new_start = false;
        let changed = {
            let mut state = shared.lock();
            let Some(known) = state.nodes.get_mut(&node) else {
                return;
            };
            let mut changed = false;
            if Some(known.routes_taken) == before {
                changed = known.routes != routes;
                known.routes = routes;
            } else {
                // It took a newer route while it was read: what was read counts for nothing.
                known.look.notify_one();
            }
            match reading {
                Ok(reading) => {
                    let started = started(known.started, at, reading.uptime);
                    new_start = known.started != Some(started);
                    known.started = Some(started);
                    changed |= known.reading.as_ref().map(|(before, _)| &before.clusters)
                        != Some(&reading.clusters);
                    known.reading = Some((reading, at));
                }
                Err(_) => {
                    changed |= known.reading.is_some();
                    known.reading = None;
                }
            }
            if new_start {
                let started = known.started;
                state
                    .platform
                    .nodes
                    .entry(node.clone())
                    .or_default()
                    .started = started;
            }
            changed
        };
        if new_start && let Err(error) = shared.keep_platform().await {
            tracing::warn!(%error, "the start of an Envoy could not be kept");
        }
        if changed {
            shared.saw();
        }
    }
}

/// When the proxy started: as first computed, so that it is the same at every look.
fn started(known: Option<Timestamp>, now: Timestamp, uptime: Duration) -> Timestamp {
    let computed = now.saturating_sub(uptime).unwrap_or(now);
    match known {
        Some(known) if known.duration_until(computed).unsigned_abs() <= SAME_START => known,
        Some(_) | None => computed,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_start_of_a_proxy_does_not_move_with_the_rounding_of_its_uptime() {
        let now = Timestamp::from_second(1_000_000).unwrap();
        let first = started(None, now, Duration::from_secs(10));
        let later = now.saturating_add(Duration::from_millis(1900)).unwrap();
        assert_eq!(started(Some(first), later, Duration::from_secs(11)), first);
        assert_ne!(started(Some(first), later, Duration::from_secs(1)), first);
    }
}
