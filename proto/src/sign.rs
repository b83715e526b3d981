//! Signatures: what a hub orders and what an agent answers can be shown to a third party (P21, S15).
//!
//! ECDSA P-256 with SHA-256 over "flagship-<kind>-v1", a zero byte, and the body's bytes.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ECDSA_P256_SHA256_ASN1, UnparsedPublicKey};
use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PublicKeyData as _, SigningKey as _};
use serde::Serialize;
use x509_parser::{
    prelude::{FromDer, X509Certificate},
    x509::SubjectPublicKeyInfo,
};

use crate::{
    digest::{Digest, canonical},
    model::{Proof, Receipt, Signed, SignedReceipt},
};

/// What a signature is for; a signature for one kind is worth nothing for another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An order of the hub.
    Order,
    /// An abort of the hub.
    Abort,
    /// A lift of the hub.
    Lift,
    /// The end of a local control, by a person on the hub.
    LocalRelease,
    /// A receipt of an agent.
    Receipt,
    /// A request to enrol again, signed with the old key.
    Reenroll,
}

impl Kind {
    fn prefix(self) -> &'static [u8] {
        match self {
            Self::Order => b"flagship-order-v1\0",
            Self::Abort => b"flagship-abort-v1\0",
            Self::Lift => b"flagship-lift-v1\0",
            Self::LocalRelease => b"flagship-local-release-v1\0",
            Self::Receipt => b"flagship-receipt-v1\0",
            Self::Reenroll => b"flagship-reenroll-v1\0",
        }
    }

    fn message(self, body: &[u8]) -> Vec<u8> {
        [self.prefix(), body].concat()
    }
}

/// Why something could not be signed, or a signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignError {
    /// A key or certificate cannot be read.
    #[error("key cannot be used: {0}")]
    Key(String),
    /// The body cannot be written as canonical JSON.
    #[error("body cannot be encoded: {0}")]
    Encode(String),
    /// The key is not among those that are trusted.
    #[error("signed with key {0}, which is not known")]
    UnknownKey(String),
    /// The signature is not of this key over these bytes.
    #[error("the signature does not match")]
    Mismatch,
}

/// A private key that signs; of a hub (orders) or of an agent (receipts).
#[derive(Debug)]
pub struct SignKey {
    pair: KeyPair,
    id: String,
}

impl SignKey {
    /// A new key.
    pub fn generate() -> Result<Self, SignError> {
        KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256)
            .map(Self::from_pair)
            .map_err(key_error)
    }

    /// Reads a key from PEM (PKCS#8).
    pub fn from_pem(pem: &str) -> Result<Self, SignError> {
        KeyPair::from_pem(pem)
            .map(Self::from_pair)
            .map_err(key_error)
    }

    fn from_pair(pair: KeyPair) -> Self {
        let id = key_id(&pair.subject_public_key_info());
        Self { pair, id }
    }

    /// PEM (PKCS#8); keep it in a private file.
    pub fn to_pem(&self) -> String {
        self.pair.serialize_pem()
    }

    /// The key pair, for certificate requests.
    pub fn pair(&self) -> &KeyPair {
        &self.pair
    }

    /// Names the key: the first 16 hexadecimal digits of the SHA-256 of its public half.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// The public half, SubjectPublicKeyInfo, DER.
    pub fn public(&self) -> Vec<u8> {
        self.pair.subject_public_key_info()
    }

    /// Signs bytes.
    pub fn sign_bytes(&self, kind: Kind, body: &[u8]) -> Result<Vec<u8>, SignError> {
        self.pair.sign(&kind.message(body)).map_err(key_error)
    }

    /// Signs a value's canonical JSON.
    pub fn sign<T: Serialize>(&self, kind: Kind, value: T) -> Result<Signed<T>, SignError> {
        let body = canonical(&value).map_err(|error| SignError::Encode(error.to_string()))?;
        let signature = self.sign_bytes(kind, &body)?;
        Ok(Signed {
            value,
            body,
            signature,
            key_id: self.id.clone(),
        })
    }

    /// Signs a receipt; `serial` is that of the certificate for this key.
    pub fn sign_receipt(&self, receipt: Receipt, serial: &str) -> Result<SignedReceipt, SignError> {
        let signed = self.sign(Kind::Receipt, receipt)?;
        let Signed {
            value,
            body,
            signature,
            key_id: _,
        } = signed;
        Ok(SignedReceipt {
            receipt: value,
            body,
            signature,
            serial: serial.to_owned(),
        })
    }
}

