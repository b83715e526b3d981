//! What people cause: each operation is one transaction with its audit entry.
//!
//! An operation reads, decides, and commits with the comparisons that its decision rests on; if
//! something changed in between it decides again. With an idempotency key the first answer is kept
//! in the same transaction and given again. Operations never touch a cluster: they change what is
//! stored, and the driver and the fleet follow the store.

mod abort;
mod audit;
mod certified;
mod cluster;
mod doing;
mod enrol_token;
mod error;
mod freeze;
mod known;
mod lift;
mod local;
mod once;
mod plan;
mod preview;
mod reach;
mod remove_plan;
pub(crate) mod room;
mod scope;
mod sight;
mod standing;
mod start;
mod steps;
mod stops;
mod token;
mod told;
mod uses;
mod way_back;
mod wish;

#[cfg(test)]
mod tests;

use std::time::Duration;

use flagship_proto::{
    digest::Digest,
    model::{Tick, lease::DEFAULT_LEASE},
};
use serde::{Serialize, de::DeserializeOwned};

use crate::{
    audit::AuditEntry,
    auth::{Denied, Grants, Object, Right, Via},
    leases::Leases,
    store::{Key, Outcome, Precondition, Store, StoreError, Txn},
};
use certified::Granted;
use once::{Ages, Once};
use stops::Stops;
use uses::Uses;

pub use abort::{AbortAnswer, AbortOrder};
pub use cluster::{ClusterAnswer, RemoveCluster};
pub use doing::{Doing, counts, doing};
pub use enrol_token::{CreateEnrolToken, CreatedEnrolToken};
pub use error::{OpError, OpErrorKind};
#[cfg(test)]
pub(crate) use freeze::room::{MOST_OF_AUTHOR as FREEZES_OF_AUTHOR, SAME as SAME_FREEZES};
pub use freeze::{FreezeOrder, FreezeUntil, standing_freezes};
pub use known::Known;
pub use lift::{LiftAnswer, LiftOrder};
pub use local::{LocalReleased, ReleaseLocal};
#[cfg(test)]
pub(crate) use once::MOST_OF_ONE;
pub use once::{Answered, Became};
pub use plan::{Applied, ApplyOutcome, ApplyPlan};
pub use preview::{AbortPreview, PreviewCluster, joins};
pub use remove_plan::RemovedPlan;
pub use sight::Sight;
pub use standing::{join_standing_aborts, standing_aborts};
pub use start::{Place, StartRollout, Started};
pub use steps::{Step, next_steps, offered, unread_there, who_may};
#[cfg(test)]
pub(crate) use stops::{LIFTS, STOPS};
pub use token::{CreateToken, CreatedToken};
pub use uses::WRITTEN_EVERY;
pub use wish::{RolloutName, WishAnswer};

/// How often an operation decides again when others write in between.
const TRIES: u32 = 16;

/// Who asks, and what they say of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Caller {
    /// What the audit log calls them.
    pub actor: String,
    /// By what they were let in; none for the hub itself.
    pub via: Option<Via>,
    /// What they may do.
    pub grants: Grants,
    /// Why; may be empty where an operation does not insist.
    pub reason: String,
    /// A ticket's number.
    pub ticket: Option<String>,
    /// The same key with the same request gets the first answer again.
    pub idempotency_key: Option<String>,
    /// What became of the request under its key.
    pub answered: Answered,
    /// For which state of what is changed this is meant; none means any.
    pub known: Option<Known>,
}

impl Caller {
    /// A caller without reason, ticket and key, who may do everything: the hub itself.
    pub fn new(actor: &str) -> Self {
        Self {
            actor: actor.to_owned(),
            grants: Grants::everything(),
            ..Self::default()
        }
    }

    /// Who only asks what such grants allow, and orders nothing.
    pub(crate) fn asking(grants: &Grants) -> Self {
        Self {
            grants: grants.clone(),
            ..Self::default()
        }
    }

    /// Whether this caller may do something to an object; what may not be seen is answered as given,
    /// like what is not there.
    fn may(
        &self,
        right: Right,
        object: Object<'_>,
        unseen: impl FnOnce() -> OpError,
    ) -> Result<(), OpError> {
        self.grants
            .decide(right, object)
            .map_err(|denied| match denied {
                Denied::Unseen => unseen(),
                Denied::Missing(missing) => OpError::forbidden(&self.actor, &missing),
            })
    }

    /// With a reason.
    pub fn because(mut self, reason: &str) -> Self {
        reason.clone_into(&mut self.reason);
        self
    }

    /// The same caller, whose answer is kept nowhere: it has a secret in it.
    fn shown_once(&self) -> Self {
        Self {
            answered: Answered::default(),
            ..self.clone()
        }
    }

    fn insist_on_reason(&self, what: &str) -> Result<(), OpError> {
        if self.reason.trim().is_empty() {
            let message = format!("{what} needs a reason");
            return Err(OpError::bad_input("reason.missing", &message)
                .in_field("reason")
                .try_this("say why with --reason"));
        }
        Ok(())
    }
}

/// The operations. Clones share the store.
#[derive(Debug, Clone)]
pub struct Ops {
    store: Store,
    leases: Leases,
    ages: Ages,
    stops: Stops,
    uses: Uses,
    granted: Granted,
}

