//! First contact: a token, a certificate request, and a name.

use flagship_proto::{
    digest::Digest,
    model::{ClusterName, EnrolToken, Tick},
};
use subtle::ConstantTimeEq as _;

use super::{Enrol, EnrolError, Enrolled, Step, add_key, draw_uid};
use crate::{
    audit::AuditEntry,
    ca::Request,
    limit::Origin,
    ops::join_standing_aborts,
    records::{
        self, ClusterRow, ClusterState, EnrolTokenRow, EnrolUse, Guard, PublicKey, Stored, key,
    },
    store::Txn,
};

const UNKNOWN: &str = "it is not known here; copy all of what `flagship token create` printed";

impl Enrol {
    /// A cluster enrols with a token. Inside the token's time it answers again for the same public
    /// key, so that a lost answer locks nobody out, and for no other (P2).
    pub async fn enroll(
        &self,
        token: &str,
        csr: &[u8],
        cluster: &str,
        from: Origin,
        now: Tick,
    ) -> Result<Enrolled, EnrolError> {
        let asked: String = cluster.chars().take(63).collect();
        let parsed: Result<EnrolToken, _> = token.parse();
        let who = match &parsed {
            Ok(token) if cluster.is_empty() => format!("token {}", token.id),
            Ok(token) => format!("token {}, cluster {asked:?}", token.id),
            Err(_) => format!("cluster {asked:?}"),
        };
        let decide = || {
            let token = parsed
                .as_ref()
                .map_err(|error| EnrolError::WrongToken(error.rule))?;
            self.decide(token, csr, cluster, now)
        };
        self.settle_from(from, &who, now, decide).await
    }

    fn decide(
        &self,
        token: &EnrolToken,
        csr: &[u8],
        cluster: &str,
        now: Tick,
    ) -> Result<Step, EnrolError> {
        let row = self.checked_token(token, now)?;
        let public = Request::read(csr)?.public().to_vec();
        let public_digest = Digest::of(&public);
        if let Some(used) = row.used.iter().find(|used| used.key == public_digest) {
            return self.replay(&row, used, &public, csr, now);
        }
        let used_up = u32::try_from(row.used.len()).unwrap_or(u32::MAX) >= row.uses;
        if used_up {
            return Err(EnrolError::Used(row.id.to_string()));
        }
        let name = named(&row, cluster)?;
        let existing = self.cluster(&name)?;
        self.join(&row, existing.as_ref(), name, public, csr, now)
    }

    fn checked_token(
        &self,
        token: &EnrolToken,
        now: Tick,
    ) -> Result<Stored<EnrolTokenRow>, EnrolError> {
        let row: Option<Stored<EnrolTokenRow>> = self.store.read(&key::enrol_token(&token.id))?;
        let expected = row.as_ref().map(|row| row.secret.hex()).unwrap_or_default();
        let given = token.secret_hash().hex();
        let is_right: bool = expected.as_bytes().ct_eq(given.as_bytes()).into();
        let Some(row) = row.filter(|_| is_right) else {
            return Err(EnrolError::WrongToken(UNKNOWN));
        };
        if row.revoked {
            return Err(EnrolError::Revoked(row.id.to_string()));
        }
        if row.expires <= now.wall {
            return Err(EnrolError::Expired {
                id: row.id.to_string(),
                at: row.expires,
            });
        }
        Ok(row)
    }

    /// The same key asks again: the same answer, or the certificate once a person has approved.
    fn replay(
        &self,
        token: &Stored<EnrolTokenRow>,
        used: &EnrolUse,
        public: &[u8],
        csr: &[u8],
        now: Tick,
    ) -> Result<Step, EnrolError> {
        let row = self
            .cluster(&used.cluster)?
            .filter(|row| row.uid == used.uid)
            .ok_or_else(|| EnrolError::Used(token.id.to_string()))?;
        match &row.state {
            ClusterState::Pending => return Ok(Step::nothing(pending(&row.name))),
            ClusterState::Active => {}
            ClusterState::Quarantined { .. } | ClusterState::Removed { .. } => {
                return Err(EnrolError::NotActive {
                    cluster: row.name.clone(),
                    state: row.state.word(),
                    remedy: "a person has to look: `flagship cluster list`, then enrol it with a new token",
                });
            }
        }
        let mut keys = row.keys.iter();
        let known = keys.find(|key| key.spki == public && !key.revoked);
        if let Some(key) = known
            && !key.certificate.is_empty()
            && key.not_after > now.wall
        {
            return Ok(Step::nothing(self.again(&row, key)));
        }
        if known.is_none() {
            return Err(EnrolError::Used(token.id.to_string()));
        }
        let certificate = self.issue(csr, &row.name, &row.uid, now.wall)?;
        let mut next = row.to_value();
        next.keys.retain(|key| !key.certificate.is_empty());
        add_key(&mut next, &certificate);
        let object = format!("cluster {}", row.name);
        let actor = format!("agent {}", row.name);
        let why = format!("with token {}, after approval", token.id);
        let entry = AuditEntry::new(now.wall, &actor, "cluster.enrol", &object, &why);
        Ok(Step {
            txn: Txn::new().unchanged(&row).put(&next).audit(entry),
            outcome: Ok(Enrolled::Issued {
                certificate,
                cluster: row.name.clone(),
                uid: row.uid.clone(),
            }),
        })
    }