fn key_error(error: rcgen::Error) -> SignError {
    SignError::Key(error.to_string())
}

/// Names a public key given as SubjectPublicKeyInfo, DER.
pub fn key_id(public: &[u8]) -> String {
    Digest::of(public).hex()[..16].to_owned()
}

/// Public keys of a hub by key id: what an agent trusts for orders, aborts and lifts.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct HubKeys(BTreeMap<String, Vec<u8>>);

impl HubKeys {
    /// From SubjectPublicKeyInfo, DER, by key id.
    pub fn new(keys: impl IntoIterator<Item = (String, Vec<u8>)>) -> Self {
        Self(keys.into_iter().collect())
    }

    /// Checks that one of these keys signed the body.
    pub fn verify<T>(&self, kind: Kind, signed: &Signed<T>) -> Result<(), SignError> {
        self.check(kind, &signed.key_id, &signed.body, &signed.signature)
    }

    /// Checks what an agent kept as proof.
    pub fn verify_proof(&self, kind: Kind, proof: &Proof) -> Result<(), SignError> {
        self.check(kind, &proof.key_id, &proof.body, &proof.signature)
    }

    fn check(&self, kind: Kind, id: &str, body: &[u8], signature: &[u8]) -> Result<(), SignError> {
        let unknown = || SignError::UnknownKey(id.chars().take(64).collect());
        verify_public(self.0.get(id).ok_or_else(unknown)?, kind, body, signature)
    }
}

/// Checks a signature with a public key (SubjectPublicKeyInfo, DER).
pub fn verify_public(
    public: &[u8],
    kind: Kind,
    body: &[u8],
    signature: &[u8],
) -> Result<(), SignError> {
    let (_, parsed) =
        SubjectPublicKeyInfo::from_der(public).map_err(|e| SignError::Key(e.to_string()))?;
    verify_point(&parsed.subject_public_key.data, kind, body, signature)
}

/// Checks a signature with the key that a certificate (DER) certifies.
pub fn verify_certified(
    certificate: &[u8],
    kind: Kind,
    body: &[u8],
    signature: &[u8],
) -> Result<(), SignError> {
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|e| SignError::Key(e.to_string()))?;
    verify_point(
        &parsed.public_key().subject_public_key.data,
        kind,
        body,
        signature,
    )
}

/// Checks a receipt's bytes, never a re-encoding of them (S15).
pub fn verify_receipt(certificate: &[u8], receipt: &SignedReceipt) -> Result<(), SignError> {
    verify_certified(
        certificate,
        Kind::Receipt,
        &receipt.body,
        &receipt.signature,
    )
}

fn verify_point(point: &[u8], kind: Kind, body: &[u8], signature: &[u8]) -> Result<(), SignError> {
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, point)
        .verify(&kind.message(body), signature)
        .map_err(|_| SignError::Mismatch)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_counts_for_its_key_its_kind_and_its_bytes_only() {
        let key = SignKey::generate().unwrap();
        let again = SignKey::from_pem(&key.to_pem()).unwrap();
        let signed = again.sign(Kind::Order, "stop").unwrap();
        let keys = HubKeys::new([(key.id().to_owned(), key.public())]);
        assert_eq!(keys.verify(Kind::Order, &signed), Ok(()));
        assert_eq!(keys.verify(Kind::Lift, &signed), Err(SignError::Mismatch));

        let mut forged = signed.clone();
        forged.body = b"\"go\"".to_vec();
        assert_eq!(keys.verify(Kind::Order, &forged), Err(SignError::Mismatch));

        let stranger = SignKey::generate()
            .unwrap()
            .sign(Kind::Order, "stop")
            .unwrap();
        let refused = keys.verify(Kind::Order, &stranger).unwrap_err();
        assert_eq!(refused, SignError::UnknownKey(stranger.key_id));
    }
}
