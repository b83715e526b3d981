//! The hub of the World: the real store in memory, the real fleet and the real driver.

use std::sync::{Arc, OnceLock};

use flagship_hub::{
    driver::{Driver, LONGEST_WAIT},
    fleet::{Config, Effect, Fleet, Follower, Next, SessionId, Stored, rows},
    leader,
    ops::AbortAnswer,
    records::{self, HistoryRow, Stored as Row, TermRow, key},
    store::{Outcome, Store, Txn, Watch},
};
use flagship_proto::{
    identity::PeerId,
    model::{AgentMessage, FleetId, HubIncarnation, HubMessage, Tick, lease::DEFAULT_LEASE},
    sign::SignKey,
};
use futures::FutureExt as _;
use jiff::Timestamp;

/// The trust domain of every World.
pub(super) const TRUST_DOMAIN: &str = "world.test";

/// How often the fleet is told that time passed.
const TICK_MS: u64 = 500;

pub(super) fn fleet_id() -> FleetId {
    "fleet-world".parse().expect("a fleet id")
}

/// One key for all Worlds of a test process.
pub(super) fn hub_key() -> &'static Arc<SignKey> {
    static KEY: OnceLock<Arc<SignKey>> = OnceLock::new();
    KEY.get_or_init(|| Arc::new(SignKey::generate().expect("a key")))
}

/// Commits to a store in memory, which is ready at once.
pub(super) fn commit(store: &Store, txn: Txn) {
    let outcome = store
        .txn(txn)
        .now_or_never()
        .expect("memory is ready at once");
    let outcome = outcome.expect("memory can be written");
    assert!(matches!(outcome, Outcome::Committed { .. }), "{outcome:?}");
}

pub(super) fn found(store: &Store, at: Timestamp) {
    leader::found(store, fleet_id(), TRUST_DOMAIN, at)
        .now_or_never()
        .expect("memory is ready at once")
        .expect("a new store can be founded");
}

/// One life of the hub's process.
#[derive(Debug)]
pub struct Hub {
    store: Store,
    /// Sessions, leases, receipts.
    pub fleet: Fleet,
    driver: Driver,
    follower: Follower,
    pub(super) run: u64,
    wake_at: u64,
    pass_at: u64,
    seen: u64,
    history: Watch,
}

impl Hub {
    pub(super) fn start(store: &Store, run: u64, now: Tick) -> Self {
        let hub = HubIncarnation(format!("{run:032x}"));
        let led = leader::take(store, hub, DEFAULT_LEASE, now.wall)
            .now_or_never()
            .expect("ready at once");
        let led = led.expect("nobody else leads");
        let config = Config::new(
            fleet_id(),
            TRUST_DOMAIN,
            led.term.term,
            led.term.hub.clone(),
        );
        let mut fleet = Fleet::new(config, Arc::clone(hub_key()));
        let follower = Follower::start(store, &mut fleet, now).expect("memory can be read");
        let term = store
            .read::<TermRow>(&key::term())
            .expect("memory can be read");
        let driver = Driver::new(store.clone(), fleet_id(), term.expect("just taken"), now);
        let history = store.watch(key::HISTORY, store.position().seq);
        Self {
            store: store.clone(),
            fleet,
            driver,
            follower,
            run,
            wake_at: now.mono.millis,
            pass_at: now.mono.millis,
            seen: 0,
            history: history.expect("the position was just read"),
        }
    }

    pub(super) fn opened(&mut self, peer: PeerId, now: Tick) -> Result<SessionId, String> {
        self.wake_at = now.mono.millis;
        self.fleet
            .opened(peer, now)
            .map_err(|goodbye| goodbye.message)
    }

    pub(super) fn closed(&mut self, session: SessionId) {
        self.fleet.closed(session);
    }

    pub(super) fn abort_provisionally(&mut self, answer: AbortAnswer, now: Tick) {
        self.fleet.abort_provisionally(answer.abort, now);
        self.wake_at = now.mono.millis;
    }

    pub(super) fn message(&mut self, session: SessionId, message: AgentMessage, now: Tick) {
        self.fleet.message(session, message, now);
        self.wake_at = now.mono.millis;
    }

    pub(super) fn wakes_at(&self) -> u64 {
        let changed = self.store.position().seq != self.seen;
        if changed {
            0
        } else {
            self.wake_at.min(self.pass_at)
        }
    }

    /// One turn: what is sent to whom, whose stream is closed, what was decided in words.
    pub(super) fn turn(
        &mut self,
        now: Tick,
    ) -> (Vec<(SessionId, HubMessage)>, Vec<SessionId>, Vec<String>) {
        let mut messages = Vec::new();
        let mut ended = Vec::new();
        let mut words = Vec::new();
        if self.wake_at <= now.mono.millis {
            self.fleet.tick(now);
            self.wake_at = now.mono.millis + TICK_MS;
        }
        if self.pass_at <= now.mono.millis || self.store.position().seq != self.seen {
            let pass = self
                .driver
                .pass(|| self.fleet.presences(), now)
                .now_or_never();
            // A disk that is full: what was decided is decided again.
            let wait = pass.expect("ready at once").unwrap_or(LONGEST_WAIT);
            self.pass_at = now.plus(wait).mono.millis.max(now.mono.millis + 20);
            self.seen = self.store.position().seq;
        }
        for _ in 0..64 {
            self.follower
                .catch_up(&mut self.fleet, now)
                .expect("memory can be read");
            let effects = self.fleet.effects();
            if effects.is_empty() {
                break;
            }
            for effect in effects {
                self.carry_out(effect, now, &mut messages, &mut ended, &mut words);
            }
        }
        words.extend(self.news());
        (messages, ended, words)
    }

    fn carry_out(
        &mut self,
        effect: Effect,
        now: Tick,
        messages: &mut Vec<(SessionId, HubMessage)>,
        ended: &mut Vec<SessionId>,
        words: &mut Vec<String>,
    ) {
        match effect {
            Effect::Wake(session) => loop {
                match self.fleet.take(session, now) {
                    Next::Message(message) => messages.push((session, message)),
                    Next::Wait => break,
                    Next::End => {
                        ended.push(session);
                        break;
                    }
                }
            },
            Effect::Store(ticket, job) => {
                let txn = rows::transaction(&self.store, &job, now).expect("memory can be read");
                let outcome = match txn {
                    None => Stored::Conflict,
                    Some(txn) => match self.store.txn(txn).now_or_never().expect("ready at once") {
                        Ok(Outcome::Committed { position }) => Stored::Committed(position),
                        Ok(Outcome::Conflict { .. }) => Stored::Conflict,
                        Err(error) => Stored::Failed(error.to_string()),
                    },
                };
                self.fleet.stored(ticket, outcome, now);
            }
            Effect::Cut(session) => ended.push(session),
            Effect::Alarm(alarm) => words.push(format!("hub alarm: {alarm}")),
        }
    }

    /// History entries that are new, as lines of the log.
    fn news(&mut self) -> Vec<String> {
        let found = self
            .history
            .poll()
            .expect("a World writes no more than the log keeps");
        let rows = found.events.iter().filter_map(|event| {
            let row = event.row.as_ref()?;
            let row: Row<HistoryRow> = records::decode(&event.key, row).expect("our own row");
            Some(row)
        });
        rows.map(|row| format!("{} {}", row.rollout, row.message))
            .collect()
    }
}
