//! Receipts: what counts as an agent's answer to an abort. The bytes are verified with the certificate
//! on record, which is kept with them, so that a third party can check them later (S15).

use std::sync::Arc;

use flagship_proto::{
    model::{ClusterUid, Position, SignedReceipt, Tick},
    sign::{SignError, verify_receipt},
};

use super::{
    Alarm, Effect, Fleet, Offence, SessionId,
    ledger::{KeptReceipt, Subject, Value},
    view::{StoredReceipt, StoredReport},
};

/// Whether a receipt's bytes were signed with the key of the certificate on record. Takes no part of
/// the fleet, so that it can be found out outside its lock.
#[derive(Debug)]
pub struct Checked {
    signed: SignedReceipt,
    certificate: Option<Arc<[u8]>>,
    verdict: Result<(), SignError>,
}

impl Checked {
    /// Verifies the bytes (S15).
    pub fn new(signed: SignedReceipt, certificate: Option<Arc<[u8]>>) -> Self {
        let verdict = match &certificate {
            Some(certificate) => verify_receipt(certificate, &signed),
            None => Ok(()),
        };
        Self {
            signed,
            certificate,
            verdict,
        }
    }
}

impl Fleet {
    /// The certificate of a session's cluster with this serial, where one is on record.
    pub fn certificate(&self, id: SessionId, serial: &str) -> Option<Arc<[u8]>> {
        let session = self.sessions.get(&id)?;
        let member = self.view.members.get(&session.peer.uid)?;
        member.certificates.get(serial).cloned()
    }

    /// Takes a receipt whose bytes were checked.
    pub fn receipt(&mut self, id: SessionId, checked: Checked, now: Tick) {
        let Checked {
            signed,
            certificate,
            verdict,
        } = checked;
        if !self.hears(id, now) {
            return;
        }
        self.tally.receipts += 1;
        let Some(session) = self.sessions.get(&id) else {
            return;
        };
        let receipt = &signed.receipt;
        let uid = session.peer.uid.clone();
        let is_own = receipt.uid == uid && receipt.cluster == session.peer.cluster;
        let certificate = match (certificate, verdict) {
            _ if !is_own => Err(format!(
                "a receipt in the name of {} ({}) came on its session",
                receipt.cluster, receipt.uid
            )),
            (None, _) => Err(format!(
                "a receipt names certificate {}, which is not on record",
                signed.serial
            )),
            (Some(_), Err(error)) => Err(format!(
                "a receipt for abort {} is refused: {error}",
                receipt.abort
            )),
            (Some(certificate), Ok(())) => Ok(certificate),
        };
        let certificate = match certificate {
            Ok(certificate) => certificate,
            Err(problem) => {
                let alarm = Alarm::Forged(session.peer.cluster.clone(), problem.clone());
                self.effects.push(Effect::Alarm(alarm));
                self.end_for(id, Offence::Forgery, &problem, now);
                return;
            }
        };
        if self.is_replayed(&uid, &signed) || !self.view.aborts.contains_key(&receipt.abort) {
            return;
        }
        let subject = Subject::Receipt(receipt.abort.clone());
        let kept = KeptReceipt {
            signed,
            certificate,
            taken: now.wall,
        };
        self.put(&uid, subject, Value::Receipt(Box::new(kept)));
    }

    /// Whether a newer receipt of this agent, or the same, is stored or on its way.
    fn is_replayed(&self, uid: &ClusterUid, signed: &SignedReceipt) -> bool {
        let receipt = &signed.receipt;
        let age = (receipt.incarnation, receipt.seq);
        let stored = self
            .view
            .receipts
            .get(&receipt.abort)
            .and_then(|by_cluster| by_cluster.get(uid));
        let subject = Subject::Receipt(receipt.abort.clone());
        let on_its_way = self
            .peers
            .get(uid)
            .and_then(|peer| peer.ledger.newest(&subject));
        let newer_on_its_way = match on_its_way {
            Some(Value::Receipt(kept)) => {
                (kept.signed.receipt.incarnation, kept.signed.receipt.seq) >= age
            }
            Some(
                Value::Report(_)
                | Value::Inventory(..)
                | Value::Quarantine(_)
                | Value::Seen(_)
                | Value::Given(_)
                | Value::Offence(_),
            )
            | None => false,
        };
        newer_on_its_way || stored.is_some_and(|last| (last.incarnation, last.seq) >= age)
    }

    /// A write of an agent's words was committed: the view shows it at once, so that the next write
    /// of the same row is compared with it and not with what the watch has brought so far.
    pub(super) fn note(&mut self, uid: &ClusterUid, value: &Value, position: Position) {
        match value {
            Value::Report(reported) => {
                let row = StoredReport {
                    incarnation: reported.incarnation,
                    seq: reported.seq,
                    status: reported.status.clone(),
                    modified: position,
                };
                let rows = self.view.reports.entry(uid.clone()).or_default();
                rows.insert(reported.status.workload.clone(), Box::new(row));
            }
            Value::Receipt(kept) => {
                let receipt = &kept.signed.receipt;
                let row = StoredReceipt {
                    incarnation: receipt.incarnation,
                    seq: receipt.seq,
                    is_final: receipt.is_final(),
                    not_stopped: receipt.could_not_stop(),
                    modified: position,
                };
                let rows = self.view.receipts.entry(receipt.abort.clone()).or_default();
                rows.insert(uid.clone(), row);
            }
            Value::Inventory(inventory, incarnation) => {
                if let Some(member) = self.view.members.get_mut(uid) {
                    member.inventory = inventory.as_ref().clone();
                    member.incarnation = member.incarnation.max(*incarnation);
                    member.modified = position;
                }
            }
            // The watch brings these rows.
            Value::Seen(_) | Value::Given(_) => {}
            Value::Quarantine(why) => {
                if let Some(member) = self.view.members.get_mut(uid) {
                    member.quarantine = Some(why.clone());
                    member.modified = position;
                }
            }
            Value::Offence(_) => {}
        }
    }
}
