//! Leadership: the transaction that founds a fleet, and the one that raises the term (P21).
//!
//! On the embedded store each start of the hub takes leadership. Every write of the leader compares
//! the term's row, so a hub that another one deposed cannot write; agents refuse its lower term.

use std::time::Duration;

use flagship_proto::{
    digest::Digest,
    model::{FleetId, HubIncarnation, Position, Term},
};
use jiff::Timestamp;

use crate::{
    audit::AuditEntry,
    records::{FleetMeta, Guard, LeaseRow, Record as _, Stored, TermRow, key},
    store::{Outcome, Store, StoreError, Txn},
};

/// Why no leadership could be taken.
#[derive(Debug, thiserror::Error)]
pub enum LeaderError {
    /// `init` did not run, or not to its end.
    #[error("this store holds no fleet: run `flagship-hub init`")]
    NoFleet,
    /// `init` was asked for twice.
    #[error("this store already holds a fleet: `flagship-hub serve` opens it")]
    AlreadyFounded,
    /// Another hub took leadership at the same moment.
    #[error("another hub took leadership at this moment")]
    Lost,
    /// The store could not be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// A leadership that was taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Leadership {
    /// The fleet that is led.
    pub fleet: FleetMeta,
    /// The term and the incarnation of this hub.
    pub term: TermRow,
    /// Where the term's row was written: what every write of this leader compares on.
    pub position: Position,
    /// The longest lease that this hub or a former one gives or gave.
    pub longest: Duration,
}

impl Leadership {
    /// Adds the comparison that fences a deposed leader.
    pub fn fence(&self, txn: Txn) -> Txn {
        txn.at(key::term(), self.position)
    }
}

/// Draws what distinguishes this start of the hub from all others.
pub fn draw_incarnation() -> HubIncarnation {
    HubIncarnation(hex::encode(rand::random::<[u8; 16]>()))
}

/// Draws the identity of a new fleet.
pub fn draw_fleet() -> FleetId {
    format!("f-{}", hex::encode(rand::random::<[u8; 8]>()))
        .parse()
        .expect("hexadecimal digits make a fleet id")
}

/// Founds the fleet in a new store: identity and guard, with the first audit entry.
pub async fn found(
    store: &Store,
    fleet: FleetId,
    trust_domain: &str,
    at: Timestamp,
) -> Result<FleetMeta, LeaderError> {
    let meta = FleetMeta {
        fleet,
        trust_domain: trust_domain.to_owned(),
        epoch: store.epoch(),
        created: at,
    };
    let mut entry = AuditEntry::new(
        at,
        "hub",
        "fleet.init",
        &format!("fleet {}", meta.fleet),
        "flagship-hub init",
    );
    entry.after = Digest::of_document(&meta).ok();
    let txn = Txn::new()
        .absent(key::fleet())
        .put(&meta)
        .put(&Guard {
            by: "init".to_owned(),
        })
        .audit(entry);
    match store.txn(txn).await? {
        Outcome::Committed { .. } => Ok(meta),
        Outcome::Conflict { .. } => Err(LeaderError::AlreadyFounded),
    }
}

/// Takes leadership: one transaction raises the term's counter, names this hub's incarnation, and keeps
/// the length of its leases where that is the longest that may be out. It goes through on a nearly full
/// disk: a hub that cannot start can stop nothing.
pub async fn take(
    store: &Store,
    hub: HubIncarnation,
    lease: Duration,
    at: Timestamp,
) -> Result<Leadership, LeaderError> {
    let fleet: Stored<FleetMeta> = store.read(&key::fleet())?.ok_or(LeaderError::NoFleet)?;
    let before: Option<Stored<TermRow>> = store.read(&key::term())?;
    let counter = before
        .as_ref()
        .filter(|row| row.term.epoch == store.epoch())
        .map_or(0, |row| row.term.counter);
    let term = TermRow {
        term: Term {
            epoch: store.epoch(),
            counter: counter + 1,
        },
        hub,
        since: at,
    };
    let object = format!("term {}", term.term);
    let entry = AuditEntry::new(at, "hub", "term.take", &object, "the hub started");
    let txn = match &before {
        Some(row) => Txn::new().unchanged(row),
        None => Txn::new().absent(key::term()),
    };
    let own = LeaseRow::of(lease);
    let former: Option<Stored<LeaseRow>> = store.read(&own.key())?;
    let former = former.map_or(0, |row| row.lease_ms);
    let txn = if former < own.lease_ms {
        txn.put(&own)
    } else {
        txn
    };
    match store.txn(txn.put(&term).audit(entry).urgent()).await? {
        Outcome::Committed { position } => Ok(Leadership {
            fleet: fleet.into_value(),
            term,
            position,
            longest: lease.max(Duration::from_millis(former)),
        }),
        Outcome::Conflict { .. } => Err(LeaderError::Lost),
    }
}

#[cfg(test)]
mod tests {
    use flagship_proto::model::lease::DEFAULT_LEASE;

    use super::*;

    const AT: Timestamp = Timestamp::UNIX_EPOCH;

    async fn founded() -> Store {
        let store = Store::memory();
        found(&store, draw_fleet(), "fleet.example", AT)
            .await
            .unwrap();
        store
    }

    #[tokio::test]
    async fn p21_the_term_grows_with_each_start() {
        let store = founded().await;
        let first = take(&store, draw_incarnation(), DEFAULT_LEASE, AT)
            .await
            .unwrap();
        let second = take(&store, draw_incarnation(), DEFAULT_LEASE, AT)
            .await
            .unwrap();
        assert_eq!(
            first.term.term,
            Term {
                epoch: 1,
                counter: 1
            }
        );
        assert!(second.term.term > first.term.term);
        assert_ne!(second.term.hub, first.term.hub);
    }

    #[tokio::test]
    async fn p21_a_deposed_leader_cannot_write() {
        let store = founded().await;
        let deposed = take(&store, draw_incarnation(), DEFAULT_LEASE, AT)
            .await
            .unwrap();
        let leader = take(&store, draw_incarnation(), DEFAULT_LEASE, AT)
            .await
            .unwrap();
        let write = || {
            Txn::new().put(&Guard {
                by: "test".to_owned(),
            })
        };
        let lost = store.txn(deposed.fence(write())).await.unwrap();
        assert_eq!(lost, Outcome::Conflict { key: key::term() });
        let won = store.txn(leader.fence(write())).await.unwrap();
        assert!(matches!(won, Outcome::Committed { .. }));
    }

    #[tokio::test]
    async fn a_fleet_is_founded_once_and_led_only_then() {
        let store = Store::memory();
        let early = take(&store, draw_incarnation(), DEFAULT_LEASE, AT).await;
        assert!(matches!(early, Err(LeaderError::NoFleet)));
        found(&store, draw_fleet(), "a", AT).await.unwrap();
        let twice = found(&store, draw_fleet(), "b", AT).await;
        assert!(matches!(twice, Err(LeaderError::AlreadyFounded)));
    }
}
