//! What a session sends next: keys become messages here, with the values of this moment.

use flagship_proto::{
    model::{HubMessage, Intent, Signed, Tick, Welcome},
    sign::Kind,
};
use serde::Serialize;

use super::{Fleet, Next, SessionId, queue::Key, session::Stage};

impl Fleet {
    /// What a session sends next. Values are read here, so that the latest is sent.
    pub fn take(&mut self, id: SessionId, now: Tick) -> Next {
        loop {
            let Some(session) = self.sessions.get_mut(&id) else {
                return Next::End;
            };
            if session.stage == Stage::Ended {
                return Next::End;
            }
            let Some(key) = session.queue.take(now) else {
                return Next::Wait;
            };
            if let Some(message) = self.render(id, key, now) {
                return Next::Message(message);
            }
        }
    }

    fn render(&mut self, id: SessionId, key: Key, now: Tick) -> Option<HubMessage> {
        let session = self.sessions.get_mut(&id)?;
        let uid = session.peer.uid.clone();
        match key {
            Key::Welcome => Some(HubMessage::Welcome(Welcome {
                fleet: self.config.fleet.clone(),
                term: self.config.term,
                hub: self.config.hub.clone(),
                incarnation: session.incarnation()?,
                uid,
                at: now.wall,
            })),
            Key::Abort(abort) => self.render_abort(id, &abort),
            Key::Goodbye => {
                let Stage::Ending(last) = std::mem::replace(&mut session.stage, Stage::Ended)
                else {
                    return None;
                };
                Some(HubMessage::Goodbye(last))
            }
            Key::Order(workload) => {
                let order = self.view.order(&uid, &workload)?;
                let is_stopped = self.behind.is_some()
                    || self.quarantine(&uid).is_some()
                    || self.unconfirmed(&uid).is_some();
                if order.intent == Intent::Run && is_stopped {
                    return None;
                }
                let session = self.sessions.get_mut(&id)?;
                if session
                    .held
                    .get(&workload)
                    .is_some_and(|held| *held >= order.fence)
                {
                    return None;
                }
                session.held.insert(workload, order.fence);
                Some(HubMessage::Order(Box::new(self.sign(Kind::Order, order))))
            }
            Key::LocalRelease(workload) => self.render_local_release(&uid, &workload),
            Key::Grant => self.grant(id, now).map(HubMessage::Grant),
            Key::Ack => {
                let ack = self.peers.get(&uid)?.ledger.ack()?;
                session.acked = Some(ack);
                Some(HubMessage::Ack(ack))
            }
        }
    }

    pub(super) fn sign<T: Serialize>(&self, kind: Kind, value: T) -> Signed<T> {
        self.key
            .sign(kind, value)
            .expect("the key signed before and the contract's types are plain data")
    }
}
