//! The lease as the agent holds it: asked for every third of its length, counted from before it
//! asked on a clock that includes sleep (P4), never longer than the order allows (S10).

use std::{collections::VecDeque, time::Duration};

use flagship_proto::{
    model::{AbortId, Grant, LeaseRequest, Mono, Position, lease::DEFAULT_LEASE},
    mutant,
};

use super::{keep::reached, permission::NoLease};

/// The shortest time between two requests.
const SHORTEST_PERIOD: Duration = Duration::from_millis(50);

/// Requests whose answers may still come.
const MOST_ASKED: usize = 4;

/// The newest grant, and the requests that are open.
#[derive(Debug, Default)]
pub(super) struct Leases {
    nonce: u64,
    asked: VecDeque<(u64, Mono)>,
    ask_at: Option<Mono>,
    granted: Option<Granted>,
    /// The last number that was asked with before this session.
    before: u64,
    refused: Option<String>,
}

/// A grant, and from when it counts.
#[derive(Debug, Clone)]
struct Granted {
    nonce: u64,
    from: Mono,
    length: Duration,
    watermark: Position,
    aborts: Vec<AbortId>,
}

impl Leases {
    /// A session is open: ask at once.
    pub(super) fn opened(&mut self, now: Mono) {
        self.asked.clear();
        self.ask_at = Some(now);
        self.before = self.nonce;
        self.refused = None;
    }

    /// What the last answer rested on has changed: ask again now, in an open session.
    pub(super) fn ask_at_once(&mut self, now: Mono) {
        if self.ask_at.is_some() {
            self.ask_at = Some(now);
        }
    }

    /// The session is over: nothing is asked, and no answer of it counts any more. What was granted
    /// stays good to its end (S3).
    pub(super) fn closed(&mut self) {
        self.asked.clear();
        self.ask_at = None;
    }

    /// The hub has let this cluster go: what was granted is good no more, as nothing can be told to it.
    pub(super) fn ended(&mut self, why: &str) {
        self.granted = None;
        self.refused = Some(why.to_owned());
    }

    /// The request that is due, if one is. Its lease counts from `now`, so send it after this call.
    pub(super) fn ask(
        &mut self,
        now: Mono,
        shortest_order: Option<Duration>,
        unsaid: bool,
    ) -> Option<LeaseRequest> {
        let due = self.ask_at.is_some_and(|at| reached(at, now));
        if !due {
            return None;
        }
        self.nonce += 1;
        self.asked.push_back((self.nonce, now));
        if self.asked.len() > MOST_ASKED {
            self.asked.pop_front();
        }
        self.ask_at = Some(now.plus(self.period(shortest_order)));
        Some(LeaseRequest {
            nonce: self.nonce,
            unsaid,
        })
    }

    fn period(&self, shortest_order: Option<Duration>) -> Duration {
        let granted = self
            .granted
            .as_ref()
            .map_or(DEFAULT_LEASE, |granted| granted.length);
        let length = shortest_order.map_or(granted, |order| order.min(granted));
        (length / 3).max(SHORTEST_PERIOD)
    }

    /// Takes the hub's answer. One that answers no open request, or an older one than the grant
    /// that is held, changes nothing.
    pub(super) fn answer(&mut self, grant: Grant) {
        let Some(at) = self
            .asked
            .iter()
            .position(|(nonce, _)| *nonce == grant.nonce)
        else {
            return;
        };
        let (nonce, from) = self.asked[at];
        self.asked.drain(..=at);
        if grant.length.is_zero() {
            // An earlier grant stays good to its end: the bound counts with it.
            self.refused = Some(grant.refused);
            return;
        }
        if self.granted.as_ref().is_some_and(|held| held.nonce > nonce) {
            return;
        }
        self.refused = None;
        self.granted = Some(Granted {
            nonce,
            from,
            length: grant.length,
            watermark: grant.watermark,
            aborts: grant.aborts.into_iter().map(|abort| abort.id).collect(),
        });
    }

    /// Whether what is held was granted in this session.
    pub(super) fn is_granted_here(&self) -> bool {
        let granted = self.granted.as_ref();
        granted.is_some_and(|granted| granted.nonce > self.before)
    }

    /// Whether a hub that is heard refuses.
    pub(super) fn is_refused(&self) -> bool {
        self.refused.is_some()
    }

    /// What is left for an order of this lease length, or why there is nothing. `applied` is the
    /// highest revision in force, `not_kept` says whether an abort is not kept durably.
    pub(super) fn left(
        &self,
        order: Duration,
        now: Mono,
        applied: Position,
        not_kept: impl Fn(&AbortId) -> bool,
    ) -> Result<Duration, NoLease> {
        let refused = || {
            self.refused.as_ref().map(|reason| NoLease::Refused {
                reason: reason.clone(),
            })
        };
        let Some(granted) = &self.granted else {
            return Err(refused().unwrap_or(NoLease::None));
        };
        let Some(age) = now.since(granted.from) else {
            return Err(refused().unwrap_or(NoLease::None));
        };
        let length = granted.length.min(order);
        if age >= length && !mutant("p05") {
            let ago = age - length;
            return Err(refused().unwrap_or(NoLease::Ended { ago }));
        }
        if mutant("p04") {
            return Ok(length.saturating_sub(age));
        }
        if applied < granted.watermark {
            return Err(NoLease::OrderMissing);
        }
        if let Some(abort) = granted.aborts.iter().find(|abort| not_kept(abort)) {
            return Err(NoLease::AbortNotKept {
                abort: abort.clone(),
            });
        }
        Ok(length.saturating_sub(age))
    }

    /// When the next request is due.
    pub(super) fn ask_at(&self) -> Option<Mono> {
        self.ask_at
    }

    /// When the newest grant ends for an order of this lease length.
    pub(super) fn ends_at(&self, order: Duration) -> Option<Mono> {
        self.granted
            .as_ref()
            .map(|granted| granted.from.plus(granted.length.min(order)))
    }
}
