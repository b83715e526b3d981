//! The hub's own certificate authority: certificates of agents (7 days, SPIFFE id) and of the hub itself.
//!
//! The key lies in the data folder, for its owner only. What joins trusts the CA by the SHA-256 of its
//! certificate, which enrolment tokens carry and `flagship login` pins.

#[cfg(test)]
mod tests;

use std::{net::IpAddr, path::Path, time::Duration};

use flagship_proto::{
    digest::Digest,
    identity::spiffe_id,
    model::{ClusterName, ClusterUid},
    process::files::{self, FileError, PRIVATE},
};
use jiff::Timestamp;
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, IsCa, Issuer, KeyPair, KeyUsagePurpose,
    PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SanType, SerialNumber,
};
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, pem::PemObject as _};
use time::OffsetDateTime;

/// How long an agent's certificate lives, unless it is said otherwise.
pub const AGENT_LIFE: Duration = Duration::from_secs(7 * 24 * 3600);
/// How long the hub's own certificate lives; it is made anew at each start and each week.
pub const SERVER_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);
const CA_LIFE: Duration = Duration::from_secs(20 * 365 * 24 * 3600);
/// Certificates are good from a little before now: clocks differ.
const BACKDATED: Duration = Duration::from_secs(5 * 60);

const KEY_FILE: &str = "ca.key.pem";
const CERTIFICATE_FILE: &str = "ca.pem";

