//! Going on after history went back (P21, P22): the one transaction that begins a new epoch. It
//! stands above everything that was ever seen, nothing advances by what was ordered before it, and
//! people look at members and rollouts before they go on.

use flagship_proto::model::{ClusterName, Position, Term};
use flagship_waves::{Request, Wish, allowed};
use jiff::Timestamp;

use crate::{
    audit::AuditEntry,
    leader::LeaderError,
    records::{
        ClusterRow, ClusterState, EnrolTokenRow, FleetMeta, Guard, OrderRow, PlanRow, RolloutRow,
        SeenRow, Stored, TermRow, key,
    },
    store::{Outcome, Store, Txn},
};

/// How many numbers of rollouts each epoch has of its own: more than a plan can have had in the
/// history that is given up.
pub const NUMBERS: u64 = 1000;

/// Who says that history went back, and how.
#[derive(Debug, Clone)]
pub struct Said<'a> {
    /// `fleet.recover` or `fleet.restore`.
    pub action: &'a str,
    /// Who.
    pub actor: &'a str,
    /// Why.
    pub reason: &'a str,
    /// When.
    pub at: Timestamp,
}

/// What the new epoch began with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewEpoch {
    /// Its number.
    pub epoch: u64,
    /// Where its first transaction stands.
    pub position: Position,
    /// Rollouts that are paused by it.
    pub paused: Vec<String>,
    /// Members that have to be confirmed.
    pub unconfirmed: Vec<ClusterName>,
    /// How many Run orders became Hold.
    pub held: usize,
    /// How many enrolment tokens were revoked: one that was used up after the copy would count again.
    pub revoked: usize,
}

/// Begins a new epoch. The store must be open by nobody else.
pub async fn begin(store: &Store, said: &Said<'_>) -> Result<NewEpoch, LeaderError> {
    let fleet: Stored<FleetMeta> = store.read(&key::fleet())?.ok_or(LeaderError::NoFleet)?;
    let term: Option<Stored<TermRow>> = store.read(&key::term())?;
    let seen: Option<Stored<SeenRow>> = store.read(&key::seen())?;
    let seen = seen.map(Stored::into_value).unwrap_or_default();
    let at = store.position();
    let epochs = [
        at.epoch,
        fleet.epoch,
        term.map_or(0, |term| term.term.epoch),
        seen.epoch,
        seen.claimed_epoch,
    ];
    let epoch = epochs
        .into_iter()
        .max()
        .unwrap_or_default()
        .saturating_add(1);
    let position = Position {
        epoch,
        seq: at.seq.max(seen.seq).saturating_add(1),
    };
    let mut began = NewEpoch {
        epoch,
        position,
        paused: Vec::new(),
        unconfirmed: Vec::new(),
        held: 0,
        revoked: 0,
    };
    let mut meta = fleet.to_value();
    meta.epoch = epoch;
    let by = said.action.to_owned();
    let mut txn = Txn::new()
        .unchanged(&fleet)
        .put(&meta)
        .put(&Guard { by })
        .rising_to(position)
        .urgent();
    txn = hold_orders(store, txn, said, &mut began)?;
    txn = pause_rollouts(store, txn, said, &mut began)?;
    txn = skip_numbers(store, txn)?;
    txn = ask_for_confirmation(store, txn, said, &mut began)?;
    txn = revoke_tokens(store, txn, &mut began)?;
    let object = format!("fleet {} (epoch {epoch}, above {at})", meta.fleet);
    let mut entry = AuditEntry::new(said.at, said.actor, said.action, &object, said.reason);
    entry.before = flagship_proto::digest::Digest::of_document(&*fleet.value).ok();
    entry.after = flagship_proto::digest::Digest::of_document(&meta).ok();
    match store.txn(txn.audit(entry)).await? {
        Outcome::Committed { position } => Ok(NewEpoch { position, ..began }),
        Outcome::Conflict { .. } => Err(LeaderError::Lost),
    }
}

/// Every order is written again, so that it supersedes what agents hold of the history that is
/// given up; a Run becomes a Hold.
fn hold_orders(
    store: &Store,
    mut txn: Txn,
    said: &Said<'_>,
    began: &mut NewEpoch,
) -> Result<Txn, LeaderError> {
    let orders: Vec<Stored<OrderRow>> = store.read_all(key::ORDERS)?;
    for row in orders {
        let term = Term {
            epoch: began.epoch,
            counter: 0,
        };
        let reason = || {
            began.held += 1;
            format!("{}: {}", said.action, said.reason)
        };
        txn = txn.put(&OrderRow::superseding(row.order(), term, reason));
    }
    Ok(txn)
}

/// What goes on is paused; what goes back, was aborted or has ended stays as it is. What a person
/// asked and nobody has heard yet may make it go on: then the pause is asked after it.
fn pause_rollouts(
    store: &Store,
    mut txn: Txn,
    said: &Said<'_>,
    began: &mut NewEpoch,
) -> Result<Txn, LeaderError> {
    let rollouts: Vec<Stored<RolloutRow>> = store.read_all(key::ROLLOUTS)?;
    for row in rollouts.iter().filter(|row| !row.state.is_over()) {
        let asked = row.open_requests().next().is_some();
        if !asked && allowed(&row.state, &Wish::Pause, false).is_err() {
            continue;
        }
        let mut next = row.to_value();
        next.requests.push(Request {
            id: row.next_request(),
            at: said.at,
            actor: said.actor.to_owned(),
            reason: format!("{}: {}", said.action, said.reason),
            wish: Wish::Pause,
        });
        began.paused.push(format!("{}/{}", row.project, row.id));
        txn = txn.put(&next);
    }
    Ok(txn)
}

/// A rollout's name never comes twice: agents know runs of the history that is given up by it.
fn skip_numbers(store: &Store, mut txn: Txn) -> Result<Txn, LeaderError> {
    let plans: Vec<Stored<PlanRow>> = store.read_all(key::PLANS)?;
    for row in plans {
        let mut next = row.to_value();
        next.last_number = (next.last_number / NUMBERS + 1).saturating_mul(NUMBERS);
        txn = txn.put(&next);
    }
    Ok(txn)
}

/// Who was removed or revoked since may be a member again: nothing advances in any until a person
/// has looked.
fn ask_for_confirmation(
    store: &Store,
    mut txn: Txn,
    said: &Said<'_>,
    began: &mut NewEpoch,
) -> Result<Txn, LeaderError> {
    let clusters: Vec<Stored<ClusterRow>> = store.read_all(key::CLUSTERS)?;
    for row in clusters {
        match row.state {
            ClusterState::Active => {}
            ClusterState::Pending
            | ClusterState::Quarantined { .. }
            | ClusterState::Removed { .. } => continue,
        }
        let mut next = row.to_value();
        next.unconfirmed = Some(said.at);
        began.unconfirmed.push(next.name.clone());
        txn = txn.put(&next);
    }
    Ok(txn)
}

fn revoke_tokens(store: &Store, mut txn: Txn, began: &mut NewEpoch) -> Result<Txn, LeaderError> {
    let tokens: Vec<Stored<EnrolTokenRow>> = store.read_all(key::ENROL_TOKENS)?;
    for row in tokens.iter().filter(|row| !row.revoked) {
        let mut next = row.to_value();
        next.revoked = true;
        began.revoked += 1;
        txn = txn.put(&next);
    }
    Ok(txn)
}

#[cfg(test)]
mod tests;
