//! Aborts on their way out: to every session they concern, at once, signed once; lifts when they take
//! effect (P7–P9, P11). Nothing here waits for the leader or for orders.

use std::{collections::BTreeMap, sync::Arc};

use flagship_proto::{
    model::{Abort, AbortId, ClusterUid, HubMessage, Reach, Scope, Signed, Tick},
    sign::Kind,
};

use super::{
    Fleet, KeptReceipt, SessionId,
    ledger::{Subject, Unstored, Value},
    queue::Key,
    session_mut,
    view::StoredAbort,
};

impl Fleet {
    /// An abort that could not be stored goes out all the same, without a position (P7). It is stored
    /// as soon as the store takes it, and can be lifted only then. A selector's abort goes to whom it
    /// meets now, as far as its author's right reaches, and to nobody else (P9).
    pub fn abort_provisionally(&mut self, abort: Abort, now: Tick) {
        self.abort_those(abort, None, now);
    }

    /// An abort that a cluster showed, which therefore is in it whatever its labels say now. One that was
    /// signed before aborts said how far their author's right reached counts for all whom its selector
    /// meets.
    pub(super) fn abort_shown_by(&mut self, uid: &ClusterUid, abort: Abort, now: Tick) {
        self.abort_those(abort, Some(uid), now);
    }

    fn abort_those(&mut self, abort: Abort, shown_by: Option<&ClusterUid>, now: Tick) {
        if self.view.aborts.contains_key(&abort.id) {
            return;
        }
        let abort = Abort {
            position: None,
            ..abort
        };
        let mut stored = StoredAbort::new(abort, None, now);
        stored.lease = Some(self.config.lease.longest(now));
        if let Scope::Selector(_) = stored.abort.scope {
            let members = self.view.members.values();
            let met = members.filter(|member| self.view.is_joined_by(&stored, member));
            let met = met.map(|member| &member.uid).chain(shown_by);
            stored.clusters = Some(met.cloned().collect());
        }
        let id = stored.abort.id.clone();
        let unstored = self.unstored_of(&stored);
        self.view.aborts.insert(id.clone(), stored);
        self.fan_out(&id, now);
        self.take_over(unstored);
    }

    fn unstored_of(&self, stored: &StoredAbort) -> Unstored {
        Unstored {
            abort: stored.abort.clone(),
            matched: stored.clusters.clone(),
            lease: stored.lease.unwrap_or(self.config.lease.own),
        }
    }

    /// Aborts that went out and wait for a store that can be written.
    pub fn unstored(&self) -> Vec<Unstored> {
        let stand = self.view.aborts.values().filter(|stored| !stored.over);
        stand
            .filter(|stored| stored.abort.position.is_none())
            .map(|stored| self.unstored_of(stored))
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
            let told = Abort {
                reach: stored.abort.reach.as_ref().and_then(Reach::carried),
                ..stored.abort.clone()
            };
            let signed = Arc::new(self.sign(Kind::Abort, told));
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
                stored.is_past_bound(stored.lease.unwrap_or(self.config.lease.own), now)
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
