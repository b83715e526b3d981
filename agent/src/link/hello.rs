//! `Hello`: what the agent holds, so that the hub sends only what differs (S3) and sees whether it
//! is behind (P22).

use flagship_proto::model::{HeldWorkload, Hello, Proof, Signed};

use super::Link;

impl Link {
    /// The first message of a session. It names what is in force: an order that is not on disk yet
    /// is sent again after a crash.
    pub(super) fn hello(&self) -> Hello {
        let record = self.record.value();
        let bound = record.bound.clone();
        let (term, hub) = bound
            .map(|bound| (bound.term, bound.hub))
            .unwrap_or_default();
        let held = self.slots.values().filter_map(|slot| slot.in_force());
        let aborts = &self.aborts.value().standing;
        Hello {
            fleet: Some(self.member.fleet.clone()),
            incarnation: record.incarnation,
            term,
            hub,
            held: held
                .map(|release| HeldWorkload {
                    workload: release.order().workload.clone(),
                    fence: release.order().fence,
                    proof: Some(proof(&release.order)),
                })
                .collect(),
            aborts: aborts
                .iter()
                .map(|(id, kept)| (id.clone(), Some(proof(&kept.signed))))
                .collect(),
            inventory: self.inventory.clone(),
            witness: Some(self.witness()),
        }
    }
}

fn proof<T>(signed: &Signed<T>) -> Proof {
    Proof {
        body: signed.body.clone(),
        signature: signed.signature.clone(),
        key_id: signed.key_id.clone(),
    }
}
