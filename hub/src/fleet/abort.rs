//! Aborts on their way out: to every session they concern, at once, signed once; lifts when they take
//! effect (P7–P9, P11). Nothing here waits for the leader or for orders.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
    time::Duration,
};

use flagship_proto::{
    model::{Abort, AbortId, ClusterUid, HubMessage, Scope, Signed, Tick},
    sign::Kind,
};

use super::{
    Fleet, KeptReceipt, SessionId,
    ledger::{Subject, Value},
    queue::Key,
    session_mut,
    view::StoredAbort,
};

/// An abort that stands and is not stored (P7).
#[derive(Debug, Clone, PartialEq)]
pub struct Unstored {
    /// The abort.
    pub abort: Abort,
    /// For a selector: whom it met.
    pub matched: Option<BTreeSet<ClusterUid>>,
    /// The longest lease that stands against it: its bound rests on it (P5).
    pub lease: Duration,
}

impl Fleet {
    /// An abort that could not be stored goes out all the same, without a position (P7). It is stored
    /// as soon as the store takes it, and can be lifted only then. A selector's abort goes to whom it
    /// meets now, and to nobody else (P9).
    pub fn abort_provisionally(&mut self, abort: Abort, now: Tick) {
        let matched = self.met_by(&abort.scope);
        self.abort_those(abort, matched, now);
    }

    /// An abort that a cluster showed, which therefore is in it whatever its labels say now.
    pub(super) fn abort_shown_by(&mut self, uid: &ClusterUid, abort: Abort, now: Tick) {
        let mut matched = self.met_by(&abort.scope);
        if let Some(matched) = &mut matched {
            matched.insert(uid.clone());
        }
        self.abort_those(abort, matched, now);
    }

    fn met_by(&self, scope: &Scope) -> Option<BTreeSet<ClusterUid>> {
        let Scope::Selector(selector) = scope else {
            return None;
        };
        let members = self.view.members.values();
        let met = members.filter(|member| selector.matches(&member.name, &member.labels));
        Some(met.map(|member| member.uid.clone()).collect())
    }

    fn abort_those(&mut self, abort: Abort, matched: Option<BTreeSet<ClusterUid>>, now: Tick) {
        let abort = Abort {
            position: None,
            ..abort
        };
        if self.view.aborts.contains_key(&abort.id) {
            return;
        }
        let stored = StoredAbort::new(abort.clone(), matched.clone(), now);
        self.view.aborts.insert(abort.id.clone(), stored);
        self.fan_out(&abort.id, now);
        self.take_over(abort, matched);
    }

    /// Aborts that went out and wait for a store that can be written.
    pub fn unstored(&self) -> Vec<Unstored> {
        let stand = self.view.aborts.values().filter(|stored| !stored.over);
        stand
            .filter(|stored| stored.abort.position.is_none())
            .map(|stored| Unstored {
                abort: stored.abort.clone(),
                matched: stored.clusters.clone(),
                lease: stored.lease.unwrap_or(self.config.lease),
            })
            .collect()
    }

    /// Answers to an abort that were taken and are on their way to the store, which may be full.
    pub fn receipts_under_way(&self, abort: &AbortId) -> BTreeMap<ClusterUid, KeptReceipt> {
        let subject = Subject::Receipt(abort.clone());
        let peers = self.peers.iter();
        peers
            .filter_map(|(uid, peer)| match peer.ledger.newest(&subject)? {
                Value::Receipt(kept) => Some((uid.clone(), kept.as_ref().clone())),
                Value::Report(_)
                | Value::Inventory(..)
                | Value::Quarantine(_)
                | Value::Offence(_)
                | Value::Seen(_)
                | Value::Given(_) => None,
            })
            .collect()
    }

