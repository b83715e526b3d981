//! Writes once a minute when tokens were last used, and once more when the hub stops.

use tokio_util::sync::CancellationToken;

use crate::ops::{Ops, WRITTEN_EVERY};

/// Runs until told to stop. That it cannot be written changes nothing.
pub(super) async fn keep(ops: Ops, stop: CancellationToken) -> anyhow::Result<()> {
    loop {
        let is_last = tokio::select! {
            () = stop.cancelled() => true,
            () = tokio::time::sleep(WRITTEN_EVERY) => false,
        };
        if let Err(error) = ops.write_uses().await {
            tracing::debug!(%error, "when tokens were last used was not written");
        }
        if is_last {
            return Ok(());
        }
    }
}
