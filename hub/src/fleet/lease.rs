//! What a view is worth (P3), and the lease that is granted on it (P4, S10).

use std::time::Duration;

use flagship_proto::model::{Fence, Grant, Mono, Position, Scope, SignedGrant, Tick};

use super::{Fleet, SessionId};

/// The moment as of which a replica's view is known to be complete (P3).
#[derive(Debug, Default)]
pub(super) struct Freshness {
    fresh_as_of: Option<Mono>,
    /// The oldest read whose position is not applied yet.
    pending: Option<(Mono, Position)>,
    /// The view lost its place and was not listed again since: no read proves anything.
    lost: bool,
}

impl Freshness {
    /// A linearizable read that began at `started` returned `position`.
    pub(super) fn read(&mut self, started: Mono, position: Position, applied: Position) {
        if self.lost {
            return;
        }
        if position <= applied {
            self.fresh_as_of = Some(started);
            self.pending = None;
        } else {
            self.pending.get_or_insert((started, position));
        }
    }

    /// Rows were applied up to a position.
    pub(super) fn applied(&mut self, position: Position) {
        if let Some((started, wanted)) = self.pending
            && wanted <= position
        {
            self.fresh_as_of = Some(started);
            self.pending = None;
        }
    }

    /// The view lost its place (a watch ended, rows were compacted): nothing is known any more.
    pub(super) fn lose(&mut self) {
        *self = Self {
            lost: true,
            ..Self::default()
        };
    }

    /// A list at one revision was applied: reads count again.
    pub(super) fn listed(&mut self) {
        self.lost = false;
    }

    /// How old the view is; none where nothing is known.
    pub(super) fn age(&self, now: Mono) -> Option<Duration> {
        now.since(self.fresh_as_of?)
    }
}

impl Fleet {
    /// A linearizable read of the store began at `started` and returned its position. Without one
    /// after the last watch error no lease is given (P3).
    pub fn read(&mut self, started: Mono, position: Position) {
        self.freshness.read(started, position, self.view.at);
    }

    /// The watch lost its place: no lease until [`Fleet::load`] and a read after it.
    pub fn lost(&mut self) {
        self.freshness.lose();
    }

    /// Answers the last lease request: what is left of L as of the view's own moment, the watermark of
    /// the cluster's orders and the complete list of standing aborts (P4).
    pub(super) fn grant(&mut self, id: SessionId, now: Tick) -> Option<SignedGrant> {
        let session = self.sessions.get_mut(&id)?;
        let request = session.asked.take()?;
        let uid = session.peer.uid.clone();
        let standing: Vec<_> = self
            .view
            .standing(&uid)
            .map(|s| s.abort.id.clone())
            .collect();
        let aborts: Vec<_> = standing
            .iter()
            .filter_map(|abort| self.signed_abort(abort))
            .map(|signed| signed.as_ref().clone())
            .collect();
        let (length, refused) = match self.lease_for(id, now) {
            Ok(length) => (length, String::new()),
            Err(why) => (Duration::ZERO, why),
        };
        let session = self.sessions.get_mut(&id)?;
        for abort in &aborts {
            session
                .told
                .insert(abort.value.id.clone(), abort.value.position);
        }
        if length > Duration::ZERO {
            let until = now.plus(length);
            self.peers.entry(uid.clone()).or_default().lease_until = Some(until);
            self.tally.granted += 1;
        } else {
            self.tally.refused += 1;
        }
        Some(SignedGrant {
            grant: Grant {
                nonce: request.nonce,
                length,
                watermark: self.view.watermark(&uid),
                aborts: aborts.iter().map(|signed| signed.value.clone()).collect(),
                refused,
                audit: self.audit,
            },
            aborts,
        })
    }

    fn lease_for(&self, id: SessionId, now: Tick) -> Result<Duration, String> {
        let session = self.sessions.get(&id).ok_or("the session is closed")?;
        if session.incarnation().is_none() {
            return Err("the session ends".to_owned());
        }
        if let Some(behind) = &self.behind {
            return Err(format!("the hub's store is behind: {}", behind.why));
        }
        if let Some(why) = self.quarantine(&session.peer.uid) {
            return Err(format!("the cluster is quarantined: {why}"));
        }
        if let Some(why) = self.unconfirmed(&session.peer.uid) {
            return Err(why.to_owned());
        }
        let unknown = session.held.iter().find(|(workload, held)| {
            let ours = self.view.fence(&session.peer.uid, workload);
            **held != Fence::default() && ours.is_none_or(|ours| **held > ours)
        });
        if let Some((workload, held)) = unknown {
            return Err(format!(
                "the agent holds an order for {workload} at {held}, which the store does not have"
            ));
        }
        let fleet_scope = self
            .view
            .standing(&session.peer.uid)
            .find(|stored| stored.abort.scope == Scope::Fleet);
        if let Some(stored) = fleet_scope {
            return Err(format!("abort {} of the fleet stands", stored.abort.id));
        }
        let blind = flagship_proto::mutant("p03").then_some(Duration::ZERO);
        let Some(age) = blind.or_else(|| self.freshness.age(now.mono)) else {
            return Err("the hub does not know that its view of the store is fresh".to_owned());
        };
        let length = self.config.lease.own.saturating_sub(age);
        if length.is_zero() {
            return Err(format!(
                "the hub's view of the store is {} s old",
                age.as_secs()
            ));
        }
        Ok(length)
    }
}
