//! Whoever came in: whether anybody knows it by now, and the way to send it off.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use tokio_util::sync::CancellationToken;

/// One connection, from its first byte on.
#[derive(Debug, Clone, Default)]
pub struct Guest {
    known: Arc<AtomicBool>,
    /// Cuts the connection.
    pub cut: CancellationToken,
}

impl Guest {
    /// A certificate or a token vouches for it.
    pub fn is_known_now(&self) {
        self.known.store(true, Ordering::Relaxed);
    }

    /// Whether anybody does.
    pub fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }

    fn may_go(&self) -> bool {
        !self.is_known() && !self.cut.is_cancelled()
    }
}

/// Guests in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<VecDeque<Guest>>);

impl Line {
    /// One more came; those who are known or gone leave the line when it is longer than what can be here.
    pub(super) fn join(&self, guest: &Guest, most: usize) {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if line.len() >= 2 * most {
            line.retain(Guest::may_go);
        }
        line.push_back(guest.clone());
    }

    /// Sends off who has been here longest and is not known; none if all are.
    pub(super) fn send_off(&self) -> Option<()> {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while let Some(guest) = line.pop_front() {
            if guest.may_go() {
                guest.cut.cancel();
                return Some(());
            }
        }
        None
    }
}
