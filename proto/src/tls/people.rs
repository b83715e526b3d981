//! Certificates of people: asked for in the handshake, judged afterwards, so that who is refused is told
//! why in words and not by a broken connection.
//!
//! The handshake proves only that the other side has the key of the certificate that it shows; what the
//! certificate is worth says [`PeopleCa::judge`], and nobody is let in before that.

use std::sync::Arc;

use rustls::{
    CertificateError, DigitallySignedStruct, DistinguishedName, Error, SignatureScheme,
    client::danger::HandshakeSignatureValid,
    server::{
        WebPkiClientVerifier,
        danger::{ClientCertVerified, ClientCertVerifier},
    },
};
use rustls_pki_types::{CertificateDer, UnixTime};

use super::{TlsError, certificates, provider, roots};
use crate::{
    digest::Digest,
    identity::{IdentityError, Person, person},
};

/// The CA whose certificates people come with.
#[derive(Debug)]
pub struct PeopleCa {
    verifier: Arc<dyn ClientCertVerifier>,
    hashes: Vec<Digest>,
}

/// Why a person's certificate is refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It names nobody.
    #[error("the certificate names nobody: {0}")]
    Nobody(#[from] IdentityError),
    /// Another CA signed it, or it has ended, or is not for this.
    #[error("the certificate of {name} is refused: {why}")]
    Untrusted {
        /// Whom it names.
        name: String,
        /// What is wrong with it.
        why: String,
    },
}

impl PeopleCa {
    /// From its PEM.
    pub fn new(pem: &str) -> Result<Self, TlsError> {
        let verifier =
            WebPkiClientVerifier::builder_with_provider(Arc::new(roots(pem)?), provider())
                .allow_unauthenticated()
                .build()?;
        let certificates = certificates(pem)?;
        Ok(Self {
            verifier,
            hashes: certificates.iter().map(|der| Digest::of(der)).collect(),
        })
    }

    /// Whether it trusts the CA with this hash.
    pub fn trusts(&self, hash: &Digest) -> bool {
        self.hashes.contains(hash)
    }

    /// Whose certificate this is, if it is good at this moment.
    pub fn judge(
        &self,
        chain: &[CertificateDer<'_>],
        now: jiff::Timestamp,
    ) -> Result<Person, Refused> {
        let Some((own, intermediates)) = chain.split_first() else {
            let none = IdentityError::Malformed("there is none".to_owned());
            return Err(Refused::Nobody(none));
        };
        let person = person(own)?;
        let seconds = u64::try_from(now.as_second()).unwrap_or_default();
        let now_there = UnixTime::since_unix_epoch(std::time::Duration::from_secs(seconds));
        let verified = self
            .verifier
            .verify_client_cert(own, intermediates, now_there);
        match verified {
            Ok(_) => Ok(person),
            Err(error) => Err(Refused::Untrusted {
                why: why(&person, &error, now),
                name: person.name,
            }),
        }
    }
}

fn why(person: &Person, error: &Error, now: jiff::Timestamp) -> String {
    let at = |time: jiff::Timestamp| time.strftime("%F %H:%M:%SZ").to_string();
    if person.not_after < now {
        return format!("it ended at {}", at(person.not_after));
    }
    if now < person.not_before {
        return format!("it is not good before {}", at(person.not_before));
    }
    // Another CA may call itself the same.
    let foreign = [
        CertificateError::UnknownIssuer,
        CertificateError::BadSignature,
    ];
    if foreign.map(Error::InvalidCertificate).contains(error) {
        return "its CA is not the one that this hub trusts for people".to_owned();
    }
    error.to_string()
}

impl ClientCertVerifier for PeopleCa {
    fn client_auth_mandatory(&self) -> bool {
        false
    }

    fn root_hint_subjects(&self) -> &[DistinguishedName] {
        self.verifier.root_hint_subjects()
    }

    fn verify_client_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: UnixTime,
    ) -> Result<ClientCertVerified, Error> {
        Ok(ClientCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls12_signature(message, certificate, signed)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, Error> {
        self.verifier
            .verify_tls13_signature(message, certificate, signed)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.verifier.supported_verify_schemes()
    }
}
