//! What the hub says, and what is taken of it: sessions, orders, aborts, lifts, grants.

use std::collections::BTreeSet;

use flagship_proto::{
    model::{
        Abort, AbortId, Goodbye, GoodbyeCode, HubIncarnation, HubMessage, Incarnation, Intent,
        Lift, Order, Signed, SignedGrant, Term, Tick, Welcome,
    },
    mutant,
    precedence::{Verdict, admit},
};

use super::{
    Link,
    session::{Hangup, Refused, Session, Then},
    slot::Slot,
};
use crate::release::{Binding, KeptAbort, Release, Tombstone};

impl Link {
    /// A stream to the hub is open; `Hello` goes first.
    pub fn connected(&mut self) {
        self.session = Session::Opened;
    }

    /// The stream is gone. Orders, aborts and the lease stay as they are.
    pub fn disconnected(&mut self) {
        self.session = Session::Closed;
        self.leases.closed();
    }

    /// Takes what the hub said.
    pub fn receive(&mut self, message: HubMessage, now: Tick) -> Result<(), Refused> {
        self.tick(now);
        let outcome = match message {
            HubMessage::Welcome(welcome) => {
                self.welcome(welcome, now);
                Ok(())
            }
            HubMessage::Order(order) => self.order(*order, now),
            HubMessage::Abort(abort) => self.abort(*abort),
            HubMessage::Lift(lift) => {
                // What was refused because of it may be granted now.
                self.leases.ask_at_once(now.mono);
                self.lift(*lift)
            }
            HubMessage::LocalRelease(release) => self.local_release(*release, now),
            HubMessage::Grant(grant) => self.grant(grant, now),
            HubMessage::Ack(ack) => {
                if ack.incarnation == self.incarnation() {
                    self.outbox.acknowledged(ack.seq);
                }
                Ok(())
            }
            HubMessage::Goodbye(goodbye) => {
                self.goodbye(&goodbye);
                Ok(())
            }
        };
        self.tick(now);
        outcome
    }

    fn welcome(&mut self, welcome: Welcome, now: Tick) {
        // The right hub may answer at this address any moment: an on-call who put it back waits for no
        // agent longer than after a break.
        let hang_up = |reason: String| {
            Session::Over(Hangup {
                reason,
                then: Then::Again,
            })
        };
        if welcome.fleet != self.member.fleet {
            let (theirs, ours) = (&welcome.fleet, &self.member.fleet);
            self.session = hang_up(format!(
                "the hub is of fleet {theirs}, this agent of {ours}"
            ));
            return;
        }
        if welcome.uid != self.member.uid {
            let (theirs, ours) = (&welcome.uid, &self.member.uid);
            self.session = hang_up(format!(
                "the hub takes this agent for {theirs}, it is {ours}"
            ));
            return;
        }
        let bound = self.record.value().bound.clone();
        let behind = match bound {
            Some(bound)
                if welcome.term == bound.term && welcome.hub != bound.hub && !mutant("p21") =>
            {
                let HubIncarnation(theirs) = welcome.hub;
                self.session = hang_up(format!(
                    "hub {theirs} speaks in term {}, in which hub {} was seen: two hubs of one \
                     history are running; stop one of them",
                    welcome.term, bound.hub.0
                ));
                return;
            }
            Some(bound) if welcome.term < bound.term => true,
            Some(bound) if welcome.term == bound.term => false,
            Some(_) | None => {
                self.record.change().bound = Some(Binding {
                    term: welcome.term,
                    hub: welcome.hub,
                });
                false
            }
        };
        self.session = Session::Welcomed {
            term: welcome.term,
            behind,
        };
        self.barred = None;
        self.leases.opened(now.mono);
        self.receipts.opened();
        let all: Vec<_> = self.seen.values().map(|seen| seen.status.clone()).collect();
        self.outbox.opened(all.into_iter());
    }

    /// The term of the session, if its hub may say more than "stop".
    pub(super) fn term_of(&self, what: &'static str) -> Result<Term, Refused> {
        match &self.session {
            Session::Welcomed {
                term,
                behind: false,
            } => Ok(*term),
            Session::Welcomed { term, behind: true } => Err(Refused::Behind { what, term: *term }),
            Session::Closed | Session::Opened | Session::Greeted | Session::Over(_) => {
                Err(Refused::TooEarly { what })
            }
        }
    }

    fn order(&mut self, signed: Signed<Order>, now: Tick) -> Result<(), Refused> {
        let session = self.term_of("an order")?;
        let order = &signed.value;
        let workload = order.workload.clone();
        self.seal
            .check_order(&signed)
            .map_err(|error| Refused::Signature {
                what: format!("order for {workload}"),
                error,
            })?;
        if order.fleet != self.member.fleet {
            return Err(Refused::OtherFleet {
                workload,
                theirs: order.fleet.clone(),
                ours: self.member.fleet.clone(),
            });
        }
        if order.fence.term > session {
            return Err(Refused::TermAhead {
                workload,
                theirs: order.fence.term,
                session,
            });
        }
        let held = self.slots.get(&workload).map(Slot::fence);
        let verdict = admit(&self.member.uid, held, order).map_err(|refusal| Refused::Order {
            workload: workload.clone(),
            refusal: Box::new(refusal),
        })?;
        if verdict == Verdict::Held {
            return Ok(());
        }
        let release = Release::new(signed, now);
        match self.slots.get_mut(&workload) {
            Some(slot) => slot.take(release),
            None => {
                // Its file replaces the one that an earlier life of the cluster left.
                self.left.remove(&workload);
                self.slots.insert(workload, Slot::first(release));
            }
        }
        self.void_orders();
        Ok(())
    }

