//! What one reader of events is told next, in pieces.
//!
//! Who is up to date is told at once, wherever that is asked: a change costs little. Who is far behind, as
//! somebody who asks for all that was kept, is told in turns, among those who look: each piece is read on a
//! thread of its own, so that neither leases and aborts nor other readers wait for the rest of it.

use axum::response::sse::Event;
use futures::{Stream, StreamExt as _, stream};

use super::{change, reset, told};
use crate::{
    api::ApiState,
    auth::Actor,
    records::key,
    store::{Watch, WatchError},
};

/// So many changes are looked at where they are asked for.
pub(crate) const AT_ONCE: usize = 64;

/// So many in a turn: a few milliseconds for who is shown some of them only.
pub(crate) const IN_A_TURN: usize = 256;

/// So far may fall behind who was up to date, before the rest comes in turns: one commit may change much.
pub(crate) const FAR_BEHIND: usize = 1024;

/// What this caller may see, for as long as they may.
pub(super) fn follow(state: ApiState, actor: Actor, watch: Watch) -> impl Stream<Item = Event> {
    let follower = Follower {
        state,
        actor,
        watch: watch.without_values_on_disk(),
        pace: Pace::CatchingUp,
        goes_on: false,
    };
    stream::unfold(follower, Follower::piece).flat_map(stream::iter)
}

struct Follower {
    state: ApiState,
    actor: Actor,
    watch: Watch,
    pace: Pace,
    /// Whether the last piece left something.
    goes_on: bool,
}

#[derive(Debug, Clone, Copy)]
enum Pace {
    /// Since it began, or fell far behind.
    CatchingUp,
    Live,
}

impl Follower {
    /// The next piece that tells of something; none where the reader has to come again.
    async fn piece(mut self) -> Option<(Vec<Event>, Self)> {
        loop {
            // What is wrong with the place is told by the next look.
            let behind = self.watch.behind().unwrap_or(1);
            if behind == 0 {
                self.pace = Pace::Live;
                self.goes_on = false;
                self.watch.changed().await.ok()?;
                continue;
            }
            let most_at_once = match self.pace {
                Pace::CatchingUp => AT_ONCE,
                Pace::Live => FAR_BEHIND,
            };
            let events = if behind > most_at_once {
                self.pace = Pace::CatchingUp;
                let (events, follower) = self.in_a_turn().await?;
                self = follower;
                events
            } else {
                self.pace = Pace::Live;
                if self.goes_on {
                    tokio::task::yield_now().await;
                }
                self.goes_on = behind > AT_ONCE;
                self.read(AT_ONCE)?
            };
            if !events.is_empty() {
                return Some((events, self));
            }
        }
    }

    async fn in_a_turn(mut self) -> Option<(Vec<Event>, Self)> {
        let turn = self.state.costs.turns.turn(&self.actor).await;
        let reading = tokio::task::spawn_blocking(move || {
            // It ends with the piece, also where nobody waits for it any more.
            let _turn = turn;
            Some((self.read(IN_A_TURN)?, self))
        });
        reading.await.ok()?
    }

    fn read(&mut self, most: usize) -> Option<Vec<Event>> {
        let store = self.state.store();
        match self.watch.poll_some(most) {
            Ok(found) => {
                let now = self.state.now().wall;
                if !self.state.ops.is_still_in(&self.actor.via, now).ok()? {
                    return None;
                }
                let epoch = store.epoch();
                let sight = self.state.sight(&self.actor.grants);
                let events = found.events.iter();
                let shown: Vec<_> = events.filter_map(|event| change(event, &sight)).collect();
                Some(told(epoch, &shown))
            }
            Err(WatchError::TooOld { from, .. } | WatchError::Ahead { from, .. }) => {
                let now = store.position();
                let watch = store.watch(key::ALL, now.seq).ok()?;
                self.watch = watch.without_values_on_disk();
                Some(vec![reset(from, now)])
            }
            // The reader comes again with its last id and is told what it missed.
            Err(WatchError::Closed | WatchError::Store(_)) => None,
        }
    }
}