    /// Tells every live session that an abort concerns.
    pub(super) fn fan_out(&mut self, abort: &AbortId, now: Tick) {
        let Some(stored) = self.view.aborts.get(abort) else {
            return;
        };
        let position = stored.abort.position;
        let ids: Vec<SessionId> = self
            .sessions
            .iter()
            .filter(|(_, session)| session.incarnation().is_some())
            .filter(|(_, session)| {
                let told = session.told.get(abort);
                if stored.over {
                    told.is_some() && !session.lifted.contains(abort)
                } else {
                    told != Some(&position) && self.view.concerns(stored, &session.peer.uid)
                }
            })
            .map(|(id, _)| *id)
            .collect();
        for id in ids {
            self.mark(id, Key::Abort(abort.clone()), now);
        }
    }

    /// Tells a session the aborts that it does not know yet and that concern it now.
    pub(super) fn tell_aborts(&mut self, id: SessionId, now: Tick) {
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        let missing: Vec<AbortId> = self
            .view
            .standing(&session.peer.uid)
            .filter(|stored| session.told.get(&stored.abort.id) != Some(&stored.abort.position))
            .map(|stored| stored.abort.id.clone())
            .collect();
        let over: Vec<AbortId> = session
            .told
            .keys()
            .filter(|id| self.view.aborts.get(*id).is_some_and(|stored| stored.over))
            .filter(|id| !session.lifted.contains(*id))
            .cloned()
            .collect();
        for abort in missing.into_iter().chain(over) {
            self.mark(id, Key::Abort(abort), now);
        }
    }

    /// The abort as it stands now, or its lift for who knows the abort.
    pub(super) fn render_abort(&mut self, id: SessionId, abort: &AbortId) -> Option<HubMessage> {
        let stored = self.view.aborts.get(abort)?;
        if stored.over {
            let session = self.sessions.get(&id)?;
            if !session.told.contains_key(abort) {
                return None;
            }
            let signed = self.signed_lift(abort)?;
            session_mut(&mut self.sessions, id)
                .lifted
                .insert(abort.clone());
            return Some(HubMessage::Lift(Box::new(signed.as_ref().clone())));
        }
        let position = stored.abort.position;
        let signed = self.signed_abort(abort)?;
        let session = self.sessions.get_mut(&id)?;
        session.told.insert(abort.clone(), position);
        Some(HubMessage::Abort(Box::new(signed.as_ref().clone())))
    }

    /// The abort as signed; signed the first time that it is asked for.
    pub(super) fn signed_abort(&mut self, abort: &AbortId) -> Option<Arc<Signed<Abort>>> {
        let stored = self.view.aborts.get(abort)?;
        if stored.signed.is_none() {
            let signed = Arc::new(self.sign(Kind::Abort, stored.abort.clone()));
            self.view.aborts.get_mut(abort)?.signed = Some(signed);
        }
        self.view.aborts.get(abort)?.signed.clone()
    }

    fn signed_lift(&mut self, abort: &AbortId) -> Option<Arc<Signed<flagship_proto::model::Lift>>> {
        let stored = self.view.aborts.get(abort)?;
        if stored.signed_lift.is_none() {
            let signed = Arc::new(self.sign(Kind::Lift, stored.lift.clone()?));
            self.view.aborts.get_mut(abort)?.signed_lift = Some(signed);
        }
        self.view.aborts.get(abort)?.signed_lift.clone()
    }

    /// A lift takes effect when every cluster that had something to stop has answered that it
    /// stopped, or after the bound (P8).
    pub(super) fn settle_lifts(&mut self, now: Tick) {
        let due: Vec<AbortId> = self
            .view
            .aborts
            .values()
            .filter(|stored| stored.lift.is_some() && !stored.over)
            .filter(|stored| {
                stored.is_past_bound(stored.lease.unwrap_or(self.config.lease), now)
                    || self.view.unanswered(stored).next().is_none()
            })
            .map(|stored| stored.abort.id.clone())
            .collect();
        for abort in due {
            if let Some(stored) = self.view.aborts.get_mut(&abort) {
                stored.over = true;
            }
            self.fan_out(&abort, now);
        }
    }
}