    /// Keeps an abort; any authenticated hub may add one, whatever its term (P7, P13).
    fn abort(&mut self, signed: Signed<Abort>) -> Result<(), Refused> {
        let id = signed.value.id.clone();
        self.seal
            .check_abort(&signed)
            .map_err(|error| Refused::Signature {
                what: format!("abort {id}"),
                error,
            })?;
        let book = self.aborts.value();
        if book.lifted.contains_key(&id) && !mutant("p07") {
            return Ok(());
        }
        let (held, at_rest) = match book.standing.get(&id) {
            // One that was provisional is replaced by what was stored; all else is known.
            Some(kept) if kept.signed.value.position >= signed.value.position => return Ok(()),
            Some(kept) => (kept.held, kept.at_rest.clone()),
            None => {
                let revisions = self.slots.values().map(|slot| slot.fence().revision);
                (
                    revisions.max().unwrap_or_default(),
                    self.at_rest(&signed.value),
                )
            }
        };
        let kept = KeptAbort {
            signed,
            held,
            at_rest,
            generation: self.aborts.generation() + 1,
        };
        self.aborts.change().standing.insert(id, kept);
        self.void_orders();
        Ok(())
    }

    /// Ends an abort; its id stays dead, and the orders that it voided stay void (P7, P8).
    fn lift(&mut self, signed: Signed<Lift>) -> Result<(), Refused> {
        self.term_of("a lift")?;
        let id = signed.value.abort.clone();
        self.seal
            .check_lift(&signed)
            .map_err(|error| Refused::Signature {
                what: format!("lift of abort {id}"),
                error,
            })?;
        let book = self.aborts.value();
        if book.lifted.contains_key(&id) {
            return Ok(());
        }
        let standing = book.standing.get(&id);
        if standing.is_some_and(|kept| kept.signed.value.position >= Some(signed.value.position)) {
            return Err(Refused::LiftBelow {
                abort: id,
                lift: signed.value.position,
            });
        }
        let book = self.aborts.change();
        let abort = book.standing.remove(&id);
        book.lifted.insert(
            id,
            Tombstone {
                lift: signed,
                abort,
            },
        );
        book.prune();
        let standing: BTreeSet<AbortId> = book.standing.keys().cloned().collect();
        self.receipts.only(&standing);
        Ok(())
    }

    fn grant(&mut self, signed: SignedGrant, now: Tick) -> Result<(), Refused> {
        let mut refused = None;
        for abort in signed.aborts {
            // One that is refused leaves the grant dead, as it is not kept.
            refused = self.abort(abort).err().or(refused);
        }
        self.term_of("a lease")?;
        self.shown_audit(signed.grant.audit, now);
        self.leases.answer(signed.grant);
        refused.map_or(Ok(()), Err)
    }

    /// Marks every Run order that an abort of the book voids; those of lifted ones too (P8).
    pub(super) fn void_orders(&mut self) {
        if mutant("p08") {
            return;
        }
        let book = self.aborts.value();
        let lifted = book.lifted.values().filter_map(|of| of.abort.as_ref());
        for kept in book.standing.values().chain(lifted) {
            for slot in self.slots.values_mut() {
                let voids = |release: &Release| {
                    release.order().intent == Intent::Run && kept.voids(release.order())
                };
                slot.void(voids, &kept.signed.value);
            }
        }
    }

    fn goodbye(&mut self, goodbye: &Goodbye) {
        let mut then = Then::Again;
        match goodbye.code {
            GoodbyeCode::NotLeading | GoodbyeCode::Draining | GoodbyeCode::BadMessage => {}
            GoodbyeCode::CertificateExpired => then = Then::Reenrol,
            GoodbyeCode::HubBehind => self.barred = Some(goodbye.clone()),
            GoodbyeCode::NewerSession | GoodbyeCode::Quarantined | GoodbyeCode::Removed => {
                then = Then::Rarely;
            }
            GoodbyeCode::OldIncarnation if self.raised => then = Then::Rarely,
            GoodbyeCode::OldIncarnation => self.rise_above(goodbye.highest),
        }
        if then == Then::Rarely {
            self.barred = Some(goodbye.clone());
        }
        if goodbye.code == GoodbyeCode::Removed {
            self.leases.ended(&goodbye.message);
        }
        self.session = Session::Over(Hangup {
            reason: format!("the hub ended the session: {}", goodbye.message),
            then,
        });
    }

    /// The data folder was put back: go above what the hub knows, once (S13).
    fn rise_above(&mut self, highest: Incarnation) {
        self.raised = true;
        let own = self.incarnation().0;
        self.record.change().incarnation = Incarnation(own.max(highest.0).saturating_add(1));
    }
}