    fn join(
        &self,
        token: &Stored<EnrolTokenRow>,
        existing: Option<&Stored<ClusterRow>>,
        name: ClusterName,
        public: Vec<u8>,
        csr: &[u8],
        now: Tick,
    ) -> Result<Step, EnrolError> {
        let is_member = |row: &&Stored<ClusterRow>| match row.state {
            ClusterState::Pending | ClusterState::Active | ClusterState::Quarantined { .. } => true,
            ClusterState::Removed { .. } => false,
        };
        let member = existing.filter(is_member);
        if member.is_some() && token.pattern != name.as_str() {
            return Err(EnrolError::NameTaken(name));
        }
        let uid = draw_uid();
        let how = records::Enrolled {
            at: now.wall,
            token: Some(token.id.clone()),
        };
        let mut row = ClusterRow::new(name.clone(), uid.clone(), token.labels.clone(), how);
        if let Some(before) = existing {
            row.former = before.former.clone();
            row.former.push(before.uid.clone());
        }
        let outcome = if token.approve {
            row.keys.push(PublicKey {
                spki: public.clone(),
                serial: String::new(),
                certificate: Vec::new(),
                not_after: now.wall,
                revoked: false,
            });
            pending(&name)
        } else {
            let certificate = self.issue(csr, &name, &uid, now.wall)?;
            row.state = ClusterState::Active;
            add_key(&mut row, &certificate);
            Enrolled::Issued {
                certificate,
                cluster: name.clone(),
                uid: uid.clone(),
            }
        };
        let mut used = token.to_value();
        used.used.push(EnrolUse {
            key: Digest::of(&public),
            cluster: name.clone(),
            uid,
            at: now.wall,
        });
        let object = format!("cluster {name}");
        let action = if token.approve {
            "cluster.ask"
        } else {
            "cluster.enrol"
        };
        let why = match member {
            Some(member) => format!("with token {}; replaces uid {}", token.id, member.uid),
            None => format!("with token {}", token.id),
        };
        let actor = format!("agent {name}");
        let entry = AuditEntry::new(now.wall, &actor, action, &object, &why);
        let txn = Txn::new().unchanged(token);
        let txn = match existing {
            Some(existing) => txn.unchanged(existing),
            None => txn.absent(key::cluster(&name)),
        };
        let txn = txn.put(&used).put(&row).audit(entry);
        let txn = match row.state {
            ClusterState::Active => {
                join_standing_aborts(&self.store, txn, &name, &row.uid, &row.labels, now.wall)?
            }
            // The member that it replaces leaves with this transaction (P15).
            ClusterState::Pending
            | ClusterState::Quarantined { .. }
            | ClusterState::Removed { .. } => match member {
                Some(_) => txn.put(&Guard { by: object }),
                None => txn,
            },
        };
        Ok(Step {
            txn,
            outcome: Ok(outcome),
        })
    }
}

/// The name that is meant: the one asked for, or the token's own if it names one cluster.
fn named(token: &EnrolTokenRow, asked: &str) -> Result<ClusterName, EnrolError> {
    let other = || EnrolError::OtherName {
        id: token.id.to_string(),
        pattern: token.pattern.clone(),
        asked: asked.chars().take(63).collect(),
    };
    let text = if asked.is_empty() {
        &token.pattern
    } else {
        asked
    };
    let name: ClusterName = text.parse().map_err(|_| other())?;
    if token.allows(&name) {
        Ok(name)
    } else {
        Err(other())
    }
}

fn pending(name: &ClusterName) -> Enrolled {
    Enrolled::Pending {
        message: format!("cluster {name} waits for approval: `flagship cluster approve {name}`"),
    }
}
