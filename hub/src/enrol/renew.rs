//! A member's next certificate: over its live one, or after its end with proof of the old key.
//!
//! It is always for the same key, which never leaves the cluster. Whoever proves that key and asks
//! for another one would make two live keys for one uid: such a cluster is quarantined (P1).

use std::time::Duration;

use flagship_proto::{
    identity::{PeerId, peer_id},
    model::Tick,
    sign::{Kind, verify_certified},
};
use jiff::SignedDuration;

use super::{Enrol, EnrolError, Enrolled, Step, add_key};
use crate::{
    audit::AuditEntry,
    ca::{AGENT_LIFE, Request},
    fleet::rows::quarantine,
    limit::Origin,
    records::{ClusterRow, ClusterState, PublicKey, Stored},
    store::Txn,
};

/// How long after its end a certificate still proves whose key it was.
pub(super) const GRACE: Duration = Duration::from_secs(30 * 24 * 3600);

impl Enrol {
    /// A member whose certificate lives asks for the next one. The old one stays good to its end: a
    /// second connection with the new one comes first, then the first closes.
    pub async fn renew(
        &self,
        peer: &PeerId,
        csr: &[u8],
        now: Tick,
    ) -> Result<Enrolled, EnrolError> {
        let who = format!("cluster {} ({})", peer.cluster, peer.uid);
        let decide = || {
            let row = self.member(peer)?;
            self.next_certificate(peer, &row, csr, "cluster.renew", now)
        };
        self.settle(&who, &who, now, decide).await
    }

    /// A member whose certificate ended proves that it has the key of it.
    pub async fn reenroll(
        &self,
        certificate: &[u8],
        csr: &[u8],
        signature: &[u8],
        from: Origin,
        now: Tick,
    ) -> Result<Enrolled, EnrolError> {
        let peer = peer_id(certificate);
        let who = match &peer {
            Ok(peer) => format!("cluster {} ({})", peer.cluster, peer.uid),
            Err(_) => "an unreadable certificate".to_owned(),
        };
        let decide = || {
            let peer = peer
                .as_ref()
                .map_err(|error| EnrolError::Certificate(error.to_string()))?;
            let row = self.member(peer)?;
            let is_ours = row.keys.iter().any(|key| key.certificate == certificate);
            if !is_ours {
                let why = "this fleet did not give it to this cluster";
                return Err(EnrolError::Certificate(why.to_owned()));
            }
            verify_certified(certificate, Kind::Reenroll, csr, signature)
                .map_err(|error| EnrolError::Certificate(error.to_string()))?;
            let over = peer.not_after.saturating_add(GRACE);
            if over.is_ok_and(|over| over <= now.wall) {
                return Err(EnrolError::GraceOver(peer.not_after));
            }
            self.next_certificate(peer, &row, csr, "cluster.reenrol", now)
        };
        self.settle_from(from, &who, now, decide).await
    }

    /// The row of a member that comes with a certificate on record.
    fn member(&self, peer: &PeerId) -> Result<Stored<ClusterRow>, EnrolError> {
        let row = self.cluster(&peer.cluster)?;
        let row = row.filter(|row| row.uid == peer.uid && peer.trust_domain == self.trust_domain);
        let Some(row) = row else {
            let why = format!(
                "{} ({}) is not a member of this fleet",
                peer.cluster, peer.uid
            );
            return Err(EnrolError::Certificate(why));
        };
        let has_serial = row
            .keys
            .iter()
            .any(|key| key.serial == peer.serial && !key.revoked);
        if !has_serial {
            let why = format!("certificate {} was replaced or revoked", peer.serial);
            return Err(EnrolError::Certificate(why));
        }
        match &row.state {
            ClusterState::Active => Ok(row),
            ClusterState::Pending
            | ClusterState::Quarantined { .. }
            | ClusterState::Removed { .. } => Err(EnrolError::NotActive {
                cluster: row.name.clone(),
                state: row.state.word(),
                remedy: "a person has to look: `flagship cluster list`",
            }),
        }
    }

    fn next_certificate(
        &self,
        peer: &PeerId,
        row: &Stored<ClusterRow>,
        csr: &[u8],
        action: &str,
        now: Tick,
    ) -> Result<Step, EnrolError> {
        let request = Request::read(csr)?;
        let is_known = |key: &PublicKey| key.serial == peer.serial && key.spki == request.public();
        if !row.keys.iter().any(is_known) {
            let why = format!(
                "who has the key of certificate {} asked for a certificate for another key: \
                 two keys for one cluster; enrol the cluster again with a new token, or approve it if you know why",
                peer.serial
            );
            return Ok(Step {
                txn: quarantine(row, &why, now),
                outcome: Err(EnrolError::OtherKey(row.name.clone())),
            });
        }
        // An answer that was lost is given again: what the agent lives by stays on record.
        if let Some(newest) = row.keys.first()
            && newest.serial != peer.serial
            && newest.spki == request.public()
            && !newest.revoked
            && newest.not_after.duration_since(now.wall) > half_a_life()
        {
            return Ok(Step::nothing(self.again(row, newest)));
        }
        // Only here: whoever has not proved the member's key uses nothing up.
        self.brake().renewal(&row.uid, now.mono)?;
        let certificate = self.issue(csr, &row.name, &row.uid, now.wall)?;
        let mut next = row.to_value();
        add_key(&mut next, &certificate);
        let object = format!("cluster {}", row.name);
        let actor = format!("agent {}", row.name);
        let why = format!(
            "certificate {} until {}",
            certificate.serial, certificate.not_after
        );
        let entry = AuditEntry::new(now.wall, &actor, action, &object, &why);
        Ok(Step {
            txn: Txn::new().unchanged(row).put(&next).audit(entry),
            outcome: Ok(Enrolled::Issued {
                certificate,
                cluster: row.name.clone(),
                uid: row.uid.clone(),
            }),
        })
    }
}

fn half_a_life() -> SignedDuration {
    SignedDuration::try_from(AGENT_LIFE / 2).expect("half a week is a duration")
}
