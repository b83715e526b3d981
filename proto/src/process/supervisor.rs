//! What a supervisor such as systemd is told: ready, stopping, and that the process still does its
//! work. Without one (`NOTIFY_SOCKET` is not set) nothing is said.

use std::{io, time::Duration};

use sd_notify::NotifyState;
use tokio_util::sync::CancellationToken;

/// What supervisors say to a process by its environment; not for the processes that it starts.
pub const VARIABLES: [&str; 4] = [
    "NOTIFY_SOCKET",
    "WATCHDOG_USEC",
    "WATCHDOG_PID",
    "LISTEN_FDS",
];

/// How often the words are renewed where nobody asks for signs of life.
const WORDS: Duration = Duration::from_secs(30);

/// Says that the process is ready, then that it lives, each time `look` has returned: with its words,
/// which `systemctl status` shows. A process whose `look` hangs says nothing more, and is started anew.
/// Ends when told to, saying that it stops; a process that drains is not asked for signs of life.
pub async fn accompany(look: impl Fn() -> String, stop: CancellationToken) {
    if std::env::var_os("NOTIFY_SOCKET").is_none() {
        return;
    }
    let asked = sd_notify::watchdog_enabled();
    let mut told = tell(&[NotifyState::Ready, NotifyState::Status(&look())]);
    if let Err(error) = &told {
        tracing::warn!(%error, "the supervisor cannot be told");
    }
    // Three in the time that is given, so that one which comes late does no harm.
    let mut due = tokio::time::interval(asked.map_or(WORDS, |within| within / 3));
    due.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = due.tick() => {
                let words = look();
                let status = NotifyState::Status(&words);
                let now = match asked {
                    Some(_) => tell(&[NotifyState::Watchdog, status]),
                    None => tell(&[status]),
                };
                // Once a cause, not once a word.
                if let (Ok(()), Err(error)) = (&told, &now) {
                    tracing::warn!(%error, "the supervisor cannot be told any more");
                }
                told = now;
            }
        }
    }
    // Nobody has to hear it: the process ends.
    let _ = tell(&[NotifyState::Stopping, NotifyState::Status("draining")]);
}

fn tell(state: &[NotifyState<'_>]) -> io::Result<()> {
    sd_notify::notify(state)
}
