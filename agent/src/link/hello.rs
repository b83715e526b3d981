//! `Hello`: what the agent holds, so that the hub sends only what differs (S3) and sees whether it
//! is behind (P22).

use flagship_proto::model::{HeldWorkload, Hello, Proof, Signed};

use super::Link;

/// So many bytes of proofs are shown of orders, and as many of aborts. A hub takes a message of 1 MiB, and one
/// that does not fit is heard by nobody: an agent that shows too much would never be told to stop again.
const PROVEN: usize = 320 * 1024;

/// So many aborts are shown, the newest: a hub takes no more, and tells again what is not shown.
const SHOWN: usize = 4096;

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
        let mut held: Vec<_> = held.collect();
        // The newest prove the most, here too.
        held.sort_by_key(|release| std::cmp::Reverse(release.order().fence));
        let mut room_of_orders = Room(PROVEN);
        let mut aborts: Vec<_> = self.aborts.value().standing.iter().collect();
        // What no hub has stored is known by its proof alone; of the rest the newest prove the most.
        aborts.sort_by_key(|(_, kept)| {
            let position = kept.signed.value.position;
            (position.is_some(), std::cmp::Reverse(position))
        });
        let mut room = Room(PROVEN);
        Hello {
            fleet: Some(self.member.fleet.clone()),
            incarnation: record.incarnation,
            term,
            hub,
            held: held
                .into_iter()
                .map(|release| HeldWorkload {
                    workload: release.order().workload.clone(),
                    fence: release.order().fence,
                    proof: room_of_orders.proof(&release.order),
                })
                .collect(),
            aborts: aborts
                .into_iter()
                .take(SHOWN)
                .map(|(id, kept)| (id.clone(), room.proof(&kept.signed)))
                .collect(),
            inventory: self.inventory.clone(),
            witness: Some(self.witness()),
        }
    }
}

/// Bytes that are left for proofs.
struct Room(usize);

impl Room {
    /// The proof, if there is room for it; without one a hub takes what is held as a claim.
    fn proof<T>(&mut self, signed: &Signed<T>) -> Option<Proof> {
        let size = signed.body.len() + signed.signature.len();
        self.0 = self.0.checked_sub(size)?;
        Some(Proof {
            body: signed.body.clone(),
            signature: signed.signature.clone(),
            key_id: signed.key_id.clone(),
        })
    }
}