/// What an attempt decided: committed, it gives its answer.
struct Prepared<A> {
    txn: Txn,
    answer: A,
    /// For the audit entry: the kind and name of what was changed.
    object: String,
    /// The row that is changed, where one was there before.
    thing: Option<Key>,
    before: Option<Digest>,
    after: Option<Digest>,
}

impl<A> Prepared<A> {
    fn new(txn: Txn, answer: A, object: String) -> Self {
        Self {
            txn,
            answer,
            object,
            thing: None,
            before: None,
            after: None,
        }
    }

    /// Changes the thing in this row.
    fn of(mut self, thing: Key) -> Self {
        self.thing = Some(thing);
        self
    }

    fn digests<B: Serialize, C: Serialize>(
        mut self,
        before: Option<&B>,
        after: Option<&C>,
    ) -> Self {
        self.before = before.and_then(|document| Digest::of_document(document).ok());
        self.after = after.and_then(|document| Digest::of_document(document).ok());
        self
    }
}

impl Ops {
    /// On a store, with the usual lease length.
    pub fn new(store: Store) -> Self {
        Self {
            store,
            leases: Leases::of(DEFAULT_LEASE),
            ages: Ages::default(),
            stops: Stops::default(),
            uses: Uses::default(),
            granted: Granted::default(),
        }
    }

    /// With the leases that the fleet grants, and granted: stated bounds follow from them.
    pub fn with_leases(mut self, leases: Leases) -> Self {
        self.leases = leases;
        self
    }

    /// The longest lease that may be out.
    pub fn longest_lease_out(&self, now: Tick) -> Duration {
        self.leases.longest(now)
    }

    /// The store that the operations change; for reading.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// Ids are short, for people, and follow from what is known, for the simulation.
    fn draw<R: Serialize>(&self, kind: char, caller: &Caller, args: &R, now: Tick) -> String {
        let known = (
            self.store.position(),
            now.wall,
            now.mono,
            &caller.actor,
            args,
        );
        let digest = Digest::of_document(&known)
            .unwrap_or_else(|_| Digest::of(now.wall.to_string().as_bytes()));
        format!("{kind}-{}", digest.short())
    }

    /// That what is changed is still as the caller knows it, for the commit; refused if it is not now.
    fn check<A>(
        &self,
        caller: &Caller,
        prepared: &Prepared<A>,
    ) -> Result<Option<Precondition>, OpError> {
        let known = caller.known.as_ref();
        let still = known.map(|known| known.holds(&self.store, prepared.thing.as_ref()));
        still.transpose()
    }

    /// Decides and commits, again if something changed in between.
    async fn transact<A, R>(
        &self,
        caller: &Caller,
        action: &str,
        request: &R,
        now: Tick,
        mut decide: impl FnMut() -> Result<Prepared<A>, OpError>,
    ) -> Result<A, OpError>
    where
        A: Serialize + DeserializeOwned,
        R: Serialize,
    {
        let once = Once::of(caller, action, request)?;
        for _ in 0..TRIES {
            if let Some(answer) = once.replay(&self.store)? {
                return Ok(answer);
            }
            let prepared = decide()?;
            let mut entry = AuditEntry::new(
                now.wall,
                &caller.actor,
                action,
                &prepared.object,
                &caller.reason,
            );
            entry.via = caller.via.as_ref().map(ToString::to_string);
            entry.ticket.clone_from(&caller.ticket);
            entry.before = prepared.before;
            entry.after = prepared.after;
            let still = self.check(caller, &prepared)?;
            let mut txn = prepared.txn.audit(entry);
            txn.preconditions.extend(still);
            match once.commit(self, txn, &prepared.answer, now).await? {
                Outcome::Committed { .. } => {
                    let (actor, reason) = (&caller.actor, &caller.reason);
                    let (object, ticket) = (&prepared.object, caller.ticket.as_deref());
                    tracing::info!(code = action, actor, object, reason, ticket, "changed");
                    return Ok(prepared.answer);
                }
                Outcome::Conflict { key } => {
                    tracing::debug!(%key, action, "changed in between, deciding again");
                }
            }
        }
        Err(OpError::conflict(
            "busy",
            "what this rests on changed each time it was decided; nothing was stored",
        )
        .try_this("try again"))
    }
}

impl From<StoreError> for OpError {
    fn from(error: StoreError) -> Self {
        let code = match &error {
            StoreError::DiskLow { .. } => "store.diskLow",
            StoreError::Io { .. } => "store.io",
            StoreError::Decode { .. } => "store.decode",
            StoreError::Open { .. } => "store.open",
            StoreError::Closed => "store.closed",
        };
        let remedy = match &error {
            StoreError::DiskLow { .. } => {
                "free space on the hub's disk; an abort still goes through"
            }
            StoreError::Io { .. } => "look at the hub's disk, then try again",
            StoreError::Decode { .. } | StoreError::Open { .. } => {
                "run the hub's version that wrote this store"
            }
            StoreError::Closed => "the hub is stopping; try again when it is back",
        };
        Self::unavailable(code, &error.to_string()).try_this(remedy)
    }
}
