//! Whoever came in: whether anybody knows it by now, and the way to send it off.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, OnceLock, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use flagship_proto::model::TokenId;
use tokio_util::sync::CancellationToken;

use crate::limit::{Entered, Origin};

/// One connection, from its first byte on.
#[derive(Debug, Clone, Default)]
pub struct Guest {
    known: Arc<AtomicBool>,
    /// Among the connections of who vouches for it.
    place: Arc<OnceLock<Entered<TokenId>>>,
    /// Cuts the connection.
    pub cut: CancellationToken,
}

impl Guest {
    /// A token vouches for it, and for no more connections than it has places.
    pub fn is_known_by(&self, place: Entered<TokenId>) {
        // Two requests at a time: the first place stays.
        let _given_back = self.place.set(place);
        self.is_known_now();
    }

    /// A certificate or a token vouches for it.
    pub fn is_known_now(&self) {
        self.known.store(true, Ordering::Relaxed);
    }

    /// Whether anybody does.
    pub fn is_known(&self) -> bool {
        self.known.load(Ordering::Relaxed)
    }
}

/// One of those who came: it holds nothing that its guest does.
#[derive(Debug)]
struct Waiter {
    origin: Origin,
    known: Arc<AtomicBool>,
    cut: CancellationToken,
}

impl Waiter {
    fn may_go(&self) -> bool {
        !self.known.load(Ordering::Relaxed) && !self.cut.is_cancelled()
    }
}

/// Guests in the order in which they came.
#[derive(Debug, Default)]
pub(super) struct Line(Mutex<VecDeque<Waiter>>);

impl Line {
    /// One more came; those who are known or gone leave the line when it is longer than what can be here.
    pub(super) fn join(&self, origin: Origin, guest: &Guest, most: usize) {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if line.len() >= 2 * most {
            line.retain(Waiter::may_go);
        }
        line.push_back(Waiter {
            origin,
            known: guest.known.clone(),
            cut: guest.cut.clone(),
        });
    }

    /// Sends off who has been here longest and is not known, of one address where that is said; none if
    /// all are.
    pub(super) fn send_off(&self, of: Option<Origin>) -> Option<()> {
        let mut line = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_meant = |waiter: &Waiter| of.is_none_or(|origin| waiter.origin == origin);
        let eldest = line
            .iter()
            .position(|waiter| waiter.may_go() && is_meant(waiter))?;
        line.remove(eldest)?.cut.cancel();
        Some(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_known_or_gone_does_not_stay_in_line() {
        let line = Line::default();
        let origin = Origin::of("192.0.2.1".parse().unwrap());
        for number in 0..100 {
            let guest = Guest::default();
            line.join(origin, &guest, 4);
            if number % 2 == 0 {
                guest.is_known_now();
            } else {
                guest.cut.cancel();
            }
            assert!(line.0.lock().unwrap().len() <= 8, "{number}");
        }
        let stays = Guest::default();
        line.join(origin, &stays, 4);
        assert_eq!(line.send_off(None), Some(()));
        assert!(stays.cut.is_cancelled(), "the only one who may go");
        assert_eq!(line.send_off(None), None);
    }

    #[test]
    fn an_address_that_is_full_loses_its_own_eldest_and_nobody_elses() {
        let line = Line::default();
        let [first, second] = ["192.0.2.1", "192.0.2.2"].map(|ip| Origin::of(ip.parse().unwrap()));
        let [of_first, eldest, younger] = [first, second, second].map(|origin| {
            let guest = Guest::default();
            line.join(origin, &guest, 4);
            guest
        });
        let is_cut = || [&of_first, &eldest, &younger].map(|guest| guest.cut.is_cancelled());

        assert_eq!(line.send_off(Some(second)), Some(()));
        assert_eq!(is_cut(), [false, true, false]);
        assert_eq!(line.send_off(Some(second)), Some(()));
        assert_eq!(is_cut(), [false, true, true]);
        assert_eq!(line.send_off(Some(second)), None);
        assert_eq!(line.send_off(None), Some(()));
        assert_eq!(is_cut(), [true; 3]);
    }
}
