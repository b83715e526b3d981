//! What ends with time: sessions whose certificate ended, whose peer reads nothing or says nothing.

use flagship_proto::model::{GoodbyeCode, Tick};

use super::{
    Effect, Fleet, Offence, SessionId, bad, expired,
    session::{Stage, goodbye},
    session_mut,
};

impl Fleet {
    /// Time passed: closes what has to end, retries what was not stored, lets lifts take effect.
    /// Call it every second or so.
    pub fn tick(&mut self, now: Tick) {
        // Every agent asks for its lease each third of it. One whose stream is open and who does not
        // reads nothing either, or is none.
        let silence = self.config.stall.max(self.config.lease.own * 3);
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            let session = session_mut(&mut self.sessions, id);
            let since = |then: Tick| now.mono.since(then.mono).unwrap_or_default();
            let last = if session.peer.not_after <= now.wall {
                expired(&session.peer)
            } else if session.stage == Stage::Opened && since(session.opened) >= self.config.stall {
                bad("no Hello came")
            } else if session
                .queue
                .stalled_since()
                .is_some_and(|then| since(then) >= self.config.stall)
            {
                let why = format!("nothing was taken for {} s", self.config.stall.as_secs());
                self.cut(id, Offence::Deaf, &why, now);
                continue;
            } else if session.incarnation().is_some() && since(session.last_heard) >= silence {
                let why = format!("nothing came for {} s", silence.as_secs());
                self.cut(id, Offence::Silent, &why, now);
                continue;
            } else {
                continue;
            };
            self.end(id, last, now);
        }
        self.settle_lifts(now);
        self.retry();
    }

    /// Ends a session whose peer does not read: no last word reaches it.
    fn cut(&mut self, id: SessionId, offence: Offence, why: &str, now: Tick) {
        let session = session_mut(&mut self.sessions, id);
        session.stage = Stage::Ended;
        let uid = session.peer.uid.clone();
        self.effects.push(Effect::Cut(id));
        self.offend(&uid, offence, why, now);
    }

    /// Ends all sessions with a word; the process stops.
    pub fn drain(&mut self, now: Tick) {
        let ids: Vec<SessionId> = self.sessions.keys().copied().collect();
        for id in ids {
            let last = goodbye(GoodbyeCode::Draining, "the hub is stopping; come back soon");
            self.end(id, last, now);
        }
    }
}
