//! The loop: follows the store, keeps what is to be told, sends what is due.

use std::time::Duration;

use flagship_notify::{Entry, Outcome};
use flagship_proto::process::Clock;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::{Notifier, book::Book};
use crate::{
    records::key,
    store::{Events, Store, StoreError, Watch, WatchError},
};

/// After the store could not answer.
const PAUSE: Duration = Duration::from_secs(5);
/// The longest sleep; the wall clock may be set meanwhile.
const LONGEST: Duration = Duration::from_secs(30);

/// Opens the book at once, so that nothing from now on is missed; the future runs until told to stop. A
/// store that cannot answer is asked again; nothing is forgotten meanwhile.
pub fn run(
    notifier: Notifier,
    store: Store,
    clock: Clock,
    stop: CancellationToken,
) -> Result<impl Future<Output = anyhow::Result<()>>, StoreError> {
    let book = Book::open(&store)?;
    Ok(follow(notifier, store, book, clock, stop))
}

async fn follow(
    notifier: Notifier,
    store: Store,
    mut book: Book,
    clock: Clock,
    stop: CancellationToken,
) -> anyhow::Result<()> {
    let mut sending: JoinSet<(Entry, Outcome)> = JoinSet::new();
    let mut busy: Vec<String> = Vec::new();
    let mut watch = None;
    loop {
        let caught_up = catch_up(&mut watch, &mut book, &notifier, &store, clock).await;
        if let Err(error) = &caught_up {
            if *error == StoreError::Closed {
                return Ok(());
            }
            // What is kept already goes on being sent meanwhile.
            tracing::error!(%error, "new notifications wait for the store");
        }
        let longest = if caught_up.is_ok() { LONGEST } else { PAUSE };
        let now = clock.now().wall;
        for entry in book.due(now, &busy) {
            busy.push(entry.channel.clone());
            let notifier = notifier.clone();
            sending.spawn(async move {
                let outcome = match notifier.settings.channels.get(&entry.channel) {
                    Some(channel) => notifier.sender.send(channel, &entry.message).await,
                    None => Outcome::Failed {
                        why: "the settings no longer have this channel".into(),
                        wait: None,
                    },
                };
                (entry, outcome)
            });
        }
        let wait = match book.wakes_at(&busy) {
            Some(at) if at > now => Duration::try_from(at.duration_since(now)).unwrap_or(longest),
            Some(_) | None => longest,
        };
        tokio::select! {
            () = stop.cancelled() => return Ok(()),
            open = changed(&mut watch), if caught_up.is_ok() => if open.is_err() {
                return Ok(());
            },
            () = tokio::time::sleep(wait.min(longest)) => {}
            Some(sent) = sending.join_next() => {
                let (entry, outcome) = sent?;
                busy.retain(|channel| *channel != entry.channel);
                tell(&entry, &outcome);
                if let Err(error) = book.tried(&entry.id, &outcome, clock.now().wall).await {
                    tracing::warn!(%error, "how a notification ended could not be stored");
                }
            }
        }
    }
}

/// Takes in everything that the store has committed since the last time.
async fn catch_up(
    watch: &mut Option<Watch>,
    book: &mut Book,
    notifier: &Notifier,
    store: &Store,
    clock: Clock,
) -> Result<(), StoreError> {
    let now = clock.now().wall;
    let found = match watch {
        Some(watch) => watch.poll(),
        None => match store.watch(key::ALL, book.seen) {
            Ok(new) => watch.insert(new).poll(),
            Err(error) => Err(error),
        },
    };
    match found {
        Ok(Events { events, at }) => {
            let admitted = book.admit(notifier, &events, at, now).await;
            if admitted.is_err() {
                // Look at the same changes again.
                *watch = None;
            }
            admitted
        }
        Err(WatchError::TooOld { .. } | WatchError::Ahead { .. }) => {
            *watch = None;
            let (events, at) = book.missed()?;
            book.admit(notifier, &events, at, now).await
        }
        Err(WatchError::Closed) => Err(StoreError::Closed),
        Err(WatchError::Store(error)) => Err(error),
    }
}

async fn changed(watch: &mut Option<Watch>) -> Result<(), WatchError> {
    match watch {
        Some(watch) => watch.changed().await,
        None => Ok(()),
    }
}

fn tell(entry: &Entry, outcome: &Outcome) {
    let Entry {
        channel, message, ..
    } = entry;
    match outcome {
        Outcome::Delivered => {
            tracing::info!(channel, code = message.code, key = message.key, "notified");
        }
        Outcome::Failed { why, .. } => {
            tracing::warn!(
                channel,
                code = message.code,
                key = message.key,
                why,
                "not notified, trying again"
            );
        }
    }
}
