//! How a cluster comes into the fleet and stays in it: tokens, certificates, renewal. Each of it is one
//! transaction with its audit entry; each refusal is audited too, and says what was wrong.

mod brake;
mod refusal;
mod renew;
mod token;

#[cfg(test)]
mod tests;

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use flagship_proto::model::{ClusterName, ClusterUid, FleetId, Tick};
use jiff::Timestamp;

use crate::{
    audit::AuditEntry,
    ca::{AgentCert, Ca, CaError, Request},
    limit::Origin,
    records::{ClusterRow, PublicKey, Stored, key},
    store::{Outcome, Store, StoreError, Txn},
};

pub use refusal::EnrolError;

use brake::Brake;

/// How often a transaction that lost against another one is tried.
const TRIES: u32 = 5;
/// How many certificates of a cluster stay on record: receipts are verified with them.
const KEPT_KEYS: usize = 4;

/// What a cluster gets.
#[derive(Debug, Clone)]
pub enum Enrolled {
    /// Its certificate.
    Issued {
        /// The certificate.
        certificate: AgentCert,
        /// Who it is.
        cluster: ClusterName,
        /// Drawn for it.
        uid: ClusterUid,
    },
    /// A person has to approve it first; the agent asks again with the same key.
    Pending {
        /// What has to happen, in words.
        message: String,
    },
}

/// Enrolment over one store.
#[derive(Debug)]
pub struct Enrol {
    store: Store,
    ca: Arc<Ca>,
    fleet: FleetId,
    trust_domain: String,
    brake: Mutex<Brake>,
}

/// What is to be committed, and what the asker then gets.
struct Step {
    txn: Txn,
    outcome: Result<Enrolled, EnrolError>,
}

impl Step {
    /// An answer that changes nothing.
    fn nothing(outcome: Enrolled) -> Self {
        Self {
            txn: Txn::new(),
            outcome: Ok(outcome),
        }
    }
}

impl Enrol {
    /// Enrolment into `fleet`.
    pub fn new(store: Store, ca: Arc<Ca>, fleet: FleetId, trust_domain: &str) -> Self {
        Self {
            store,
            ca,
            fleet,
            trust_domain: trust_domain.to_owned(),
            brake: Mutex::default(),
        }
    }

    /// The fleet.
    pub fn fleet(&self) -> &FleetId {
        &self.fleet
    }

    /// The trust domain of its certificates.
    pub fn trust_domain(&self) -> &str {
        &self.trust_domain
    }

    /// The CA's certificate, PEM.
    pub fn ca_pem(&self) -> &str {
        self.ca.pem()
    }

    fn brake(&self) -> MutexGuard<'_, Brake> {
        self.brake.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// [`Enrol::settle`] for who has no certificate, within the limits of where it comes from.
    async fn settle_from(
        &self,
        from: Origin,
        who: &str,
        now: Tick,
        decide: impl Fn() -> Result<Step, EnrolError>,
    ) -> Result<Enrolled, EnrolError> {
        self.brake().attempt(from, now.mono)?;
        let who = format!("{who}, from {from}");
        let settled = self.settle(&who, &from.to_string(), now, decide).await;
        if settled.as_ref().is_err_and(EnrolError::is_refusal) {
            self.brake().failed(from, now.mono);
        }
        settled
    }

    /// Decides, commits, and decides again if what was read has changed meanwhile. A refusal is
    /// audited before it is answered, unless `source` had many.
    async fn settle(
        &self,
        who: &str,
        source: &str,
        now: Tick,
        decide: impl Fn() -> Result<Step, EnrolError>,
    ) -> Result<Enrolled, EnrolError> {
        let mut refusal = EnrolError::Busy;
        for _ in 0..TRIES {
            let Step { txn, outcome } = match decide() {
                Ok(step) => step,
                Err(error) => {
                    refusal = error;
                    break;
                }
            };
            if txn != Txn::new() {
                match self.store.txn(txn).await? {
                    Outcome::Committed { .. } => {}
                    Outcome::Conflict { .. } => continue,
                }
            }
            match outcome {
                Ok(enrolled) => return Ok(enrolled),
                Err(error) => refusal = error,
            }
            break;
        }
        self.audit_refusal(who, source, &refusal, now).await;
        Err(refusal)
    }

    async fn audit_refusal(&self, who: &str, source: &str, refusal: &EnrolError, now: Tick) {
        if !refusal.is_refusal() {
            tracing::warn!(%who, %refusal, "enrolment failed");
            return;
        }
        let reason = refusal.to_string();
        let noted = self
            .brake()
            .written
            .note(source.to_owned(), &reason, now.mono);
        let Some(reason) = noted else {
            tracing::debug!(%who, %refusal, "enrolment refused");
            return;
        };
        tracing::warn!(%who, refusal = reason, "enrolment refused");
        let shown: String = who.chars().take(160).collect();
        let entry = AuditEntry::new(now.wall, "agent", "enrol.refuse", &shown, &reason);
        if let Err(error) = self.store.txn(Txn::new().audit(entry)).await {
            tracing::warn!(%error, "a refusal was not audited");
        }
    }

    fn issue(
        &self,
        csr: &[u8],
        cluster: &ClusterName,
        uid: &ClusterUid,
        now: Timestamp,
    ) -> Result<AgentCert, EnrolError> {
        let request = Request::read(csr)?;
        Ok(self
            .ca
            .agent(request, &self.trust_domain, cluster, uid, now)?)
    }

    fn cluster(&self, name: &ClusterName) -> Result<Option<Stored<ClusterRow>>, StoreError> {
        self.store.read(&key::cluster(name))
    }

    /// The answer that was given before, from what is on record.
    fn again(&self, row: &ClusterRow, key: &PublicKey) -> Enrolled {
        let certificate = AgentCert {
            chain_pem: format!("{}{}", pem_of(&key.certificate), self.ca.pem()),
            der: key.certificate.clone(),
            serial: key.serial.clone(),
            not_after: key.not_after,
            public: key.spki.clone(),
        };
        Enrolled::Issued {
            certificate,
            cluster: row.name.clone(),
            uid: row.uid.clone(),
        }
    }
}

fn on_record(certificate: &AgentCert) -> PublicKey {
    PublicKey {
        spki: certificate.public.clone(),
        serial: certificate.serial.clone(),
        certificate: certificate.der.clone(),
        not_after: certificate.not_after,
        revoked: false,
    }
}

fn add_key(row: &mut ClusterRow, certificate: &AgentCert) {
    row.keys.insert(0, on_record(certificate));
    row.keys.truncate(KEPT_KEYS);
}

fn draw_uid() -> ClusterUid {
    hex::encode(rand::random::<[u8; 8]>())
        .parse()
        .expect("hexadecimal digits make a cluster uid")
}

fn pem_of(der: &[u8]) -> String {
    use base64::{Engine as _, engine::general_purpose::STANDARD};
    let text = STANDARD.encode(der);
    let mut pem = String::from("-----BEGIN CERTIFICATE-----\n");
    for line in text.as_bytes().chunks(64) {
        pem.push_str(std::str::from_utf8(line).expect("base64 is ASCII"));
        pem.push('\n');
    }
    pem.push_str("-----END CERTIFICATE-----\n");
    pem
}

impl From<CaError> for EnrolError {
    fn from(error: CaError) -> Self {
        match error {
            CaError::Request(why) => Self::Request(why),
            other @ (CaError::File(_)
            | CaError::Missing(_)
            | CaError::Garbled(_)
            | CaError::Make(_)) => Self::Ca(other.to_string()),
        }
    }
}
