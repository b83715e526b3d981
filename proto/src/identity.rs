//! Who a peer is: what its certificate says, never a field of a message (P1).

use jiff::Timestamp;
use x509_parser::prelude::{FromDer, GeneralName, ParsedExtension, X509Certificate};

use crate::model::{ClusterName, ClusterUid, text::is_name};

/// An agent, as its certificate names it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PeerId {
    /// The fleet's trust domain.
    pub trust_domain: String,
    /// The cluster's name.
    pub cluster: ClusterName,
    /// The cluster's uid.
    pub uid: ClusterUid,
    /// The certificate's serial, hexadecimal.
    pub serial: String,
    /// When the certificate ends.
    pub not_after: Timestamp,
}

/// A person, as a certificate names them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The common name of the certificate's subject.
    pub name: String,
    /// The certificate's serial, hexadecimal.
    pub serial: String,
    /// From when on it is good.
    pub not_before: Timestamp,
    /// When it ends.
    pub not_after: Timestamp,
}

/// Why a certificate names nobody.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// It is not a certificate.
    #[error("not an X.509 certificate: {0}")]
    Malformed(String),
    /// It has no SPIFFE id of a cluster, or more than one.
    #[error(
        "the certificate's subject alternative names hold no single spiffe://<trust-domain>/cluster/<name>/<uid>"
    )]
    NoSpiffeId,
    /// Its subject has no common name, or more than one.
    #[error("the certificate's subject has not one common name of 1 to 63 characters")]
    NoName,
}

/// Reads whom a certificate (DER) names as a person. Whether it is to be trusted is another question.
pub fn person(certificate: &[u8]) -> Result<Person, IdentityError> {
    let malformed = |error: String| IdentityError::Malformed(error);
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|error| malformed(error.to_string()))?;
    let mut names = parsed.subject().iter_common_name();
    let (Some(name), None) = (names.next(), names.next()) else {
        return Err(IdentityError::NoName);
    };
    let name = name.as_str().map_err(|_| IdentityError::NoName)?;
    if !is_name(name) {
        return Err(IdentityError::NoName);
    }
    let time = |seconds: i64| {
        Timestamp::from_second(seconds).map_err(|error| malformed(error.to_string()))
    };
    Ok(Person {
        name: name.to_owned(),
        serial: hex::encode(parsed.raw_serial()),
        not_before: time(parsed.validity().not_before.timestamp())?,
        not_after: time(parsed.validity().not_after.timestamp())?,
    })
}

/// The SPIFFE id of a cluster.
pub fn spiffe_id(trust_domain: &str, cluster: &ClusterName, uid: &ClusterUid) -> String {
    format!("spiffe://{trust_domain}/cluster/{cluster}/{uid}")
}

/// Reads who a certificate (DER) names. Whether it is to be trusted is decided before, by TLS.
pub fn peer_id(certificate: &[u8]) -> Result<PeerId, IdentityError> {
    let malformed = |error: String| IdentityError::Malformed(error);
    let (_, parsed) =
        X509Certificate::from_der(certificate).map_err(|error| malformed(error.to_string()))?;
    let mut ids = Vec::new();
    for extension in parsed.extensions() {
        let ParsedExtension::SubjectAlternativeName(names) = extension.parsed_extension() else {
            continue;
        };
        for name in &names.general_names {
            if let GeneralName::URI(uri) = name {
                ids.push(parse_spiffe_id(uri).ok_or(IdentityError::NoSpiffeId)?);
            }
        }
    }
    let [(trust_domain, cluster, uid)] = ids.as_slice() else {
        return Err(IdentityError::NoSpiffeId);
    };
    let not_after = Timestamp::from_second(parsed.validity().not_after.timestamp())
        .map_err(|error| malformed(error.to_string()))?;
    Ok(PeerId {
        trust_domain: trust_domain.clone(),
        cluster: cluster.clone(),
        uid: uid.clone(),
        serial: hex::encode(parsed.raw_serial()),
        not_after,
    })
}

fn parse_spiffe_id(uri: &str) -> Option<(String, ClusterName, ClusterUid)> {
    let rest = uri.strip_prefix("spiffe://")?;
    let parts: Vec<&str> = rest.split('/').collect();
    let [trust_domain, "cluster", cluster, uid] = parts.as_slice() else {
        return None;
    };
    if trust_domain.is_empty() {
        return None;
    }
    Some((
        (*trust_domain).to_owned(),
        cluster.parse().ok()?,
        uid.parse().ok()?,
    ))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_spiffe_id_is_read_as_it_was_written() {
        let cluster: ClusterName = "eu-1".parse().unwrap();
        let uid: ClusterUid = "0a1b".parse().unwrap();
        let id = spiffe_id("shop.example", &cluster, &uid);
        assert_eq!(
            parse_spiffe_id(&id),
            Some(("shop.example".into(), cluster, uid))
        );
        for wrong in [
            "spiffe:///cluster/a/b",
            "spiffe://d/cluster/a",
            "https://d/cluster/a/b",
            "spiffe://d/cluster/A/b",
        ] {
            assert_eq!(parse_spiffe_id(wrong), None, "{wrong}");
        }
    }

    proptest! {
        #[test]
        fn no_bytes_make_the_reader_panic(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
            prop_assert!(peer_id(&bytes).is_err());
            prop_assert!(person(&bytes).is_err());
        }
    }
}
