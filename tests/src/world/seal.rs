//! Keys of a World's agents: real ones, made once a name for all Worlds of a process, because making
//! them is slow and their signatures differ by nothing that matters.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use flagship_agent::link::Keys;
use flagship_hub::ca::{AgentCert, Ca, Request};
use flagship_proto::{
    model::{ClusterName, ClusterUid},
    sign::{HubKeys, SignKey},
};
use jiff::Timestamp;

use super::hub::{TRUST_DOMAIN, hub_key};

/// An agent's key and its certificate.
#[derive(Debug)]
pub(super) struct Papers {
    pub(super) key: Arc<SignKey>,
    pub(super) certificate: AgentCert,
}

/// One authority for all Worlds of a test process: what it signs is real, making it is slow.
fn authority() -> &'static Ca {
    static CA: OnceLock<(tempfile::TempDir, Ca)> = OnceLock::new();
    let (_, ca) = CA.get_or_init(|| {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let ca = Ca::create(folder.path(), "world", Timestamp::now()).expect("a new authority");
        (folder, ca)
    });
    ca
}

/// The papers of a member, good for a week from the beginning of every World.
pub(super) fn papers(cluster: &ClusterName, uid: &ClusterUid, beginning: Timestamp) -> Arc<Papers> {
    static ALL: Mutex<BTreeMap<ClusterUid, Arc<Papers>>> = Mutex::new(BTreeMap::new());
    let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
    let draw = || {
        let key = Arc::new(SignKey::generate().expect("a key"));
        let csr = rcgen::CertificateParams::default().serialize_request(key.pair());
        let request = Request::read(csr.expect("a request").der()).expect("our own request");
        let certificate = authority()
            .agent(request, TRUST_DOMAIN, cluster, uid, beginning)
            .expect("a certificate");
        Arc::new(Papers { key, certificate })
    };
    Arc::clone(all.entry(uid.clone()).or_insert_with(draw))
}

/// What an agent with these papers checks and signs with: as a real one has it.
pub(super) fn seal(papers: &Papers) -> Keys {
    Keys {
        hub: HubKeys::new([(hub_key().id().to_owned(), hub_key().public())]),
        own: Arc::clone(&papers.key),
        serial: papers.certificate.serial.clone(),
    }
}
