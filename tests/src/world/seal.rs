//! Keys of a World's agents: real ones, made once a name for all Worlds of a process, because making
//! them is slow and their signatures differ by nothing that matters.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex, OnceLock, PoisonError},
};

use flagship_agent::link::Seal;
use flagship_hub::ca::{AgentCert, Ca, Request};
use flagship_proto::{
    model::{
        Abort, ClusterName, ClusterUid, Lift, LocalRelease, Order, Receipt, Signed, SignedReceipt,
    },
    sign::{HubKeys, Kind, SignError, SignKey},
};
use jiff::Timestamp;

use super::hub::{TRUST_DOMAIN, hub_key};

/// An agent's key and its certificate.
#[derive(Debug)]
pub(super) struct Papers {
    pub(super) key: SignKey,
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
        let key = SignKey::generate().expect("a key");
        let csr = rcgen::CertificateParams::default().serialize_request(key.pair());
        let request = Request::read(csr.expect("a request").der()).expect("our own request");
        let certificate = authority()
            .agent(request, TRUST_DOMAIN, cluster, uid, beginning)
            .expect("a certificate");
        Arc::new(Papers { key, certificate })
    };
    Arc::clone(all.entry(uid.clone()).or_insert_with(draw))
}

/// Checks and signs with the papers of one agent.
#[derive(Debug)]
pub(super) struct WorldSeal {
    papers: Arc<Papers>,
    hub: HubKeys,
}

impl WorldSeal {
    pub(super) fn new(papers: Arc<Papers>) -> Self {
        let hub = HubKeys::new([(hub_key().id().to_owned(), hub_key().public())]);
        Self { papers, hub }
    }
}

impl Seal for WorldSeal {
    fn check_order(&self, order: &Signed<Order>) -> Result<(), SignError> {
        self.hub.verify(Kind::Order, order)
    }

    fn check_abort(&self, abort: &Signed<Abort>) -> Result<(), SignError> {
        self.hub.verify(Kind::Abort, abort)
    }

    fn check_lift(&self, lift: &Signed<Lift>) -> Result<(), SignError> {
        self.hub.verify(Kind::Lift, lift)
    }

    fn check_local_release(&self, release: &Signed<LocalRelease>) -> Result<(), SignError> {
        self.hub.verify(Kind::LocalRelease, release)
    }

    fn sign_receipt(&self, receipt: Receipt) -> Result<SignedReceipt, SignError> {
        let serial = &self.papers.certificate.serial;
        self.papers.key.sign_receipt(receipt, serial)
    }
}
