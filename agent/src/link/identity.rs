//! The agent's identity on disk: its key, which never leaves the machine, and what enrolment gave it.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use flagship_proto::{
    identity::{IdentityError, peer_id},
    model::{ClusterName, ClusterUid, FleetId, InvalidId},
    process::files::{FileError, PRIVATE, private_folder, read, tighten_all, write_atomic},
    sign::{HubKeys, SignError, SignKey},
    tls::{self, CurrentCert, TlsError},
    wire,
};
use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{Member, seal::Keys};

const KEY: &str = "key.pem";
const MEMBERSHIP: &str = "membership.json";
const LARGEST: u64 = 1024 * 1024;

/// Who this agent is: certificate, key, the hub's CA and the hub's public keys.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Fleet, cluster and uid.
    pub member: Member,
    /// Certificate chain, leaf first, PEM.
    pub chain_pem: String,
    /// The hub's CA, PEM.
    pub ca_pem: String,
    /// The leaf's serial, hexadecimal.
    pub serial: String,
    /// When the certificate was received.
    pub received: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
    /// The hub's public keys.
    pub hub_keys: BTreeMap<String, Vec<u8>>,
    key_pem: String,
}

/// What enrolment gave, as it is stored.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub(crate) struct Membership {
    version: u32,
    cluster: ClusterName,
    uid: ClusterUid,
    fleet: FleetId,
    received: Timestamp,
    chain: String,
    ca: String,
    hub_keys: BTreeMap<String, String>,
}