/// Why the CA cannot do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub enum CaError {
    /// Its files.
    #[error(transparent)]
    File(#[from] FileError),
    /// A file is not there.
    #[error("{0} is missing: run `flagship-hub init`, or give the folder that it made with --data")]
    Missing(String),
    /// A file that holds no certificate or key.
    #[error("{0} cannot be read as PEM: put back the file that `flagship-hub init` made")]
    Garbled(String),
    /// What was asked to be signed is not a certificate request that can be signed.
    #[error("certificate request is refused: {0}")]
    Request(String),
    /// A certificate could not be made.
    #[error("certificate cannot be made: {0}")]
    Make(#[from] rcgen::Error),
}

/// The authority.
#[derive(Debug)]
pub struct Ca {
    issuer: Issuer<'static, KeyPair>,
    pem: String,
    der: Vec<u8>,
    agent_life: Duration,
}

/// A certificate for the hub's own ports.
#[derive(Debug)]
pub struct ServerCert {
    /// The certificate and the CA's, PEM: what pins the CA by its hash finds it in the chain.
    pub chain_pem: String,
    /// Its key, PEM.
    pub key_pem: String,
}

/// A certificate for an agent.
#[derive(Debug, Clone)]
pub struct AgentCert {
    /// The certificate and the CA's, PEM.
    pub chain_pem: String,
    /// The certificate, DER.
    pub der: Vec<u8>,
    /// Its serial, hexadecimal.
    pub serial: String,
    /// When it ends.
    pub not_after: Timestamp,
    /// The public key that it certifies, SubjectPublicKeyInfo, DER.
    pub public: Vec<u8>,
}

/// A certificate request that was checked: its signature proves that the asker has the key.
#[derive(Debug)]
pub struct Request {
    parsed: CertificateSigningRequestParams,
    public: Vec<u8>,
}

impl Request {
    /// Reads and checks a PKCS#10 request, DER. Only its key is taken from it.
    pub fn read(der: &[u8]) -> Result<Self, CaError> {
        let request = CertificateSigningRequestDer::from(der);
        let parsed = CertificateSigningRequestParams::from_der(&request)
            .map_err(|error| CaError::Request(error.to_string()))?;
        if parsed.public_key.algorithm() != &PKCS_ECDSA_P256_SHA256 {
            let rule = "its key is not an ECDSA key on P-256";
            return Err(CaError::Request(rule.to_owned()));
        }
        let public = parsed.public_key.subject_public_key_info();
        Ok(Self { parsed, public })
    }

    /// The public key, SubjectPublicKeyInfo, DER.
    pub fn public(&self) -> &[u8] {
        &self.public
    }
}

impl Ca {
    /// Makes a new authority and keeps it in the folder.
    pub fn create(folder: &Path, fleet: &str, now: Timestamp) -> Result<Self, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params(&format!("flagship CA {fleet}"), now, CA_LIFE);
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let certificate = params.self_signed(&key)?;
        files::write_atomic(
            &folder.join(KEY_FILE),
            key.serialize_pem().as_bytes(),
            PRIVATE,
        )?;
        files::write_atomic(
            &folder.join(CERTIFICATE_FILE),
            certificate.pem().as_bytes(),
            0o644,
        )?;
        Self::open(folder)
    }

    /// Reads the authority that [`Ca::create`] kept in the folder.
    pub fn open(folder: &Path) -> Result<Self, CaError> {
        let key_pem = read(folder, KEY_FILE)?;
        let pem = read(folder, CERTIFICATE_FILE)?;
        let garbled = |file: &str| CaError::Garbled(folder.join(file).display().to_string());
        let key = KeyPair::from_pem(&key_pem).map_err(|_| garbled(KEY_FILE))?;
        let der = CertificateDer::from_pem_slice(pem.as_bytes())
            .map_err(|_| garbled(CERTIFICATE_FILE))?;
        let issuer = Issuer::from_ca_cert_der(&der, key).map_err(|_| garbled(CERTIFICATE_FILE))?;
        Ok(Self {
            issuer,
            pem,
            der: der.to_vec(),
            agent_life: AGENT_LIFE,
        })
    }

    /// The same, for agents' certificates that live this long.
    pub fn with_agent_life(mut self, life: Duration) -> Self {
        self.agent_life = life;
        self
    }

    /// SHA-256 of the CA's certificate, DER: what tokens and logins pin.
    pub fn hash(&self) -> Digest {
        Digest::of(&self.der)
    }

    /// The CA's certificate, PEM.
    pub fn pem(&self) -> &str {
        &self.pem
    }

    /// A certificate with a new key for the hub's own ports.
    pub fn server(
        &self,
        names: &[String],
        addresses: &[IpAddr],
        now: Timestamp,
    ) -> Result<ServerCert, CaError> {
        let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)?;
        let mut params = params("flagship-hub", now, SERVER_LIFE);
        for name in names {
            params
                .subject_alt_names
                .push(SanType::DnsName(name.as_str().try_into()?));
        }
        let addresses = addresses.iter().map(|address| SanType::IpAddress(*address));
        params.subject_alt_names.extend(addresses);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = params.signed_by(&key, &self.issuer)?;
        Ok(ServerCert {
            chain_pem: format!("{}{}", certificate.pem(), self.pem),
            key_pem: key.serialize_pem(),
        })
    }

    /// A certificate for an agent's key. Everything but the key is the hub's to say.
    pub fn agent(
        &self,
        request: Request,
        trust_domain: &str,
        cluster: &ClusterName,
        uid: &ClusterUid,
        now: Timestamp,
    ) -> Result<AgentCert, CaError> {
        self.agent_for(request, trust_domain, cluster, uid, now, self.agent_life)
    }

    fn agent_for(
        &self,
        request: Request,
        trust_domain: &str,
        cluster: &ClusterName,
        uid: &ClusterUid,
        now: Timestamp,
        life: Duration,
    ) -> Result<AgentCert, CaError> {
        let mut params = params(cluster.as_str(), now, life);
        let id = spiffe_id(trust_domain, cluster, uid);
        params.subject_alt_names = vec![SanType::URI(id.as_str().try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let serial = draw_serial();
        params.serial_number = Some(SerialNumber::from_slice(&serial));
        let not_after = Timestamp::from_second(params.not_after.unix_timestamp())
            .expect("the end of a life that began now is a time");
        let request_with_ours = CertificateSigningRequestParams {
            params,
            public_key: request.parsed.public_key,
        };
        let certificate = request_with_ours.signed_by(&self.issuer)?;
        Ok(AgentCert {
            chain_pem: format!("{}{}", certificate.pem(), self.pem),
            der: certificate.der().to_vec(),
            serial: hex::encode(serial),
            not_after,
            public: request.public,
        })
    }
}

fn params(name: &str, now: Timestamp, life: Duration) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.use_authority_key_identifier_extension = true;
    let begin = OffsetDateTime::from_unix_timestamp(now.as_second())
        .expect("the clock shows a time within the calendar");
    params.not_before = begin - BACKDATED;
    params.not_after = begin + life;
    params
}

/// 16 random bytes; the first is between 0x40 and 0x7f, so that DER writes them as they are.
fn draw_serial() -> [u8; 16] {
    let mut serial: [u8; 16] = rand::random();
    serial[0] = (serial[0] & 0x3f) | 0x40;
    serial
}

fn read(folder: &Path, file: &str) -> Result<String, CaError> {
    let path = folder.join(file);
    let shown = || path.display().to_string();
    let bytes = files::read(&path, 64 * 1024)?.ok_or_else(|| CaError::Missing(shown()))?;
    String::from_utf8(bytes).map_err(|_| CaError::Garbled(shown()))
}
