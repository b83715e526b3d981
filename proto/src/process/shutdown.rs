//! Shutdown: the first signal drains, the second ends the process at once.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

/// Exit status after the second signal, as shells report SIGINT.
const ENDED_BY_SIGNAL: i32 = 130;

/// A token that is cancelled by the first SIGINT or SIGTERM. The second one ends the process.
pub fn on_signals() -> std::io::Result<CancellationToken> {
    let token = CancellationToken::new();
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let cancelled = token.clone();
    tokio::spawn(async move {
        for round in 0..2 {
            tokio::select! {
                _ = interrupt.recv() => {}
                _ = terminate.recv() => {}
            }
            if round == 0 {
                tracing::info!("signal received, draining; a second one ends at once");
                cancelled.cancel();
            }
        }
        std::process::exit(ENDED_BY_SIGNAL);
    });
    Ok(token)
}