/// Why an identity cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum BadIdentity {
    /// Reading or writing failed.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not what it should be.
    #[error("{} is torn or foreign ({problem}): it was left as it is; restore it, or move it away and enrol again", path.display())]
    Torn {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        problem: String,
    },
    /// Key and certificate do not fit.
    #[error("the certificate cannot be used: {0}")]
    Tls(#[from] TlsError),
    /// The key cannot be used.
    #[error("the key cannot be used: {0}")]
    Key(#[from] SignError),
    /// The certificate names nobody.
    #[error(transparent)]
    Certificate(#[from] IdentityError),
    /// The hub's answer has a name that cannot be one.
    #[error("the hub's answer cannot be used: {0}")]
    Name(#[from] InvalidId),
    /// The certificate names somebody else than it should.
    #[error("the certificate is for {certified}, not for {stated}")]
    Mismatch {
        /// Whom the certificate names.
        certified: String,
        /// Whom it should name.
        stated: String,
    },
}

/// The folder of an identity.
#[derive(Debug, Clone)]
pub struct IdentityFolder(PathBuf);

impl IdentityFolder {
    /// Under the agent's data folder.
    pub fn new(data: &Path) -> Self {
        Self(data.join("identity"))
    }

    /// The key; made and stored first where there is none, so that a lost answer of the hub locks
    /// nobody out (P2).
    pub fn key(&self) -> Result<SignKey, BadIdentity> {
        private_folder(&self.0)?;
        let path = self.0.join(KEY);
        tighten_all([self.0.as_path(), &path])?;
        match read(&path, LARGEST)? {
            Some(bytes) => {
                let torn = |problem: String| BadIdentity::Torn {
                    path: path.clone(),
                    problem,
                };
                let pem = String::from_utf8(bytes).map_err(|error| torn(error.to_string()))?;
                SignKey::from_pem(&pem).map_err(|error| torn(error.to_string()))
            }
            None => {
                let key = SignKey::generate()?;
                write_atomic(&path, key.to_pem().as_bytes(), PRIVATE)?;
                Ok(key)
            }
        }
    }

    /// The identity, if this agent is enrolled.
    pub fn load(&self) -> Result<Option<Identity>, BadIdentity> {
        let path = self.0.join(MEMBERSHIP);
        let Some(bytes) = read(&path, LARGEST)? else {
            return Ok(None);
        };
        let torn = |problem: String| BadIdentity::Torn {
            path: path.clone(),
            problem,
        };
        let (membership, hub_keys) = decode(&bytes).map_err(torn)?;
        let member = Member {
            fleet: membership.fleet,
            cluster: membership.cluster,
            uid: membership.uid,
        };
        let received = membership.received;
        let key = self.key()?;
        Identity::checked(
            member,
            membership.chain,
            membership.ca,
            received,
            hub_keys,
            &key,
        )
        .map(Some)
    }

    /// Checks and stores what the hub issued for this key; for this member, if one is named.
    pub fn store(
        &self,
        issued: wire::Issued,
        key: &SignKey,
        expected: Option<&Member>,
        now: Timestamp,
    ) -> Result<Identity, BadIdentity> {
        let member = Member {
            fleet: issued.fleet.parse()?,
            cluster: issued.cluster.parse()?,
            uid: issued.uid.parse()?,
        };
        if let Some(expected) = expected.filter(|expected| **expected != member) {
            return Err(BadIdentity::Mismatch {
                certified: format!("{}/{}", member.cluster, member.uid),
                stated: format!("{}/{}", expected.cluster, expected.uid),
            });
        }
        let hub_keys: BTreeMap<_, _> = issued.hub_keys.into_iter().collect();
        let (chain, ca) = (issued.chain_pem, issued.ca_pem);
        let identity = Identity::checked(member, chain, ca, now, hub_keys, key)?;
        let hub_keys = identity.hub_keys.iter();
        let membership = Membership {
            version: 1,
            cluster: identity.member.cluster.clone(),
            uid: identity.member.uid.clone(),
            fleet: identity.member.fleet.clone(),
            received: now,
            chain: identity.chain_pem.clone(),
            ca: identity.ca_pem.clone(),
            hub_keys: hub_keys
                .map(|(id, key)| (id.clone(), hex::encode(key)))
                .collect(),
        };
        let bytes = serde_json::to_vec_pretty(&membership).expect("text and text keys only");
        write_atomic(&self.0.join(MEMBERSHIP), &bytes, PRIVATE)?;
        Ok(identity)
    }
}

/// Reads what enrolment gave, and the hub's public keys in it; total on any bytes.
pub(crate) fn decode(bytes: &[u8]) -> Result<(Membership, BTreeMap<String, Vec<u8>>), String> {
    let membership: Membership =
        serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    if membership.version != 1 {
        return Err(format!("its form is {}", membership.version));
    }
    let decoded = |(id, key): (&String, &String)| Ok((id.clone(), hex::decode(key)?));
    let hub_keys: Result<_, hex::FromHexError> = membership.hub_keys.iter().map(decoded).collect();
    let hub_keys = hub_keys.map_err(|error| error.to_string())?;
    Ok((membership, hub_keys))
}

impl Identity {
    fn checked(
        member: Member,
        chain_pem: String,
        ca_pem: String,
        received: Timestamp,
        hub_keys: BTreeMap<String, Vec<u8>>,
        key: &SignKey,
    ) -> Result<Self, BadIdentity> {
        let key_pem = key.to_pem();
        CurrentCert::new(&chain_pem, &key_pem)?;
        let leaf = tls::certificates(&chain_pem)?;
        tls::roots(&ca_pem)?;
        let peer = peer_id(leaf.first().map_or(&[][..], |leaf| leaf.as_ref()))?;
        if peer.cluster != member.cluster || peer.uid != member.uid {
            return Err(BadIdentity::Mismatch {
                certified: format!("{}/{}", peer.cluster, peer.uid),
                stated: format!("{}/{}", member.cluster, member.uid),
            });
        }
        Ok(Self {
            member,
            chain_pem,
            ca_pem,
            serial: peer.serial,
            received,
            not_after: peer.not_after,
            hub_keys,
            key_pem,
        })
    }

    /// The key and certificate for TLS.
    pub fn certified(&self) -> Result<CurrentCert, TlsError> {
        CurrentCert::new(&self.chain_pem, &self.key_pem)
    }

    /// The seal of the link.
    pub fn keys(&self) -> Result<Keys, SignError> {
        Ok(Keys {
            hub: HubKeys::new(self.hub_keys.clone()),
            own: Arc::new(SignKey::from_pem(&self.key_pem)?),
            serial: self.serial.clone(),
        })
    }

    /// How long until the certificate is renewed: at two thirds of its life, spread by `jitter`
    /// (0 to 1) over the tenth before, so that a fleet enrolled at once does not renew at once.
    pub fn renew_after(&self, now: Timestamp, jitter: f64) -> Duration {
        let life = self.not_after.as_millisecond() - self.received.as_millisecond();
        #[expect(
            clippy::cast_precision_loss,
            clippy::cast_possible_truncation,
            reason = "a share of a certificate's life in ms is far below 2^52"
        )]
        let at = (life as f64 * (2.0 / 3.0 - 0.1 * jitter.clamp(0.0, 1.0))) as i64;
        let left = self.received.as_millisecond() + at - now.as_millisecond();
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }

    /// How long the certificate is still good.
    pub fn ends_after(&self, now: Timestamp) -> Duration {
        let left = self.not_after.as_millisecond() - now.as_millisecond();
        Duration::from_millis(u64::try_from(left).unwrap_or(0))
    }

    /// Whether the certificate has ended.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        now >= self.not_after
    }
}
