//! Certificates say what the hub says, whoever asks; the CA's files are private.

use std::os::unix::fs::PermissionsExt as _;

use flagship_proto::identity::peer_id;

use super::*;

fn now() -> Timestamp {
    "2026-01-01T00:00:00Z".parse().unwrap()
}

fn request(edit: impl FnOnce(&mut CertificateParams)) -> Vec<u8> {
    let key = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
    let mut params = CertificateParams::default();
    edit(&mut params);
    params.serialize_request(&key).unwrap().der().to_vec()
}

#[test]
fn an_agents_certificate_names_whom_the_hub_means_and_lives_seven_days() {
    let folder = tempfile::tempdir().unwrap();
    let ca = Ca::create(folder.path(), "fleet-1", now()).unwrap();
    let asks_for_more = request(|params| {
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let other = "spiffe://shop.example/cluster/us-1/u-2";
        params.subject_alt_names = vec![SanType::URI(other.try_into().unwrap())];
    });
    let cluster = "eu-1".parse().unwrap();
    let uid = "u-1".parse().unwrap();
    let request = Request::read(&asks_for_more).unwrap();
    let issued = ca
        .agent(request, "shop.example", &cluster, &uid, now())
        .unwrap();
    let peer = peer_id(&issued.der).unwrap();
    assert_eq!((peer.cluster, peer.uid), (cluster, uid));
    assert_eq!(peer.serial, issued.serial);
    assert_eq!(peer.not_after, issued.not_after);
    assert_eq!(issued.not_after, "2026-01-08T00:00:00Z".parse().unwrap());
    let (_, parsed) = x509_parser::parse_x509_certificate(&issued.der).unwrap();
    assert!(!parsed.is_ca());
}

#[test]
fn a_request_must_prove_its_key() {
    let mut altered = request(|_| {});
    let last = altered.len() - 1;
    altered[last] ^= 1;
    assert!(Request::read(&altered).is_err());
    assert!(Request::read(b"not a request").is_err());
}

#[test]
fn the_ca_is_the_same_after_a_restart_and_its_key_is_private() {
    let folder = tempfile::tempdir().unwrap();
    let hash = Ca::create(folder.path(), "fleet-1", now()).unwrap().hash();
    assert_eq!(Ca::open(folder.path()).unwrap().hash(), hash);
    let mode = std::fs::metadata(folder.path().join(KEY_FILE))
        .unwrap()
        .permissions()
        .mode();
    assert_eq!(mode & 0o777, 0o600);
}

#[test]
fn a_missing_or_torn_file_is_named() {
    let folder = tempfile::tempdir().unwrap();
    let missing = Ca::open(folder.path()).unwrap_err().to_string();
    assert!(missing.contains("ca.key.pem is missing"), "{missing}");
    Ca::create(folder.path(), "fleet-1", now()).unwrap();
    std::fs::write(folder.path().join(KEY_FILE), "-----BEGIN").unwrap();
    let torn = Ca::open(folder.path()).unwrap_err().to_string();
    assert!(torn.contains("ca.key.pem cannot be read"), "{torn}");
}
